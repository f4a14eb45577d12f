"""What was not committed is not done: while the store is away, after a replacement, or where somebody knew more."""

from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.ports import ReactorObject
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Entry, OldEpoch, StoreUnavailable
from tests.unit.reconciling.conftest import REF, World


class TakesNoCommit(MemoryStore):
    """Can be read and written to by tasks, and refuses every commit."""

    async def commit(self, commit: Commit) -> int:
        raise StoreUnavailable("away")


async def test_nothing_is_started_while_the_store_takes_no_commit_and_it_goes_on_once_it_does(world: World) -> None:
    await world.reconcile()
    await world.succeed("a")
    told = world.status
    world.store.__class__ = TakesNoCommit
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await world.reconcile()
    assert [task.path for task in world.started] == ["a"]
    assert world.status is told
    world.store.__class__ = MemoryStore
    await world.reconcile()
    assert [task.path for task in world.started] == ["a", "b"]


async def test_an_operator_that_was_replaced_starts_nothing_and_tells_nothing(world: World) -> None:
    await world.reconcile()
    later = world.take_over()
    await later.store.claim_epoch(1)
    await world.succeed("a")
    told = world.status
    with pytest.raises(OldEpoch):
        await world.reconcile()
    assert [task.path for task in world.started] == ["a"]
    assert world.status is told
    await later.reconcile()
    assert [task.path for task in later.started] == ["b"]


class Terminating(World):
    """Its reactor stops what is in flight when a run is cancelled. `between` happens before the next commit."""

    def __init__(self) -> None:
        world = self

        class Late(MemoryStore):
            async def commit(self, commit: Commit) -> int:
                if world.between:
                    world.between = False
                    assert await world.succeed("a") is Appended.RECORDED
                return await super().commit(commit)

        self.between = False
        super().__init__(Late())

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        found = await super().get_reactor(namespace, name)
        assert found is not None
        return replace(found, spec={**found.spec, "onFailure": "terminate"})


async def test_an_outcome_that_is_recorded_while_its_task_is_being_closed_counts() -> None:
    world = Terminating()
    await world.reconcile()
    await world.store.append(Entry(run=REF.uid, digest="c1", body=encode_event(ev.CancelRequested(id="c1"))))
    world.between = True
    await world.reconcile()
    assert not world.between
    steps = world.status["steps"]
    assert isinstance(steps, list)
    assert (world.status["phase"], [step["phase"] for step in steps]) == ("Cancelled", ["Succeeded", "Pending"])
