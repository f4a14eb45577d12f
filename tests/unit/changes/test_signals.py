"""Signals from their objects to the run and back, over an API server, a reconciler and a store in memory."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from reactor_operator.changes.requests import Prepare, as_it_is
from reactor_operator.changes.signals import AT_ONCE, SignalChanges
from reactor_operator.engine.events import Signal
from reactor_operator.kube.fields import maps_at
from reactor_operator.kube.moments import render_moment
from reactor_operator.kube.paths import REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import Clock, RunRef, Unavailable
from reactor_operator.reconciling.inbox import events_of
from reactor_operator.reconciling.signals import request_of
from reactor_operator.reconciling.standing import Standing
from reactor_operator.running.clock import WallClock
from reactor_operator.store.port import Entry
from tests.unit.kube.api_server import ApiServer, Json
from tests.unit.outcomes.stores import FixedClock
from tests.unit.reconciling.conftest import REF, World

NOW_MS = 1_795_348_800_000
TARGET = RunRef("shop", "r", "")
RUN_PATH = REACTOR_RUN.object("shop", "r")
DAY_MS = 86_400_000


class SignalTrial:
    """Signals of one run, and an operator that may be another one each time (`following`)."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.world = World()
        self.clock = FixedClock(NOW_MS)
        self.marked: list[RunRef] = []
        self.outlived: set[RunRef] = set()
        self.prepared: Prepare = as_it_is
        self.goes_back_after: int | None = None  # reads of a run, to a state from before what is not read yet

    async def stand(self, ref: RunRef) -> Standing | None:
        if self.goes_back_after is not None:
            self.goes_back_after -= 1
        if self.goes_back_after == 0:
            before = copy.deepcopy(self.world.store._runs)
            before[ref.uid].inbox.clear()
            before[ref.uid].signals.clear()
            self.world.store._runs = before
        return await self.world.reconciler.standing(ref)

    @asynccontextmanager
    async def following(self, clock: Clock | None = None) -> AsyncIterator[SignalChanges]:
        async with self.server.client(timeout_seconds=2.0) as client:
            signals = SignalChanges(
                client=client,
                inbox=self.world.store,
                correlations=self.world.store,
                standing=self.stand,
                clock=clock or self.clock,
                mark=self.marked.append,
                outlived=self.outlived.__contains__,
                prepared=self.prepared,
            )
            yield signals

    async def put_run(self, uid: str = "uid", **status: Any) -> None:
        """Put the run on the server, with the status it was reconciled to."""
        told = {**self.world.status, **status}
        await self.server.put(RUN_PATH, {"metadata": {"uid": uid}, "spec": {}, "status": told})

    async def put(self, name: str = "s", status: Json | None = None, **spec: Any) -> Json:
        """Put a signal on the server, and return it."""
        metadata = {"uid": f"uid-{name}", "creationTimestamp": render_moment(NOW_MS)}
        asked = {"runRef": {"name": "r"}, "action": "cancel", **spec}
        return await self.server.put(
            REACTOR_SIGNAL.object("shop", name),
            {"metadata": metadata, "spec": asked, **({"status": status} if status else {})},
        )

    def find(self, name: str = "s") -> Json:
        return self.server.objects[REACTOR_SIGNAL.object("shop", name)]

    def told(self, name: str = "s") -> tuple[str, str]:
        status = self.find(name).get("status", {})
        return status.get("phase", ""), status.get("reason", "")

    async def unread(self) -> list[str]:
        snapshot = await self.world.store.load(REF.uid)
        assert snapshot is not None
        return [event.id for event in events_of(snapshot.inbox) if isinstance(event, Signal)]


@pytest.fixture
def signals(server: ApiServer) -> SignalTrial:
    return SignalTrial(server)


async def test_a_signal_reaches_its_run_once_and_has_its_answer(signals: SignalTrial) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    async with signals.following() as following:
        following.changed("ADDED", await signals.put(reason="why", requestedBy="ann"))
        for _ in range(3):
            assert await following.look(TARGET) is None
        assert await signals.unread() == ["signal-uid-s"]
        assert signals.marked == [REF]
        await signals.world.reconcile()
        assert await following.look(TARGET) == NOW_MS + DAY_MS
    assert signals.told() == ("Accepted", "why")
    assert signals.find()["status"]["answeredAt"] == render_moment(NOW_MS)
    (answer,) = maps_at(signals.world.status, "signals")
    assert (answer["id"], answer["by"]) == ("signal-uid-s", "ann")
    (owner,) = signals.find()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == ("ReactorRun", "r", "uid", False)


async def test_a_refusal_is_told_with_its_reason(signals: SignalTrial) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    async with signals.following() as following:
        following.changed("ADDED", await signals.put(action="retry"))
        await following.look(TARGET)
        await signals.world.reconcile()
        await following.look(TARGET)
    phase, reason = signals.told()
    assert (phase, "the run goes on" in reason) == ("Rejected", True)


@pytest.mark.parametrize("cut", range(1, 5))
async def test_it_is_one_request_wherever_the_operator_was_stopped(signals: SignalTrial, cut: int) -> None:
    """Another one begins after any write: of the owner, into the inbox, of the run's commit, of the status."""
    await signals.world.reconcile()
    await signals.put_run()
    await signals.put(action="skip", step="b")
    for step in range(4):
        if step in (cut - 1, cut):  # the answer to the write before is lost with the operator
            signals.server.lose_answers = 1
        async with signals.following() as following:
            following.changed(None, signals.find())
            await following.look(TARGET)
        await signals.world.reconcile()
        signals.server.lose_answers = 0
    async with signals.following() as following:
        following.changed(None, signals.find())
        await following.look(TARGET)
    assert signals.told()[0] == "Rejected"
    assert len(maps_at(signals.world.status, "signals")) == 1
    assert len(signals.find()["metadata"]["ownerReferences"]) == 1


async def test_one_that_comes_before_its_run_waits_for_it(signals: SignalTrial) -> None:
    async with signals.following() as following:
        following.changed("ADDED", await signals.put())
        assert await following.look(TARGET) == NOW_MS + DAY_MS
        assert signals.told() == ("Pending", "there is no run r yet")
        assert "ownerReferences" not in signals.find()["metadata"]
        await signals.put_run()
        assert await following.look(TARGET) == NOW_MS + DAY_MS
        assert signals.told() == ("Pending", "run r has not started")
        assert signals.marked == [REF], "it may be cancelled before it starts"
        await following.look(TARGET)
        assert signals.marked == [REF]
        await signals.world.reconcile()
        await following.look(TARGET)
        await signals.world.reconcile()
        await following.look(TARGET)
        assert signals.told()[0] == "Accepted"


async def test_what_it_waits_for_is_written_once(signals: SignalTrial) -> None:
    async with signals.following() as following:
        following.changed("ADDED", await signals.put())
        for _ in range(3):
            await following.look(TARGET)
    assert len(signals.server.writes) == 1


async def test_one_that_waited_for_a_run_is_not_for_the_next_one_of_the_name(signals: SignalTrial) -> None:
    await signals.put_run()
    async with signals.following() as following:
        following.changed("ADDED", await signals.put())
        await following.look(TARGET)
        await signals.server.remove(RUN_PATH)
        await signals.put_run(uid="another")
        await following.look(TARGET)
    assert signals.told() == ("Rejected", "run r is gone, for which this waited")
    assert REF in signals.marked
    assert RunRef("shop", "r", "another") not in signals.marked


async def test_one_that_nobody_answered_in_time_expires_and_one_that_was_answered_goes(signals: SignalTrial) -> None:
    async with signals.following() as following:
        following.changed("ADDED", await signals.put(ttl="1h"))
        at = await following.look(TARGET)
        assert at == NOW_MS + 3_600_000
        signals.clock.time = at
        again = await following.look(TARGET)
        assert signals.told()[0] == "Expired"
        assert again == at + 3_600_000
        signals.clock.time = again - 1
        assert await following.look(TARGET) == again
        signals.clock.time = again
        assert await following.look(TARGET) is None
    assert REACTOR_SIGNAL.object("shop", "s") not in signals.server.objects


async def test_another_object_of_the_name_is_neither_deleted_nor_answered(signals: SignalTrial) -> None:
    async with signals.following() as following:
        following.changed("ADDED", await signals.put(ttl="1h"))
        another = await signals.put(ttl="1h")
        another["metadata"]["uid"] = "another"
        await signals.server.put(REACTOR_SIGNAL.object("shop", "s"), another)
        signals.clock.time += 3_600_000
        assert await following.look(TARGET) is None
    assert signals.told() == ("", "")


@pytest.mark.parametrize("odd", [{}, {"metadata": None, "spec": 3, "status": []}, {"spec": {"runRef": {"name": []}}}])
async def test_a_bad_signal_keeps_no_other_from_its_answer(signals: SignalTrial, odd: Json) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    async with signals.following() as following:
        following.changed("ADDED", odd)
        following.changed("ADDED", await signals.put("bad", delete=True))
        gone = await signals.put("gone")
        await signals.server.remove(REACTOR_SIGNAL.object("shop", "gone"))
        following.changed("ADDED", gone)
        following.changed("ADDED", await signals.put())
        await following.look(RunRef("", "", ""))
        await following.look(TARGET)
        await signals.world.reconcile()
        await following.look(TARGET)
    assert signals.told("bad") == (
        "Rejected",
        "spec.delete: found it in a signal of cancel: expected at most reason",
    )
    assert signals.told()[0] == "Accepted"


async def test_one_whose_write_is_refused_is_tried_again_and_the_others_are_seen_to(signals: SignalTrial) -> None:
    async with signals.following() as following:
        following.changed("ADDED", await signals.put("a"))
        following.changed("ADDED", await signals.put("b"))
        run_is_not_found: tuple[int, Json, dict[str, str]] = (404, {"reason": "NotFound"}, {})
        refused: tuple[int, Json, dict[str, str]] = (403, {"reason": "Forbidden", "message": "no"}, {})
        signals.server.script = [run_is_not_found, refused]
        at = await following.look(TARGET)
        assert at is not None
        assert at < NOW_MS + 60_000
        assert (signals.told("a")[0], signals.told("b")[0]) == ("", "Pending")
        await following.look(TARGET)
    assert signals.told("a")[0] == "Pending"


async def test_one_that_was_changed_meanwhile_is_read_anew(signals: SignalTrial) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    async with signals.following() as following:
        following.changed("ADDED", await signals.put())
        found = signals.find()
        labelled = {**found, "metadata": {**found["metadata"], "labels": {"a": "b"}}}
        await signals.server.put(REACTOR_SIGNAL.object("shop", "s"), labelled)
        await following.look(TARGET)
        assert await signals.unread() == []
        await following.look(TARGET)
    assert await signals.unread() == ["signal-uid-s"]
    assert signals.find()["metadata"]["labels"] == {"a": "b"}


async def test_a_message_that_another_signal_brought_changes_nothing_and_has_the_same_answer(
    signals: SignalTrial,
) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    async with signals.following() as following:
        for name in ("a", "b"):
            following.changed("ADDED", await signals.put(name, messageId="m", reason=name))
        await following.look(TARGET)
        assert await signals.unread() == ["m"]
        await signals.world.reconcile()
        await following.look(TARGET)
    assert (signals.told("a"), signals.told("b")) == (("Accepted", "a"), ("Accepted", "a"))


async def test_a_message_that_came_in_another_way_meanwhile_and_was_answered_has_that_answer(
    signals: SignalTrial,
) -> None:
    await signals.world.reconcile()
    await signals.put_run()

    async def asked_and_answered_meanwhile(entry: Entry, event: Signal) -> Entry:
        await signals.world.store.append(entry)
        await signals.world.reconcile()
        return entry

    signals.prepared = asked_and_answered_meanwhile
    async with signals.following() as following:
        following.changed("ADDED", await signals.put(messageId="m", reason="why"))
        await following.look(TARGET)
    assert signals.told() == ("Accepted", "why")


async def test_a_run_is_asked_for_a_few_things_at_a_time_so_that_it_keeps_every_answer(signals: SignalTrial) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    names = [f"s{number:02}" for number in range(3 * AT_ONCE + 3)]
    async with signals.following() as following:
        for name in names:
            following.changed("ADDED", await signals.put(name, action="skip", step="b"))
        for _ in range(5):
            await following.look(TARGET)
            assert len(await signals.unread()) <= AT_ONCE
            await following.look(TARGET)
            assert len(await signals.unread()) <= AT_ONCE
            await signals.world.reconcile()
    assert {signals.told(name)[0] for name in names} == {"Rejected"}


async def test_one_whose_answer_is_not_kept_any_more_is_told_so(signals: SignalTrial) -> None:
    await signals.world.reconcile()
    await signals.put_run()
    await signals.put(action="skip", step="b")
    async with signals.following() as following:
        following.changed("ADDED", signals.find())
        await following.look(TARGET)
        for number in range(25):
            await signals.world.store.append(request_of(str(number), "retry", {}, "ann").entry_for(REF))
        await signals.world.reconcile()
        await following.look(TARGET)
    phase, reason = signals.told()
    assert (phase, "not kept any more" in reason) == ("Expired", True)


async def test_one_that_a_store_lost_while_the_run_was_read_is_handed_in_again(signals: SignalTrial) -> None:
    async def by_another_operator(entry: Entry, _: Signal) -> Entry:
        await signals.world.store.append(entry)
        return entry

    await signals.world.reconcile()
    await signals.put_run()
    await signals.put(action="skip", step="b")
    signals.prepared, signals.goes_back_after = by_another_operator, 2
    async with signals.following() as following:
        following.changed("ADDED", signals.find())
        await following.look(TARGET)
    assert signals.told() == ("", "")
    assert await signals.unread() == ["signal-uid-s"]


async def test_what_was_prepared_for_no_stored_run_is_not_appended(signals: SignalTrial) -> None:
    async def is_not_stored(entry: Entry, event: Signal) -> None:
        return None

    signals.prepared = is_not_stored
    await signals.world.reconcile()
    await signals.put_run()
    async with signals.following() as following:
        following.changed("ADDED", await signals.put())
        at = await following.look(TARGET)
    assert at is not None
    assert at < NOW_MS + 60_000
    assert await signals.unread() == []


async def test_what_waits_for_a_run_is_told_to_whoever_opens_it_and_not_what_another_one_is_to_hear(
    signals: SignalTrial,
) -> None:
    await signals.put_run()
    async with signals.following() as following:
        with pytest.raises(Unavailable):
            following.asked_of(REF)
        await signals.put("a")
        await signals.put("b", runUid="another")
        listing = asyncio.create_task(following.follow(("shop",)))
        async with asyncio.timeout(5):
            while not following._roster.is_complete("shop"):  # noqa: ASYNC110 - a roster tells nobody
                await asyncio.sleep(0.01)
        listing.cancel()
        assert following.asked_of(REF) == [], "nobody has looked whether there is the run that they are for"
        await following.look(TARGET)
        assert [request.id for request in following.asked_of(REF)] == ["signal-uid-a"]


async def test_a_list_finds_what_no_watch_told(signals: SignalTrial) -> None:
    await signals.put("missed", ttl="99999h")
    async with signals.following(WallClock()) as following:
        running = [asyncio.create_task(following.follow(("shop",))), asyncio.create_task(following.run())]
        await signals.server.wait_until(lambda: signals.told("missed")[0] == "Pending")
        await signals.world.reconcile()
        await signals.put_run()
        following.moved(REF)
        await signals.server.wait_until(lambda: "ownerReferences" in signals.find("missed")["metadata"])
        async with asyncio.timeout(5):
            while not await signals.unread():  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.01)
        await signals.world.reconcile()
        following.moved(REF)
        await signals.server.wait_until(lambda: signals.told("missed")[0] == "Accepted")
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_list_finds_one_that_was_answered_long_ago_and_it_goes(signals: SignalTrial) -> None:
    await signals.put(status={"phase": "Accepted", "answeredAt": "2020-01-01T00:00:00Z"})
    async with signals.following(WallClock()) as following:
        running = [asyncio.create_task(following.follow(("shop",))), asyncio.create_task(following.run())]
        await signals.server.wait_until(lambda: REACTOR_SIGNAL.object("shop", "s") not in signals.server.objects)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_list_takes_out_what_is_gone(signals: SignalTrial) -> None:
    async with signals.following() as following:
        following.changed("ADDED", await signals.put())
        await signals.server.remove(REACTOR_SIGNAL.object("shop", "s"), tell=False)
        assert following._roster.uids() == {"uid-s"}
        listing = asyncio.create_task(following.follow(("shop",)))
        async with asyncio.timeout(5):
            while following._roster.uids():  # noqa: ASYNC110 - a roster tells nobody
                await asyncio.sleep(0.01)
        listing.cancel()


async def test_a_namespace_that_refuses_a_list_stops_no_other(signals: SignalTrial) -> None:
    await signals.put()
    async with signals.following() as following:
        signals.server.script = [(403, {"reason": "Forbidden", "message": "no role here"}, {})]
        listing = asyncio.create_task(following.follow(("bank", "shop")))
        async with asyncio.timeout(5):
            while not following._roster.is_complete("shop"):  # noqa: ASYNC110 - a roster tells nobody
                await asyncio.sleep(0.01)
        assert not following._roster.is_complete("bank")
        listing.cancel()


async def test_what_a_watch_tells_late_takes_no_answer_back(signals: SignalTrial) -> None:
    early = await signals.put()
    async with signals.following() as following:
        following.changed("ADDED", await signals.put(status={"phase": "Accepted", "answeredAt": render_moment(NOW_MS)}))
        following.changed("MODIFIED", early)
        await following.look(TARGET)
        assert signals.server.writes == []
        following.changed("DELETED", early)
        assert await following.look(TARGET) is None
