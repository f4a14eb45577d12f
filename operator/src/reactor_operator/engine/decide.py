"""The one pure function of the engine: a plan, a state, an event and the time make the next state and what to do.

In: `decide(plan, state, event, now)`. Out: a `Decision`. Same arguments, same bytes out, whatever the hash seed.
Never here: an effect, a clock, a document. A repeated, stale or impossible event is legal and changes nothing.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.draft import STARTS_STEPS, Decision, Draft
from reactor_operator.engine.ending import (
    abandon_cleanup,
    begin_ending,
    cancel,
    drain,
    fail_run,
    finally_fail,
    finish,
    hold,
    revert,
)
from reactor_operator.engine.failures import Certainty, Failure, FailureKind, render_message
from reactor_operator.engine.forward import RETURNS, complete, go_forward, skip
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import (
    action_in_hand,
    close,
    launch,
    mark_started,
    may_attempt_again,
    schedule_attempt,
    schedule_replacement,
)
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.reverting import cleanup_failed, reversed_one, revert_order
from reactor_operator.engine.state import (
    Goal,
    Header,
    RunFailure,
    RunPhase,
    RunState,
    SignalAnswer,
    Stage,
    StepPhase,
    StepState,
    Timer,
)

_STANDING_STILL = frozenset({Stage.OVER, Stage.RECOVERING})
_SIGNALS_KEPT = 20
_REASON_LIMIT = 256


def begin(plan: Plan, uid: str, now: int) -> RunState:
    """Return the state of a run that starts `now`: nothing done, its deadline set."""
    deadline = None if plan.timeout_ms is None else now + plan.timeout_ms
    return RunState(
        header=Header(uid=uid, now=now, started_at=now, deadline=deadline),
        ready=tuple(path for path, step in plan.steps.items() if not step.needs),
        remaining=len(plan.steps),
    )


def stillborn(uid: str, failure: Failure, now: int) -> Decision:
    """Return the end of a run that can never start (InvalidInputs, InvalidReactor, ReactorNotFound)."""
    state = RunState(
        header=Header(
            uid=uid,
            stage=Stage.OVER,
            phase=RunPhase.FAILED,
            now=now,
            started_at=now,
            finished_at=now,
            failure=RunFailure(step="", failure=failure),
            announcements=1,
        )
    )
    told = Announce(ordinal=1, reason="Failed", message=f"{failure.kind}: {failure.message}", warning=True)
    return Decision(state=state, actions=(told,))


def recovering(header: Header, now: int) -> Header:
    """Return the header of a run whose stored state was lost or is older than what was already told to people.

    What its tasks did since is not known, so it starts nothing; a cancel ends it.
    """
    return replace(header, stage=Stage.RECOVERING, phase=RunPhase.RECOVERING, now=max(header.now, now))


def decide(plan: Plan, state: RunState, event: ev.Event, now: int) -> Decision:
    """Fold one event into the state. `now` is int ms since the epoch and never counts below the state's own.

    Timers take effect on `TimePassed` alone, which the shell sends after all that waits in the inbox: an outcome that
    was recorded in time wins over the timeout that is noticed with it.
    """
    draft = Draft(plan, state, now)
    _apply(draft, event)
    _advance(draft)
    return draft.decision()


def _apply(draft: Draft, event: ev.Event) -> None:
    match event:
        case ev.CancelRequested():
            _cancel_requested(draft, event)
        case _ if draft.header.stage in _STANDING_STILL:
            pass
        case ev.TimePassed():
            _fire_due(draft)
        case ev.StepEvaluated() | ev.StepEvaluationFailed():
            _step_evaluated(draft, event)
        case ev.ReturnsEvaluated() | ev.ReturnsEvaluationFailed():
            _returns_evaluated(draft, event)
        case _:
            if _is_open(draft, event.task):
                _task_event(draft, event)


def _advance(draft: Draft) -> None:
    """Let each stage do its part until none moves the run any further by itself."""
    while True:
        stage = draft.header.stage
        match stage:
            case Stage.FORWARD if draft.header.halting:
                begin_ending(draft, Goal.HALT)
            case Stage.FORWARD:
                go_forward(draft)
            case Stage.HOLDING:
                hold(draft)
            case Stage.DRAINING:
                drain(draft)
            case Stage.REVERTING:
                revert(draft)
            case Stage.OVER | Stage.RECOVERING:
                return
            case _:
                assert_never(stage)
        if draft.header.stage is stage:
            return


def _is_open(draft: Draft, task: Task) -> bool:
    return task.path in draft.plan.steps and draft.step(task.path).task == task


def _task_event(draft: Draft, event: ev.TaskEvent) -> None:
    path = event.task.path
    match event:
        case ev.TaskStarted():
            mark_started(draft, path, event.at)
        case ev.TaskWaiting():
            _waiting(draft, path, event.reason)
        case ev.TaskUploaded():
            draft.put(path, uploaded=event.result)
        case ev.TaskFailed():
            _failed(draft, event.task, event.failure)
        case ev.TaskLost():
            _lost(draft, event)
        case _:
            _ended_well(draft, event)


def _waiting(draft: Draft, path: str, reason: str) -> None:
    """A task says why it cannot start; from the first such word on it may wait for `pendingTimeout`."""
    step = draft.step(path)
    if step.task_started:
        return
    until = (step.pending_until or draft.now + draft.plan.pending_timeout_ms) if reason else None
    if (step.reason, step.pending_until) != (reason, until):
        timer = Timer.PENDING if until is not None else None
        draft.put(path, reason=reason[:_REASON_LIMIT], pending_until=until, timer=timer, due_at=until)


def _ended_well(draft: Draft, event: ev.TaskSucceeded | ev.TaskSkipped | ev.TaskHalted | ev.TaskContinued) -> None:
    task = event.task
    path = task.path
    mark_started(draft, path, draft.now)
    match task.action, event:
        case _, ev.TaskSucceeded(uploaded=True) if draft.step(path).uploaded is None:
            _failed(
                draft,
                task,
                Failure(kind=FailureKind.INVALID_RESULT, message="exited with success but uploaded no output"),
            )
            return
        case Action.RUN, ev.TaskContinued():
            _failed(draft, task, _misplaced("Continue", task.action))
            return
        case Action.UNDO, ev.TaskContinued():
            _failed(draft, task, _misplaced("Continue", task.action))
            return
        case ((Action.COMPENSATE | Action.UNDO), ev.TaskHalted()):
            _failed(draft, task, _misplaced("Halt", task.action))
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
            draft.set(halting=True, halt_reason=render_message(event.reason))
        case Action.COMPENSATE, ev.TaskContinued():
            complete(draft, path, event.result)
            if draft.header.stage is Stage.REVERTING:
                draft.revert = revert_order(draft.plan, draft.steps)
        case Action.COMPENSATE, _:
            reversed_one(draft, path, StepPhase.COMPENSATED)
        case _:
            reversed_one(draft, path, StepPhase.UNDONE)


def _misplaced(outcome: str, action: Action) -> Failure:
    return Failure(kind=FailureKind.ERROR, message=f"{outcome} means nothing in {action}", retryable=False)


def _failed(draft: Draft, task: Task, failure: Failure) -> None:
    """An attempt failed: it is made again while the policy allows and the run still wants it."""
    path = task.path
    if failure.certainty is not Certainty.NEVER_STARTED:
        mark_started(draft, path, draft.now)
    close(draft, path, stop=failure.kind in {FailureKind.TIMEOUT, FailureKind.CANNOT_START}, failed=True)
    again = may_attempt_again(draft.plan.steps[path], task, failure)
    if task.action is Action.RUN:
        uncertain = draft.step(path).uncertain or failure.certainty is Certainty.UNCERTAIN
        acted = draft.step(path).acted or failure.certainty is not Certainty.NEVER_STARTED
        draft.put(path, acted=acted, uncertain=uncertain, failure=failure)
        if again and draft.header.stage in STARTS_STEPS:
            schedule_attempt(draft, path, task, StepPhase.RETRYING)
        else:
            finally_fail(draft, path, failure)
    else:
        draft.put(path, cleanup_failure=failure)
        if again and draft.header.goal is not Goal.CANCEL and not _rollback_is_late(draft):
            schedule_attempt(draft, path, task, draft.step(path).phase)
        else:
            cleanup_failed(draft, path, failure)


def _lost(draft: Draft, event: ev.TaskLost) -> None:
    """A pod went away: it is replaced within its attempt, which is not counted where it certainly never began."""
    task = event.task
    path = task.path
    step = draft.step(path)
    started = step.task_started or event.may_have_started
    if started:
        mark_started(draft, path, draft.now)
    failure = Failure(kind=FailureKind.LOST, message=render_message(event.message))
    wanted = (
        draft.header.stage in STARTS_STEPS
        if task.action is Action.RUN
        else draft.header.goal is not Goal.CANCEL and not _rollback_is_late(draft)
    )
    if not wanted or (started and step.losses >= draft.plan.infrastructure_retries):
        if started:
            _failed(draft, task, failure)
        else:
            _failed(draft, task, Failure(kind=FailureKind.CANNOT_START, message=failure.message))
        return
    close(draft, path, failed=True)
    if task.action is Action.RUN:
        draft.put(path, acted=step.acted or started, uncertain=step.uncertain or started)
        schedule_replacement(draft, path, task, StepPhase.RETRYING, counts=started)
    else:
        draft.put(path, cleanup_failure=failure)
        schedule_replacement(draft, path, task, draft.step(path).phase, counts=started)
    if not started:
        until = step.pending_until or draft.now + draft.plan.pending_timeout_ms
        draft.put(path, pending_until=until, reason=failure.message[:_REASON_LIMIT])
    _fire(draft, path)


def _rollback_is_late(draft: Draft) -> bool:
    deadline = draft.header.rollback_deadline
    return deadline is not None and draft.now >= deadline


def _step_evaluated(draft: Draft, event: ev.StepEvaluated | ev.StepEvaluationFailed) -> None:
    path = event.path
    if path not in draft.evaluating or draft.step(path).round != event.round:
        return
    draft.evaluating.discard(path)
    if draft.header.stage is not Stage.FORWARD:
        return
    draft.ready.remove(path)
    draft.put(path, fallback=event.fallback)
    if isinstance(event, ev.StepEvaluationFailed):
        finally_fail(draft, path, event.failure)
    elif event.proceed:
        draft.put(path, arguments=event.arguments)
        launch(draft, path, Action.RUN, 1, 1)
    else:
        skip(draft, path, None)


def _returns_evaluated(draft: Draft, event: ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed) -> None:
    if RETURNS not in draft.evaluating:
        return
    draft.evaluating.discard(RETURNS)
    if isinstance(event, ev.ReturnsEvaluationFailed):
        fail_run(draft, RunFailure(step="", failure=event.failure))
    else:
        finish(draft, RunPhase.SUCCEEDED, "Succeeded", "", event.result)


def _cancel_requested(draft: Draft, event: ev.CancelRequested) -> None:
    header = draft.header
    if any(answer.id == event.id and answer.action == "cancel" for answer in header.signals):
        return
    over = header.stage is Stage.OVER
    refused = f"the run has ended: {header.phase}" if over else ""
    if header.goal is Goal.CANCEL and not over:
        refused = "the run is being cancelled already"
    answer = SignalAnswer(
        id=event.id[:_REASON_LIMIT],
        action="cancel",
        accepted=not refused,
        reason=refused or render_message(event.reason),
        by=event.by[:_REASON_LIMIT],
        at=draft.now,
    )
    draft.set(signals=(*header.signals, answer)[-_SIGNALS_KEPT:])
    if not refused:
        cancel(draft, answer.reason)


def _fire_due(draft: Draft) -> None:
    """Let every timer that is due take effect, in the order of the manifest; then the run's own deadline."""
    due: Iterable[str] = (path for path, at in draft.due.items() if at <= draft.now)
    for path in sorted(due, key=lambda p: draft.plan.steps[p].index):
        _fire(draft, path)
    if _rollback_is_late(draft):
        for path in draft.active_in_plan_order():
            if draft.step(path).task is None:
                abandon_cleanup(draft, path)
    header = draft.header
    if header.deadline is not None and header.deadline <= draft.now and header.stage in STARTS_STEPS:
        message = f"the run took longer than {draft.plan.timeout_ms} ms"
        fail_run(draft, RunFailure(step="", failure=Failure(kind=FailureKind.RUN_TIMEOUT, message=message)))


def _fire(draft: Draft, path: str) -> None:
    step: StepState = draft.step(path)
    if step.due_at is None or step.due_at > draft.now:
        return
    match step.timer:
        case Timer.RETRY if step.phase is StepPhase.RETRYING:
            draft.put(path, timer=None, due_at=None)
            draft.make_ready(path)
        case Timer.RETRY if not _rollback_is_late(draft):
            launch(draft, path, action_in_hand(step), step.attempt, step.launch)
        case Timer.TIMEOUT if step.task is not None:
            message = f"{step.task.action} took longer than its timeout"
            _failed(draft, step.task, Failure(kind=FailureKind.TIMEOUT, message=message))
        case Timer.PENDING if step.task is not None:
            _failed(draft, step.task, Failure(kind=FailureKind.CANNOT_START, message=step.reason or "could not start"))
        case Timer.RETRY:
            abandon_cleanup(draft, path)
        case _:
            raise AssertionError(f"step {path!r} has a {step.timer} timer in phase {step.phase}")
