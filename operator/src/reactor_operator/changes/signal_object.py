"""A ReactorSignal as the API server has it.

In: its JSON, whose spec anyone may have written. Out: `SignalObject`. Total: what is missing is empty.
Never here: a judgement of what it asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reactor_operator.api.duration import parse_duration
from reactor_operator.api.signal import DEFAULT_TTL_MS, CheckedSignal, SignalPhase, check_signal_spec
from reactor_operator.kube.fields import JsonObject, map_at, maps_at, text_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef

NOTHING = CheckedSignal(None, ())
ANSWERED = frozenset({SignalPhase.ACCEPTED, SignalPhase.REJECTED, SignalPhase.EXPIRED})


@dataclass(frozen=True, slots=True)
class AwaitedId:
    """A correlation id, in place of a run: an interrupt of this reactor opens under it sooner or later."""

    namespace: str
    reactor: str
    id: str

    @property
    def name(self) -> str:
        """What it is called in logs."""
        return f"{self.reactor}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInterrupt:
    """What a signal is for, once its id was found: an interrupt in one round, of a run by name and uid."""

    run: str
    uid: str
    step: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalObject:
    """A signal; times are int ms.

    run:     the name of the one that it is for, empty where it names none and none was found.
    awaits:  the id by which it finds its run.      found: where that was open. It is for nothing else any more.
    message: what the request is called, empty where it is not.
    ttl_ms:  for how long it waits, and for how long its answer is kept.
    checked: what it asks, or what is wrong with that. Nothing of either where it was answered: it may be large.
    """

    namespace: str
    name: str
    uid: str
    created_at: int
    version: str
    run: str
    awaits: AwaitedId | None = None
    found: FoundInterrupt | None = None
    action: str = ""
    message: str = ""
    ttl_ms: int
    checked: CheckedSignal = NOTHING
    phase: str = ""
    reason: str = ""
    answered_at: int | None = None
    owners: Sequence[JsonObject] = field(default_factory=tuple)
    deleting: bool = False

    @property
    def target(self) -> RunRef | AwaitedId:
        """The run that it is for, of which the name alone is known, empty where it names none; or the id that it
        awaits."""
        if self.awaits is not None and self.found is None:
            return self.awaits
        return RunRef(self.namespace, self.run, "")

    @property
    def is_answered(self) -> bool:
        """Whether there is nothing left to do but to see it off."""
        return self.phase in ANSWERED

    @property
    def owner(self) -> str:
        """The uid of the run that owns it, empty where none does."""
        return next((text_at(one, "uid") for one in self.owners if text_at(one, "kind") == REACTOR_RUN.name), "")

    @property
    def where(self) -> str:
        """What it is called in logs."""
        return f"{self.namespace}/{self.name}"


def parse_signal(found: JsonObject) -> SignalObject:
    """Return a ReactorSignal."""
    phase, spec = text_at(found, "status", "phase"), map_at(found, "spec")
    awaits = _parse_id(text_at(found, "metadata", "namespace"), spec)
    interrupt = None if awaits is None else _parse_found(map_at(found, "status", "found"))
    return SignalObject(
        namespace=text_at(found, "metadata", "namespace"),
        name=text_at(found, "metadata", "name"),
        uid=text_at(found, "metadata", "uid"),
        created_at=parse_moment(text_at(found, "metadata", "creationTimestamp")) or 0,
        version=text_at(found, "metadata", "resourceVersion"),
        run=text_at(spec, "runRef", "name") if interrupt is None else interrupt.run,
        awaits=awaits,
        found=interrupt,
        action=text_at(spec, "action"),
        message=text_at(spec, "messageId"),
        ttl_ms=_ttl_ms(text_at(spec, "ttl")),
        checked=NOTHING if phase in ANSWERED else check_signal_spec(spec),
        phase=phase,
        reason=text_at(found, "status", "reason"),
        answered_at=parse_moment(text_at(found, "status", "answeredAt")),
        owners=tuple(maps_at(found, "metadata", "ownerReferences")),
        deleting=bool(text_at(found, "metadata", "deletionTimestamp")),
    )


def render_found(found: FoundInterrupt) -> JsonObject:
    """Return what the status of a signal says of where its id was found."""
    return {"run": found.run, "uid": found.uid, "step": found.step, "round": found.round}


def _parse_found(found: JsonObject) -> FoundInterrupt | None:
    run, uid, step = (text_at(found, name) for name in ("run", "uid", "step"))
    round_ = found.get("round")
    if not (run and uid and step and isinstance(round_, int)):
        return None
    return FoundInterrupt(run=run, uid=uid, step=step, round=round_)


def _parse_id(namespace: str, spec: JsonObject) -> AwaitedId | None:
    reactor, id_ = text_at(spec, "reactorRef", "name"), text_at(spec, "correlationId")
    return AwaitedId(namespace, reactor, id_) if reactor and id_ else None


def _ttl_ms(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        return DEFAULT_TTL_MS
