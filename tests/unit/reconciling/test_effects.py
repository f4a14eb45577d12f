"""Orders that the world does not take: how often it is asked."""

from reactor_operator.engine.actions import Announce, Effect
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.documents import DocumentCache, Documents
from reactor_operator.reconciling.effects import Effects
from reactor_operator.reconciling.records import KnownRun
from tests.unit.reconciling.conftest import World

ORDER: dict[str, Effect] = {"announce/1": Announce(ordinal=1, reason="Failed", message="no")}


async def pauses(world: World, effects: Effects, uid: str, times: int) -> list[int]:
    """Let a run ask so many times, and return how long it is to wait after each."""
    definition = Definition(run=RunRef("shop", "r", uid), created_at=0, generation=1, reactor_name="x")
    known = KnownRun(definition=definition, blueprint=None, plan=Plan(steps={}), state=RunState())
    documents = Documents(uid, world.store, DocumentCache())
    return [(await effects.perform(known, ORDER, documents))["announce/1"].again_ms or 0 for _ in range(times)]


async def test_a_world_that_stays_away_is_asked_less_and_less_often(world: World) -> None:
    world.away = True
    asked = await pauses(world, Effects(world, world), "a", 12)
    assert 1_000 <= asked[0] < 1_500
    assert 30_000 <= asked[-1] < 45_000


async def test_runs_do_not_come_back_together(world: World) -> None:
    world.away = True
    effects = Effects(world, world)
    assert len({(await pauses(world, effects, f"run-{number}", 1))[0] for number in range(20)}) > 10


async def test_once_it_answers_all_is_as_before(world: World) -> None:
    world.away = True
    effects = Effects(world, world)
    before = await pauses(world, effects, "a", 3)
    world.away = False
    assert await pauses(world, effects, "a", 1) == [0]
    world.away = True
    assert await pauses(world, effects, "a", 3) == before
