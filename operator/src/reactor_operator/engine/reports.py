"""What tasks report: a start, a reason to wait, a file, an outcome, a loss; each of the step's open task.

In: a draft and an event of an open task. Out: the step moved on, its next attempt planned, or its failure handed over.
Never here: an event of a closed task (`decide` sorts those out), or what a failure means for the run (`ending`).
"""

from reactor_operator.engine import events as ev
from reactor_operator.engine.draft import Draft
from reactor_operator.engine.ending import fail_for_good, rollback_is_late
from reactor_operator.engine.failures import Certainty, Failure, FailureKind, render_message
from reactor_operator.engine.forward import complete, skip
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import (
    close,
    mark_started,
    may_attempt_again,
    request_known,
    schedule_attempt,
    schedule_replacement,
)
from reactor_operator.engine.reverting import cleanup_failed, reversed_one, revert_order
from reactor_operator.engine.state import REASON_LIMIT, Goal, Stage, StepPhase, Timer

_OVERSTAYED = frozenset({FailureKind.TIMEOUT, FailureKind.CANNOT_START})
"""The kinds by which the engine itself ends a task that may still run."""


def task_reported(draft: Draft, event: ev.TaskEvent) -> None:
    """Take down what an open task tells."""
    path = event.task.path
    match event:
        case ev.RequestEvaluated():
            request_known(draft, event.task, event.request)
        case ev.TaskStarted():
            mark_started(draft, path, event.at)
        case ev.TaskWaiting():
            _waiting(draft, path, event.reason[:REASON_LIMIT])
        case ev.TaskUploaded():
            if draft.step(path).uploaded is None:
                draft.put(path, uploaded=event.result, uploaded_text=event.text)
        case ev.TaskFailed():
            task_failed(draft, event.task, event.failure)
        case ev.TaskLost():
            _lost(draft, event)
        case _:
            _ended_well(draft, event)


def _waiting(draft: Draft, path: str, reason: str) -> None:
    """A task says why it cannot start, or that nothing keeps it any more.

    `pendingTimeout` counts from the first reason of the attempt, over all its launches. It takes effect while there is
    a reason: a task that is only slow to start is left alone.
    """
    step = draft.step(path)
    if step.task_started or step.reason == reason:
        return
    if not reason:
        draft.put(path, reason="", timer=None, due_at=None)
        return
    until = step.pending_until or draft.now + draft.plan.pending_timeout_ms
    draft.put(path, reason=reason, pending_until=until, timer=Timer.PENDING, due_at=until)


def _ended_well(draft: Draft, event: ev.TaskSucceeded | ev.TaskSkipped | ev.TaskHalted | ev.TaskContinued) -> None:
    """A task ended without failing; what that means depends on what it was to do."""
    task = event.task
    path = task.path
    mark_started(draft, path, draft.now)
    refused = _what_is_wrong(draft, event)
    if refused is not None:
        task_failed(draft, task, refused)
        return
    uploaded = draft.step(path).uploaded
    close(draft, path)
    match task.action, event:
        case Action.RUN, ev.TaskSucceeded():
            complete(draft, path, uploaded if event.uploaded else event.result)
        case Action.RUN, ev.TaskSkipped():
            skip(draft, path, event.result)
        case Action.RUN, ev.TaskHalted():
            complete(draft, path, None)
            if not draft.is_contained(path):  # it is about to be reversed, and a halt reverses nothing
                draft.set(halting=True, halt_reason=render_message(event.reason))
        case Action.COMPENSATE, ev.TaskContinued():
            complete(draft, path, event.result)
            draft.put(path, cleanup_failure=None, cleanup_attempts=0)  # its undo has attempts of its own
            if draft.header.stage is Stage.REVERTING:
                draft.revert = revert_order(draft.plan, draft.steps)
        case Action.COMPENSATE, _:
            reversed_one(draft, path, StepPhase.COMPENSATED)
        case _:
            reversed_one(draft, path, StepPhase.UNDONE)


def _what_is_wrong(
    draft: Draft, event: ev.TaskSucceeded | ev.TaskSkipped | ev.TaskHalted | ev.TaskContinued
) -> Failure | None:
    """Return why an outcome cannot be taken for what it says, None where it can."""
    action = event.task.action
    match event:
        case ev.TaskSucceeded(uploaded=True) if draft.step(event.task.path).uploaded is None:
            message = "exited with success but uploaded no output"
            return Failure(kind=FailureKind.INVALID_RESULT, message=message)
        case ev.TaskSucceeded(uploaded=True, json_only=True) if draft.step(event.task.path).uploaded_text:
            message = "output.format is json: found text in the uploaded output, expected one JSON document"
            return Failure(kind=FailureKind.INVALID_RESULT, message=message)
        case ev.TaskContinued() if action is not Action.COMPENSATE:
            return Failure(kind=FailureKind.ERROR, message=f"Continue means nothing in {action}", retryable=False)
        case ev.TaskHalted() if action is not Action.RUN:
            return Failure(kind=FailureKind.ERROR, message=f"Halt means nothing in {action}", retryable=False)
        case _:
            return None


def task_failed(draft: Draft, task: Task, failure: Failure) -> None:
    """An attempt failed: it is made again while the policy allows and the run still wants it."""
    path = task.path
    never_started = failure.certainty is Certainty.NEVER_STARTED
    if not never_started:
        mark_started(draft, path, draft.now)
    close(draft, path, stop=failure.kind in _OVERSTAYED, failed=True)
    step = draft.step(path)
    plan, before = draft.plan.steps[path], step.cleanup_attempts  # none while the step itself is attempted
    again = _is_wanted(draft, task) and may_attempt_again(plan, task, failure, before)
    if task.action is Action.RUN:
        uncertain = step.uncertain or failure.certainty is Certainty.UNCERTAIN
        draft.put(path, acted=step.acted or not never_started, uncertain=uncertain, failure=failure)
        if again:
            schedule_attempt(draft, path, task, failure.retry_after_ms)
        else:
            fail_for_good(draft, path, failure)
    elif again:
        draft.put(path, cleanup_failure=failure)
        schedule_attempt(draft, path, task, failure.retry_after_ms)
    else:
        cleanup_failed(draft, path, failure)


def _is_wanted(draft: Draft, task: Task) -> bool:
    """Tell whether the run would launch this action again: not where it ends, and no cleanup that comes too late."""
    header = draft.header
    if draft.root.header.stage is Stage.RECOVERING:
        return False
    if task.action is Action.RUN:
        return draft.starts(task.path) and not draft.is_contained(task.path)
    return header.goal is not Goal.CANCEL and not rollback_is_late(draft)


def _lost(draft: Draft, event: ev.TaskLost) -> None:
    """A pod went away: it is replaced within its attempt, which is not counted where it certainly never began."""
    task = event.task
    path = task.path
    step = draft.step(path)
    began = step.task_started or event.may_have_started
    until = step.pending_until or draft.now + draft.plan.pending_timeout_ms
    enough = step.losses >= draft.plan.infrastructure_retries if began else draft.now >= until and not event.given_back
    failure = Failure(
        kind=FailureKind.LOST if began else FailureKind.CANNOT_START, message=render_message(event.message)
    )
    if enough or not _is_wanted(draft, task):
        task_failed(draft, task, failure)
        return
    if began:
        mark_started(draft, path, draft.now)
    close(draft, path, failed=True)
    if task.action is not Action.RUN:
        draft.put(path, cleanup_failure=failure)
    elif began:
        draft.put(path, acted=True, uncertain=True)
    if event.given_back:  # it could have started, so no pendingTimeout runs: in a queue it may wait for long
        draft.put(path, pending_until=None)
    elif not began:
        draft.put(path, pending_until=until, reason=failure.message[:REASON_LIMIT])
    schedule_replacement(draft, path, task, counts=began)
