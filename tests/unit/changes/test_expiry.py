"""When a finished run is deleted: after the time that it, its reactor or the operator says."""

import pytest

from reactor_operator.engine.state import Header, RunPhase, Stage
from reactor_operator.kube.definitions import parse_run
from reactor_operator.store.codec import encode_header
from reactor_operator.store.port import Commit
from tests.unit.changes.followed import FINISHED, FINISHED_MS, PATH, Trial
from tests.unit.kube.api_server import Json

U, F = RunPhase.UNDONE, RunPhase.FAILED


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
