"""What is acknowledged is on disk: which Redis is accepted, and with which rights."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import redis.exceptions

from reactor_operator.store.port import Appended, Closed, Held, StoreUnavailable
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.redis_connection import NotDurable, RedisOptions
from tests.contract.newer_redis import NewerRedis, newer_redis
from tests.contract.redis_server import RedisServer
from tests.contract.writes import OUTCOME, POOL, RUN, leased, opening, queueing


@pytest.fixture
async def newer(redis_server: RedisServer) -> AsyncIterator[NewerRedis]:
    """A Redis that knows WAITAOF."""
    async with newer_redis(redis_server.port) as server:
        yield server


@pytest.fixture
async def newer_store(newer: NewerRedis, installation: str) -> AsyncIterator[RedisStore]:
    """A store on it, in which one run was committed and told an outcome, which is on disk."""
    store = RedisStore(newer.url, installation)
    await store.commit(opening())
    await store.append(OUTCOME)
    yield store
    await store.close()


class TestDurability:
    async def test_a_redis_that_answers_before_the_disk_is_refused(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path, "--appendfsync", "everysec") as server:
            store = RedisStore(server.url, "test")
            with pytest.raises(NotDurable, match="found appendonly yes, appendfsync everysec; expected"):
                await store.commit(opening())
            assert await store.load(RUN) is None
            server.command("CONFIG", "SET", "appendfsync", "always")
            assert await store.commit(opening()) == 1
            await store.close()

    async def test_it_is_accepted_where_the_caller_says_so(self, tmp_path: Path) -> None:
        with RedisServer(tmp_path, "--appendonly", "no") as server:
            store = RedisStore(server.url, "test", RedisOptions(require_durable=False))
            assert await store.commit(opening()) == 1
            await store.close()

    async def test_an_old_redis_that_does_not_show_its_settings_is_refused(self, own_server: RedisServer) -> None:
        own_server.command("ACL", "SETUSER", "reactor", "on", ">secret", "~reactor:*", "&reactor:*", "+@all", "-config")
        store = RedisStore(own_server.url.replace("//", "//reactor:secret@"), "test")
        with pytest.raises(NotDurable, match="CONFIG GET is not allowed"):
            await store.commit(opening())
        await store.close()

    async def test_the_rights_that_are_documented_are_enough(self, own_server: RedisServer) -> None:
        rights = "+@read +@write +@scripting +@pubsub +@connection +info +time +config|get"
        own_server.command("ACL", "SETUSER", "reactor", "on", ">secret", "~reactor:*", "&reactor:*", *rights.split())
        store = RedisStore(own_server.url.replace("//", "//reactor:secret@"), "test")
        await store.incarnation()
        await store.commit(opening())
        await store.append(OUTCOME)
        await store.commit(queueing(["a"], revision=1, correlations={"order-1": "approve.1"}))
        await store.commit(opening(revision=2, correlations={"order-1": None}))
        assert isinstance(await store.find_correlation("order-1"), Closed)
        assert leased(await store.lease(POOL, "w", 1, 60_000)) == [["a"]]
        async with asyncio.timeout(10), aclosing(store.rings()) as rings:
            assert await anext(rings) == RUN
        await store.forget(RUN)
        await store.close()

    async def test_without_the_right_to_ask_for_the_time_a_commit_that_lets_a_name_go_changes_nothing(
        self, own_server: RedisServer
    ) -> None:
        own_server.command("ACL", "SETUSER", "reactor", "on", ">secret", "~reactor:*", "&reactor:*", "+@all", "-time")
        store = RedisStore(own_server.url.replace("//", "//reactor:secret@"), "test")
        await store.commit(opening(correlations={"order-1": "approve.1"}))
        before = await store.load(RUN)
        with pytest.raises(redis.exceptions.RedisError, match="can't run this command"):
            await store.commit(opening(revision=1, correlations={"order-1": None}))
        assert await store.load(RUN) == before
        assert await store.find_correlation("order-1") == Held(run=RUN, path="approve.1")
        await store.close()

    async def test_a_newer_redis_is_asked_to_wait_for_the_disk_in_the_same_round_trip(
        self, newer: NewerRedis, newer_store: RedisStore
    ) -> None:
        for revision in (1, 2):  # Redis knows each script by its digest from the second time on
            newer.asked.clear()
            await newer_store.commit(opening(revision))
            await newer_store.append(OUTCOME)
            await newer_store.append_all([OUTCOME, OUTCOME])
            await newer_store.load(RUN)
            await newer_store.lease(POOL, "w", 9, 60_000)
            await newer_store.extend(POOL, "w", frozenset({"run/task"}), 60_000)
            await newer_store.expired(9)
            await newer_store.depths()
        written, read = [b"EVALSHA", b"WAITAOF"], [b"EVALSHA"]
        assert newer.asked == [written, written, written, read, written, written, written, read]

    async def test_a_write_that_is_not_on_disk_in_time_is_not_acknowledged(
        self, redis_server: RedisServer, installation: str
    ) -> None:
        async with newer_redis(redis_server.port) as newer:
            store = RedisStore(newer.url, installation)
            newer.on_disk = 0
            with pytest.raises(StoreUnavailable, match="not on disk"):
                await store.commit(opening())
            with pytest.raises(StoreUnavailable, match="not on disk"):
                await store.load(RUN)  # nothing may follow from it yet
            newer.on_disk = 1
            found = await store.load(RUN)
            assert found is not None
            assert found.revision == 1
            newer.asked.clear()
            await store.load(RUN)
            assert newer.asked == [[b"EVALSHA"]]
            await store.close()

    async def test_what_another_one_wrote_is_settled_by_a_write_that_is_on_disk(
        self, newer: NewerRedis, newer_store: RedisStore
    ) -> None:
        newer.asked.clear()
        await newer_store.settle()
        assert newer.asked == [[b"SET", b"WAITAOF"]]
        newer.on_disk = 0
        with pytest.raises(StoreUnavailable, match="not on disk"):
            await newer_store.settle()

    async def test_where_every_write_is_on_disk_at_once_there_is_nothing_to_settle(
        self, redis_server: RedisServer, installation: str
    ) -> None:
        store = RedisStore(redis_server.url, installation)
        before = redis_server.writes()
        await store.settle()
        assert redis_server.writes() == before
        await store.close()

    async def test_a_doubt_that_arises_while_another_is_settled_is_settled_next(
        self, newer: NewerRedis, newer_store: RedisStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = newer_store._redis
        newer.on_disk = 0
        with pytest.raises(StoreUnavailable, match="not on disk"):
            await newer_store.append(OUTCOME)
        newer.on_disk = 1
        write = connection.write

        async def settle_while_another_fails(*command: str) -> object:
            answer = await write(*command)
            connection.doubts += 1
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(connection, "write", settle_while_another_fails)
            await newer_store.load(RUN)
        newer.asked.clear()
        await newer_store.load(RUN)
        assert newer.asked == [[b"SET", b"WAITAOF"], [b"EVALSHA"]]

    async def test_what_is_repeated_is_acknowledged_only_once_it_is_on_disk(
        self, redis_server: RedisServer, newer_store: RedisStore
    ) -> None:
        before = redis_server.writes()
        assert await newer_store.append(OUTCOME) is Appended.REPEATED
        assert redis_server.writes() > before, "WAITAOF has nothing to wait for on this connection"
        before = redis_server.writes()
        assert await newer_store.append_all([OUTCOME, OUTCOME]) == [Appended.REPEATED] * 2
        assert redis_server.writes() > before, "WAITAOF has nothing to wait for on this connection"
