"""The contract of `Pools`: chunks of queues go to one worker each, and nothing that is leased is forgotten."""

import asyncio

import pytest

from reactor_operator.store.port import (
    Appended,
    Depth,
    InboxAhead,
    LeasedTask,
    OpenTask,
    StaleRevision,
    worker_binding,
)
from reactor_operator.store.redis import RedisStore
from tests.contract.conftest import StoreWithPools
from tests.contract.writes import (
    LONG,
    OTHER,
    POOL,
    RUN,
    depth,
    first,
    leased,
    outcome,
    queueing,
    reported,
    tasks_named,
)

A, B, C, D = tasks_named(4)


async def ran_out(pools: StoreWithPools, count: int = 1, limit: int = 100) -> list[tuple[str, str]]:
    """Wait until leases of so many tasks have run out."""
    told: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        while len(told) < count:
            told += await pools.expired(limit)
            await asyncio.sleep(0.005)
    return told


class TestLease:
    async def test_a_worker_takes_what_was_queued_in_its_order(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([B], [A, C]))
        await pools.commit(queueing([D], revision=1))
        leases = await pools.lease(POOL, "w1", 100, LONG)
        assert leased(leases) == [[B], [A, C], [D]]
        assert {lease.run for lease in leases} == {RUN}
        assert leases[0].tasks == (LeasedTask(task=B, record=f"record of {B}".encode()),)
        assert len({lease.id for lease in leases}) == 3
        assert await pools.lease(POOL, "w1", 100, LONG) == ()

    async def test_what_is_leased_is_bound_to_the_worker(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A, B]))
        (lease,) = await pools.lease(POOL, "w1", 1, LONG)
        for task in (A, B):
            found = await pools.open_task(RUN, task)
            assert found == OpenTask(record=f"record of {task}".encode(), binding=worker_binding(POOL, "w1"))
        assert await pools.append_all(reported(lease, "w2")) == [Appended.CONFLICT] * 2
        assert await pools.append_all(reported(lease, "w1", pool="other/fast")) == [Appended.CONFLICT] * 2
        assert await pools.append_all(reported(lease, "w1")) == [Appended.RECORDED] * 2
        assert await pools.append_all(reported(lease, "w1")) == [Appended.REPEATED] * 2

    async def test_of_a_pool_in_which_nothing_waits_nothing_is_leased(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A]))
        assert await pools.lease("shop/slow", "w1", 10, LONG) == ()
        assert await pools.lease(POOL, "w1", 0, LONG) == ()
        assert await depth(pools) == (1, 0)
        await pools.commit(first(revision=1, queued={"shop/slow": ()}))
        assert (await pools.depths()).keys() == {POOL}

    async def test_the_name_of_a_worker_is_one_word(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A]))
        for name in ("", "w 1", "w1\n", "w\n1"):
            with pytest.raises(ValueError, match="expected one word"):
                await pools.lease(POOL, name, 1, LONG)
        assert await depth(pools) == (1, 0)

    @pytest.mark.parametrize(
        ("limit", "expected"),
        [(1, [[A, B]]), (2, [[A, B]]), (3, [[A, B], [C]]), (5, [[A, B], [C]]), (6, [[A, B], [C], [D, "x", "y"]])],
    )
    async def test_whole_chunks_are_leased_up_to_the_limit_and_one_at_least(
        self, pools: StoreWithPools, limit: int, expected: list[list[str]]
    ) -> None:
        await pools.commit(queueing([A, B], [C], [D, "x", "y"]))
        found = leased(await pools.lease(POOL, "w1", limit, LONG))
        assert found == expected
        assert found + leased(await pools.lease(POOL, "w1", 100, LONG)) == [[A, B], [C], [D, "x", "y"]]

    async def test_runs_have_their_turns(self, pools: StoreWithPools) -> None:
        runs = [f"run-{i}" for i in range(5)]
        for run in runs:
            await pools.commit(queueing(*([task] for task in tasks_named(6)), run=run))
        order: list[str] = []
        for limit in (1, 3, 5, 7, 2, 4, 8):
            order += [lease.run for lease in await pools.lease(POOL, "w1", limit, LONG)]
        assert order == runs * 6

    async def test_a_run_that_comes_later_does_not_wait_until_a_long_queue_is_empty(
        self, pools: StoreWithPools
    ) -> None:
        await pools.commit(queueing(*([task] for task in tasks_named(3_000))))
        await pools.lease(POOL, "w1", 10, LONG)
        await pools.commit(queueing([A], [B], run=OTHER))
        leases = await pools.lease(POOL, "w1", 4, LONG)
        assert [lease.run for lease in leases] == [RUN, OTHER, RUN, OTHER]
        assert {lease.run for lease in await pools.lease(POOL, "w1", 4, LONG)} == {RUN}

    async def test_many_runs_have_their_turns_though_each_lease_is_for_few(self, pools: StoreWithPools) -> None:
        runs = [f"run-{i}" for i in range(50)]
        for run in runs:
            await pools.commit(queueing([A], [B], run=run))
        order = [lease.run for _ in range(15) for lease in await pools.lease(POOL, "w1", 7, LONG)]
        assert order == runs * 2

    async def test_a_run_whose_chunk_does_not_fit_keeps_its_turn(self, pools: StoreWithPools) -> None:
        runs = [f"run-{i}" for i in range(12)]
        for run in runs:
            await pools.commit(queueing([A, B, C], [D, "x", "y"], run=run))
        order = [lease.run for _ in range(12) for lease in await pools.lease(POOL, "w1", 7, LONG)]
        assert order == runs * 2

    async def test_closed_tasks_are_passed_over(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B, C, D], ["x"], ["y"]))
        await pools.commit(first(revision=1, closes=frozenset({A, C, "x"})))
        assert leased(await pools.lease(POOL, "w1", 100, LONG)) == [[B, D], ["y"]]
        assert await depth(pools) == (0, 3)

    async def test_a_run_of_which_all_is_closed_costs_the_others_no_turn(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([D], *([task] for task in tasks_named(500, "gone"))))
        await pools.commit(queueing([A], run=OTHER))
        await pools.commit(first(revision=1, closes=frozenset(tasks_named(500, "gone"))))
        assert leased(await pools.lease(POOL, "w1", 2, LONG)) == [[D], [A]]
        assert await pools.lease(POOL, "w1", 100, LONG) == ()
        assert await pools.depths() == {POOL: Depth(queued=0, leased=2, oldest_ms=0)}

    async def test_a_task_that_has_an_outcome_or_is_bound_is_passed_over(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B], [C]))
        await pools.append(outcome(task=A))
        await pools.append(outcome(task=B, final=False, binding="somebody"))
        assert leased(await pools.lease(POOL, "w1", 100, LONG)) == [[C]]

    async def test_a_chunk_may_hold_thousands_of_tasks(self, pools: StoreWithPools) -> None:
        tasks = tasks_named(5_000)
        await pools.commit(queueing(tasks))
        (lease,) = await pools.lease(POOL, "w1", 1, LONG)
        assert [leased.task for leased in lease.tasks] == tasks
        assert await pools.extend(POOL, "w1", frozenset({lease.id}), LONG) == {lease.id: frozenset()}
        assert await pools.append_all(reported(lease, "w1")) == [Appended.RECORDED] * 5_000
        assert await pools.depths() == {}

    async def test_pools_are_told_apart(self, pools: StoreWithPools) -> None:
        queued = {"shop/fast": ((A,),), "shop/slow": ((B,), (C,))}
        await pools.commit(first(opens=dict.fromkeys((A, B, C), b"r"), queued=queued))
        assert leased(await pools.lease("shop/slow", "w1", 9, LONG)) == [[B], [C]]
        assert leased(await pools.lease("shop/fast", "w1", 9, LONG)) == [[A]]

    async def test_each_task_goes_to_one_of_many_workers(self, pools: StoreWithPools) -> None:
        tasks = tasks_named(300)
        await pools.commit(queueing(*([task] for task in tasks)))
        answers = await asyncio.gather(*(pools.lease(POOL, f"w{i}", 7, LONG) for i in range(60)))
        given = [task for leases in answers for chunk in leased(leases) for task in chunk]
        assert sorted(given) == sorted(tasks)

    async def test_a_refused_commit_queues_nothing(self, pools: StoreWithPools) -> None:
        await pools.commit(first(opens={D: b"r"}))
        await pools.append(outcome(task=D))
        with pytest.raises(StaleRevision):
            await pools.commit(queueing([A]))
        with pytest.raises(InboxAhead):
            await pools.commit(queueing([A], revision=1, closes=frozenset({D})))
        assert await pools.lease(POOL, "w1", 9, LONG) == ()
        assert await pools.depths() == {}


class TestExtend:
    async def test_what_is_renewed_does_not_run_out(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B]))
        kept, lost = await pools.lease(POOL, "w1", 2, 1)
        assert await pools.extend(POOL, "w1", frozenset({kept.id}), LONG) == {kept.id: frozenset()}
        assert await ran_out(pools) == [(RUN, B)]
        assert await pools.extend(POOL, "w1", frozenset({kept.id, lost.id}), LONG) == {kept.id: frozenset()}

    async def test_a_worker_is_told_what_is_closed(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A, B, C], [D]))
        long, short = await pools.lease(POOL, "w1", 4, LONG)
        await pools.commit(first(revision=1, closes=frozenset({B, D})))
        both = frozenset({long.id, short.id})
        assert await pools.extend(POOL, "w1", both, LONG) == {long.id: frozenset({B}), short.id: frozenset({D})}
        assert await pools.extend(POOL, "w1", both, LONG) == {long.id: frozenset({B})}
        await pools.append_all([entry for entry in reported(long, "w1") if entry.task != B])
        assert await pools.extend(POOL, "w1", both, LONG) == {}
        assert await pools.depths() == {}

    async def test_a_lease_is_renewed_for_its_worker_alone(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A]))
        (lease,) = await pools.lease(POOL, "w1", 1, LONG)
        for pool, worker in ((POOL, "w2"), ("shop/slow", "w1"), (POOL, "")):
            assert await pools.extend(pool, worker, frozenset({lease.id}), LONG) == {}
        assert await pools.extend(POOL, "w1", frozenset({"", "never there", f"{OTHER}/{A}"}), LONG) == {}
        assert await pools.extend(POOL, "w1", frozenset(), LONG) == {}

    async def test_a_lease_whose_tasks_are_done_out_of_order_ends_when_it_is_renewed(
        self, pools: StoreWithPools
    ) -> None:
        await pools.commit(queueing([A, B]))
        (lease,) = await pools.lease(POOL, "w1", 2, LONG)
        before, last = reported(lease, "w1")
        await pools.append(last)
        await pools.append(before)
        assert await depth(pools) == (0, 2)
        assert await pools.extend(POOL, "w1", frozenset({lease.id}), LONG) == {lease.id: frozenset()}
        assert await pools.depths() == {}


class TestExpired:
    async def test_tasks_of_a_worker_that_was_killed_are_told(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A, B, C], [D]))
        leases = await pools.lease(POOL, "w1", 4, 1)
        await pools.append(reported(leases[0], "w1")[0])
        await pools.commit(first(revision=1, closes=frozenset({C})))
        assert sorted(await ran_out(pools, 2)) == [(RUN, B), (RUN, D)]
        assert await pools.expired(100) == ()
        assert await pools.extend(POOL, "w1", frozenset(lease.id for lease in leases), LONG) == {}
        assert await pools.depths() == {}

    async def test_what_runs_in_time_is_not_told(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B]))
        await pools.lease(POOL, "w1", 1, LONG)
        assert await pools.expired(100) == ()

    async def test_what_was_told_and_is_still_open_is_told_again(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B], [C]))
        await pools.lease(POOL, "w1", 3, 1)
        assert sorted(await ran_out(pools, 3)) == [(RUN, A), (RUN, B), (RUN, C)]
        assert await pools.append(outcome("lost", task=A)) is Appended.RECORDED
        await pools.commit(first(revision=1, closes=frozenset({B})))
        assert await ran_out(pools) == [(RUN, C)]
        assert await pools.append(outcome("lost", task=C)) is Appended.RECORDED

    async def test_a_task_that_was_lost_is_superseded_and_the_late_word_of_its_worker_not_taken(
        self, pools: StoreWithPools
    ) -> None:
        await pools.commit(queueing([A]))
        (lease,) = await pools.lease(POOL, "w1", 1, 1)
        await ran_out(pools)
        await pools.append(outcome("lost", task=A))
        assert await pools.append_all(reported(lease, "w1")) == [Appended.CONFLICT]
        again = "rows[0].run.1.1.2"
        await pools.commit(queueing([again], revision=1, inbox_position=1, closes=frozenset({A})))
        assert await pools.append_all(reported(lease, "w1")) == [Appended.CLOSED]
        assert leased(await pools.lease(POOL, "w2", 1, LONG)) == [[again]]

    async def test_a_late_word_is_taken_where_nobody_was_told_of_the_loss_yet(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A]))
        (lease,) = await pools.lease(POOL, "w1", 1, 1)
        await ran_out(pools)
        assert await pools.append_all(reported(lease, "w1")) == [Appended.RECORDED]
        assert await pools.append(outcome("lost", task=A)) is Appended.CONFLICT

    async def test_many_are_told_some_at_a_time(self, pools: StoreWithPools) -> None:
        tasks = tasks_named(250)
        await pools.commit(queueing(*(tasks[i : i + 2] for i in range(0, 250, 2))))
        await pools.lease(POOL, "w1", 250, 1)
        some = await ran_out(pools, limit=9)
        assert len(some) == 10
        told = [*some, *await ran_out(pools, 240, limit=50)]
        assert sorted(told) == sorted((RUN, task) for task in tasks)

    async def test_what_is_done_vanishes(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A, B], [C]))
        leases = await pools.lease(POOL, "w1", 3, 1)
        before, last = reported(leases[0], "w1")
        await pools.append(last)
        await pools.append(before)
        await pools.commit(first(revision=1, closes=frozenset({C})))
        async with asyncio.timeout(10):
            while await pools.depths():
                assert await pools.expired(1) == ()


class TestWaiting:
    async def test_those_of_a_run_are_told_in_their_order_without_what_is_leased(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], [B, C]))
        await pools.commit(queueing([D], revision=1))
        assert await pools.waiting(POOL, 100) == ((RUN, A), (RUN, B), (RUN, C), (RUN, D))
        assert await pools.waiting(POOL, 2) == ((RUN, A), (RUN, B))
        await pools.lease(POOL, "w1", 1, LONG)
        assert await pools.waiting(POOL, 100) == ((RUN, B), (RUN, C), (RUN, D))
        assert await pools.waiting(POOL, 0) == await pools.waiting("shop/none", 9) == ()

    async def test_runs_share_the_limit(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing(tasks_named(600), *([task] for task in tasks_named(600, "more"))))
        await pools.commit(queueing(*([task] for task in tasks_named(600)), run=OTHER))
        told = await pools.waiting(POOL, 100)
        assert told == tuple((run, task) for run in (RUN, OTHER) for task in tasks_named(50))

    async def test_what_a_run_leaves_goes_to_those_after_it(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A]))
        await pools.commit(queueing(tasks_named(20), run=OTHER))
        told = await pools.waiting(POOL, 10)
        assert told == ((RUN, A), *((OTHER, task) for task in tasks_named(9)))

    async def test_there_are_more_runs_than_are_asked_for(self, pools: StoreWithPools) -> None:
        for number in range(5):
            await pools.commit(queueing([A, B], run=f"run-{number}"))
        assert await pools.waiting(POOL, 3) == tuple((f"run-{number}", A) for number in range(3))


class TestQueuesOfPods:
    async def test_any_number_of_them_leaves_nothing_behind(self, pools: StoreWithPools) -> None:
        for number in range(20):
            await pools.commit(queueing([A], pool=f"shop/~pod-{number}", revision=2 * number))
            (lease,) = await pools.lease(f"shop/~pod-{number}", "w1", 1, LONG)
            await pools.append_all(reported(lease, "w1", pool=f"shop/~pod-{number}"))
            await pools.commit(first(revision=2 * number + 1, inbox_position=number + 1, closes=frozenset({A})))
        assert await pools.depths() == {}
        if isinstance(pools, RedisStore):
            header = await pools._redis.read("HGET", *pools._keys.of_run(RUN, "header"), "pools")
            assert header == b" shop/~pod-19 "

    async def test_those_in_use_stay_known_until_the_run_is_over(self, pools: StoreWithPools) -> None:
        await pools.commit(queueing([A], pool="shop/~pod-1"))
        await pools.commit(queueing([B], pool="shop/~pod-2", revision=1))
        await pools.commit(queueing([C], revision=2))
        assert (await pools.depths()).keys() == {"shop/~pod-1", "shop/~pod-2", POOL}
        await pools.commit(first(revision=3, active=False))
        assert await pools.depths() == {}
