"""Tasks of a step: opening one, closing it, and when the next may be made.

In: a draft and a step. Out: StartTask and RetireTask orders and the step's counters.
Never here: what an outcome means for the run.
"""

from collections.abc import Mapping
from typing import TypedDict

from reactor_operator.engine.actions import EvaluateRequest, RetireTask, StartTask
from reactor_operator.engine.draft import Draft, waits_for_resume
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Action, Task, jitter_fraction
from reactor_operator.engine.plan import ActionPlan, Backoff, RetryPolicy, StepPlan
from reactor_operator.engine.state import StepPhase, StepState, Timer
from reactor_operator.engine.values import ValueRef


class _Read(TypedDict):
    result: ValueRef | None
    failure: Failure | None


_PHASE = {
    Action.RUN: StepPhase.RUNNING,
    Action.COMPENSATE: StepPhase.COMPENSATING,
    Action.UNDO: StepPhase.UNDOING,
}
NOT_WAITING: Mapping[str, str | None] = {"timer": None, "due_at": None, "reason": "", "pending_until": None}
"""A step that waits for nothing: neither for its next task nor for one that cannot start."""
_REPLACEMENT_BASE_MS = 1_000
_REPLACEMENT_MAX_MS = 60_000


def action_plan(plan: StepPlan, action: Action) -> ActionPlan:
    """Return the policies of an action of a step; only actions that the step declares are ever asked for."""
    declared = {Action.RUN: plan.run, Action.COMPENSATE: plan.compensate, Action.UNDO: plan.undo}[action]
    if declared is None:
        raise AssertionError(f"step {plan.path!r} declares no {action}")
    return declared


def launch(
    draft: Draft, path: str, action: Action, attempt: int, launch_number: int, **changes: ValueRef | None
) -> None:
    """Open a task for the step, after `changes` to it, and order its start; first what it sends is evaluated, once."""
    step = draft.step(path)
    same = step.previous is not None and step.previous.action is action
    task = Task(path, action, step.round, attempt, launch_number)
    step = draft.put(
        path,
        **changes,
        phase=_PHASE[action],
        task=task,
        task_started=False,
        attempt=attempt,
        launch=launch_number,
        run_attempts=max(step.run_attempts, attempt) if action is Action.RUN else step.run_attempts,
        request=step.request if same else None,
        uploaded=None,
        uploaded_text=False,
        timer=Timer.PENDING if step.pending_until is not None else None,
        due_at=step.pending_until,
    )
    if step.request is None and action_plan(draft.plan.steps[path], action).has_request:
        draft.act(EvaluateRequest(task=task, arguments=step.arguments, **_read_by(step, action)))
    else:
        _order_start(draft, task)


def request_known(draft: Draft, task: Task, request: ValueRef) -> None:
    """Take down what the open task is to send, and order its start."""
    if draft.step(task.path).request is None:
        draft.put(task.path, request=request)
        _order_start(draft, task)


def _order_start(draft: Draft, task: Task) -> None:
    step = draft.step(task.path)
    draft.act(
        StartTask(
            task=task,
            arguments=step.arguments,
            **_read_by(step, task.action),
            request=step.request,
            uncertain=step.uncertain and task.action is not Action.RUN,
            after=step.previous,
        )
    )


def _read_by(step: StepState, action: Action) -> _Read:
    """Return what an action is told beside the arguments: of an undo the result, of a compensate the failure."""
    return {
        "result": step.result if action is Action.UNDO else None,
        "failure": step.failure if action is Action.COMPENSATE else None,
    }


def start_again(draft: Draft, path: str) -> None:
    """The delay before the step's next task is over: a run queues for its place, a cleanup is launched."""
    step = draft.step(path)
    if step.phase is StepPhase.RETRYING:
        draft.put(path, timer=None, due_at=None)
        draft.make_ready(path)
    else:
        action = Action.COMPENSATE if step.phase is StepPhase.COMPENSATING else Action.UNDO
        launch(draft, path, action, step.attempt, step.launch)


def mark_started(draft: Draft, path: str, at: int) -> None:
    """Note that the open task began to act: its timeout runs from here, and the step may have acted on the world."""
    step = draft.step(path)
    task = step.task
    if task is None or step.task_started:
        return
    timeout_ms = action_plan(draft.plan.steps[path], task.action).timeout_ms
    began = min(at, draft.now)
    order = step.start_order
    if task.action is Action.RUN and order == 0:
        order = draft.header.starts + 1
        draft.set(starts=order)
    draft.put(
        path,
        task_started=True,
        start_order=order,
        reason="",
        pending_until=None,
        started_at=began if step.started_at is None else step.started_at,
        timer=Timer.TIMEOUT if timeout_ms is not None else None,
        due_at=began + timeout_ms if timeout_ms is not None else None,
    )


def close(draft: Draft, path: str, *, stop: bool = False, failed: bool = False) -> None:
    """Close the open task: nothing it says later counts, and its pod goes at once (`stop`) or when it has ended."""
    task = draft.step(path).task
    if task is None:
        raise AssertionError(f"step {path!r} has no open task to close")
    draft.put(path, task=None, task_started=False, previous=task, **NOT_WAITING)
    draft.act(RetireTask(task=task, stop=stop, failed=failed))


def terminate(draft: Draft, path: str) -> None:
    """Stop a task in flight. Unless it certainly never began, what it did is not known."""
    step = draft.step(path)
    checks_in = action_plan(draft.plan.steps[path], Action.RUN).checks_in
    may_have_acted = step.task_started or not checks_in
    order = step.start_order
    if may_have_acted and order == 0:
        order = draft.header.starts + 1
        draft.set(starts=order)
    close(draft, path, stop=True, failed=True)
    draft.put(
        path,
        phase=StepPhase.CANCELLED,
        acted=step.acted or may_have_acted,
        uncertain=step.uncertain or may_have_acted,
        start_order=order,
        finished_at=draft.now,
    )


def schedule_attempt(draft: Draft, path: str, failed: Task, at_least_ms: int) -> None:
    """Plan the attempt after `failed`, after its backoff; the step waits without holding a task.

    `at_least_ms`: a service asked to be left alone for so long.
    """
    delay = max(retry_delay_ms(draft, failed), at_least_ms)
    draft.put(
        path,
        phase=StepPhase.RETRYING if failed.action is Action.RUN else draft.step(path).phase,
        attempt=failed.attempt + 1,
        launch=1,
        losses=0,
        timer=Timer.RETRY,
        due_at=draft.now + delay,
    )


def schedule_replacement(draft: Draft, path: str, lost: Task, *, counts: bool) -> None:
    """Plan the launch that replaces `lost` within its attempt: the first at once, later ones after a growing pause."""
    step = draft.step(path)
    pause = 0 if lost.launch == 1 else min(_REPLACEMENT_BASE_MS << min(lost.launch - 2, 16), _REPLACEMENT_MAX_MS)
    draft.put(
        path,
        phase=StepPhase.RETRYING if lost.action is Action.RUN else step.phase,
        launch=lost.launch + 1,
        losses=step.losses + counts,
        timer=Timer.RETRY,
        due_at=draft.now + pause,
    )
    if pause == 0 and not waits_for_resume(draft, path):
        start_again(draft, path)


def may_attempt_again(plan: StepPlan, task: Task, failure: Failure, before: int = 0) -> bool:
    """Tell whether the policy of the task's action allows another attempt after `failure`.

    `before` is how many attempts do not count, because an earlier rollback made them.
    """
    policy = action_plan(plan, task.action)
    listed = policy.retry_on is None or failure.kind in policy.retry_on
    return failure.may_retry and listed and task.attempt - before < policy.retries.max_attempts


def retry_delay_ms(draft: Draft, failed: Task) -> int:
    """Return the pause before the attempt after `failed`: the policy's delay, shortened by up to its jitter.

    The jitter depends on the task alone, so that the same run waits the same time however often it is decided.
    """
    policy = action_plan(draft.plan.steps[failed.path], failed.action).retries
    before = draft.step(failed.path).cleanup_attempts  # none while the step itself is attempted
    delay = base_delay_ms(policy, failed.attempt - before)
    return delay - int(delay * policy.jitter_percent / 100 * jitter_fraction(draft.header.uid, failed))


def base_delay_ms(policy: RetryPolicy, attempt: int) -> int:
    """Return the pause after attempt number `attempt` before jitter, at most `max_delay_ms`."""
    if policy.backoff is Backoff.FIXED:
        delay = policy.base_delay_ms
    elif policy.backoff is Backoff.LINEAR:
        delay = policy.base_delay_ms * attempt
    else:
        delay = policy.base_delay_ms << min(attempt - 1, 40)
    return min(delay, policy.max_delay_ms)
