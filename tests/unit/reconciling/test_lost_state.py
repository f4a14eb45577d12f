"""A store that went back behind what this very operator committed has lost state, whatever people were told so far."""

import copy
from dataclasses import replace

from reactor_operator.engine import events as ev
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry
from tests.simulation.test_recovery import FIRST, UID, reconcile, restart, world_of
from tests.simulation.world import World


async def finish_first(world: World) -> None:
    success = encode_event(ev.TaskSucceeded(task=FIRST))
    await world.store.append(Entry(run=UID, task=FIRST.key, final=True, digest="o", body=success))
    await reconcile(world)


def told_nothing_new(world: World, before: object) -> None:
    """A status is written within a second, not at once: what people were told may be as old as the copy."""
    run = world.cluster.runs[UID]
    world.cluster.runs[UID] = replace(run, status={**run.status, "store": before})


async def test_a_store_that_went_back_is_a_loss() -> None:
    world = world_of()
    try:
        await restart(world)
        kept, told = copy.deepcopy(world.store._runs), world.cluster.runs[UID].status["store"]
        await finish_first(world)
        world.store._runs = kept
        told_nothing_new(world, told)
        world.operators[-1].reconciler.distrust()
        await reconcile(world)
        assert world.cluster.runs[UID].status["phase"] == "Recovering"
    finally:
        await world.close()


async def test_a_store_that_was_emptied_under_a_commit_is_a_loss_though_nothing_was_told_yet() -> None:
    world = world_of()
    try:
        await restart(world)
        emptied = MemoryStore()
        load = world.store.load

        async def late(run: str, known_revision: int = 0) -> object:
            """Answer once more, and be empty for the commit that follows."""
            found = await load(run, known_revision)
            world.store._runs, world.store.load = emptied._runs, load  # type: ignore[method-assign]
            return found

        success = encode_event(ev.TaskSucceeded(task=FIRST))
        await world.store.append(Entry(run=UID, task=FIRST.key, final=True, digest="o", body=success))
        world.store.load = late  # type: ignore[method-assign,assignment]
        run = world.cluster.runs[UID]
        world.cluster.runs[UID] = replace(run, status={})
        await reconcile(world)
        assert world.cluster.runs[UID].status["phase"] == "Recovering"
    finally:
        await world.close()


async def test_a_store_that_is_merely_distrusted_goes_on() -> None:
    world = world_of()
    try:
        await restart(world)
        assert [ref.uid for ref in world.operators[-1].reconciler.distrust()] == [UID]
        await finish_first(world)
        known = await world.known(UID)
        assert known is not None
        assert known.state.step("b").task is not None
    finally:
        await world.close()
