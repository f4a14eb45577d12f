"""Runs as the watch tells them: what is reconciled, cancelled, expired and swept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from reactor_operator.changes.expiry import Expiry
from reactor_operator.changes.history import Trimmer
from reactor_operator.changes.leftovers import find_leftovers, list_runs, tell_missed
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.runs import Prepare, RunChanges, as_it_is
from reactor_operator.changes.siblings import ToldRuns
from reactor_operator.changes.sweep import Sweeper
from reactor_operator.changes.turns import Turns
from reactor_operator.engine.events import CancelRequested, Signal, SpecChanged
from reactor_operator.engine.state import Header, RunPhase, Stage
from reactor_operator.kube.definitions import ClusterDefinitions, parse_run
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import ReactorObject, RunRef
from reactor_operator.reconciling.definition import RECORD, Definition, encode_definition
from reactor_operator.status.board import ClusterBoard
from reactor_operator.store.codec import decode_event, encode_header
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, Entry
from tests.unit.kube.api_server import ApiServer, Json
from tests.unit.outcomes.stores import FixedClock

PATH = REACTOR_RUN.object("shop", "r")
REF = RunRef("shop", "r", "uid")
U, F = RunPhase.UNDONE, RunPhase.FAILED
FINISHED_MS = 1_795_348_800_000
FINISHED = {"phase": "Succeeded", "finishedAt": "2026-11-22T12:00:00Z"}


class MarkingQueue(ReconcileQueue):
    """Keeps the marks, and reconciles nothing."""

    def __init__(self, clock: FixedClock) -> None:
        async def nothing(_: RunRef) -> None:
            return None

        super().__init__(nothing, clock, ChangeMetrics(CollectorRegistry()))

    def taken(self) -> list[RunRef]:
        marked, self._dirty = list(self._dirty), {}
        return marked


class Trial:
    """Everything that follows runs, over an API server and a store."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.store = MemoryStore()
        self.clock = FixedClock(FINISHED_MS)
        self.monotonic = 0.0
        self.queue = MarkingQueue(self.clock)
        self.active: frozenset[str] = frozenset()
        self.default_ttl_ms: int | None = None
        self.swept: list[RunRef] = []
        self.prepared: Prepare = as_it_is

    @asynccontextmanager
    async def following(self) -> AsyncIterator[RunChanges]:
        async with self.server.client(timeout_seconds=2.0) as client:
            definitions = ClusterDefinitions(client)
            board = ClusterBoard(client, self.clock, instance="operator")
            self.expiry = Expiry(client, definitions, self.store, self.clock, default_ttl_ms=self.default_ttl_ms)
            self.told = ToldRuns()
            self.trimmer = Trimmer(client, definitions, self.store, self.told)
            self.turns = Turns(self.queue, self.told, self.trimmer)
            runs = RunChanges(
                queue=self.queue,
                board=board,
                inbox=self.store,
                client=client,
                definitions=definitions,
                expiry=self.expiry,
                turns=self.turns,
                active=self.active,
                prepared=self.prepared,
            )
            self.sweeper = Sweeper(
                definitions,
                self.store,
                grace_seconds=600.0,
                forgotten=self.swept.append,
                found=runs.back,
                monotonic=lambda: self.monotonic,
            )
            runs.sweeper = self.sweeper
            yield runs

    async def put(self, **fields: Json) -> Json:
        """Put the run on the server as it is now, and return it."""
        metadata = {"uid": "uid", "generation": 1, **fields.pop("metadata", {})}
        return await self.server.put(PATH, {"metadata": metadata, "spec": {"reactorRef": {"name": "x"}}, **fields})

    async def store_run(self, *, active: bool = True, ttl: str | None = None) -> None:
        definition = Definition(run=REF, created_at=0, generation=1, reactor_name="x", ttl=ttl)
        records = {RECORD: encode_definition(definition)}
        await self.store.commit(Commit(run="uid", revision=0, epoch=1, records=records, active=active))

    async def cancels(self) -> list[CancelRequested]:
        snapshot = await self.store.load("uid")
        assert snapshot is not None
        events = [decode_event(body) for _, body in snapshot.inbox]
        return [event for event in events if isinstance(event, CancelRequested)]


def a_reactor(name: str, **spec: object) -> ReactorObject:
    return ReactorObject(namespace="shop", name=name, uid=f"uid-{name}", generation=1, spec=spec)


@pytest_asyncio.fixture
async def trial() -> AsyncIterator[Trial]:
    async with ApiServer().serve() as server:
        yield Trial(server)


class TestMarks:
    async def test_a_new_run_is_reconciled(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            assert trial.queue.taken() == [REF]

    async def test_finished_runs_of_the_first_list_cost_nothing_unless_work_is_left(self, trial: Trial) -> None:
        for active, expected in ((frozenset[str](), []), (frozenset({"uid"}), [REF])):
            trial.active = active
            async with trial.following() as runs:
                await runs.changed(None, await trial.put(status=FINISHED))
                assert trial.queue.taken() == expected

    async def test_an_echo_of_our_own_write_is_no_change_and_a_forged_status_is(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put(status={"phase": "Running"}))
            trial.queue.taken()
            await runs.changed("MODIFIED", await trial.put(status={"phase": "Running"}))
            assert trial.queue.taken() == []
            await runs.changed("MODIFIED", await trial.put(status=FINISHED))
            assert trial.queue.taken() == [REF]

    async def test_a_run_that_is_gone_or_going_is_not_reconciled(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            await runs.changed("DELETED", await trial.put())
            runs.mark(REF)
            assert trial.queue.taken() == []
            await runs.changed("ADDED", await trial.put(metadata={"deletionTimestamp": "2026-11-22T12:00:00Z"}))
            assert trial.queue.taken() == []

    async def test_a_reactor_that_comes_wakes_the_runs_that_wait_for_it(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            trial.queue.taken()
            trial.turns.reactor_changed(a_reactor("another"))
            assert trial.queue.taken() == []
            trial.turns.reactor_changed(a_reactor("x"))
            assert trial.queue.taken() == [REF]

    async def test_the_inbox_wakes_known_runs_alone(self, trial: Trial) -> None:
        async def rings() -> AsyncIterator[str]:
            yield "unknown"
            yield "uid"

        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            trial.queue.taken()
            await runs.follow_rings(rings())
            assert trial.queue.taken() == [REF]

    @pytest.mark.parametrize(
        "odd", [{}, {"metadata": None, "spec": 3, "status": []}, {"metadata": {"annotations": []}}]
    )
    async def test_odd_objects_stop_nothing(self, trial: Trial, odd: Json) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", odd)


class TestCancel:
    asked: ClassVar[Json] = {"annotations": {"reactor.run/cancel": "why"}}

    async def test_a_request_reaches_the_inbox_once_and_stays_until_it_is_answered(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            for _ in range(3):
                await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
        (asked,) = await trial.cancels()
        assert asked.reason == "why"
        assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_an_answered_request_is_removed(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            (asked,) = await trial.cancels()
            answered = {"phase": "Running", "signals": [{"id": asked.id, "action": "cancel"}]}
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status=answered))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/answered.cancel": "1"}

    async def test_what_was_answered_and_removed_may_be_asked_for_again_in_the_same_words(self, trial: Trial) -> None:
        await trial.store_run()
        signals: list[Json] = []
        for times in (1, 2, 3):
            counted = trial.server.objects.get(PATH, {}).get("metadata", {}).get("annotations", {})
            asked = {"annotations": {**counted, **self.asked["annotations"]}}
            async with trial.following() as runs:
                await runs.changed("MODIFIED", await trial.put(metadata=asked, status={"signals": signals}))
                requests = await trial.cancels()
                assert len({one.id for one in requests}) == len(requests) == times
                signals = [*signals, {"id": requests[-1].id, "action": "cancel"}]
                await runs.changed("MODIFIED", await trial.put(metadata=asked, status={"signals": signals}))
            assert "reactor.run/cancel" not in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_a_request_that_changed_meanwhile_is_not_removed(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked))
            (asked,) = await trial.cancels()
            seen = await trial.put(metadata=self.asked, status={"signals": [{"id": asked.id, "action": "cancel"}]})
            await trial.put(metadata={"annotations": {"reactor.run/cancel": "another"}})
            await runs.changed("MODIFIED", seen)
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/cancel": "another"}

    async def test_an_answered_request_is_removed_however_deep_it_is(self, trial: Trial) -> None:
        await trial.store_run()
        deep: list[object] = []
        for _ in range(300):
            deep = [deep]
        requests = [{"id": "1", "action": "skip", "step": "a", "payload": deep}]
        answered = {"phase": "Running", "requests": requests, "signals": [{"id": "1", "action": "skip"}]}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(status=answered))
        assert trial.server.objects[PATH]["status"]["requests"] == []

    async def test_a_run_that_is_over_is_asked_too(self, trial: Trial) -> None:
        await trial.store_run(active=False)
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status=FINISHED))
        (asked,) = await trial.cancels()
        assert asked.reason == "why"

    async def test_a_request_that_was_recorded_before_this_process_began_is_looked_at(self, trial: Trial) -> None:
        await trial.store_run(active=False)
        for _ in range(2):
            async with trial.following() as runs:
                await runs.changed(None, await trial.put(metadata=self.asked, status=FINISHED))
        assert trial.queue.taken() == [REF]

    async def test_a_request_that_was_prepared_for_no_stored_run_is_not_appended_to_one_that_is_by_now(
        self, trial: Trial
    ) -> None:
        """What it brings may be sensitive, and was not encrypted."""

        async def opened_meanwhile(entry: Entry, event: Signal) -> None:
            await trial.store_run()

        trial.prepared = opened_meanwhile
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status={"phase": "Pending"}))
        assert await trial.cancels() == []
        assert REF in trial.queue.taken()
        assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]

    async def test_a_run_that_ended_and_is_stored_no_more_refuses_and_says_so(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(metadata=self.asked, status=FINISHED))
        assert trial.server.objects[PATH]["metadata"]["annotations"] == {"reactor.run/answered.cancel": "1"}
        (event,) = [one for path, one in trial.server.objects.items() if "/events/" in path]
        assert (event["reason"], event["type"]) == ("CancelRefused", "Warning")
        assert "Succeeded" in event["message"]

    async def test_an_entry_of_the_status_is_a_request_and_goes_once_it_is_answered(self, trial: Trial) -> None:
        await trial.store_run()
        wanted = {"id": "7", "action": "cancel", "reason": "why", "by": "ann"}
        async with trial.following() as runs:
            await runs.changed("MODIFIED", await trial.put(status={"requests": [wanted]}))
            (asked,) = await trial.cancels()
            assert (asked.id, asked.reason, asked.by) == ("7", "why", "ann")
            answered = {"requests": [wanted], "signals": [{"id": "7", "action": "cancel"}]}
            await runs.changed("MODIFIED", await trial.put(status=answered))
        assert trial.server.objects[PATH]["status"]["requests"] == []

    async def test_a_run_that_is_not_stored_yet_is_asked_again(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put(metadata=self.asked))
            assert "reactor.run/cancel" in trial.server.objects[PATH]["metadata"]["annotations"]
            assert runs._unsettled == {REF}


class TestSuspend:
    async def told(self, trial: Trial) -> list[bool]:
        snapshot = await trial.store.load("uid")
        assert snapshot is not None
        events = [decode_event(body) for _, body in snapshot.inbox]
        return [event.suspended for event in events if isinstance(event, SpecChanged)]

    async def test_what_the_spec_says_is_told_once_and_what_it_takes_back_too(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            for generation, suspend in ((2, True), (2, True), (3, False), (3, False)):
                spec = {"reactorRef": {"name": "x"}, "suspend": suspend}
                await runs.changed("MODIFIED", await trial.put(metadata={"generation": generation}, spec=spec))
        assert await self.told(trial) == [True, False]

    async def test_a_run_that_never_says_so_is_told_nothing(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put(metadata={"generation": 1}))
        assert await self.told(trial) == []


class TestExpiry:
    async def expire(self, trial: Trial, run: Json, *, after_ms: int) -> bool:
        """Note the run, let time pass, and tell whether it was deleted."""
        async with trial.following():
            await trial.expiry.note(parse_run(run))
            trial.clock.time = FINISHED_MS + after_ms
            for ref in trial.expiry._times.take_due(trial.clock.time):
                await trial.expiry._expire(ref)
        return PATH not in trial.server.objects

    async def finished(self, trial: Trial, ttl: str | None = None) -> Json:
        return await trial.put(spec={"ttlAfterFinished": ttl} if ttl else {}, status=FINISHED)

    @pytest.mark.parametrize(("after_ms", "gone"), [(59_999, False), (60_000, True)])
    async def test_a_finished_run_goes_after_its_ttl(self, trial: Trial, after_ms: int, gone: bool) -> None:
        await trial.store_run(active=False)
        assert await self.expire(trial, await self.finished(trial, "1m"), after_ms=after_ms) is gone

    async def test_the_ttl_of_its_reactor_counts_where_it_has_none(self, trial: Trial) -> None:
        await trial.store_run(active=False, ttl="1m")
        assert await self.expire(trial, await self.finished(trial), after_ms=60_000)

    async def test_the_ttl_of_the_operator_counts_where_neither_says_one(self, trial: Trial) -> None:
        trial.default_ttl_ms = 60_000
        await trial.store_run(active=False)
        assert not await self.expire(trial, await self.finished(trial), after_ms=59_999)
        assert await self.expire(trial, await self.finished(trial), after_ms=60_000)

    @pytest.mark.parametrize(("own", "of_reactor"), [("1h", None), (None, "1h"), ("1h", "1s")])
    async def test_what_the_run_or_its_reactor_says_comes_before_it(
        self, trial: Trial, own: str | None, of_reactor: str | None
    ) -> None:
        trial.default_ttl_ms = 60_000
        await trial.store_run(active=False, ttl=of_reactor)
        assert not await self.expire(trial, await self.finished(trial, own), after_ms=3_599_999)

    async def test_where_the_state_was_lost_nobody_knows_what_the_reactor_said_and_the_run_stays(
        self, trial: Trial
    ) -> None:
        trial.default_ttl_ms = 60_000
        assert not await self.expire(trial, await self.finished(trial), after_ms=10**12)

    @pytest.mark.parametrize(("phase", "delete", "gone"), [(U, True, True), (U, False, False), (F, True, False)])
    async def test_one_that_was_undone_to_be_deleted_goes_at_once(
        self, trial: Trial, phase: RunPhase, delete: bool, gone: bool
    ) -> None:
        records = {"header": encode_header(Header(stage=Stage.OVER, phase=phase, delete_undone=delete))}
        await trial.store.commit(Commit(run="uid", revision=0, epoch=1, records=records, active=False))
        run = await trial.put(spec={}, status={**FINISHED, "phase": phase.value})
        assert await self.expire(trial, run, after_ms=0) is gone

    async def test_without_a_ttl_it_stays(self, trial: Trial) -> None:
        await trial.store_run(active=False)
        assert not await self.expire(trial, await self.finished(trial), after_ms=10**12)

    async def test_a_run_that_only_claims_to_be_finished_stays(self, trial: Trial) -> None:
        await trial.store_run(active=True)
        assert not await self.expire(trial, await self.finished(trial, "1m"), after_ms=60_000)

    async def test_a_ttl_that_was_made_longer_counts(self, trial: Trial) -> None:
        await trial.store_run(active=False)
        noted = await self.finished(trial, "1m")
        await self.finished(trial, "1h")
        assert not await self.expire(trial, noted, after_ms=60_000)


class TestSweep:
    async def test_state_goes_after_two_looks_a_grace_apart(self, trial: Trial) -> None:
        await trial.store_run()
        async with trial.following() as runs:
            runs.gone(REF)
            for passed, swept in ((0.0, []), (599.9, []), (600.0, [REF])):
                trial.clock.time += 10**9  # a wall clock that jumps makes no grace shorter
                trial.monotonic = passed
                await trial.sweeper._look(REF)
                assert trial.swept == swept
        assert await trial.store.load("uid") is None

    async def test_a_run_that_is_there_after_all_stays_and_goes_on(self, trial: Trial) -> None:
        await trial.store_run()
        await trial.put()
        async with trial.following() as runs:
            runs.gone(REF)
            await trial.sweeper._look(REF)
            assert trial.queue.taken() == [REF]
        assert await trial.store.load("uid") is not None

    async def test_another_run_of_the_same_name_does_not_save_it(self, trial: Trial) -> None:
        await trial.store_run()
        await trial.put(metadata={"uid": "a later one"})
        async with trial.following() as runs:
            runs.gone(REF)
            await trial.sweeper._look(REF)
            trial.monotonic += 600.0
            await trial.sweeper._look(REF)
        assert await trial.store.load("uid") is None

    async def test_the_wait_for_a_reactor_that_never_comes_is_forgotten_with_the_run(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            runs.gone(REF)
            assert not trial.told.waiting(("shop", "x"))


class TestLeftovers:
    async def gone(self, trial: Trial, namespaces: tuple[str | None, ...], roster: dict[str, RunRef]) -> list[RunRef]:
        async with trial.server.client() as client:
            stored = await trial.store.stored_runs()
            return await find_leftovers(stored, await list_runs(client, namespaces), trial.store, roster)

    async def test_runs_that_went_while_nobody_looked_are_found(self, trial: Trial) -> None:
        await trial.store_run()
        assert await self.gone(trial, (None,), {}) == [REF]
        await trial.put()
        assert await self.gone(trial, ("shop",), {}) == []

    async def test_runs_that_went_in_a_gap_of_the_watch_are_found(self, trial: Trial) -> None:
        assert await self.gone(trial, (None,), {"uid": REF}) == [REF]

    async def test_a_namespace_that_refuses_hides_its_own_runs_alone(self, trial: Trial) -> None:
        await trial.store_run()
        other = RunRef("other", "r", "other-uid")
        trial.server.script = [(403, {"message": "no role here"}, {})]
        assert await self.gone(trial, ("shop", "other"), {"other-uid": other}) == [other]

    async def test_a_run_whose_definition_is_damaged_stops_no_other(self, trial: Trial) -> None:
        for uid, record in (("damaged", b"{"), ("a", b'{"run":{}}')):
            await trial.store.commit(Commit(run=uid, revision=0, epoch=1, records={RECORD: record}))
        await trial.store_run()
        assert await self.gone(trial, (None,), {}) == [REF]

    async def test_what_the_watch_missed_is_told_and_what_it_told_is_not_read_again(self, trial: Trial) -> None:
        metrics = ChangeMetrics(CollectorRegistry())
        async with trial.following() as runs, trial.server.client() as client:
            await trial.put()
            for expected in ([REF], []):
                await tell_missed(client, await list_runs(client, (None,)), runs, metrics)
                assert trial.queue.taken() == expected
            await trial.put(metadata={"annotations": {"reactor.run/cancel": "why"}})
            await trial.store_run()
            await tell_missed(client, await list_runs(client, (None,)), runs, metrics)
        assert [asked.reason for asked in await trial.cancels()] == ["why"]
        assert metrics.missed_runs._value.get() == 2

    async def test_a_run_that_cannot_be_told_of_stops_no_other(self, trial: Trial) -> None:
        broken = Commit(run="broken", revision=0, epoch=1, records={RECORD: b"{"}, active=False)
        await trial.store.commit(broken)
        path = REACTOR_RUN.object("shop", "a")
        await trial.server.put(path, {"metadata": {"uid": "broken"}, "spec": {}, "status": FINISHED})
        await trial.put()
        async with trial.following() as runs, trial.server.client() as client:
            metrics = ChangeMetrics(CollectorRegistry())
            await tell_missed(client, await list_runs(client, (None,)), runs, metrics)
            assert REF in trial.queue.taken()
            await trial.expiry._expire(RunRef("shop", "a", "broken"))
            assert path in trial.server.objects

    async def test_a_run_that_is_being_deleted_is_followed_up_no_more(self, trial: Trial) -> None:
        async with trial.following() as runs:
            await runs.changed("ADDED", await trial.put())
            trial.queue.mark_at(REF, 0)
            await runs.changed("MODIFIED", await trial.put(metadata={"deletionTimestamp": "2026-11-22T12:00:00Z"}))
            assert not trial.queue.is_busy
