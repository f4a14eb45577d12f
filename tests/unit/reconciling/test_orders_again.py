"""An order that cannot be carried out now, or whose end is not saved, is performed again: later, and once each time."""

import pytest

from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.ports import Launched, NotYet, Refused, TaskOrder
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, StoreUnavailable
from tests.unit.reconciling.conftest import REF, World


class Quota(World):
    """Says each time with other words that there is no room."""

    asked = 0

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self.asked += 1
        return NotYet(again_ms=15_000, reason=f"QuotaExceeded: used {self.asked}: {'x' * 1_000}")


class Full(World):
    """Has room for so many tasks, and is not to be asked for one where it has none."""

    room = 0
    asked = 0

    @property
    def has_room(self) -> bool:
        self.asked += 1
        return self.room > 0

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        assert self.room > 0
        return await super().start(order)


class Refusing(World):
    """Lets no pod be made, for good."""

    asked = 0

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self.asked += 1
        return Refused(Failure(kind=FailureKind.CANNOT_START, message="the API server refuses its pod"))


class Away(MemoryStore):
    """Refuses the commit of this number, or loses its answer."""

    number = 0
    refused = 0
    lost = 0

    async def commit(self, commit: Commit) -> int:
        self.number += 1
        if self.number == self.refused:
            raise StoreUnavailable("away")
        revision = await super().commit(commit)
        if self.number == self.lost:
            raise StoreUnavailable("the answer was lost")
        return revision


async def test_a_task_without_room_is_asked_for_once_in_a_reconcile_however_long_and_new_its_reason_is() -> None:
    world = Quota()
    again = await world.reconciler.reconcile(REF)
    assert world.asked == 1
    assert again == world.clock.now() + 15_000
    await world.reconcile()
    assert world.asked == 2
    assert "QuotaExceeded" in str(world.status)


async def test_nothing_is_made_of_orders_for_which_there_is_no_room_until_there_is() -> None:
    world = Full()
    again = await world.reconciler.reconcile(REF)
    assert (world.asked, world.started) == (1, [])
    assert again == world.clock.now() + 100
    world.room = 1
    await world.reconcile()
    assert len(world.started) == 1


async def test_a_long_reason_that_stays_is_stored_once() -> None:
    class Same(World):
        async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
            return NotYet(again_ms=15_000, reason="QuotaExceeded: " + "x" * 1_000)

    store = Away()
    world = Same(store)
    await world.reconcile()
    before = store.number
    await world.reconcile()
    assert store.number == before


async def test_a_refusal_that_was_not_saved_is_asked_for_again() -> None:
    store = Away()
    store.refused = 2  # the first opens the run, the second tells of the refusal
    world = Refusing(store)
    with pytest.raises(StoreUnavailable):
        await world.reconcile()
    assert world.status.get("phase") != "Failed"
    await world.reconcile()
    assert world.asked == 2
    assert world.status["phase"] == "Failed"


async def test_nothing_is_saved_any_more_after_the_answer_to_the_last_commit_was_lost() -> None:
    store = Away()
    world = World(store)
    await world.reconcile()
    await world.succeed("a")
    await world.reconcile()
    await world.succeed("b")
    store.lost = store.number + 2  # the first tells the end, the second takes what is done from the outbox
    with pytest.raises(StoreUnavailable):
        await world.reconcile()
    await world.reconcile()
    before = store.number
    for _ in range(3):
        await world.reconcile()
    assert store.number == before
    assert world.status["phase"] == "Succeeded"
