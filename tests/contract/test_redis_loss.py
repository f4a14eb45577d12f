"""Redis that is killed, emptied, full, a replica or away: nothing is lost that was acknowledged."""

import asyncio

import pytest

from reactor_operator.store.port import (
    Appended,
    Closed,
    Commit,
    CorrelationTaken,
    Held,
    StaleRevision,
    StoreUnavailable,
)
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.redis_connection import RedisOptions
from tests.contract.newer_redis import newer_redis
from tests.contract.redis_server import RedisServer
from tests.contract.writes import OUTCOME, POOL, RUN, TASK, leased, opening, queueing, reported, tasks_named


class TestLoss:
    async def test_what_was_acknowledged_survives_a_kill(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        await store.commit(opening())
        assert await store.append(OUTCOME) is Appended.RECORDED
        before = await store.load(RUN)
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.load(RUN)
        own_server.start()
        assert await store.load(RUN) == before
        assert await store.append(OUTCOME) is Appended.REPEATED
        assert await store.get_values(RUN, frozenset({"v"})) == {"v": b"{}"}
        await store.close()

    async def test_queues_and_leases_survive_a_kill(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        a, b, c, d = tasks_named(4)
        await store.commit(queueing([a], [b], [c], [d]))
        kept, lost = await store.lease(POOL, "w1", 2, 60_000)
        await store.append_all(reported(kept, "w1"))
        before = await store.depths()
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.lease(POOL, "w1", 9, 60_000)
        own_server.start()
        after = await store.depths()
        assert (after[POOL].queued, after[POOL].leased) == (before[POOL].queued, before[POOL].leased) == (2, 1)
        assert await store.extend(POOL, "w1", frozenset({kept.id, lost.id}), 1) == {lost.id: frozenset()}
        assert leased(await store.lease(POOL, "w2", 9, 60_000)) == [[c], [d]]
        async with asyncio.timeout(10):
            while not (told := await store.expired(9)):
                pass
        assert told == ((RUN, b),)
        await store.close()

    async def test_correlation_ids_survive_a_kill(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        await store.commit(opening(correlations={"order-1": "approve.1", "order-2": "confirm.1"}))
        await store.commit(opening(revision=1, correlations={"order-2": None}))
        closed = await store.find_correlation("order-2")
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            await store.find_correlation("order-1")
        own_server.start()
        assert await store.find_correlation("order-1") == Held(run=RUN, path="approve.1")
        assert isinstance(closed, Closed)
        assert await store.find_correlation("order-2") == closed
        with pytest.raises(CorrelationTaken, match="order-1"):
            await store.commit(opening(run="another", correlations={"order-1": "approve.1"}))
        await store.close()

    async def test_leases_whose_answer_was_lost_run_out(self, redis_server: RedisServer, installation: str) -> None:
        async with newer_redis(redis_server.port) as newer:
            store = RedisStore(newer.url, installation, RedisOptions(timeout_seconds=0.5))
            assert await store.lease(POOL, "w", 9, 1) == ()  # from now on Redis knows the script
            await store.commit(queueing(["a"]))
            newer.mute = True
            with pytest.raises(StoreUnavailable, match="Timeout"):
                await store.lease(POOL, "w", 9, 1)
            newer.mute = False
            assert await store.lease(POOL, "w", 9, 1) == ()
            async with asyncio.timeout(10):
                while not (told := await store.expired(9)):
                    pass
            assert told == ((RUN, "a"),)
            await store.close()

    async def test_an_emptied_redis_is_another_incarnation(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        before = await store.incarnation()
        assert await store.incarnation() == before
        own_server.command("FLUSHALL")
        after = await store.incarnation()
        assert after.split(".")[0] != before.split(".")[0]
        await store.close()

    async def test_a_redis_that_started_anew_is_another_incarnation(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        before = await store.incarnation()
        own_server.restart()
        after = await store.incarnation()
        assert after.split(".")[0] == before.split(".")[0]
        assert after != before
        await store.close()

    async def test_writes_whose_answers_were_lost_are_found(self, redis_server: RedisServer, installation: str) -> None:
        async with newer_redis(redis_server.port) as newer:
            store = RedisStore(newer.url, installation, RedisOptions(timeout_seconds=0.5))
            assert await store.append(OUTCOME) is Appended.UNKNOWN  # from now on Redis knows the script
            await store.commit(opening())
            newer.mute = True
            with pytest.raises(StoreUnavailable, match="Timeout"):
                await store.commit(opening(revision=1))
            newer.mute = False
            assert (found := await store.load(RUN)) is not None
            assert found.revision == 2
            with pytest.raises(StaleRevision):
                await store.commit(opening(revision=1))
            newer.mute = True
            with pytest.raises(StoreUnavailable, match="Timeout"):
                await store.append(OUTCOME)
            newer.mute = False
            assert await store.append(OUTCOME) is Appended.REPEATED
            await store.close()

    async def test_scripts_that_redis_forgot_are_sent_again(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        await store.commit(opening())
        own_server.command("SCRIPT", "FLUSH")
        assert await store.commit(opening(revision=1)) == 2
        await store.close()

    async def test_a_full_redis_refuses_whole_commits_and_can_still_forget(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        await store.commit(opening(queued={POOL: ((TASK,),)}, correlations={"order-1": "approve.1"}))
        own_server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await store.commit(
                Commit(
                    run=RUN,
                    revision=1,
                    epoch=1,
                    closes=frozenset({TASK}),
                    acknowledged=frozenset({"a"}),
                    correlations={"order-1": None, "order-2": "approve.1"},
                )
            )
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await store.append(OUTCOME)
        found = await store.load(RUN)
        assert found is not None
        assert (found.revision, found.inbox, found.actions) == (1, (), {"a": b"1"})
        assert await store.open_task(RUN, TASK) is not None
        assert await store.find_correlation("order-1") == Held(run=RUN, path="approve.1")
        assert await store.find_correlation("order-2") is None
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await store.lease(POOL, "w", 1, 60_000)
        await store.forget(RUN)
        assert await store.load(RUN) is None
        assert await store.find_correlation("order-1") is None
        assert await store.depths() == {}
        await store.close()

    async def test_a_redis_that_became_a_replica_is_unavailable_to_writes_and_can_be_read(
        self, own_server: RedisServer
    ) -> None:
        store = RedisStore(own_server.url, "test")
        await store.commit(opening())
        own_server.command("REPLICAOF", "127.0.0.1", "1")
        for write in (
            store.commit(opening(revision=1)),
            store.append(OUTCOME),
            store.append_all([OUTCOME]),
            store.lease(POOL, "w", 1, 1),
            store.put_values(RUN, {"v": b"1"}),
            store.claim_epoch(0),
            store.forget(RUN),
        ):
            with pytest.raises(StoreUnavailable):
                await write
        assert await store.load(RUN) is not None
        assert await store.open_task(RUN, TASK) is not None
        await store.close()

    async def test_a_redis_that_is_not_there_is_unavailable_to_every_call(self, own_server: RedisServer) -> None:
        own_server.stop()
        store = RedisStore(own_server.url, "test", RedisOptions(timeout_seconds=0.5))
        for call in (
            store.load(RUN),
            store.commit(opening()),
            store.append(OUTCOME),
            store.open_task(RUN, TASK),
            store.get_values(RUN, frozenset({"v"})),
            store.put_values(RUN, {"v": b"1"}),
            store.forget(RUN),
            store.active_runs(),
            store.get_pages(RUN, frozenset({"p"})),
            store.find_correlation("order-1"),
            store.append_all([OUTCOME]),
            store.lease(POOL, "w", 1, 1),
            store.extend(POOL, "w", frozenset({"run/task"}), 1),
            store.expired(1),
            store.depths(),
            store.claim_epoch(0),
            store.incarnation(),
        ):
            with pytest.raises(StoreUnavailable):
                await call
        await store.close()
