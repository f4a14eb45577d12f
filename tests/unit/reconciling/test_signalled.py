"""What is asked by ReactorSignals: of a run that has not started, and of one whose state is lost."""

import copy

import pytest

from reactor_operator.engine.state import StepPhase
from reactor_operator.kube.fields import maps_at
from reactor_operator.reconciling.signals import request_of
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import StoreUnavailable
from tests.unit.reconciling.conftest import REF, World

CANCEL = request_of("signal-1", "cancel", {"reason": "too late"}, "ann")
RETRY = request_of("signal-2", "retry", {}, "ann")
SKIP = request_of("signal-3", "skip", {"step": "b", "payload": 1}, "ann")


def answers(world: World) -> list[tuple[object, object, object]]:
    return [(one["id"], one["phase"], one.get("by")) for one in maps_at(world.status, "signals")]


async def test_a_cancel_ends_a_run_before_it_starts(world: World) -> None:
    world.signals = [CANCEL]
    await world.reconcile()
    assert world.status["phase"] == "Cancelled"
    assert answers(world) == [("signal-1", "Accepted", "ann")]
    assert world.started == []


async def test_what_else_is_asked_of_a_run_that_has_not_started_is_left_until_it_has(world: World) -> None:
    world.signals = [RETRY]
    await world.reconcile()
    assert world.status["phase"] == "Running"
    assert answers(world) == []


async def test_what_was_asked_before_a_loss_is_refused_and_not_taken_for_an_answer_to_it(world: World) -> None:
    await world.reconcile()
    kept = copy.deepcopy(world.store._runs)
    await world.succeed("a")
    await world.reconcile()
    world.store._runs = kept
    world.signals = [RETRY]
    world.reconciler.distrust()
    await world.reconcile()
    assert world.status["phase"] == "Recovering"
    assert answers(world) == [("signal-2", "Rejected", "ann")]


async def test_how_a_run_stands_is_what_was_committed_and_what_is_still_to_be_read(world: World) -> None:
    assert await world.reconciler.standing(REF) is None
    await world.reconcile()
    await world.store.append(SKIP.entry_for(REF))
    standing = await world.reconciler.standing(REF)
    assert standing is not None
    assert standing.unread == {("signal-3", "skip")}
    assert standing.header.signals == ()
    assert standing.run == REF
    assert [standing.phase_of(path) for path in ("a", "b", "c", "a[0]/b")] == [
        StepPhase.RUNNING,
        StepPhase.PENDING,
        None,
        None,
    ]
    await world.reconcile()
    for reconciler in (world.reconciler, world.take_over().reconciler):  # as remembered, and as read anew
        standing = await reconciler.standing(REF)
        assert standing is not None
        answer = standing.answer_to(("signal-3", "skip"))
        assert answer is not None
        assert not answer.accepted
        assert standing.unread == frozenset()
        assert standing.phase_of("a") is StepPhase.RUNNING
        assert standing.answer_to(("signal-3", "undo")) is None


async def test_how_a_run_stands_is_told_when_it_is_on_disk(world: World) -> None:
    """What is being committed may be seen before, and whoever asked would be promised what can still be lost."""

    class NotOnDisk(MemoryStore):
        async def settle(self) -> None:
            raise StoreUnavailable("the write is not on disk")

    await world.reconcile()
    assert await world.reconciler.standing(REF) is not None
    world.store.__class__ = NotOnDisk
    with pytest.raises(StoreUnavailable):
        await world.take_over().reconciler.standing(REF)
