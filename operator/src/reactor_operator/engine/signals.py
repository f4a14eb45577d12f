"""Requests from people: each is answered once, accepted or refused with the reason.

In: a draft and a request. Out: the answer among the header's `signals`, and where it is accepted what it asks for.
Never here: who may ask (the shell has judged that).

`TABLE` says for each phase of a run which requests make sense in it; `docs/phases.md` is rendered from it.
"""

from dataclasses import replace
from typing import assert_never

from reactor_operator.engine.actions import JudgePayload
from reactor_operator.engine.draft import Draft
from reactor_operator.engine.elements import owner_of
from reactor_operator.engine.ending import cancel
from reactor_operator.engine.events import (
    CancelRequested,
    PayloadJudged,
    RequestUnreadable,
    ResumeRequested,
    RetryRequested,
    Signal,
    SkipRequested,
    SuspendRequested,
    UndoRequested,
)
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.interrupting import (
    CONSUMED_KEPT,
    expire,
    interrupt_plan,
    is_expired,
    over_already,
    reject,
    resume,
)
from reactor_operator.engine.mapping import opened
from reactor_operator.engine.plan import StepKind
from reactor_operator.engine.resuming import (
    no_such_step,
    refuse_retry,
    refuse_skip,
    refuse_undo,
    retry,
    skip_step,
    undo,
)
from reactor_operator.engine.state import Goal, RunPhase, SignalAnswer, Stage, StepPhase, phase_of
from reactor_operator.engine.suspending import already_so, refuse_suspend, suspend

ANSWERS_KEPT = 20
"""How many answers a run remembers, the newest."""
_NAME_LIMIT = 256

_GOES_ON = "the run goes on: cancel it first, or wait for its end"
_ENDED = "the run has ended: {phase}"
_NOT_FAILED = "only a run that Failed can be retried, and this one is {phase}: start another run"
_NOTHING_FAILED = "only a step of a run that goes on or Failed can be skipped, and this one is {phase}"

GO_ON = "go on"
"""What a suspended run is asked to do; the rows of `TABLE` name the other requests by their action."""

_HELD_OR_NOT = {"suspend": "", GO_ON: ""}
_OVER = dict.fromkeys(("cancel", "suspend", GO_ON, "resume"), _ENDED)

TABLE: dict[RunPhase, dict[str, str]] = {
    RunPhase.PENDING: {
        "cancel": "",
        **dict.fromkeys(("undo", "retry", "skip", "resume"), "the run has not started"),
        **_HELD_OR_NOT,
    },
    **{
        phase: {"cancel": "", "undo": "", "retry": _GOES_ON, "skip": "", "resume": "", **_HELD_OR_NOT}
        for phase in (RunPhase.RUNNING, RunPhase.PAUSED, RunPhase.SUSPENDED)
    },
    RunPhase.ROLLING_BACK: {
        "cancel": "",
        "undo": "the run is being rolled back already",
        "retry": "the run is being rolled back: wait for its end",
        "skip": "the run is being rolled back: wait for its end",
        "resume": "the run is being rolled back: its interrupts are closed",
        **_HELD_OR_NOT,
    },
    RunPhase.RECOVERING: {
        "cancel": "",
        "undo": "",
        "retry": "",
        **dict.fromkeys(
            ("skip", "resume"), "what the steps did since is not known: retry the run, undo it, or cancel it"
        ),
        **_HELD_OR_NOT,
    },
    RunPhase.SUCCEEDED: {"undo": "", "retry": _NOT_FAILED, "skip": _NOTHING_FAILED, **_OVER},
    RunPhase.FAILED: {"undo": "", "retry": "", "skip": "", **_OVER},
    RunPhase.CANCELLED: {"undo": "", "retry": _NOT_FAILED, "skip": _NOTHING_FAILED, **_OVER},
    RunPhase.HALTED: {"undo": "", "retry": _NOT_FAILED, "skip": _NOTHING_FAILED, **_OVER},
    RunPhase.UNDONE: {"undo": "the run is undone already", "retry": _NOT_FAILED, "skip": _NOTHING_FAILED, **_OVER},
}
"""For each phase and request why it is refused; empty where it is accepted, if nothing else speaks against it."""


def action_of(event: Signal) -> str:
    """Return what a request asks for, in the word of the API."""
    match event:
        case CancelRequested():
            return "cancel"
        case UndoRequested():
            return "undo"
        case RetryRequested():
            return "retry"
        case SkipRequested():
            return "skip"
        case ResumeRequested():
            return "resume"
        case SuspendRequested():
            return "suspend"
        case RequestUnreadable():
            return event.action
        case _:
            assert_never(event)


def _row_of(event: Signal) -> str:
    return GO_ON if isinstance(event, SuspendRequested) and not event.suspended else action_of(event)


def answer_to(event: Signal, refused: str, now: int, *, note: str) -> SignalAnswer:
    """Return the answer that people read: accepted, and a `note` if there is one to it, or refused and why."""
    return SignalAnswer(
        id=event.id[:_NAME_LIMIT],
        action=action_of(event),
        accepted=not refused,
        reason=refused or note or render_message(event.reason),
        by=event.by[:_NAME_LIMIT],
        at=now,
        step=event.step if isinstance(event, ResumeRequested) else "",
    )


def answer_unstarted(event: Signal, now: int, *, suspended: bool = False) -> SignalAnswer:
    """Answer a request to a run of which nothing is stored yet, and which is to start `suspended` or not.

    A cancel that is accepted ends it (`withdrawn`).
    """
    unreadable = isinstance(event, RequestUnreadable)
    refused = event.reason or "it has no meaning" if unreadable else TABLE[RunPhase.PENDING][_row_of(event)]
    note = already_so(suspended, event) if isinstance(event, SuspendRequested) else ""
    return answer_to(event, refused, now, note=note)


def requested(draft: Draft, event: Signal) -> None:
    """Answer a request. One that was answered before changes nothing.

    A resume whose payload is to be judged is answered when it is (`payload_judged`).
    """
    if _is_answered(draft, event):
        return
    refused = _refusal(draft, event)
    if isinstance(event, ResumeRequested) and not refused:
        _judge(draft, event)
        return
    reason = render_message(event.reason)
    note = already_so(draft.header.suspended, event) if isinstance(event, SuspendRequested) else ""
    _answer(draft, answer_to(event, refused, draft.now, note=note))
    if refused:
        return
    match event:
        case CancelRequested():
            cancel(draft, reason)
        case UndoRequested():
            undo(draft, reason, delete=event.delete)
        case RetryRequested():
            retry(draft, event)
        case SkipRequested():
            inner = _saga_of(draft, event.step)
            assert inner is not None
            skip_step(draft, inner, event)
        case SuspendRequested():
            suspend(draft, event)
        case RequestUnreadable() | ResumeRequested():
            raise AssertionError(f"a request of this kind is answered elsewhere: {event}")
        case _:
            assert_never(event)


def _is_answered(draft: Draft, event: Signal) -> bool:
    name, action = event.id[:_NAME_LIMIT], action_of(event)
    known = isinstance(event, ResumeRequested) and name in draft.header.consumed
    return known or any(answer.id == name and answer.action == action for answer in draft.header.signals)


def _answer(draft: Draft, answer: SignalAnswer) -> None:
    draft.set(signals=(*draft.header.signals, answer)[-ANSWERS_KEPT:])
    if not answer.accepted:
        words = f"{answer.action} is refused: {'; '.join((answer.reason, *answer.errors))}"
        draft.announce(f"{answer.action.capitalize()}Refused", words, warning=True)


def _judge(draft: Draft, event: ResumeRequested) -> None:
    """Have a payload compared with the schema of its interrupt, where that has one."""
    inner = _saga_of(draft, event.step)
    assert inner is not None
    if interrupt_plan(inner, event.step).judged:
        draft.act(JudgePayload(request=event))
    else:
        payload_judged(draft, PayloadJudged(request=event, payload=event.payload))


def payload_judged(draft: Draft, event: PayloadJudged) -> None:
    """Answer a resume: its interrupt ends with the payload, or refuses it. It may be closed by now."""
    request = event.request
    if _is_answered(draft, request):
        return
    refused = _refusal(draft, request)
    inner = _saga_of(draft, request.step) if not refused else None
    if inner is None:
        _answer(draft, answer_to(request, refused, draft.now, note=""))
        return
    if request.dry_run:
        refused, note = ("the payload is invalid", "") if event.errors else ("", "it would be accepted")
    elif event.errors:
        refused, note = reject(inner, event), ""
    else:
        note = ""
        resume(inner, event)
        draft.set(consumed=(*draft.header.consumed, request.id[:_NAME_LIMIT])[-CONSUMED_KEPT:])
        by = f" by {request.by}" if request.by else ""
        draft.announce("SignalAccepted", f"Step {request.step} was resumed{by}")
    _answer(draft, replace(answer_to(request, refused, draft.now, note=note), errors=event.errors))


def _saga_of(draft: Draft, path: str) -> Draft | None:
    """Return what a step is in: the run, or an element in flight. None where it is in neither."""
    while (owner := owner_of(draft.plan, path)) is not None:
        if owner[1] not in draft.elements.get(owner[0], {}):
            return None
        draft = opened(draft, *owner)
    return draft if path in draft.plan.steps else None


def _refuse_resume(draft: Draft, event: ResumeRequested) -> str:
    """Return why an interrupt takes no payload now, empty where it does. One that waited too long ends with that."""
    inner = _saga_of(draft, event.step)
    if inner is None:
        return no_such_step(event.step)
    step = inner.step(event.step)
    if (kind := inner.plan.steps[event.step].kind) is not StepKind.INTERRUPT:
        return f"step {event.step} is a {kind}, expected an interrupt"
    if event.round not in (0, step.round):
        return over_already(event.step, event.round)
    if step.phase is StepPhase.PENDING:
        return f"interrupt {event.step} is not open yet"
    if step.phase is not StepPhase.WAITING:
        return f"interrupt {event.step} is closed: it is {step.phase}"
    if interrupt_plan(inner, event.step).approvers and not event.approved:
        return f"interrupt {event.step} takes signals of approvers alone: see docs/interrupts.md"
    if is_expired(inner, event.step):
        if not event.dry_run:
            expire(inner, event.step)
        return f"interrupt {event.step} is closed: no signal came in time"
    return ""


def _refusal(draft: Draft, event: Signal) -> str:
    """Return why a request is refused, empty where it is not."""
    header = draft.header
    if isinstance(event, RequestUnreadable):
        return event.reason or "it has no meaning"
    if header.taken is not None:
        return f"this run did nothing itself: it took the outcome of run {header.taken.run}, so ask that one"
    # `finally` steps are held too, and a cancel stops them
    if header.ending is not None and not isinstance(event, CancelRequested | SuspendRequested):
        return f"the run ends now as {header.ending.phase}, its finally steps run: wait for its end, or cancel them"
    phase = phase_of(header)  # that of the header is of before the fold, in which another request may have been read
    refused = TABLE[phase][_row_of(event)].format(phase=phase)
    if refused:
        return refused
    match event:
        case CancelRequested():
            cancelled = header.goal is Goal.CANCEL and header.stage not in {Stage.RECOVERING, Stage.FINISHING}
            return "the run is being cancelled already" if cancelled else ""
        case UndoRequested():
            return refuse_undo(draft)
        case RetryRequested():
            return refuse_retry(draft, event)
        case SkipRequested():
            return refuse_skip(draft, _saga_of(draft, event.step), event)
        case ResumeRequested():
            return _refuse_resume(draft, event)
        case SuspendRequested():
            return refuse_suspend(draft, event)
        case _:
            assert_never(event)
