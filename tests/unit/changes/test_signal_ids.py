"""Signals by correlation id, from their objects to the run in which an interrupt opens under it, over two stores."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reactor_operator.api.sources import Source
from reactor_operator.changes.signal_object import AwaitedId
from reactor_operator.changes.signals import SignalChanges
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import Environment
from reactor_operator.kube.fields import maps_at
from reactor_operator.kube.moments import render_moment
from reactor_operator.kube.paths import REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import Clock, ReactorObject, Rendering, RunObject, RunRef
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.inbox import events_of
from reactor_operator.reconciling.signals import request_of
from reactor_operator.running.clock import WallClock
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, Held, Store, StoreUnavailable
from reactor_operator.store.sqlite import SqliteStore
from tests.unit.kube.api_server import ApiServer, Json
from tests.unit.outcomes.stores import FixedClock
from tests.unit.reconciling.conftest import World

ID = "order/7"
AWAITED = AwaitedId("shop", "checkout", ID)
NAME = f"shop/checkout/{ID}"
ONE, TWO = RunRef("shop", "one", "uid-one"), RunRef("shop", "two", "uid-two")
HOUR_MS = 3_600_000
STEPS = [
    {"name": "approve", "interrupt": {"correlationId": "inputs.id", "approvers": False}},
    {"name": "sign", "interrupt": {"approvers": True}},
]
NOTHING = f"no interrupt of reactor checkout waits under the id '{ID}'"
CLOSED = f"interrupt approve is closed: nothing waits under the id '{ID}'"


@dataclass(slots=True)
class Operator:
    """One process: it knows nothing that the store and the API server do not. `marked`: runs that are to move."""

    reconciler: Reconciler
    signals: SignalChanges
    marked: list[RunRef] = field(default_factory=list)


class Shop(World):
    """Runs that wait under the same id, one at a time, and signals to it."""

    def __init__(self, server: ApiServer, kept: Store) -> None:
        super().__init__()
        self.server = server
        self.kept = kept
        self.clock = FixedClock(WallClock().now())
        self.statuses: dict[str, Mapping[str, object]] = {}
        self.correlation = ID

    @asynccontextmanager
    async def operating(self, clock: Clock | None = None) -> AsyncIterator[Operator]:
        """Begin to operate; all signals that there are have been listed."""

        def opened(names: Collection[str]) -> None:
            operator.signals.opened(names)

        reconciler = Reconciler(
            store=self.kept,
            definitions=self,
            launcher=self,
            board=self,
            evaluator=self,
            siblings=self,
            clock=self.clock,
            epoch=await self.kept.claim_epoch(0),
            settings=ReconcileSettings(),
            opened=opened,
        )
        marked: list[RunRef] = []
        async with self.server.client(timeout_seconds=2.0) as client:
            signals = SignalChanges(
                client=client,
                inbox=self.kept,
                correlations=self.kept,
                standing=reconciler.standing,
                clock=clock or self.clock,
                mark=marked.append,
            )
            operator = Operator(reconciler, signals, marked)
            for path, found in self.server.objects.items():
                if REACTOR_SIGNAL.plural in path:
                    signals.changed(None, found)
            yield operator

    async def open(self, operator: Operator, run: RunRef) -> None:
        """Start a run, or have it go on: it waits then, or is over."""
        await operator.reconciler.reconcile(run)
        told = {"metadata": {"uid": run.uid}, "spec": {}, "status": dict(self.statuses[run.uid])}
        await self.server.put(REACTOR_RUN.object(run.namespace, run.name), told)

    async def close(self, operator: Operator, run: RunRef) -> None:
        """Have somebody else resume what waits in a run."""
        said = {"step": "approve", "payload": "somebody else's"}
        await self.kept.append(request_of("other", "resume", said, "bob").entry_for(run))
        await self.open(operator, run)

    async def look(self, operator: Operator, run: RunRef = ONE) -> None:
        """Look at the id and at the run, have that move, and look again."""
        await operator.signals.look(AWAITED)
        await operator.signals.look(RunRef(run.namespace, run.name, ""))
        if run.uid in self.statuses:
            await self.open(operator, run)
        await operator.signals.look(RunRef(run.namespace, run.name, ""))

    async def put(self, operator: Operator | None, name: str = "s", **spec: Any) -> Json:
        """Put a signal on the server, a field of None is left out, and tell the operator."""
        asked = {
            "reactorRef": {"name": "checkout"},
            "correlationId": ID,
            "action": "resume",
            "payload": name,
            "messageId": name,
            **spec,
        }
        created = render_moment(self.clock.time)
        put = await self.server.put(
            REACTOR_SIGNAL.object("shop", name),
            {
                "metadata": {"uid": f"uid-{name}", "creationTimestamp": created},
                "spec": {key: value for key, value in asked.items() if value is not None},
            },
        )
        if operator is not None:
            operator.signals.changed("ADDED", put)
        return put

    def find(self, name: str = "s") -> Json:
        return self.server.objects[REACTOR_SIGNAL.object("shop", name)]

    def told(self, name: str = "s") -> tuple[str, str]:
        status = self.find(name).get("status", {})
        return status.get("phase", ""), status.get("reason", "")

    def found(self, name: str = "s") -> object:
        return self.find(name).get("status", {}).get("found")

    def result(self, run: RunRef = ONE) -> object:
        """What the interrupt of a run was resumed with, None while it waits."""
        return next(one for one in maps_at(self.statuses[run.uid], "steps") if one["name"] == "approve").get("result")

    def answers(self, run: RunRef = ONE) -> list[object]:
        return [one["id"] for one in maps_at(self.statuses[run.uid], "signals")]

    async def heard_by(self, message: str) -> list[str]:
        """Return the runs that were ever told a message."""
        heard = []
        for uid, status in self.statuses.items():
            snapshot = await self.kept.load(uid)
            assert snapshot is not None
            unread = [getattr(event, "id", "") for event in events_of(snapshot.inbox)]
            if message in unread or message in [one["id"] for one in maps_at(status, "signals")]:
                heard.append(uid)
        return heard

    async def get_run(self, ref: RunRef) -> RunObject | None:
        spec: Mapping[str, object] = {"reactorRef": {"name": "checkout"}}
        status = self.statuses.get(ref.uid, {})
        return RunObject(ref=ref, generation=1, created_at=0, spec=spec, annotations={}, status=status)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec={"steps": STEPS})

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return dict.fromkeys(sources, self.correlation)

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        self.statuses[ref.uid] = await render()


@pytest_asyncio.fixture(params=["memory", "sqlite"])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    store = SqliteStore(tmp_path / "state")
    yield store
    await store.close()


@pytest.fixture
def shop(server: ApiServer, kept: Store) -> Shop:
    return Shop(server, kept)


async def test_what_is_open_is_resumed_and_the_signal_says_where(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator, messageId=None, requestedBy="ann")
        await shop.look(operator)
    assert shop.told() == ("Accepted", "")
    assert shop.found() == {"run": "one", "uid": "uid-one", "step": "approve", "round": 1}
    assert (shop.result(), shop.answers()) == ("s", ["signal-uid-s"])
    (owner,) = shop.find()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ReactorRun", "one", "uid-one")
    assert ONE in operator.marked


async def test_it_says_where_before_anything_is_asked(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator)
        await operator.signals.look(AWAITED)
        assert shop.told()[0] == "Pending"
        assert shop.found() is not None
        assert await shop.heard_by("s") == []


async def test_with_a_message_it_waits_for_an_interrupt_to_open_and_says_so_once(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.put(operator, ttl="1h")
        for _ in range(3):
            await shop.look(operator)
        assert shop.told() == ("Pending", f"{NOTHING} yet")
        assert len(shop.server.writes) == 1
        await shop.open(operator, ONE)
        await shop.look(operator)
    assert (shop.told(), shop.result()) == (("Accepted", ""), "s")


async def test_the_commit_that_opens_it_has_it_looked_at_and_no_other_one_does(shop: Shop) -> None:
    """By marks and times alone, in the service as it runs."""
    async with shop.operating(WallClock()) as operator:
        running = asyncio.create_task(operator.signals.run())
        await shop.put(operator)
        await shop.put(operator, "another", correlationId="order/8")
        await shop.server.wait_until(lambda: shop.told("another")[0] == shop.told()[0] == "Pending")
        looks: list[str] = []
        find = shop.kept.find_correlation

        async def counted(name: str) -> object:
            looks.append(name)
            return await find(name)

        shop.kept.find_correlation = counted  # type: ignore[method-assign, assignment]
        await shop.open(operator, ONE)
        await shop.server.wait_until(lambda: shop.found() is not None)
        async with asyncio.timeout(5):
            while await shop.heard_by("s") == []:  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.01)
        await shop.open(operator, ONE)
        operator.signals.moved(ONE)
        await shop.server.wait_until(lambda: shop.told()[0] == "Accepted")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert set(looks) == {NAME}
    assert shop.told("another")[0] == "Pending"


async def test_one_whose_commit_was_not_answered_is_found_as_the_run_is_read_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop.operating(WallClock()) as operator:
        running = asyncio.create_task(operator.signals.run())
        await shop.put(operator)
        await shop.server.wait_until(lambda: shop.told()[0] == "Pending")
        commit = shop.kept.commit

        async def unanswered(made: Commit) -> int:
            await commit(made)
            raise StoreUnavailable("the answer was lost")

        with monkeypatch.context() as patched:
            patched.setattr(shop.kept, "commit", unanswered)
            with pytest.raises(StoreUnavailable):
                await operator.reconciler.reconcile(ONE)
        assert await shop.kept.find_correlation(NAME) == Held(run="uid-one", path="approve.1")
        await shop.open(operator, ONE)
        await shop.server.wait_until(lambda: shop.found() is not None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_without_a_message_it_is_rejected_at_once(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.put(operator, messageId=None)
        await shop.look(operator)
    assert shop.told() == ("Rejected", f"{NOTHING}; a signal is kept until one does where it has spec.messageId")


async def test_one_that_names_another_step_is_rejected_and_the_run_hears_nothing(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator, step="sign")
        await shop.look(operator)
    assert shop.told() == (
        "Rejected",
        "spec.step: found 'sign', expected 'approve', which waits under the id, or none",
    )
    assert await shop.heard_by("s") == []


async def test_what_closed_within_its_time_is_closed_and_what_closed_before_is_another(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.close(operator, ONE)
        await shop.put(operator, "late")
        await shop.put(operator, "plain", messageId=None)
        shop.clock.time += 2 * HOUR_MS
        await shop.put(operator, "later", ttl="1h")
        await shop.look(operator)
    assert shop.told("late") == shop.told("plain") == ("Rejected", CLOSED)
    assert shop.told("later") == ("Pending", f"{NOTHING} yet")


async def test_a_message_that_was_answered_before_it_closed_has_the_same_answer_again(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator, "first", messageId="m")
        await shop.look(operator)
        del shop.server.objects[REACTOR_SIGNAL.object("shop", "first")]
    async with shop.operating() as operator:
        await shop.put(operator, "again", messageId="m", payload="something else")
        await shop.look(operator)
    assert (shop.told("again"), shop.result()) == (("Accepted", ""), "first")


async def test_of_two_that_stand_as_it_opens_one_resumes_it_and_the_other_is_told_that_it_is_closed(
    shop: Shop,
) -> None:
    async with shop.operating() as operator:
        await shop.put(operator, "a")
        await shop.put(operator, "b")
        await shop.look(operator)
        await shop.open(operator, ONE)
        await shop.look(operator)
    phases = {name: shop.told(name) for name in ("a", "b")}
    assert phases == {"a": ("Accepted", ""), "b": ("Rejected", "interrupt approve is closed: it is Succeeded")}
    assert shop.result() == "a"


async def test_the_one_that_lost_is_for_no_interrupt_that_opens_later(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.put(operator, "a")
        await shop.put(operator, "b")
        await shop.open(operator, ONE)
        await operator.signals.look(AWAITED)
        await shop.close(operator, ONE)
        await shop.open(operator, TWO)
        for _ in range(2):
            await shop.look(operator, ONE)
            await shop.look(operator, TWO)
    assert {shop.told(name)[0] for name in ("a", "b")} == {"Rejected"}
    assert (shop.result(ONE), shop.result(TWO)) == ("somebody else's", None)


async def test_a_message_that_two_signals_bring_is_for_one_run(shop: Shop) -> None:
    """The second one comes while another run waits under the id, or could not be written when the first one was."""
    async with shop.operating() as operator:
        await shop.put(operator, "first", messageId="m")
        await shop.open(operator, ONE)
        await shop.look(operator)
        await shop.open(operator, TWO)
        await shop.put(operator, "second", messageId="m")
        await operator.signals.look(AWAITED)
        await shop.look(operator, ONE)
        await shop.look(operator, TWO)
    assert shop.found("second") == shop.found("first")
    assert (shop.told("second"), shop.result(TWO)) == (("Accepted", ""), None)
    assert await shop.heard_by("m") == ["uid-one"]


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("cut", range(1, 5))
async def test_wherever_the_operator_was_stopped_it_is_for_one_run(shop: Shop, cut: int, answered: bool) -> None:
    """Another one begins after any write: of where it was found, of the owner, into the inbox, of the status. While
    none is there the interrupt is closed by somebody else and another run opens one under the id.
    """
    async with shop.operating() as operator:
        await shop.put(operator)
        await operator.signals.look(AWAITED)
        await shop.open(operator, ONE)
        writes = len(shop.server.writes)
        for _ in range(3):
            if not answered:
                shop.server.lose_answers = int(len(shop.server.writes) - writes == cut - 1)
            await operator.signals.look(AWAITED)
            await operator.signals.look(RunRef("shop", "one", ""))
            if cut == 4:
                await shop.open(operator, ONE)
            if len(shop.server.writes) - writes >= cut:
                break
        shop.server.lose_answers = 0
    async with shop.operating() as operator:
        await shop.close(operator, ONE)
        await shop.open(operator, TWO)
        for _ in range(3):
            await shop.look(operator, ONE)
            await shop.look(operator, TWO)
        heard = await shop.heard_by("s")
    assert len(heard) == 1
    taken = [run for run in (ONE, TWO) if shop.result(run) == "s"]
    assert len(taken) == (shop.told()[0] == "Accepted")
    assert all(run.uid in heard for run in taken)


async def test_an_operator_that_begins_looks_at_all_that_stand(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.put(operator)
        await operator.signals.look(AWAITED)
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
    async with shop.operating(WallClock()) as operator:
        running = asyncio.create_task(operator.signals.run())
        await shop.server.wait_until(lambda: shop.found() is not None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_a_watch_tells_late_does_not_take_back_where_it_was_found(shop: Shop) -> None:
    async with shop.operating() as operator:
        early = await shop.put(operator)
        await shop.open(operator, ONE)
        await operator.signals.look(AWAITED)
        operator.signals.changed("MODIFIED", {**early, "metadata": {**early["metadata"], "resourceVersion": "1"}})
        assert await operator.signals.look(AWAITED) is None
        await shop.look(operator)
    assert shop.told()[0] == "Accepted"


async def test_one_that_another_operator_has_sent_meanwhile_is_read_anew_and_not_sent_again(shop: Shop) -> None:
    async with shop.operating() as late:
        await shop.put(late)
        await shop.open(late, ONE)
        async with shop.operating() as operator:
            await operator.signals.look(AWAITED)
            await shop.close(operator, ONE)
            await shop.open(operator, TWO)
        writes = len(shop.server.writes)
        await late.signals.look(AWAITED)
        assert len(shop.server.writes) == writes + 1, "it was refused"
        await late.signals.look(AWAITED)
        assert len(shop.server.writes) == writes + 1
        found: Any = shop.found()
        assert found["run"] == "one"


async def test_a_run_that_is_gone_or_going_is_none_that_waits(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        run = REACTOR_RUN.object("shop", "one")
        shop.server.objects[run]["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
        await shop.put(operator)
        await operator.signals.look(AWAITED)
        assert shop.told() == ("Pending", f"{NOTHING} yet")
        await shop.server.remove(run)
        await shop.put(operator, "plain", messageId=None)
        await operator.signals.look(AWAITED)
        assert shop.told("plain")[0] == "Rejected"
        await shop.kept.forget(ONE.uid)
        await shop.open(operator, TWO)
        await shop.look(operator, TWO)
    assert (shop.told()[0], shop.result(TWO)) == ("Accepted", "s")


async def test_once_found_it_goes_with_its_run(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator)
        await operator.signals.look(AWAITED)
        await shop.server.remove(REACTOR_RUN.object("shop", "one"))
        await operator.signals.look(RunRef("shop", "one", ""))
    assert shop.told() == ("Rejected", "run one is gone, for which this waited")


async def test_nobody_answers_in_time_and_it_expires_and_goes(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.put(operator, ttl="1h")
        created = shop.clock.time // 1_000 * 1_000
        assert await operator.signals.look(AWAITED) == created + HOUR_MS
        shop.clock.time += HOUR_MS
        await operator.signals.look(AWAITED)
        assert shop.told() == ("Expired", f"it was not answered in time: {NOTHING} yet")
        shop.clock.time += HOUR_MS
        await operator.signals.look(AWAITED)
    assert REACTOR_SIGNAL.object("shop", "s") not in shop.server.objects


async def test_it_asks_as_one_who_may_approve(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    approvers = [{"name": "approve", "interrupt": {"correlationId": "inputs.id", "approvers": True}}]
    monkeypatch.setattr("tests.unit.changes.test_signal_ids.STEPS", approvers)
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator, "anybody")
        await shop.look(operator)
        await shop.put(operator, "ann", asApprover=True, requestedBy="ann")
        await shop.look(operator)
    assert shop.told("anybody")[0] == "Rejected"
    assert (shop.told("ann"), shop.result()) == (("Accepted", ""), "ann")


@pytest.mark.parametrize(("action", "phase"), [("cancel", "Cancelled"), ("undo", "Undone")])
async def test_what_concerns_the_run_is_asked_of_the_run_in_which_it_opens(shop: Shop, action: str, phase: str) -> None:
    async with shop.operating() as operator:
        await shop.put(operator, action=action, payload=None)
        await shop.open(operator, ONE)
        await shop.look(operator)
    assert (shop.told()[0], shop.statuses[ONE.uid]["phase"]) == ("Accepted", phase)


async def test_a_server_that_does_not_keep_where_it_was_found_is_not_asked_all_the_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its definition of the kind is older than this operator."""
    merge = shop.server._store

    async def pruning(path: str, one: Json, kind: str) -> None:
        one.get("status", {}).pop("found", None)
        await merge(path, one, kind)

    monkeypatch.setattr(shop.server, "_store", pruning)
    async with shop.operating() as operator:
        await shop.open(operator, ONE)
        await shop.put(operator)
        at = await operator.signals.look(AWAITED)
        assert at is not None
        assert at >= shop.clock.time + 60_000
        assert await shop.heard_by("s") == []
        assert not operator.signals._queue._dirty.keys() - {AWAITED}


async def test_a_list_has_ids_looked_at_now_and_then_alone(shop: Shop) -> None:
    async with shop.operating() as operator:
        await shop.put(operator)
        await shop.put(operator, "named", runRef={"name": "one"}, reactorRef=None, correlationId=None)
        dirty = operator.signals._queue._dirty
        for ids, expected in ((False, {RunRef("shop", "one", "")}), (True, {AWAITED, RunRef("shop", "one", "")})):
            dirty.clear()
            operator.signals.mark_unanswered(ids=ids)
            assert dirty.keys() == expected
        dirty.clear()
        listing = asyncio.create_task(operator.signals.follow(("shop",)))
        async with asyncio.timeout(5):
            while AWAITED not in dirty:  # noqa: ASYNC110 - a set tells nobody
                await asyncio.sleep(0.01)
        listing.cancel()


async def test_ten_thousand_that_stand_cost_nothing_while_nothing_opens(shop: Shop) -> None:
    def looked_at(operator: Operator) -> Sequence[object]:
        return list(operator.signals._queue._dirty)

    async with shop.operating() as operator:
        for number in range(10_000):
            found = {
                "metadata": {"namespace": "shop", "name": f"s{number}", "uid": f"{number}"},
                "spec": {"reactorRef": {"name": "checkout"}, "correlationId": f"{number}", "action": "cancel"},
            }
            operator.signals.changed("ADDED", found)
        assert len(looked_at(operator)) == 10_000
        operator.signals._queue._dirty.clear()
        operator.signals.opened(["shop/checkout/77", "shop/checkout/none", "shop/other/78"])
        assert looked_at(operator) == [AwaitedId("shop", "checkout", "77")]
