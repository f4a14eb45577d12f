"""What is promised of Redis beyond the port: one round trip, small writes, keys that go, a bell for every process."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from itertools import count

import pytest
import redis.exceptions

from reactor_operator.store.port import Appended, Claim, Commit, Entry
from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer
from tests.contract.writes import OUTCOME, POOL, RUN, TASK, next_ring, opening, queueing, reported, tasks_named


@pytest.fixture
async def store(redis_server: RedisServer, installation: str) -> AsyncIterator[RedisStore]:
    opened = RedisStore(redis_server.url, installation)
    yield opened
    await opened.close()


def number(server: RedisServer, section: str, name: str) -> int:
    found = re.search(rf"{name}:(\d+)".encode(), server.command("INFO", section))
    assert found is not None
    return int(found[1])


def keys_of(server: RedisServer, installation: str) -> set[bytes]:
    """What an installation has, without what all its keys begin with."""
    prefix = f"reactor:{installation}:"
    found = server.command("KEYS", f"{prefix}*").split(b"\r\n")[2::2]
    return {key.removeprefix(prefix.encode()) for key in found}


class TestCost:
    async def test_every_call_is_one_round_trip(self, redis_server: RedisServer, store: RedisStore) -> None:
        await store.commit(opening())
        await store.append(OUTCOME)
        await store.load(RUN)
        await store.open_task(RUN, TASK)
        await store.claimed("key/1")
        await store.find_correlation("order-1")
        await store.forget(RUN)
        await store.claim_epoch(0)
        await store.incarnation()
        await store.lease(POOL, "w", 9, 1_000)
        await store.extend(POOL, "w", frozenset({"run/task"}), 1_000)
        await store.expired(9)
        await store.depths()

        def reads() -> int:
            return number(redis_server, "stats", "total_reads_processed")

        before = reads()
        own = reads() - before
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "commit": lambda: store.commit(Commit(run=RUN, revision=0, epoch=1_000, opens={TASK: b"r"})),
            "load": lambda: store.load(RUN),
            "open_task": lambda: store.open_task(RUN, TASK),
            "claimed": lambda: store.claimed("key/1"),
            "find_correlation": lambda: store.find_correlation("order-1"),
            "append": lambda: store.append(OUTCOME),
            "append_all": lambda: store.append_all([OUTCOME, replace(OUTCOME, run="another")]),
            "get_values": lambda: store.get_values(RUN, frozenset({"v"})),
            "get_pages": lambda: store.get_pages(RUN, frozenset({"p"})),
            "put_values": lambda: store.put_values(RUN, {"w": b"1"}),
            "claim_epoch": lambda: store.claim_epoch(1),
            "incarnation": lambda: store.incarnation(),
            "lease": lambda: store.lease(POOL, "w", 9, 1_000),
            "extend": lambda: store.extend(POOL, "w", frozenset({f"{RUN}/{TASK}", "another"}), 1_000),
            "expired": lambda: store.expired(9),
            "depths": lambda: store.depths(),
            "active_runs": lambda: store.active_runs(),
            "forget": lambda: store.forget(RUN),
        }
        for name, call in calls.items():
            before = reads()
            await call()
            assert (name, reads() - before - own) == (name, 1)

    async def test_a_commit_writes_as_little_after_a_thousand_steps_as_after_ten(
        self, redis_server: RedisServer, store: RedisStore
    ) -> None:
        async def bytes_of_a_commit(revision: int) -> int:
            before = number(redis_server, "persistence", "aof_current_size")
            await store.commit(
                Commit(run=RUN, revision=revision, epoch=1, records={"header": b"h" * 200, "step x": b"s" * 300})
            )
            return number(redis_server, "persistence", "aof_current_size") - before

        await store.commit(Commit(run=RUN, revision=0, epoch=1, records={f"step {i}": b"s" * 300 for i in range(10)}))
        after_ten = await bytes_of_a_commit(1)
        await store.commit(
            Commit(run=RUN, revision=2, epoch=1, records={f"step {i}": b"s" * 300 for i in range(1_000)})
        )
        after_a_thousand = await bytes_of_a_commit(3)
        assert after_a_thousand == after_ten
        assert after_ten < 1_200

    async def test_records_do_not_cross_the_wire_where_the_revision_is_known(
        self, redis_server: RedisServer, store: RedisStore
    ) -> None:
        await store.commit(Commit(run=RUN, revision=0, epoch=1, records={"big": b"x" * 1_000_000}))

        def sent() -> int:
            return number(redis_server, "stats", "total_net_output_bytes")

        before = sent()
        own = sent() - before
        before = sent()
        await store.load(RUN, 1)
        assert sent() - before - own < 100


class TestKeys:
    async def test_a_forgotten_run_leaves_no_key(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        pattern = f"reactor:{installation}:*"
        await store.commit(replace(opening(), pages={"p": b"1"}, correlations={"order-1": "approve.1"}))
        await store.append(OUTCOME)
        await store.put_values(RUN, {"x": b"1"})
        assert redis_server.command("KEYS", pattern).count(RUN.encode()) == 8
        await store.forget(RUN)
        assert redis_server.command("KEYS", pattern).split(b"\r\n")[2::2] == [f"reactor:{installation}:epoch".encode()]

    async def test_a_forgotten_run_leaves_nothing_in_queues_and_among_leases(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        chunks = [[task] for task in tasks_named(20)]
        await store.commit(queueing(*chunks))
        await store.commit(queueing(["x"], revision=1, pool="shop/slow"))
        leases = await store.lease(POOL, "w", 10, 60_000)
        await store.append_all(reported(leases[0], "w"))
        await store.lease("shop/slow", "w", 10, 1)
        async with asyncio.timeout(10):
            while not await store.expired(10):
                pass
        parts = {b"header", b"tasks", b"inbox", b"leases", b"queue:shop/fast"}
        own = {b"epoch", b"active", b"leases", b"depths", b"pool:shop/fast"}
        run = f"{{{RUN}}}:".encode()
        assert keys_of(redis_server, installation) == {*own, *(run + part for part in parts)}
        await store.forget(RUN)
        assert keys_of(redis_server, installation) == {b"epoch"}

    async def test_of_tasks_that_are_done_nothing_is_left_in_queues_and_among_leases(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        tasks = tasks_named(20)
        await store.commit(queueing(*([task] for task in tasks)))
        for lease in await store.lease(POOL, "w", 20, 60_000):
            await store.append_all(reported(lease, "w"))
        await store.commit(Commit(run=RUN, revision=1, epoch=1, inbox_position=20, closes=frozenset(tasks)))
        assert keys_of(redis_server, installation) == {b"epoch", b"active", f"{{{RUN}}}:header".encode()}

    async def test_of_tasks_that_are_closed_in_a_queue_nothing_is_left_in_it(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        tasks = tasks_named(20)
        await store.commit(queueing(*([task] for task in tasks)))
        await store.commit(Commit(run=RUN, revision=1, epoch=1, closes=frozenset(tasks)))
        assert keys_of(redis_server, installation) == {b"epoch", b"active", f"{{{RUN}}}:header".encode()}

    async def test_a_queued_task_costs_little_memory(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        queue = f"reactor:{installation}:{{{RUN}}}:queue:{POOL}"
        await store.commit(queueing(*([task] for task in tasks_named(10_000))))
        used = redis_server.command("MEMORY", "USAGE", queue, "SAMPLES", "0")
        assert int(used[1:]) < 45 * 10_000

    async def test_a_claim_is_a_key_of_its_own_which_redis_drops_when_its_time_is_over(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        key = f"reactor:{installation}:claim:key/1"

        def left_ms() -> int:
            return int(redis_server.command("PTTL", key)[1:])

        claim = Claim(name="key/1", body=b"goes on", keep_ms=60_000)
        await store.commit(Commit(run=RUN, revision=0, epoch=1, claim=claim))
        assert left_ms() == -1
        await store.forget(RUN)
        assert 50_000 < left_ms() <= 60_000
        assert redis_server.command("KEYS", f"reactor:{installation}:*").count(RUN.encode()) == 0
        shared = Claim(name="key/1", shared=True, keep_ms=60_000)
        await store.commit(Commit(run="other", revision=0, epoch=1, claim=shared))
        assert left_ms() == -1
        await store.forget("other")
        assert 50_000 < left_ms() <= 60_000

    async def test_a_correlation_id_is_a_key_of_its_own_which_redis_drops_when_the_time_of_its_closing_is_over(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        key = f"reactor:{installation}:correlation:order-1"

        def left_ms() -> int:
            return int(redis_server.command("PTTL", key)[1:])

        def commit(revision: int, path: str | None) -> Commit:
            return Commit(
                run=RUN, revision=revision, epoch=1, correlations={"order-1": path}, closed_kept_ms=60_000, active=False
            )

        of_the_run = {f"{{{RUN}}}:header".encode(), b"epoch"}
        await store.commit(commit(0, "approve.1"))
        assert left_ms() == -1
        held = {b"correlation:order-1", f"{{{RUN}}}:correlations".encode()}
        assert keys_of(redis_server, installation) == of_the_run | held
        await store.commit(commit(1, None))
        assert 50_000 < left_ms() <= 60_000
        assert keys_of(redis_server, installation) == of_the_run | {b"correlation:order-1"}
        await store.commit(commit(2, "approve.2"))
        assert left_ms() == -1
        await store.commit(commit(3, None))
        await store.forget(RUN)
        assert 50_000 < left_ms() <= 60_000
        assert keys_of(redis_server, installation) == {b"epoch", b"correlation:order-1"}

    async def test_installations_that_share_a_redis_do_not_see_each_other(
        self, redis_server: RedisServer, store: RedisStore
    ) -> None:
        other = RedisStore(redis_server.url, "somebody-else")
        await store.commit(replace(opening(), correlations={"order-1": "approve.1"}))
        assert await other.load(RUN) is None
        assert await other.find_correlation("order-1") is None
        assert await other.append(OUTCOME) is Appended.UNKNOWN
        assert await other.active_runs() == frozenset()
        assert await other.incarnation() != await store.incarnation()
        await other.forget(RUN)
        assert await store.load(RUN) is not None
        await other.close()


@asynccontextmanager
async def listening(store: RedisStore, seconds: float = 10) -> AsyncIterator[AsyncIterator[str]]:
    """Make the run, and listen until it is told: it is, once the store listens, for it is active."""
    await store.commit(opening())
    async with asyncio.timeout(seconds), aclosing(store.rings()) as rings:
        assert await anext(rings) == RUN
        yield rings


class TestBell:
    async def test_it_rings_across_processes(self, redis_server: RedisServer, installation: str) -> None:
        gateway, operator = (RedisStore(redis_server.url, installation) for _ in range(2))
        async with listening(operator) as rings:
            heard = asyncio.create_task(next_ring(rings))
            await gateway.append(OUTCOME)
            assert await heard == RUN
        await gateway.close()
        await operator.close()

    async def test_a_start_waits_for_the_outcome_that_comes_soon(
        self, redis_server: RedisServer, installation: str
    ) -> None:
        store = RedisStore(redis_server.url, installation)
        async with listening(store) as rings:
            heard = asyncio.create_task(next_ring(rings))
            await store.append(Entry(run=RUN, task=TASK, binding="p", digest="start", body=b"start"))
            await store.append(OUTCOME)
            assert await heard == RUN
            second = asyncio.create_task(next_ring(rings))
            assert not (await asyncio.wait({second}, timeout=0.5))[0]
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        await store.close()

    async def test_a_start_alone_is_told_too(self, redis_server: RedisServer, installation: str) -> None:
        store = RedisStore(redis_server.url, installation)
        async with listening(store) as rings:
            heard = asyncio.create_task(next_ring(rings))
            await store.append(Entry(run=RUN, task=TASK, binding="p", digest="start", body=b"start"))
            assert await heard == RUN
        await store.close()

    async def test_after_a_reconnect_every_active_run_is_named(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        async with listening(store, seconds=20) as rings:
            again = asyncio.create_task(next_ring(rings))
            own_server.restart()
            assert await again == RUN
        await store.close()

    async def test_it_falls_silent_when_the_store_is_closed(self, redis_server: RedisServer, installation: str) -> None:
        store = RedisStore(redis_server.url, installation)
        await store.commit(opening())
        heard = []

        async def listen() -> None:
            async for run in store.rings():
                heard.append(run)
                await store.close()

        async with asyncio.timeout(10):
            await listen()
        assert heard == [RUN]


class TestDamage:
    async def test_a_lease_that_fails_halfway_has_changed_nothing(
        self, redis_server: RedisServer, store: RedisStore, installation: str
    ) -> None:
        first, second = tasks_named(2)
        for run in ("run-a", "run-b", "run-c"):
            await store.commit(queueing([first], [second], run=run))
        tasks_key = f"reactor:{installation}:{{run-b}}:tasks"
        redis_server.command("HSET", tasks_key, f"+{first}", "damaged")
        for _ in range(2):
            with pytest.raises(redis.exceptions.ResponseError, match="too short"):
                await store.lease(POOL, "w", 9, 1_000)
        found = (await store.depths())[POOL]
        assert (found.queued, found.leased) == (6, 0)
        redis_server.command("HDEL", tasks_key, f"+{first}")
        leases = await store.lease(POOL, "w", 9, 1_000)
        assert [lease.run for lease in leases] == ["run-a", "run-b", "run-c"] * 2


async def test_who_is_cancelled_at_whatever_moment_of_a_call_ends(store: RedisStore) -> None:
    """`asyncio.wait_for`, which redis-py waits with, loses a cancellation that comes when it is done (Python 3.11)."""

    async def ask_for_ever() -> None:
        while True:
            await store.incarnation()
            await store.commit(opening(run=f"run-{next(numbers)}"))

    numbers = count()
    await store.incarnation()
    for moment in range(300):
        asking = asyncio.create_task(ask_for_ever())
        for _ in range(moment % 60):
            await asyncio.sleep(0)
        asking.cancel()
        done, _ = await asyncio.wait({asking}, timeout=5)
        assert done, f"cancelled after {moment % 60} turns of the loop, it goes on"
        assert asking.cancelled()
