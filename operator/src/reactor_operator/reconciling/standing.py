"""What a stored run says to whoever waits for an answer of it: what it has answered, what it has still to read, and
where a step of it is.

In: a snapshot, and the run as it is remembered. Out: `Standing`. Never here: a status, which may be late or forged, or
a decision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reactor_operator.engine.elements import has_ended, saga_of
from reactor_operator.engine.events import Signal
from reactor_operator.engine.signals import action_of
from reactor_operator.engine.state import Header, SignalAnswer, StepPhase
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import RECORD, decode_definition
from reactor_operator.reconciling.records import KnownRun, read_header
from reactor_operator.reconciling.signals import Request
from reactor_operator.store.codec import decode_event
from reactor_operator.store.port import Snapshot

Signalled = Callable[[RunRef], Sequence[Request]]
"""Tells what objects of their own (ReactorSignals) ask of a run, and it has not answered yet. Raises Unavailable."""


def nothing_signalled(_: RunRef) -> Sequence[Request]:
    """Tell that nothing is asked: there are no such objects."""
    return ()


Asked = tuple[str, str]
"""What a request is known by: its id and its action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A stored run. `unread` are requests that are recorded and not decided on.

    run:      which it is, None where nothing tells.
    phase_of: the phase of a step by its path, None where the run has no such step, or it was in an element that ended.
    """

    run: RunRef | None = None
    header: Header = field(default_factory=Header)
    unread: frozenset[Asked] = frozenset()
    phase_of: Callable[[str], StepPhase | None] = lambda path: None

    def answer_to(self, asked: Asked) -> SignalAnswer | None:
        """Return the answer to a request, as long as anything is known of it."""
        return answer_in(self.header, *asked)

    def shows(self, asked: Asked) -> bool:
        """Whether the answer to a request is among those that the status of the run shows."""
        return any((one.id, one.action) == asked for one in self.header.signals)


def answer_in(header: Header, id_: str, action: str) -> SignalAnswer | None:
    """Return the newest answer to a request, of any action where that is empty; of a resume that was accepted the run
    knows longer than of others."""
    for answer in reversed(header.signals):
        if answer.id == id_ and action in ("", answer.action):
            return answer
    if id_ in header.consumed and action in ("", "resume"):
        return SignalAnswer(id=id_, action="resume", accepted=True)
    return None


def standing_of(snapshot: Snapshot, known: KnownRun | None, read: Callable[[Snapshot], KnownRun]) -> Standing:
    """Return how a run stands. `known` counts where the snapshot has no records of its own, and `read` makes a run of
    one that has, which is not done before a step is asked for. Raises Unreadable.
    """
    header = (
        read_header(snapshot) if snapshot.records is not None else known.state.header if known is not None else None
    )
    events = (decode_event(body) for _, body in snapshot.inbox)

    def phase_of(path: str) -> StepPhase | None:
        run = read(snapshot) if snapshot.records is not None else known
        if run is None or has_ended(run.plan, run.state, path):
            return None
        plan, state = saga_of(run.plan, run.state, path)
        return state.step(path).phase if path in plan.steps else None

    return Standing(
        run=_run_of(snapshot, known),
        header=header or Header(),
        unread=frozenset((event.id, action_of(event)) for event in events if isinstance(event, Signal)),
        phase_of=phase_of,
    )


def _run_of(snapshot: Snapshot, known: KnownRun | None) -> RunRef | None:
    if snapshot.records is not None:
        return decode_definition(snapshot.records[RECORD]).run
    return known.definition.run if known is not None else None
