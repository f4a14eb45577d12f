"""The first look at a run of which nothing is stored: it begins, it has ended before it began, or it waits.

In: a run as the API server has it. Out: `Begins`, `Ends`, `Waits` or `Lost`.
Never here: a commit or a status; whoever looks does what the answer says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reactor_operator.encryption import Keyring
from reactor_operator.engine.decide import stillborn, withdrawn
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.events import CancelRequested, Signal, SuspendRequested
from reactor_operator.engine.failures import Failure, render_message
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import SignalAnswer
from reactor_operator.engine.taking import take
from reactor_operator.kube.fields import maps_at
from reactor_operator.ports import Definitions, RunObject, Unavailable
from reactor_operator.reconciling.definition import Definition, without_steps
from reactor_operator.reconciling.keys import Conflict, HeldByItself, Keys, Settled
from reactor_operator.reconciling.opening import CannotOpen, Opened, OpenLater, judge
from reactor_operator.reconciling.places import Places
from reactor_operator.reconciling.signals import parse_requests
from reactor_operator.reconciling.standing import Signalled, nothing_signalled
from reactor_operator.reconciling.unstarted import answers_to, in_order
from reactor_operator.status.render import render_pending
from reactor_operator.store.port import Claim


@dataclass(frozen=True, slots=True)
class Begins:
    """The run starts, and has its place; `asked` is what was said before of whether it holds still, in order."""

    opened: Opened
    asked: Sequence[SuspendRequested] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The run has ended without having begun: its end, the documents that this refers to, a claim to `share`."""

    definition: Definition
    decision: Decision
    values: Mapping[str, bytes] = field(default_factory=dict)
    share: Claim | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """The run waits: look again at `until` (int ms), and tell people `status`, where there is one."""

    until: int
    status: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Lost:
    """The run was opened before, and what was stored of it is lost."""


class FirstLook:
    """Looks at runs of which nothing is stored."""

    def __init__(
        self,
        *,
        definitions: Definitions,
        keys: Keys,
        places: Places,
        keyring: Keyring,
        start_deadline_ms: int,
        plan_of: Callable[[Definition], Plan],
        signalled: Signalled = nothing_signalled,
    ) -> None:
        """`signalled` is asked for cancels alone: all else that is an object waits until the run starts."""
        self._definitions = definitions
        self._keys = keys
        self._places = places
        self._keyring = keyring
        self._start_deadline_ms = start_deadline_ms
        self._plan_of = plan_of
        self._signalled = signalled

    async def look(self, run: RunObject, now: int) -> Begins | Ends | Waits | Lost:
        """Return what becomes of a run. Where it begins it keeps its place. Raises Unavailable, StoreUnavailable."""
        found = await self._judge(run, now)
        if isinstance(found, Ends | Lost):
            return found
        asked = [one.event for one in in_order(parse_requests(run), run.status)]
        asked += self._cancels_signalled(run)
        answers = answers_to(asked, now, suspended=run.spec.get("suspend") is True)
        cancel = next((event for event in asked if isinstance(event, CancelRequested)), None)
        if cancel is not None and not isinstance(found, CannotOpen):
            plan = self._plan_of(found.definition)
            end = withdrawn(run.ref.uid, render_message(cancel.reason), answers, now, plan)
            # Without steps: an undo of it would run the `finally` of what never began.
            return Ends(definition=without_steps(found.definition), decision=end)
        if isinstance(found, Opened):
            found = await self._places.take(run, found, now)
        match found:
            case Opened():
                return Begins(found, [event for event in asked if isinstance(event, SuspendRequested)])
            case OpenLater():
                return Waits(found.until, _pending(run, found, answers))
            case CannotOpen():
                return self._dead(found.definition, found.failure, now)

    def _cancels_signalled(self, run: RunObject) -> list[Signal]:
        try:
            asked = self._signalled(run.ref)
        except Unavailable:
            return []  # one that is not known yet has the run looked at again
        return [one.event for one in asked if isinstance(one.event, CancelRequested)]

    async def _judge(self, run: RunObject, now: int) -> Opened | CannotOpen | OpenLater | Ends | Lost:
        """Judge what the run names, then its business key."""
        judged = await judge(run, self._definitions, now, self._start_deadline_ms, self._keyring)
        if not isinstance(judged, Opened):
            return judged
        keyed = await self._keys.look(run, judged, now)
        match keyed:
            case HeldByItself():
                return Lost()
            case Settled():
                return _taken(keyed, now)
            case Conflict():
                return self._dead(keyed.definition, keyed.failure, now, keyed.share)
            case OpenLater():
                self._places.pass_over(run.ref.uid)  # it starts nothing: it takes no place and stops none behind it
        return keyed

    def _dead(self, definition: Definition, failure: Failure, now: int, share: Claim | None = None) -> Ends:
        end = stillborn(definition.run.uid, failure, now, self._plan_of(definition))
        return Ends(definition=definition, decision=end, share=share)


def _taken(settled: Settled, now: int) -> Ends:
    """Return the end of a run that takes the outcome of another one. It has no steps: none of them will ever move."""
    pinned, outcome = settled.opened.definition, settled.outcome
    assert pinned.inputs is not None
    values = {pinned.inputs.digest: settled.opened.inputs}
    if outcome.result is not None and settled.result is not None:
        values[outcome.result.digest] = settled.result
    end = take(pinned.run.uid, outcome, settled.taken, now)
    return Ends(definition=without_steps(pinned), decision=end, values=values, share=settled.share)


def _pending(run: RunObject, found: OpenLater, answers: Sequence[SignalAnswer]) -> Mapping[str, object] | None:
    told = maps_at(run.status, "signals")
    if not found.message and not answers:
        return None
    return render_pending(run.generation, found.message, found.since, queued=found.queued, answers=answers, told=told)
