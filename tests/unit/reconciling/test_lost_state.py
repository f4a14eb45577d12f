"""A store that went back behind what this very operator committed has lost state, whatever people were told so far."""

import copy
from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.kube.fields import maps_at
from reactor_operator.ports import ReactorObject
from reactor_operator.reconciling.signals import parse_requests
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry, Snapshot
from tests.unit.reconciling.conftest import REF, RUN, World


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


@pytest.mark.parametrize("another", [True, False])
async def test_an_older_copy_in_which_the_run_has_ended_is_a_loss_too(world: World, another: bool) -> None:
    """It was retried after that end, and nobody knows what its second round has done."""
    await world.reconcile()
    early = world.status
    await world.succeed("a")
    await world.reconcile()
    await world.fail("b")
    await world.reconcile()
    assert world.status["phase"] == "Failed"
    kept = copy.deepcopy(world.store._runs)
    await world.store.append(Entry(run=REF.uid, digest="r", body=encode_event(ev.RetryRequested(id="r"))))
    await world.reconcile()
    told = world.status
    assert told["phase"] == "Running"
    world.store._runs = kept
    if another:
        world = world.take_over()
        world.status = told
    else:
        world.status = early  # as if no status could be written since
        world.reconciler.distrust()
    before = list(world.started)
    await world.reconcile()
    lost = world.status
    assert lost["phase"] == "Recovering"
    assert "finishedAt" not in lost
    assert world.started == before
    await world.store.append(Entry(run=REF.uid, digest="c", body=encode_event(ev.CancelRequested(id="c"))))
    await world.reconcile()
    assert world.status["phase"] == "Cancelled"


async def test_an_end_that_people_were_told_of_stands_also_in_an_older_copy(world: World) -> None:
    await world.reconcile()
    await world.fail("a")
    await world.reconcile()
    later = world.take_over()
    later.status = {**world.status, "store": {"sequence": 99}}
    await later.reconcile()
    assert later.status["phase"] == "Failed"


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


async def lose_what_a_did(world: World, annotations: dict[str, str], *, emptied: bool = False) -> None:
    """Step a succeeded, and the store is an older copy again, or empty; the object has these annotations by now."""
    await world.reconcile()
    kept = copy.deepcopy(world.store._runs)
    await world.succeed("a")
    await world.reconcile()
    world.annotations = annotations
    world.store._runs = {} if emptied else kept
    world.reconciler.distrust()
    await world.reconcile()


async def hand_in_again(world: World) -> None:
    """Hand in what stands on the object, as whoever reads it does."""
    run = await world.get_run(REF)
    assert run is not None
    for asked in parse_requests(run):
        await world.store.append(asked.entry_for(REF))
    await world.reconcile()


@pytest.mark.parametrize("emptied", [False, True])
async def test_a_request_that_stands_on_the_object_since_before_the_loss_is_no_answer_to_it(
    world: World, emptied: bool
) -> None:
    """Its annotation is taken away only after its answer was told, so it may have been done in what was lost."""
    await lose_what_a_did(world, {"reactor.run/retry.r1": "", "reactor.run/undo": ""}, emptied=emptied)
    await hand_in_again(world)
    assert world.status["phase"] == "Recovering"
    answers = maps_at(world.status, "signals")
    assert sorted((one["action"], one["phase"]) for one in answers) == [("retry", "Rejected"), ("undo", "Rejected")]
    assert emptied or all("ask again" in one["reason"] for one in answers)


@pytest.mark.parametrize("emptied", [False, True])
async def test_a_cancel_that_stands_on_the_object_ends_the_run_that_lost_state(world: World, emptied: bool) -> None:
    await lose_what_a_did(world, {"reactor.run/cancel": ""}, emptied=emptied)
    await hand_in_again(world)
    assert [one["phase"] for one in maps_at(world.status, "signals")] == ["Accepted"]
    assert [task.path for task in world.started] == ["a", "b"]


async def test_a_suspend_that_stands_on_the_object_holds_the_run_that_lost_state(world: World) -> None:
    """One to go on is refused: it was asked for before anybody knew of the loss."""
    await lose_what_a_did(world, {"reactor.run/suspend.1": "", "reactor.run/suspend.2": "false"})
    answers = maps_at(world.status, "signals")
    assert [(one["id"], one["phase"]) for one in answers] == [("1", "Accepted"), ("2", "Rejected")]
    await world.store.append(Entry(run=REF.uid, digest="r", body=encode_event(ev.RetryRequested(id="r"))))
    await world.reconcile()
    assert world.status["phase"] == "Suspended"


async def test_a_run_that_was_told_to_have_ended_and_whose_state_is_older_is_known_to_be_outlived(world: World) -> None:
    """Nobody decides on what is asked of it, so whoever takes requests up refuses them."""
    await world.reconcile()
    kept = copy.deepcopy(world.store._runs)
    assert not world.reconciler.outlived(REF)
    await world.succeed("a")
    await world.reconcile()
    await world.succeed("b")
    await world.reconcile()
    assert world.status["phase"] == "Succeeded"
    world.store._runs = kept
    later = world.take_over()
    later.status = world.status
    await later.reconcile()
    assert later.reconciler.outlived(REF)
    later.reconciler.forget(REF)
    assert not later.reconciler.outlived(REF)


async def test_after_a_loss_a_run_that_was_to_hold_still_does_and_one_that_was_to_go_on_is_to_be_asked_again(
    world: World,
) -> None:
    await world.reconcile()
    for request in (ev.SuspendRequested(id="1"), ev.SuspendRequested(id="2", suspended=False)):
        await world.store.append(Entry(run=REF.uid, digest=request.id, body=encode_event(request)))
    kept = copy.deepcopy(world.store._runs)
    await world.succeed("a")
    await world.reconcile()
    world.store._runs = kept
    world.reconciler.distrust()
    await world.reconcile()
    assert [one["phase"] for one in maps_at(world.status, "signals")] == ["Accepted", "Rejected"]
    again = encode_event(ev.RetryRequested(id="r2"))
    await world.store.append(Entry(run=REF.uid, digest="r2", body=again))
    await world.reconcile()
    assert world.status["phase"] == "Suspended"


class Reading(World):
    """Step `b`, and `finally`, read the result of `a`, which may be gone from the store."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        found = await super().get_reactor(namespace, name)
        reads = {"run": RUN, "arguments": {"x": {"result": "a"}}}
        spec = {"steps": [{"name": "a", "run": RUN, "undo": RUN}, {"name": "b", **reads}]}
        return found and replace(found, spec=spec)

    async def tell(self, step: str, failure: Failure | None = None, **values: bytes) -> None:
        task = Task(step, Action.RUN, 1, 1, 1)
        event: ev.Event = ev.TaskSucceeded(task=task, result=reference_to(b"42"))
        if failure is not None:
            event = ev.TaskFailed(task=task, failure=failure)
        kept = {reference_to(value).digest: value for value in values.values()}
        entry = Entry(run=REF.uid, task=task.key, final=True, digest=step, body=encode_event(event), values=kept)
        await self.store.append(entry)
        await self.reconcile()

    async def ask(self, event: ev.Signal) -> str:
        await self.store.append(Entry(run=REF.uid, digest=event.id, body=encode_event(event)))
        await self.reconcile()
        answer = maps_at(self.status, "signals")[-1]
        return f"{answer['phase']}: {answer.get('reason')}"


async def test_a_retry_that_needs_a_lost_value_is_refused_and_the_run_can_still_be_cancelled() -> None:
    world = Reading()
    await world.reconcile()
    await world.tell("a")  # its result never reaches the store
    before = world.status["phase"]
    assert (await world.ask(ev.RetryRequested(id="1"))).startswith("Rejected: a document that this needs is gone")
    assert "Accepted" in await world.ask(ev.CancelRequested(id="2"))
    assert (before, world.status["phase"]) == ("Recovering", "Cancelled")


@pytest.mark.parametrize("emptied", [True, False])
async def test_a_retry_after_the_end_that_needs_a_lost_value_is_refused_and_the_end_stays(emptied: bool) -> None:
    world = Reading()
    await world.reconcile()
    await world.tell("a", value=b"42")
    await world.tell("b", Failure(kind=FailureKind.FATAL, message="no"))
    undo = Task("a", Action.UNDO, 1, 1, 1)
    failed = ev.TaskFailed(task=undo, failure=Failure(kind=FailureKind.FATAL, message="no"))
    await world.store.append(Entry(run=REF.uid, task=undo.key, final=True, digest="u", body=encode_event(failed)))
    await world.reconcile()
    assert world.status["phase"] == "Failed"
    if emptied:
        world.store._values.clear()
        world.reconciler.distrust()
    answer = await world.ask(ev.RetryRequested(id="1", standing=("a",)))
    assert answer.startswith("Rejected: a document" if emptied else "Accepted")
    assert world.status["phase"] == ("Failed" if emptied else "Running")
    assert not (await world.store.load(REF.uid)).inbox  # type: ignore[union-attr]
