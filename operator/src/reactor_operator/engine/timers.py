"""What happens because time passed: timeouts, delays that are over, deadlines.

In: a draft whose `now` has come. Out: the same failures and launches that reports lead to.
Never here: a clock. Timers of steps that are due together take effect in the order of the manifest.
"""

from reactor_operator.engine.draft import STARTS_STEPS, Draft, waits_for_resume
from reactor_operator.engine.ending import abandon_cleanups, fail_run, rollback_is_late
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.interrupting import expire
from reactor_operator.engine.launching import NOT_WAITING, action_plan, start_again
from reactor_operator.engine.reports import task_failed
from reactor_operator.engine.state import RunFailure, StepPhase, Timer


def fire_due(draft: Draft) -> None:
    """Let every timer that is due take effect: the rollback's deadline, those of steps, the run's own."""
    if rollback_is_late(draft):
        abandon_cleanups(draft)
    due = [path for path, at in draft.due.items() if at <= draft.now and not waits_for_resume(draft, path)]
    for path in sorted(due, key=lambda path: draft.plan.steps[path].index):
        _fire(draft, path)
    header = draft.header
    if header.deadline is not None and header.deadline <= draft.now and header.stage in STARTS_STEPS:
        message = f"the run took longer than its timeout of {_seconds(draft.plan.timeout_ms)}"
        fail_run(draft, RunFailure(step="", failure=Failure(kind=FailureKind.RUN_TIMEOUT, message=message)))


def _fire(draft: Draft, path: str) -> None:
    step = draft.step(path)
    match step.timer:
        case Timer.TIMEOUT if step.map is not None:
            message = f"the map took longer than its timeout of {_seconds(_map_timeout(draft, path))}"
            failure = step.map.failure or Failure(kind=FailureKind.TIMEOUT, message=message)
            draft.put(path, map=evolve(step.map, {"failure": failure}), **NOT_WAITING)
        case Timer.TIMEOUT if step.phase is StepPhase.WAITING:
            expire(draft, path)
        case Timer.RETRY if step.task is None:
            start_again(draft, path)
        case Timer.TIMEOUT if step.task is not None:
            timeout_ms = action_plan(draft.plan.steps[path], step.task.action).timeout_ms
            message = f"{step.task.action} took longer than its timeout of {_seconds(timeout_ms)}"
            task_failed(draft, step.task, Failure(kind=FailureKind.TIMEOUT, message=message))
        case Timer.PENDING if step.task is not None:
            message = step.reason or "could not start"
            task_failed(draft, step.task, Failure(kind=FailureKind.CANNOT_START, message=message))
        case _:
            raise AssertionError(f"step {path!r} has a {step.timer} timer in phase {step.phase}")


def _map_timeout(draft: Draft, path: str) -> int | None:
    plan = draft.plan.steps[path].map
    return plan.timeout_ms if plan is not None else None


def _seconds(milliseconds: int | None) -> str:
    return f"{(milliseconds or 0) / 1000:.12g}s"
