"""A store that went back behind what this very operator committed has lost state, whatever people were told so far."""

import copy

from reactor_operator.engine import events as ev
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry, Snapshot
from tests.unit.reconciling.conftest import REF, World


async def test_a_store_that_went_back_is_a_loss(world: World) -> None:
    await world.reconcile()
    kept, told = copy.deepcopy(world.store._runs), world.status
    await world.succeed("a")
    await world.reconcile()
    world.store._runs = kept
    world.status = told  # a status is written within a second, not at once: it may be as old as the copy
    world.reconciler.distrust()
    await world.reconcile()
    assert world.status["phase"] == "Recovering"


async def test_a_store_that_was_emptied_under_a_commit_is_a_loss_though_nothing_was_told_yet(world: World) -> None:
    class EmptiedUnderACommit(MemoryStore):
        """Answers one load, and is empty for the commit that follows."""

        async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
            found = await super().load(run, known_revision)
            if self.losing:
                self._runs = {}
            self.losing = False
            return found

        losing = True

    await world.reconcile()
    await world.succeed("a")
    world.store.__class__ = EmptiedUnderACommit
    world.status = {}
    await world.reconcile()
    assert world.status["phase"] == "Recovering"
    assert [task.path for task in world.started] == ["a"]


async def test_a_store_that_is_merely_distrusted_goes_on(world: World) -> None:
    await world.reconcile()
    assert [ref.uid for ref in world.reconciler.distrust()] == ["uid"]
    await world.succeed("a")
    await world.reconcile()
    assert [task.path for task in world.started] == ["a", "b"]


async def test_an_operator_that_takes_over_knows_which_tasks_must_have_pods(world: World) -> None:
    """Where a pod went while nobody watched, the run itself has nothing to decide; the audit must learn of it."""
    await world.reconcile()
    await world.succeed("a")
    await world.reconcile()
    later = world.take_over()
    await later.reconcile()
    assert [task.path for _, task in later.reconciler.launched()] == ["b"]


async def test_a_request_that_is_older_than_the_loss_is_no_answer_to_it(world: World) -> None:
    """It waits in the inbox of the copy, and may have been done in what was lost."""
    await world.reconcile()
    body = encode_event(ev.RetryRequested(id="r1"))
    await world.store.append(Entry(run=REF.uid, digest="r1", body=body))
    kept = copy.deepcopy(world.store._runs)
    await world.succeed("a")
    await world.reconcile()
    world.store._runs = kept
    world.reconciler.distrust()
    await world.reconcile()
    assert world.status["phase"] == "Recovering"
    signals = world.status["signals"]
    assert isinstance(signals, list)
    answer = signals[0]
    assert (answer["id"], answer["phase"]) == ("r1", "Rejected")
    assert "ask again" in answer["reason"]
    again = encode_event(ev.RetryRequested(id="r2"))
    await world.store.append(Entry(run=REF.uid, digest="r2", body=again))
    await world.reconcile()
    assert world.status["phase"] != "Recovering"
