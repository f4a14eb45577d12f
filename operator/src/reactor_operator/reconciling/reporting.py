"""What people are told of a run: its status, rendered from what is stored of it.

In: a run as it was committed, and its documents. Out: a rendering, which the board writes when its time has come.
Never here: a status of a state that is not stored.
"""

from collections.abc import Mapping

from reactor_operator.engine.state import RunPhase, Stage
from reactor_operator.ports import Board, Rendering, RunRef
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.lost import ValueLost
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.status.render import RunFacts, render_status, wanted_values
from reactor_operator.store.port import Authority

_RECOVERING = (
    "the stored state of this run is older than what was told of it, so nothing more is started: "
    "look at what its steps did, then retry, undo or cancel it (annotations reactor.run/retry, undo, cancel)"
)
_LOST = (
    "the stored state of this run was lost, so nothing more is started: look at what its steps did, then cancel it "
    "(annotation reactor.run/cancel), and start another run where that is right"
)
_TOLD_OF_A_LOST_RUN = frozenset(
    {"phase", "message", "observedGeneration", "store", "conditions", "finishedAt", "signals"}
)
_CLOSED_BY_A_LOSS: Mapping[str, object] = {"interrupts": [], "waiting": ""}
"""Nothing waits for a signal any more, whatever was told before."""


class Reporter:
    """Tells the board what to write of runs."""

    def __init__(self, board: Board, store: Authority) -> None:
        self._board = board
        self._store = store
        self._incarnation = ""

    def distrust(self) -> None:
        """The store may be another: ask it again for its name."""
        self._incarnation = ""

    async def waits(self, ref: RunRef, status: Mapping[str, object]) -> None:
        """Tell that a run waits to be started."""
        await self._board.report(ref, RunPhase.PENDING.value, _rendered(status))

    async def report(self, known: KnownRun, documents: Documents, *, stalled: str = "") -> None:
        """Tell how a run stands, and why it is `stalled`, where it is."""

        async def render() -> Mapping[str, object]:
            return await self._render(known, documents, stalled)

        await self._board.report(known.definition.run, known.state.header.phase.value, render)

    async def _render(self, known: KnownRun, documents: Documents, stalled: str) -> Mapping[str, object]:
        definition = known.definition
        self._incarnation = self._incarnation or await self._store.incarnation()
        facts = RunFacts(
            run=definition.run,
            generation=definition.generation,
            reactor_name=definition.reactor_name,
            reactor_uid=definition.reactor_uid,
            reactor_generation=definition.reactor_generation,
            digest=definition.digest,
            incarnation=self._incarnation,
            sequence=known.revision,
        )
        try:
            values = await documents.stored(wanted_values(known.plan, known.state))
        except ValueLost:
            values = {}
        if known.state.header.stage is Stage.RECOVERING:
            stalled = _LOST if definition.lost else _RECOVERING
        status = render_status(facts, known.plan, known.state, values, stalled=stalled)
        if definition.lost:
            # What was told of the steps before the loss is all that is left of them.
            told = {name: value for name, value in status.items() if name in _TOLD_OF_A_LOST_RUN}
            status = {**told, **_CLOSED_BY_A_LOSS}
        return status


def _rendered(status: Mapping[str, object]) -> Rendering:
    async def render() -> Mapping[str, object]:
        return status

    return render
