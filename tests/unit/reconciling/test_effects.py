"""Orders that the world does not take: how often it is asked."""

from reactor_operator.engine.actions import Announce, Effect
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState
from reactor_operator.ports import Launcher, Rendering, RunRef, Unavailable
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.documents import DocumentCache, Documents
from reactor_operator.reconciling.effects import Effects
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.memory import MemoryStore

ORDER: dict[str, Effect] = {"announce/1": Announce(ordinal=1, reason="Failed", message="no")}


class Board:
    """Takes nothing until it is told to."""

    away = True

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        """Show nothing."""

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        """Take an Event, where it takes anything."""
        if self.away:
            raise Unavailable("500")


async def pauses(effects: Effects, uid: str, times: int) -> list[int | None]:
    definition = Definition(run=RunRef("shop", "r", uid), created_at=0, generation=1, reactor_name="x")
    known = KnownRun(definition=definition, spec=None, plan=Plan(steps={}), state=RunState())
    documents = Documents(uid, MemoryStore(), DocumentCache())
    return [(await effects.perform(known, ORDER, documents))["announce/1"].again_ms for _ in range(times)]


async def test_a_world_that_stays_away_is_asked_less_and_less_often(nobody: Launcher) -> None:
    asked = await pauses(Effects(nobody, Board()), "a", 12)
    assert asked[0] is not None
    assert asked[-1] is not None
    assert 1_000 <= asked[0] < 1_500
    assert 30_000 <= asked[-1] < 45_000


async def test_runs_do_not_come_back_together(nobody: Launcher) -> None:
    effects = Effects(nobody, Board())
    assert len({(await pauses(effects, f"run-{number}", 1))[0] for number in range(20)}) > 10


async def test_once_it_answers_all_is_as_before(nobody: Launcher) -> None:
    board = Board()
    effects = Effects(nobody, board)
    before = await pauses(effects, "a", 3)
    board.away = False
    assert await pauses(effects, "a", 1) == [None]
    board.away = True
    assert await pauses(effects, "a", 3) == before
