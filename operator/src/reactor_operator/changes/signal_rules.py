"""What is next for a signal: it is handed to its run, answered, left to wait, or taken away.

In: a signal, its run as it was just read and as it stands in the store, the time. Out: one of `Next`.
Pure. Never here: a request, or an answer that is the run's to give; a signal by correlation id handed in before it says
for which run it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reactor_operator.api.signal import SignalPhase, SignalSpec
from reactor_operator.changes.signal_object import AwaitedId, FoundInterrupt, SignalObject
from reactor_operator.engine.state import ENDED, SignalAnswer, StepPhase
from reactor_operator.kube.fields import text_at
from reactor_operator.ports import RunObject
from reactor_operator.reconciling.signals import ACTIONS, Request, request_of, said_at
from reactor_operator.reconciling.standing import Asked, Standing

_SHOWN = 4_096
_ERRORS = 100
UNNAMED = "signal"
"""Who asks, where the signal does not say."""
WAITS: Mapping[str, frozenset[StepPhase]] = {"resume": frozenset({StepPhase.PENDING})}
"""By action, the phases of its step in which it is too early: the signal waits until the step moves on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The signal is answered, for good."""

    phase: SignalPhase
    reason: str
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Its id was found: it is to say where. From then on it is for that run, which is what it is looked at with."""

    found: FoundInterrupt


@dataclass(frozen=True, slots=True)
class HandIn:
    """The run, which is to own the signal by then, is to decide. The same request is the same entry each time."""

    request: Request


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done now, and why; what may change that is the run, and the time (int ms).

    owned: there is the run, which is to own the signal, so that this waits for no other one.
    """

    until: int
    reason: str
    owned: bool = True


@dataclass(frozen=True, slots=True)
class Recorded:
    """The run has still to read what the signal asks, and will answer, however late."""


@dataclass(frozen=True, slots=True)
class Keep:
    """It was answered, and stays until then (int ms)."""

    until: int


@dataclass(frozen=True, slots=True)
class Remove:
    """It was answered, and its time is over."""


Next = Answer | Send | HandIn | Wait | Recorded | Keep | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The interrupt that is open under a correlation id; or it was, until `closed_at` (int ms)."""

    step: str
    round: int
    closed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a signal is judged by.

    run:      None where there is none of that name.      standing: None where nothing is stored of it.
    holder:   of what is for a correlation id, what the store says of that; then `run` and `standing` are those of the
              run in which the interrupt is, or was.
    sent:     where the id was found for another signal of the same message.
    outlived: it has ended, and what is stored of it is from before that.
    verified: a policy of the cluster sees to it that what signals say of who asks is true.
    waits:    as `WAITS`.                                  actions: what a run can be asked for.
    """

    now: int
    run: RunObject | None
    standing: Standing | None = None
    holder: Holder | None = None
    sent: FoundInterrupt | None = None
    outlived: bool = False
    verified: bool = True
    waits: Mapping[str, frozenset[StepPhase]] = field(default_factory=lambda: WAITS)
    actions: tuple[str, ...] = ACTIONS


def next_of(signal: SignalObject, seen: Seen) -> Next:
    """Return what is next for a signal."""
    if signal.is_answered:
        until = (signal.answered_at or signal.created_at) + signal.ttl_ms
        return Remove() if seen.now >= until else Keep(until)
    spec = signal.checked.spec
    if spec is None:
        return _rejected(*map(str, signal.checked.problems))
    refused = _refusal(spec, seen.verified, seen.actions)
    if refused:
        return _rejected(refused)
    found = _of_id(signal, spec, seen) if isinstance(signal.target, AwaitedId) else _of_run(signal, spec, seen)
    if isinstance(found, Wait | HandIn | Send) and seen.now >= signal.created_at + signal.ttl_ms:
        why = f": {found.reason}" if isinstance(found, Wait) else ""
        return Answer(phase=SignalPhase.EXPIRED, reason=f"it was not answered in time{why}")
    return found


def _refusal(spec: SignalSpec, verified: bool, actions: tuple[str, ...]) -> str:
    """Return why no run is asked at all, empty where one is."""
    if spec.action.value not in actions:
        return f"spec.action: found {spec.action.value}, expected one of {', '.join(actions)}"
    if spec.as_approver and not verified:
        return (
            "spec.asApprover: nothing here sees to it that it is true; whoever runs the operator can have it seen to, "
            "with admissionPolicy.enabled of its chart"
        )
    return ""


def request_to(signal: SignalObject, uid: str, *, verified: bool) -> Request | None:
    """Return what a signal that a run owns asks of it; None where that is not for the run to answer, or nothing."""
    spec = signal.checked.spec
    if spec is None or signal.owner != uid or spec.run_uid not in (None, uid) or _refusal(spec, verified, ACTIONS):
        return None
    if signal.awaits is not None and (signal.found is None or signal.found.uid != uid):
        return None
    return request_from(signal, spec)


def request_from(signal: SignalObject, spec: SignalSpec) -> Request:
    """Return what a signal asks for, of the interrupt that was found if it came by an id."""
    (name, action), found = _asked_in(signal, spec), signal.found
    said, _ = (spec.said, "") if found is None else said_at(found.step, spec.said, action)
    by = spec.requested_by or UNNAMED
    round_ = 0 if found is None else found.round
    return request_of(name, action, said, by, approved=spec.as_approver is True, round_=round_)


def _asked_in(signal: SignalObject, spec: SignalSpec) -> Asked:
    """Return what the request of a signal is known by: the id is that of its message, or of the very object."""
    return spec.message_id or f"signal-{signal.uid}", spec.action.value


def asked_by(request: Request) -> Asked:
    """Return what a request is known by."""
    return request.id, request.action


def _of_id(signal: SignalObject, spec: SignalSpec, seen: Seen) -> Next:
    """Return what is next for a signal whose id was not found yet."""
    if seen.sent is not None:
        return _to(seen.sent, spec)
    holder, expires = seen.holder, signal.created_at + signal.ttl_ms
    if holder is not None and holder.closed_at is None and seen.run is not None:
        return _to(_found_at(holder, seen.run), spec)
    if holder is not None and holder.closed_at is not None:
        asked, standing = _asked_in(signal, spec), seen.standing or Standing()
        answer = standing.answer_to(asked)
        if answer is not None:
            return told(answer)
        if asked in standing.unread and seen.run is not None:
            return _to(_found_at(holder, seen.run), spec)
        if spec.message_id is None or holder.closed_at > signal.created_at - signal.ttl_ms:
            return _rejected(f"interrupt {holder.step} is closed: nothing waits under the id {spec.correlation_id!r}")
    reactor = "" if spec.reactor_ref is None else spec.reactor_ref.name
    nothing = f"no interrupt of reactor {reactor} waits under the id {spec.correlation_id!r}"
    if spec.message_id is None:
        return _rejected(f"{nothing}; a signal is kept until one does where it has spec.messageId")
    return Wait(expires, f"{nothing} yet", owned=False)


def _to(found: FoundInterrupt, spec: SignalSpec) -> Next:
    if spec.run_uid not in (None, found.uid):
        return _rejected(f"spec.runUid: found {spec.run_uid}, expected {found.uid}: the id is that of another run")
    _, wrong = said_at(found.step, spec.said, spec.action.value)
    return _rejected(f"spec.{wrong}") if wrong else Send(found)


def _found_at(holder: Holder, run: RunObject) -> FoundInterrupt:
    return FoundInterrupt(run=run.ref.name, uid=run.ref.uid, step=holder.step, round=holder.round)


def _of_run(signal: SignalObject, spec: SignalSpec, seen: Seen) -> Next:
    run, name, found = seen.run, signal.run, signal.found
    expires = signal.created_at + signal.ttl_ms
    waited_for = {signal.owner, "" if found is None else found.uid} - {""}
    if waited_for and (run is None or {run.ref.uid} != waited_for):
        return _rejected(f"run {name} is gone, for which this waited")
    if run is None:
        return Wait(expires, f"there is no run {name} yet", owned=False)
    uid = run.ref.uid
    if spec.run_uid is not None and spec.run_uid != uid:
        return _rejected(f"spec.runUid: found {spec.run_uid}, expected {uid}: run {name} is another one")
    phase = text_at(run.status, "phase")
    if phase in ENDED and (seen.standing is None or seen.outlived):
        return _rejected(f"the run is {phase}, and its state is not stored any more")
    request = request_from(signal, spec)
    if seen.standing is None or run.deleting:
        return Wait(expires, f"run {name} {'is being deleted' if run.deleting else 'has not started'}")
    answer = seen.standing.answer_to(asked_by(request))
    if answer is not None:
        return told(answer)
    if asked_by(request) in seen.standing.unread:
        return Recorded()
    too_early = seen.waits.get(spec.action.value, frozenset()) if found is None else frozenset()
    if phase not in ENDED and too_early and seen.standing.phase_of(spec.step or "") in too_early:
        return Wait(expires, f"step {spec.step} has not opened yet")
    return HandIn(request)


def told(answer: SignalAnswer) -> Answer:
    """Return the answer of a run as that of its signal."""
    phase = SignalPhase.ACCEPTED if answer.accepted else SignalPhase.REJECTED
    return Answer(phase=phase, reason=answer.reason, errors=_errors(answer.errors))


def _errors(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(one[:_SHOWN] for one in found[:_ERRORS])


def _rejected(*problems: str) -> Answer:
    reason = problems[0] if len(problems) == 1 else f"{len(problems)} problems: {problems[0]}; …"
    return Answer(phase=SignalPhase.REJECTED, reason=reason[:_SHOWN], errors=_errors(problems))
