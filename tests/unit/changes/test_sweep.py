"""What is stored of a run that is gone goes too, after two looks."""

from tests.unit.changes.followed import REF, Trial


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
