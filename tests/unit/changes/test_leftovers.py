"""Runs that went, came or changed while no watch looked."""

from prometheus_client import CollectorRegistry

from reactor_operator.changes.leftovers import find_leftovers, list_runs, pause_after, tell_missed
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import RECORD
from reactor_operator.store.port import Commit
from tests.unit.changes.followed import FINISHED, REF, Trial


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


def test_a_look_is_taken_each_minute_and_later_where_it_takes_long() -> None:
    assert pause_after(0.05) == 60
    assert pause_after(1.5) == 150
