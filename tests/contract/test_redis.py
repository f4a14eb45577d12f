"""What is promised of Redis beyond the port: one round trip, small writes, nothing lost that was acknowledged."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from reactor_operator.store.port import Appended, Claim, Commit, Entry, StaleRevision, StoreUnavailable
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.redis_connection import NotDurable, RedisOptions
from tests.contract.newer_redis import newer_redis
from tests.contract.redis_server import RedisServer

RUN = "2f1e5a2c-0000-4000-8000-000000000001"
TASK = "ship.run.1.1.1"
OUTCOME = Entry(run=RUN, task=TASK, final=True, digest="d1", body=b"done", values={"v": b"{}"})


@pytest.fixture
async def store(redis_server: RedisServer, installation: str) -> AsyncIterator[RedisStore]:
    opened = RedisStore(redis_server.url, installation)
    yield opened
    await opened.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may hurt."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


def opening(revision: int = 0) -> Commit:
    return Commit(
        run=RUN, revision=revision, epoch=1, records={"header": b"h"}, opens={TASK: b"r"}, actions={"a": b"1"}
    )


def number(server: RedisServer, section: str, name: str) -> int:
    found = re.search(rf"{name}:(\d+)".encode(), server.command("INFO", section))
    assert found is not None
    return int(found[1])


class TestCost:
    async def test_every_call_is_one_round_trip(self, redis_server: RedisServer, store: RedisStore) -> None:
        await store.commit(opening())
        await store.append(OUTCOME)
        await store.load(RUN)
        await store.claimed("key/1")
        await store.forget(RUN)
        await store.claim_epoch(0)
        await store.incarnation()

        def reads() -> int:
            return number(redis_server, "stats", "total_reads_processed")

        before = reads()
        own = reads() - before
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "commit": lambda: store.commit(Commit(run=RUN, revision=0, epoch=1_000, opens={TASK: b"r"})),
            "load": lambda: store.load(RUN),
            "open_task": lambda: store.open_task(RUN, TASK),
            "claimed": lambda: store.claimed("key/1"),
            "append": lambda: store.append(OUTCOME),
            "get_values": lambda: store.get_values(RUN, frozenset({"v"})),
            "put_values": lambda: store.put_values(RUN, {"w": b"1"}),
            "claim_epoch": lambda: store.claim_epoch(1),
            "incarnation": lambda: store.incarnation(),
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
        await store.commit(opening())
        await store.append(OUTCOME)
        await store.put_values(RUN, {"x": b"1"})
        assert redis_server.command("KEYS", pattern).count(RUN.encode()) == 6
        await store.forget(RUN)
        assert redis_server.command("KEYS", pattern).split(b"\r\n")[2::2] == [f"reactor:{installation}:epoch".encode()]

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

    async def test_installations_that_share_a_redis_do_not_see_each_other(
        self, redis_server: RedisServer, store: RedisStore
    ) -> None:
        other = RedisStore(redis_server.url, "somebody-else")
        await store.commit(opening())
        assert await other.load(RUN) is None
        assert await other.append(OUTCOME) is Appended.UNKNOWN
        assert await other.active_runs() == frozenset()
        assert await other.incarnation() != await store.incarnation()
        await other.forget(RUN)
        assert await store.load(RUN) is not None
        await other.close()


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
        await store.commit(opening())
        own_server.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await store.commit(
                Commit(run=RUN, revision=1, epoch=1, closes=frozenset({TASK}), acknowledged=frozenset({"a"}))
            )
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await store.append(OUTCOME)
        found = await store.load(RUN)
        assert found is not None
        assert (found.revision, found.inbox, found.actions) == (1, (), {"a": b"1"})
        assert await store.open_task(RUN, TASK) is not None
        await store.forget(RUN)
        assert await store.load(RUN) is None
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
            store.claim_epoch(0),
            store.incarnation(),
        ):
            with pytest.raises(StoreUnavailable):
                await call
        await store.close()


class TestBell:
    async def test_it_rings_across_processes(self, redis_server: RedisServer, installation: str) -> None:
        gateway, operator = (RedisStore(redis_server.url, installation) for _ in range(2))
        await operator.commit(opening())
        async with asyncio.timeout(10), aclosing(operator.rings()) as rings:
            assert await anext(rings) == RUN  # told once it listens: the run is active
            heard = asyncio.create_task(_next(rings))
            await gateway.append(OUTCOME)
            assert await heard == RUN
        await gateway.close()
        await operator.close()

    async def test_a_start_waits_for_the_outcome_that_comes_soon(
        self, redis_server: RedisServer, installation: str
    ) -> None:
        store = RedisStore(redis_server.url, installation)
        await store.commit(opening())
        async with asyncio.timeout(10), aclosing(store.rings()) as rings:
            assert await anext(rings) == RUN
            heard = asyncio.create_task(_next(rings))
            await store.append(Entry(run=RUN, task=TASK, binding="p", digest="start", body=b"start"))
            await store.append(OUTCOME)
            assert await heard == RUN
            second = asyncio.create_task(_next(rings))
            assert not (await asyncio.wait({second}, timeout=0.5))[0]
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
        await store.close()

    async def test_a_start_alone_is_told_too(self, redis_server: RedisServer, installation: str) -> None:
        store = RedisStore(redis_server.url, installation)
        await store.commit(opening())
        async with asyncio.timeout(10), aclosing(store.rings()) as rings:
            assert await anext(rings) == RUN
            heard = asyncio.create_task(_next(rings))
            await store.append(Entry(run=RUN, task=TASK, binding="p", digest="start", body=b"start"))
            assert await heard == RUN
        await store.close()

    async def test_after_a_reconnect_every_active_run_is_named(self, own_server: RedisServer) -> None:
        store = RedisStore(own_server.url, "test")
        await store.commit(opening())
        async with asyncio.timeout(20), aclosing(store.rings()) as rings:
            assert await anext(rings) == RUN
            again = asyncio.create_task(_next(rings))
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
        rights = "+@read +@write +@scripting +@pubsub +@connection +info +config|get"
        own_server.command("ACL", "SETUSER", "reactor", "on", ">secret", "~reactor:*", "&reactor:*", *rights.split())
        store = RedisStore(own_server.url.replace("//", "//reactor:secret@"), "test")
        await store.incarnation()
        await store.commit(opening())
        await store.append(OUTCOME)
        async with asyncio.timeout(10), aclosing(store.rings()) as rings:
            assert await anext(rings) == RUN
        await store.forget(RUN)
        await store.close()

    async def test_a_newer_redis_is_asked_to_wait_for_the_disk_in_the_same_round_trip(
        self, redis_server: RedisServer, installation: str
    ) -> None:
        async with newer_redis(redis_server.port) as newer:
            store = RedisStore(newer.url, installation)
            await store.commit(opening())
            await store.append(OUTCOME)
            await store.load(RUN)
            newer.asked.clear()
            await store.commit(opening(revision=1))
            await store.append(OUTCOME)
            await store.load(RUN)
            assert newer.asked == [[b"EVALSHA", b"WAITAOF"], [b"EVALSHA", b"WAITAOF"], [b"EVALSHA"]]
            await store.close()

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

    async def test_what_is_repeated_is_acknowledged_only_once_it_is_on_disk(
        self, redis_server: RedisServer, installation: str
    ) -> None:
        async with newer_redis(redis_server.port) as newer:
            store = RedisStore(newer.url, installation)
            await store.commit(opening())
            await store.append(OUTCOME)
            before = redis_server.writes()
            assert await store.append(OUTCOME) is Appended.REPEATED
            assert redis_server.writes() > before, "WAITAOF has nothing to wait for on this connection"
            await store.close()


async def _next(rings: AsyncIterator[str]) -> str:
    return await anext(rings)
