"""The contract of `Pools.depths`: how much waits, and that nothing waits of what is closed, over or forgotten."""

import asyncio

from tests.contract.conftest import StoreWithPools
from tests.contract.writes import LONG, OTHER, POOL, RUN, depth, first, leased, loaded, queueing, reported, tasks_named

A, B, C, D = tasks_named(4)


class TestDepths:
    async def test_it_counts_tasks(self, pools: StoreWithPools) -> None:
        assert await pools.depths() == {}
        await pools.commit(queueing([A, B], [C]))
        await pools.commit(queueing([A], run=OTHER))
        await pools.commit(queueing([A], [B], run="third", pool="shop/slow"))
        assert await depth(pools) == (4, 0)
        (lease,) = await pools.lease(POOL, "w1", 2, LONG)
        assert await depth(pools) == (2, 2)
        await pools.append_all(reported(lease, "w1"))
        assert await depth(pools) == (2, 0)
        assert (await pools.depths())["shop/slow"].queued == 2
        await pools.lease(POOL, "w1", 2, LONG)
        assert await depth(pools) == (0, 2)

    async def test_it_tells_how_long_the_oldest_has_waited(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B]))
        async with asyncio.timeout(10):
            waited = 0
            while waited < 20:
                await asyncio.sleep(0.005)
                waited = (await pools.depths())[POOL].oldest_ms
        await pools.commit(queueing([A], run=OTHER))
        assert (await pools.depths())[POOL].oldest_ms >= 20
        await pools.lease(POOL, "w1", 1, LONG)
        assert (await pools.depths())[POOL].oldest_ms >= 20, "the next one of the same run"
        await pools.lease(POOL, "w1", 2, LONG)
        assert (await pools.depths())[POOL].oldest_ms == 0

    async def test_what_is_closed_does_not_wait(self, pools: StoreWithPools) -> None:
        tasks = tasks_named(1_000)
        await pools.commit(queueing(*([task] for task in tasks)))
        await pools.commit(first(revision=1, closes=frozenset(tasks[:400])))
        assert await depth(pools) == (600, 0)
        await pools.commit(first(revision=2, closes=frozenset(tasks[400:])))
        assert await pools.depths() == {}
        await pools.commit(queueing([A], revision=3))
        assert leased(await pools.lease(POOL, "w1", 9, LONG)) == [[A]]

    async def test_of_a_run_that_is_over_nothing_waits(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B]))
        await pools.commit(queueing([C], run=OTHER))
        await pools.lease(POOL, "w1", 1, LONG)
        await pools.commit(first(revision=1, active=False))
        assert await depth(pools) == (1, 1)
        assert leased(await pools.lease(POOL, "w1", 9, LONG)) == [[C]]

    async def test_of_a_forgotten_run_nothing_waits_and_nothing_is_leased(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A, B], [C], [D]))
        await pools.commit(queueing([A], run=OTHER))
        (lease,) = await pools.lease(POOL, "w1", 2, 1)
        await pools.forget(RUN)
        assert await depth(pools) == (1, 0)
        assert await pools.extend(POOL, "w1", frozenset({lease.id}), LONG) == {}
        assert await pools.expired(100) == ()
        await pools.commit(queueing([D]))
        assert [found.run for found in await pools.lease(POOL, "w1", 9, LONG)] == [OTHER, RUN]
        assert (await loaded(pools)).revision == 1
