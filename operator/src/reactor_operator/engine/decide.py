"""The one pure function of the engine: a plan, a state, an event and the time make the next state and what to do.

In: `decide(plan, state, event, now)`, or several events at once. Out: a `Decision`. Same arguments, same bytes out,
whatever the hash seed.
Never here: an effect, a clock, a document. A repeated, stale or impossible event is legal and changes nothing.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, assert_never

from reactor_operator.engine import events as ev
from reactor_operator.engine import plain
from reactor_operator.engine.draft import Decision, Draft, returns_of
from reactor_operator.engine.elements import owner_of
from reactor_operator.engine.ending import (
    begin_ending,
    compose_failed,
    drain,
    end,
    fail_for_good,
    fail_run,
    finish,
    hold,
    revert,
)
from reactor_operator.engine.facts import LOST_FACTS, FactKind
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.forward import complete, enter, finish_up, go_forward, skip
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.interrupting import open_interrupt
from reactor_operator.engine.launching import launch
from reactor_operator.engine.mapping import enter_map, go_over, opened, page_evaluated, refuse_source, returns_evaluated
from reactor_operator.engine.notices import notification_ended
from reactor_operator.engine.owned import names_told
from reactor_operator.engine.plan import NO_STEPS, ROOT, Plan, StepKind
from reactor_operator.engine.reports import task_reported
from reactor_operator.engine.signals import payload_judged, requested
from reactor_operator.engine.state import (
    Goal,
    Header,
    RunFailure,
    RunPhase,
    RunState,
    SignalAnswer,
    Stage,
    StepPhase,
    phase_of,
)
from reactor_operator.engine.suspending import spec_changed
from reactor_operator.engine.timers import fire_due
from reactor_operator.engine.unmapping import go_back_over, outcomes_loaded


def begin(plan: Plan, uid: str, now: int, *, suspended: bool = False, generation: int = 0) -> RunState:
    """Return the state of a run that starts `now`: nothing done, its deadline set; it may hold still."""
    deadline = None if plan.timeout_ms is None else now + plan.timeout_ms
    return RunState(
        header=Header(uid=uid, now=now, started_at=now, deadline=deadline, suspended=suspended, generation=generation),
        ready=tuple(path for path in plan.children if not plan.steps[path].needs),
        remaining={ROOT: len(plan.children)},
    )


def stillborn(uid: str, failure: Failure, now: int, plan: Plan = NO_STEPS) -> Decision:
    """Return the end of a run that can never start (InvalidInputs, InvalidReactor, KeyConflict …).

    The `plan` says who is to be told, as far as that is known.
    """
    draft = _over_at_once(plan, uid, RunPhase.FAILED, now, failure=RunFailure(step="", failure=failure))
    draft.announce("Failed", f"{failure.kind}: {failure.message}", warning=True)
    draft.tell(FactKind.RUN_FAILED, failure=failure)
    return draft.decision()


def withdrawn(uid: str, reason: str, answers: tuple[SignalAnswer, ...], now: int, plan: Plan = NO_STEPS) -> Decision:
    """Return the end of a run that was cancelled before it started; `answers` are those to what people asked of it.

    The `plan` says who is to be told.
    """
    said = reason or "cancelled before it started"
    draft = _over_at_once(plan, uid, RunPhase.CANCELLED, now, cancel_reason=said, signals=answers)
    draft.announce("Cancelled", said, warning=True)
    draft.tell(FactKind.RUN_CANCELLED, message=said)
    return draft.decision()


def _over_at_once(plan: Plan, uid: str, phase: RunPhase, now: int, **why: Any) -> Draft:
    """Begin to tell of a run that ends as it begins; `why` are further fields of its header."""
    header = Header(uid=uid, stage=Stage.OVER, phase=phase, now=now, started_at=now, finished_at=now, **why)
    return Draft(plan, RunState(header=header, remaining={ROOT: 0}), now)


def recovering(header: Header, now: int) -> Header:
    """Return the header of a run whose stored state was lost or is older than what was already told to people.

    What its tasks did since is not known, so it starts nothing and lets no timer take effect. What they still report
    is recorded; a cancel ends it. What is told from here on has numbers beyond those that may have been told in what
    was lost: receivers drop an event whose id they have seen.
    """
    now = max(header.now, now)
    lost = LOST_FACTS if header.told and header.stage is not Stage.RECOVERING else 0
    told = header.told + lost
    return replace(header, stage=Stage.RECOVERING, phase=RunPhase.RECOVERING, ending=None, now=now, told=told)


def decide(plan: Plan, state: RunState, event: ev.Event, now: int) -> Decision:
    """Fold one event into the state. `now` is int ms since the epoch and never counts below the state's own.

    Timers take effect on `TimePassed` alone, which the shell sends after all that waits in the inbox: an outcome that
    was recorded in time wins over the timeout that is noticed with it.
    """
    return decide_together(plan, state, (event,), now)


def decide_together(
    plan: Plan, state: RunState, events: Iterable[ev.Event], now: int, *, begins: bool = True
) -> Decision:
    """Fold events that were recorded before any of them was decided on.

    Without `begins` no element of a map is begun, so that what was done is committed before more is: then it is to be
    asked again at once.

    All are taken down before anything follows from one of them. So a failure that stops its siblings stops none whose
    outcome is recorded behind it, and a sibling that told its start is known to have acted.
    """
    draft = Draft(plan, state, now)
    draft.begins = begins
    if not draft.header.told and draft.header.stage is Stage.FORWARD:
        draft.tell(FactKind.RUN_STARTED)
    for event in events:
        _apply(draft, event)
    _advance(draft)
    draft.merge()
    draft.note_whether_paused()
    if (phase := phase_of(draft.header)) is not draft.header.phase:
        draft.set(phase=phase)
    return draft.decision()


def _apply(draft: Draft, event: ev.Event) -> None:
    if draft.elements and _is_plain(draft, event):
        return
    stage = draft.header.stage
    match event:
        case (
            ev.CancelRequested()
            | ev.UndoRequested()
            | ev.RetryRequested()
            | ev.SkipRequested()
            | ev.ResumeRequested()
            | ev.SuspendRequested()
            | ev.RequestUnreadable()
        ):
            requested(draft, event)
        case ev.PayloadJudged():
            payload_judged(draft, event)
        case ev.SpecChanged():
            spec_changed(draft, event)
        case ev.NotificationEnded():
            notification_ended(draft, event)
        case _ if stage is Stage.OVER:
            pass
        case ev.TimePassed():
            if stage is not Stage.RECOVERING:
                fire_due(draft)
                _fire_elements(draft)
        case _:
            _apply_to_step(draft, event)


def _apply_to_step(draft: Draft, event: ev.AboutStep) -> None:
    path = _path_of(event)
    if (inner := _inner_of(draft, path)) is not None:
        _apply(inner, event)
        return
    is_about = path in draft.plan.steps and (not isinstance(event, ev.TaskEvent) or _is_open(draft, event.task))
    if draft.parent is not None and is_about:
        draft.told |= names_told(event)
    match event:
        case ev.StepEvaluated() | ev.StepEvaluationFailed():
            _step_evaluated(draft, event)
        case ev.ReturnsEvaluated() | ev.ReturnsEvaluationFailed():
            _returns_evaluated(draft, event)
        case ev.PageEvaluated() | ev.PageEvaluationFailed():
            page_evaluated(draft, event)
        case ev.OutcomesLoaded():
            outcomes_loaded(draft, event)
        case _:
            if _is_open(draft, event.task):
                task_reported(draft, event)


def _is_plain(draft: Draft, event: ev.Event) -> bool:
    """Take down what an element tells that is one task; return whether it was no more than that."""
    match event:
        case ev.TaskSucceeded():
            return plain.succeeded(draft, event)
        case ev.StepEvaluated():
            return plain.launched(draft, event)
        case _:
            return False


def _path_of(event: ev.AboutStep) -> str:
    match event:
        case ev.ReturnsEvaluated() | ev.ReturnsEvaluationFailed():
            return event.scope
        case (
            ev.StepEvaluated()
            | ev.StepEvaluationFailed()
            | ev.PageEvaluated()
            | ev.PageEvaluationFailed()
            | ev.OutcomesLoaded()
        ):
            return event.path
        case _:
            return event.task.path


def _inner_of(draft: Draft, path: str) -> Draft | None:
    """Return the draft of the element that a path leads into, None where it leads into none that is in flight."""
    if "[" not in path:
        return None
    owner = owner_of(draft.plan, path)
    if owner is None or owner[1] not in draft.elements.get(owner[0], {}):
        return None
    return opened(draft, *owner)


def _fire_elements(draft: Draft) -> None:
    """Let the timers of elements take effect that are due."""
    for of, flight in draft.elements.items():
        for path in flight.due(draft.now):
            _apply(opened(draft, of, path), ev.TimePassed())


def _advance(draft: Draft) -> None:
    """Let each stage do its part until none moves the run any further by itself."""
    while True:
        stage = draft.header.stage
        match stage:
            case Stage.FORWARD if draft.header.halting:
                begin_ending(draft, Goal.HALT)
            case Stage.FORWARD:
                go_forward(draft)
                if draft.parent is not None and draft.remaining[ROOT] == 0:
                    finish(draft, RunPhase.SUCCEEDED, "", "")
            case Stage.HOLDING:
                hold(draft)
            case Stage.DRAINING:
                drain(draft)
            case Stage.REVERTING:
                revert(draft)
            case Stage.FINISHING:
                if finish_up(draft):
                    end(draft)
            case Stage.OVER | Stage.RECOVERING:
                return
            case _:
                assert_never(stage)
        moved = _move_maps(draft)
        halts = stage is Stage.FORWARD and draft.header.halting  # said by an element
        if draft.header.stage is stage and not moved and not halts:
            return


def _move_maps(draft: Draft) -> bool:
    """Let each map do its part; return whether anything came of it: it may have left room that others wait for."""
    ended, load, before = False, draft.load(), draft.progress
    for path in draft.active_maps():
        move = go_over if draft.step(path).phase is StepPhase.RUNNING else go_back_over
        ended |= move(draft, path, _advance)
    return ended or draft.load() < load or draft.progress > before


def _is_open(draft: Draft, task: Task) -> bool:
    return draft.step(task.path).task == task


def _step_evaluated(draft: Draft, event: ev.StepEvaluated | ev.StepEvaluationFailed) -> None:
    path = event.path
    if path not in draft.evaluating or draft.step(path).round != event.round:
        refuse_source(draft, event)
        return
    draft.evaluating.discard(path)
    if draft.header.stage not in {Stage.FORWARD, Stage.FINISHING}:
        refuse_source(draft, event)
        return
    draft.take_ready(path)
    if isinstance(event, ev.StepEvaluationFailed):
        draft.put(path, fallback=event.fallback)
        fail_for_good(draft, path, event.failure)
    elif not event.proceed:
        skip(draft, path, None)
    else:
        _start(draft, event)


def _start(draft: Draft, event: ev.StepEvaluated) -> None:
    path = event.path
    kind = draft.plan.steps[path].kind
    match kind:
        case StepKind.TASK:
            arguments = draft.step(path).given or event.arguments
            launch(draft, path, Action.RUN, 1, 1, arguments=arguments, fallback=event.fallback)
        case StepKind.TRANSFORM:
            draft.put(path, arguments=event.arguments, started_at=draft.now)
            complete(draft, path, event.result)
        case StepKind.MAP:
            enter_map(draft, event)
        case StepKind.INTERRUPT:
            open_interrupt(draft, event)
        case StepKind.COMPOSE | StepKind.SWITCH:
            draft.put(path, arguments=event.arguments, inputs=event.inputs, fallback=event.fallback)
            enter(draft, path, event.chosen)
        case _:
            assert_never(kind)


def _returns_evaluated(draft: Draft, event: ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed) -> None:
    scope = event.scope
    if returns_of(scope) not in draft.evaluating:
        return
    draft.evaluating.discard(returns_of(scope))
    if scope != ROOT and draft.plan.steps[scope].kind is StepKind.MAP:
        returns_evaluated(draft, event)
    elif isinstance(event, ev.ReturnsEvaluated):
        if scope == ROOT:
            finish(draft, RunPhase.SUCCEEDED, "Succeeded", "", event.result)
        elif draft.header.stage is Stage.FORWARD:
            del draft.remaining[scope]
            complete(draft, scope, event.result)
    elif scope == ROOT:
        fail_run(draft, RunFailure(step="", failure=event.failure))
    elif draft.header.stage is Stage.FORWARD:
        compose_failed(draft, scope, event.failure)
