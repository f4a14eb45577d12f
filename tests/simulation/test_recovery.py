"""What must never be lost or done twice where the inbox and the store tell different stories."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import RunPhase, StepPhase
from reactor_operator.reconciling.inbox import groups_of
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry, StoreUnavailable
from tests.simulation.world import Mischief, World

UID = "uid-0"
FIRST = Task("a", Action.RUN, 1, 1, 1)


def world_of(**spec: object) -> World:
    run = {"python": {"handler": "shop:work"}}
    steps = [{"name": "a", "run": run}, {"name": "b", "run": run, "waitFor": ["a"]}]
    return World(1, {"r": {"steps": steps, **spec}}, Mischief())


async def through(world: World, work: Coroutine[object, object, object]) -> None:
    """Let one piece of work cross all its checkpoints."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0)
        world.checkpoints.resume_one()
    task.result()


async def reconcile(world: World) -> None:
    await through(world, world.operators[-1].reconciler.reconcile(world.cluster.runs[UID].ref))


async def restart(world: World) -> None:
    await world.start_operator()
    await reconcile(world)


def memory_of(world: World) -> MemoryStore:
    store = world.shared.disk.now
    assert isinstance(store, MemoryStore)
    return store


def tell_of_revision(world: World, sequence: int) -> None:
    """People were told of a revision that the store does not have: it was restored from an older copy."""
    run = world.cluster.runs[UID]
    store = {**run.status["store"], "sequence": sequence}  # type: ignore[dict-item]
    world.cluster.runs[UID] = replace(run, status={**run.status, "store": store})


async def test_an_outcome_that_was_recorded_beside_a_cancel_counts_whichever_came_first() -> None:
    world = world_of(onFailure="terminate")
    try:
        await restart(world)
        start = encode_event(ev.TaskStarted(task=FIRST, at=world.cluster.now_ms))
        await world.shared.append(Entry(run=UID, task=FIRST.key, digest="s", binding="p", body=start))
        cancel = encode_event(ev.CancelRequested(id="c1"))
        await world.shared.append(Entry(run=UID, digest="c1", body=cancel))
        success = encode_event(ev.TaskSucceeded(task=FIRST))
        await world.shared.append(Entry(run=UID, task=FIRST.key, final=True, digest="o", body=success))
        await reconcile(world)
        known = await world.known(UID)
        assert known is not None
        assert known.state.step("a").phase is StepPhase.SUCCEEDED
        assert known.state.header.phase is RunPhase.CANCELLED
    finally:
        await world.close()


async def test_a_run_whose_store_is_older_than_its_status_recovers_however_often_the_operator_restarts() -> None:
    world = world_of()
    try:
        await restart(world)
        tell_of_revision(world, 99)
        for _ in range(3):
            await restart(world)
            assert world.cluster.runs[UID].status["phase"] == "Recovering"
    finally:
        await world.close()


async def test_an_order_in_an_old_outbox_is_not_carried_out_while_the_run_recovers() -> None:
    world = world_of()
    try:
        await restart(world)
        known = await world.known(UID)
        assert known is not None
        assert "start/a.run.1.1.1" in known.outbox
        world.cluster.pods.clear()  # it ran, and was told and tidied up in what was lost
        tell_of_revision(world, 99)
        await restart(world)
        assert not world.cluster.pods
    finally:
        await world.close()


async def test_a_run_whose_documents_are_gone_recovers_and_can_be_cancelled() -> None:
    world = world_of()
    try:
        await restart(world)
        world.cluster.pods.clear()  # a launch whose answer never came: it is ordered again, and needs its arguments
        memory_of(world)._values.clear()
        await restart(world)
        known = await world.known(UID)
        assert known is not None
        assert known.state.header.phase is RunPhase.RECOVERING
        assert not world.cluster.pods
        await world.cancel(UID, "c1")
        await reconcile(world)
        assert world.cluster.runs[UID].status["phase"] == "Cancelled"
    finally:
        await world.close()


async def test_a_run_that_was_told_to_have_ended_never_recovers() -> None:
    world = world_of()
    try:
        await restart(world)
        run = world.cluster.runs[UID]
        store = {**run.status["store"], "sequence": 99}  # type: ignore[dict-item]
        ended = {**run.status, "phase": "Succeeded", "store": store}
        world.cluster.runs[UID] = replace(run, status=ended)
        await restart(world)
        assert world.cluster.runs[UID].status == ended
    finally:
        await world.close()


async def test_a_state_that_knows_nothing_of_a_loss_that_was_told_is_an_older_copy() -> None:
    world = world_of()
    try:
        await restart(world)
        run = world.cluster.runs[UID]
        told = {"phase": "Recovering", "store": {"sequence": 1}}  # of the empty store before the copy was restored
        world.cluster.runs[UID] = replace(run, status=told)
        await restart(world)
        assert world.cluster.runs[UID].status["phase"] == "Recovering"
    finally:
        await world.close()


async def test_a_commit_whose_answer_was_lost_is_remembered_once_it_is_found() -> None:
    world = world_of()
    try:
        await restart(world)
        operator = world.operators[-1]
        success = encode_event(ev.TaskSucceeded(task=FIRST))
        await world.shared.append(Entry(run=UID, task=FIRST.key, final=True, digest="o", body=success))
        operator.store.lose_next_answer = True
        with pytest.raises(StoreUnavailable):
            await reconcile(world)
        await reconcile(world)
        assert [task.key for _, task in operator.reconciler.launched()] == ["b.run.1.1.1"]
    finally:
        await world.close()


async def test_a_world_is_not_at_rest_while_an_inbox_is_unread() -> None:
    world = world_of()
    try:
        await world.run()
        assert await world.is_at_rest()
        late = encode_event(ev.CancelRequested(id="c1"))
        await world.shared.append(Entry(run=UID, digest="c1", body=late))  # and the news of it are lost
        assert not await world.is_at_rest()
    finally:
        await world.close()


def test_a_halt_wins_over_a_failure_that_was_recorded_after_it() -> None:
    halted, failed = ev.TaskHalted(task=FIRST), ev.TaskLost(task=FIRST, message="gone")
    assert groups_of([failed, halted, failed, ev.TimePassed()]) == [[failed, halted], [failed, ev.TimePassed()]]
