"""Failing, cancelling, halting, and the end of a run.

In: a draft and the reason. Out: the stage that leads to the end, and the end itself.
"""

from reactor_operator.engine.containing import close_scopes, contain, container_of, end_containing, reverse_inside
from reactor_operator.engine.draft import STARTS_STEPS, Draft
from reactor_operator.engine.elements import index_of, plan_at
from reactor_operator.engine.facts import ENDS, FactKind
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.forward import ignore
from reactor_operator.engine.launching import NOT_WAITING, close, terminate
from reactor_operator.engine.outcomes import file_all, file_reversed, keep_stopped, not_reversed, release
from reactor_operator.engine.plan import ROOT, OnFailure
from reactor_operator.engine.reverting import (
    cleanup_failed,
    list_remaining,
    needs_cleanup,
    revert_next,
    revert_order,
    start_cleanup,
)
from reactor_operator.engine.state import (
    CLEANUP,
    Ending,
    Goal,
    RollbackState,
    RunFailure,
    RunPhase,
    Stage,
    StepPhase,
    is_held,
)
from reactor_operator.engine.values import ValueRef


def fail_for_good(draft: Draft, path: str, failure: Failure) -> None:
    """No attempt is left. While the run goes forward its own cleanup decides what follows; later it only is noted."""
    draft.put(path, phase=StepPhase.FAILED, failure=failure, finished_at=draft.now)
    draft.tell(FactKind.STEP_FAILED, step=path, failure=failure)
    if draft.header.stage is Stage.FINISHING:
        draft.announce("FinallyFailed", f"Step {path} failed: {failure.kind}: {failure.message}", warning=True)
    elif draft.header.stage in STARTS_STEPS and not draft.is_contained(path):
        draft.set(stage=Stage.HOLDING, failing=(*draft.header.failing, path))
        draft.announce("StepFailed", f"Step {path} failed: {failure.kind}: {failure.message}", warning=True)


def compose_failed(draft: Draft, scope: str, failure: Failure) -> None:
    """All inside a compose went well and its result cannot be told: where it contains failures, that is one of them."""
    if draft.plan.steps[scope].contains_failures:
        draft.set(stage=Stage.HOLDING)
        contain(draft, scope, RunFailure(step=scope, failure=failure))
    else:
        draft.remaining.pop(scope, None)
        fail_for_good(draft, scope, failure)


def hold(draft: Draft) -> None:
    """Clean up after finally failed steps, one after the other; then go forward again, or back."""
    while draft.header.stage is Stage.HOLDING and not is_held(draft.header):
        has_room = draft.room() > 0
        if draft.header.containing != ROOT:
            if not has_room or not reverse_inside(draft):
                return
            _end_containing(draft)
            continue
        if not draft.header.failing:
            draft.set(stage=Stage.FORWARD)
            return
        path = draft.header.failing[0]
        step = draft.step(path)
        if step.phase in CLEANUP or (needs_cleanup(step) and not has_room):
            return
        if step.phase is StepPhase.FAILED and start_cleanup(draft, path):
            return
        draft.set(failing=draft.header.failing[1:])
        _cleaned_up(draft, path)


def _cleaned_up(draft: Draft, path: str) -> None:
    """A finally failed step has had its own cleanup: its failure is repaired or ignored, or reaches what is around."""
    step = draft.step(path)
    if step.phase is StepPhase.SUCCEEDED:
        return
    if draft.plan.steps[path].continues_on_error:
        ignore(draft, path)
        return
    if step.failure is None:
        raise AssertionError(f"step {path!r} failed without a failure")
    failure = RunFailure(step=path, failure=step.failure, attempts=step.run_attempts)
    container = container_of(draft, path)
    if container is None:
        fail_run(draft, failure)
    else:
        contain(draft, container, failure)


def _end_containing(draft: Draft) -> None:
    """All inside a compose is reversed. Where it is not attempted again, what its own failure means comes first."""
    scope = draft.header.containing
    failure = end_containing(draft)
    if failure is not None:
        fail_for_good(draft, scope, failure)
        others = tuple(path for path in draft.header.failing if path != scope)
        draft.set(failing=(scope, *others))


def fail_run(draft: Draft, failure: RunFailure) -> None:
    """The run is failing: nothing new starts, tasks in flight drain or are stopped, then everything is reversed."""
    draft.set(
        failure=failure,
        rollback=RollbackState.IN_PROGRESS,
        rollback_deadline=draft.now + draft.plan.rollback_deadline_ms,
    )
    where = f"step {failure.step}" if failure.step else "the run"
    draft.announce("RollingBack", f"Rolling back after {where} failed: {failure.failure.message}", warning=True)
    begin_ending(draft, Goal.ROLL_BACK)


def begin_ending(draft: Draft, goal: Goal) -> None:
    """Start nothing more, and end as `goal` says once nothing is in flight."""
    draft.set(stage=Stage.DRAINING, goal=goal, failing=(), containing=ROOT, contained=None)
    draft.ready = ()
    draft.evaluating.clear()
    draft.revert = ()
    retrying = [path for path, step in draft.steps.items() if step.phase is StepPhase.RETRYING]
    for path in (*retrying, *draft.waiting):
        draft.put(path, phase=StepPhase.CANCELLED, finished_at=draft.now, **NOT_WAITING)
    if goal is Goal.CANCEL:
        abandon_cleanups(draft)
    if draft.plan.on_failure is OnFailure.TERMINATE and goal is not Goal.HALT:
        for path in draft.active_in_plan_order():
            if draft.step(path).phase is StepPhase.RUNNING:
                terminate(draft, path)


def rollback_is_late(draft: Draft) -> bool:
    """Tell whether the rollback's deadline has passed: nothing further starts."""
    deadline = draft.header.rollback_deadline
    return deadline is not None and draft.now >= deadline


def abandon_cleanups(draft: Draft) -> None:
    """List the compensates and undos that wait for their next task, which will not be made any more."""
    for path in draft.active_in_plan_order():
        step = draft.step(path)
        if step.task is not None:
            continue
        if step.cleanup_failure is None or step.previous is None:
            raise AssertionError(f"step {path!r} waits to clean up again without having failed to")
        draft.put(path, **NOT_WAITING, attempt=step.previous.attempt)  # that of the task that was made
        cleanup_failed(draft, path, step.cleanup_failure)


def cancel(draft: Draft, reason: str) -> None:
    """Stop the run and keep everything; a rollback under way ends after the undo in flight, `finally` steps at once."""
    if draft.header.stage is Stage.FINISHING:
        _stop_finals(draft, reason)
        return
    draft.set(cancel_reason=reason)
    if draft.header.stage is Stage.REVERTING:
        draft.set(goal=Goal.CANCEL)
        abandon_cleanups(draft)
        return
    lost = draft.header.stage is Stage.RECOVERING
    begin_ending(draft, Goal.CANCEL)
    if lost:
        stop_everything(draft)
        close_scopes(draft, ROOT)
        finish(draft, RunPhase.CANCELLED, "Cancelled", reason or "cancelled while recovering", finals=())


def stop_everything(draft: Draft) -> None:
    """Stop every task that the state knows of: where state was lost, nobody can say which of them will ever report."""
    for path in draft.active_in_plan_order():
        if draft.step(path).phase is StepPhase.RUNNING:
            terminate(draft, path)
        else:
            close(draft, path, stop=True, failed=True)
            message = "stopped by a cancel after the state of the run was lost; what it did is not known"
            cleanup_failed(draft, path, Failure(kind=FailureKind.LOST, message=message))
    _give_up_finals(draft)
    for of in draft.active_maps():
        _stop_elements(draft, of)


def _stop_elements(draft: Draft, of: str) -> None:
    """Stop every task of a map, and end the map where it stands; what its elements did is kept for an undo."""
    mapped, step = draft.plan.steps[of].map, draft.step(of)
    assert mapped is not None
    for path in list(draft.elements[of]):
        inner = draft.open(of, path, plan_at(mapped, of, path))
        begin_ending(inner, Goal.CANCEL)
        stop_everything(inner)
        close_scopes(inner, ROOT)
        inner.set(stage=Stage.OVER, phase=RunPhase.CANCELLED, finished_at=draft.now)
        index = index_of(of, path)
        draft.settled(of, path)
        draft.remove_element(of, path)
        if index is None:
            release(draft, inner)
            continue
        keep = keep_stopped if step.phase is StepPhase.RUNNING else file_reversed
        keep(draft, of, index, inner)
        for failure in inner.header.rollback_failures:
            not_reversed(draft, of, index, failure.kind, failure.message)
    file_all(draft, of)
    del draft.elements[of]
    number = step.completion or draft.header.completions + 1
    draft.set(completions=max(draft.header.completions, number))
    phase = StepPhase.CANCELLED if step.phase is StepPhase.RUNNING else StepPhase.ROLLBACK_FAILED
    draft.put(of, phase=phase, completion=number, finished_at=draft.now, **NOT_WAITING)


def drain(draft: Draft) -> None:
    """Wait for what is in flight; then end, or turn back."""
    if draft.active:
        return
    close_scopes(draft, ROOT)
    goal = draft.header.goal
    if goal is Goal.CANCEL:
        finish(draft, RunPhase.CANCELLED, "Cancelled", draft.header.cancel_reason or "cancelled on request")
    elif goal is Goal.HALT:
        finish(draft, RunPhase.HALTED, "Halted", draft.header.halt_reason or "halted by a step")
    else:
        go_back(draft)


def go_back(draft: Draft) -> None:
    """Turn back: from here on everything is reversed, one at a time, until the deadline of the rollback."""
    deadline = draft.header.rollback_deadline or draft.now + draft.plan.rollback_deadline_ms
    draft.set(stage=Stage.REVERTING, rollback_deadline=deadline)
    draft.revert = revert_order(draft.plan, draft.steps)


def revert(draft: Draft) -> None:
    """Reverse the next thing, once nothing is in flight; end when nothing is left or no time is."""
    if draft.active:
        return
    header = draft.header
    if header.goal is Goal.CANCEL:
        draft.revert = ()
        finish(draft, RunPhase.CANCELLED, "Cancelled", header.cancel_reason or "cancelled during the rollback")
        return
    if is_held(header):
        return
    if rollback_is_late(draft):
        list_remaining(draft, "the rollback deadline passed before its reversal started")
    if draft.revert and draft.room() <= 0:
        return  # of an element of a map: others have tasks in flight
    if revert_next(draft):
        return
    failure = draft.header.failure
    if header.goal is Goal.UNDO and not draft.header.rollback_failures:
        finish(draft, RunPhase.UNDONE, "Undone", header.undo_reason or "undone on request")
    elif header.goal is Goal.UNDO:
        finish(draft, RunPhase.FAILED, "Failed", header.undo_reason or "could not be undone completely")
    else:
        finish(draft, RunPhase.FAILED, "Failed", failure.failure.message if failure else "")


def finish(
    draft: Draft,
    phase: RunPhase,
    reason: str,
    message: str,
    result: ValueRef | None = None,
    finals: tuple[str, ...] | None = None,
) -> None:
    """End the run, after its `finally` steps, if it has any: each end gives them a round of their own.

    `finals` are those to run, all when left out: where state was lost, they may have been run already.
    """
    finals = draft.plan.finals if finals is None else finals
    draft.set(stage=Stage.FINISHING, ending=Ending(phase=phase, reason=reason, message=message), result=result)
    draft.ready = ()
    for path in finals:
        draft.renew(path)
    for path in finals:
        if not draft.plan.steps[path].needs:
            draft.make_ready(path)


def _stop_finals(draft: Draft, reason: str) -> None:
    """End the run as it was about to end, without the `finally` steps that have not ended: one of them may hang."""
    draft.ready = ()
    draft.evaluating.clear()
    for path in draft.plan.finals:
        if draft.step(path).phase is StepPhase.RUNNING:
            terminate(draft, path)
    _give_up_finals(draft)
    words = "The finally steps that had not ended are stopped" + (f": {reason}" if reason else "")
    draft.announce("FinallyStopped", words, warning=True)
    end(draft)


def _give_up_finals(draft: Draft) -> None:
    """Let no `finally` step wait for its next attempt any more: the next end gives it a round of its own."""
    for path in draft.plan.finals:
        if draft.step(path).phase is StepPhase.RETRYING:
            draft.put(path, phase=StepPhase.CANCELLED, finished_at=draft.now, **NOT_WAITING)


def end(draft: Draft) -> None:
    """All is done. A rollback is complete only where the run went back: cleaning up after an ignored step is none."""
    header = draft.header
    if header.ending is None:
        raise AssertionError("a run ends without a phase to end in")
    phase, reason, message = header.ending.phase, header.ending.reason, header.ending.message
    went_back = header.rollback is RollbackState.IN_PROGRESS
    if header.rollback_failures or (went_back and header.goal is Goal.CANCEL):
        rollback = RollbackState.INCOMPLETE
    elif went_back and header.undone:
        rollback = RollbackState.COMPLETE
    else:
        rollback = RollbackState.NOT_NEEDED
    draft.set(stage=Stage.OVER, phase=phase, finished_at=draft.now, rollback=rollback, ending=None)
    bad = phase in {RunPhase.FAILED, RunPhase.CANCELLED} or rollback is RollbackState.INCOMPLETE
    told = {
        RollbackState.INCOMPLETE: " (rollback incomplete)",
        RollbackState.COMPLETE: f" ({len(header.undone)} reversed)",
    }
    words = (message or f"Run {phase}") + told.get(rollback, "")
    draft.announce(reason, words, warning=bad)
    failed = header.failure if phase is RunPhase.FAILED else None
    if failed is not None:
        draft.tell(ENDS[phase], step=failed.step, failure=failed.failure)
    else:
        draft.tell(ENDS[phase], message=message)
