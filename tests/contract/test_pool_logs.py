"""What tasks of pools print: asked for, reported by real workers, kept in a real Redis."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.engine.events import TaskSucceeded
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.store.kept_logs import LOG_BYTES, KeptLog, LogSettings, decode_log
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import StoreUnavailable
from reactor_operator.store.redis import RedisStore
from tests.contract.gateway_server import RUN, Gateway, ServedStore, running_gateway
from tests.contract.pool_client import Pool
from tests.contract.pool_worker import PooledRun, PoolWorker, kinds, until
from tests.contract.redis_server import RedisServer

NOTHING = b'{"type":"succeeded","result":null}'
SENSITIVE = OpenRecord(sensitive=Sensitive(arguments=frozenset({"n"})))


@pytest.fixture
async def store(redis_server: RedisServer, installation: str) -> AsyncIterator[ServedStore]:
    opened = RedisStore(redis_server.url, installation)
    yield opened
    await opened.close()


@pytest.fixture
async def gateway(store: ServedStore) -> AsyncIterator[Gateway]:
    async with running_gateway(store, task_logs=LogSettings()) as running:
        yield running


@pytest.fixture
def run(store: ServedStore) -> PooledRun:
    return PooledRun(store)


@asynccontextmanager
async def pool_of(store: ServedStore, settings: LogSettings | None) -> AsyncIterator[Pool]:
    async with running_gateway(store, task_logs=settings) as running:
        yield Pool(running, PooledRun(store))


def log(text: str, lines: int) -> dict[str, object]:
    """Return what a worker tells of what a task printed."""
    return {"text": text, "lines": lines}


async def kept(store: ServedStore, task: str) -> KeptLog | None:
    body = await store.get_log(RUN, task)
    return decode_log(body) if body is not None else None


async def printed(store: ServedStore, task: str) -> KeptLog:
    """Wait for what a task printed: it comes after its outcome."""

    async def there() -> KeptLog | None:
        return await kept(store, task)

    found = await until(there, seconds=10)
    assert found is not None
    return found


class TestAskingFor:
    @pytest.mark.parametrize(
        ("settings", "record", "asked"),
        [
            (LogSettings(), OpenRecord(), True),
            (None, OpenRecord(), None),
            (LogSettings(), SENSITIVE, None),
            (LogSettings(sensitive=True), SENSITIVE, True),
        ],
    )
    async def test_it_is_asked_for_where_it_would_be_kept(
        self, store: ServedStore, settings: LogSettings | None, record: OpenRecord, asked: bool | None
    ) -> None:
        async with pool_of(store, settings) as pool:
            await pool.run.queue([{"n": 1}], record=record)
            assert (await pool.lease()).tasks[0].get("log") is asked

    async def test_of_a_map_it_is_that_of_the_first_elements(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            await pool.run.queue([{}], [{}], first=99)
            assert [task.get("log") for task in (await pool.lease()).tasks] == [True, None]

    async def test_a_task_whose_documents_are_fetched_learns_it_with_them(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            await pool.run.queue([{"text": "x" * 300_000}])
            found = await pool.lease()
            assert "log" not in found.tasks[0]
            assert (await pool.ask("task", **found.about())).json()["log"] is True


class TestReporting:
    async def test_it_is_kept_with_what_became_of_the_task(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            (task,) = await pool.run.queue([{}])
            about = (await pool.lease()).about(log=log("one\ntwö\n", 7))
            assert await pool.report((about, NOTHING)) == ["recorded"]
            assert await kept(store, task.key) == KeptLog("one\ntwö\n".encode(), cut=True, lines=7)
            assert await pool.report(({**about, "log": log("one\n", 1)}, NOTHING)) == ["repeated"]
            assert await kept(store, task.key) == KeptLog(b"one\n", lines=1)
            other = b'{"type":"succeeded","result":1}'
            assert await pool.report(({**about, "log": log("other\n", 1)}, other)) == ["conflict"]
            assert await kept(store, task.key) == KeptLog(b"one\n", lines=1)

    async def test_a_heartbeat_tells_what_a_task_has_printed_so_far(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            tasks = await pool.run.queue([{}], [{}])
            found = await pool.lease()
            mine = found.about(0, log=log("so far\n", 1))
            forged = found.about(1, log=log("forged\n", 1), proof="0" * 32)
            leases = [lease["lease"] for lease in found.head["leases"]]
            answer = await pool.ask("heartbeat", leases=leases, printed=[mine, forged])
            assert sorted(answer.json()["leases"]) == sorted(leases)
            assert await kept(store, tasks[0].key) == KeptLog(b"so far\n", lines=1)
            assert await kept(store, tasks[1].key) is None
            for wrong in (1, [1], [{**mine, "log": "text"}]):
                assert (await pool.ask("heartbeat", leases=leases, printed=wrong)).status_code == 400

    async def test_of_more_than_is_kept_it_is_the_end(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            (task,) = await pool.run.queue([{}])
            lines = LOG_BYTES // 5 + 10
            about = (await pool.lease()).about(log=log("four\n" * lines, lines))
            assert await pool.report((about, NOTHING)) == ["recorded"]
            assert await kept(store, task.key) == KeptLog(b"four\n" * (LOG_BYTES // 5), cut=True, lines=lines)

    async def test_of_a_task_that_is_closed_it_is_kept_alone(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            (task,) = await pool.run.queue([{}])
            about = (await pool.lease()).about(log=log("so far\n", 1), stopped=True)
            await pool.run.close(task)
            assert await pool.report((about, b"null")) == ["closed"]
            assert await kept(store, task.key) == KeptLog(b"so far\n", lines=1)
            assert await pool.run.events() == []

    async def test_who_was_not_given_the_task_prints_nothing_for_it(self, store: ServedStore) -> None:
        async with pool_of(store, LogSettings()) as pool:
            (task,) = await pool.run.queue([{}])
            forged = (await pool.lease()).about(log=log("forged\n", 1), proof="0" * 32)
            assert await pool.report((forged, NOTHING), ({**forged, "stopped": True}, b"null")) == ["refused"] * 2
            assert await kept(store, task.key) is None

    @pytest.mark.parametrize(
        "found",
        [1, ["a"], "a", {}, {"text": "a"}, {"text": 1, "lines": 1}, {"text": "a", "lines": -1}, log("a", 1 << 63)],
    )
    async def test_what_is_no_log_is_refused_with_all_of_the_report(self, store: ServedStore, found: Any) -> None:
        async with pool_of(store, LogSettings()) as pool:
            await pool.run.queue([{}])
            about = (await pool.lease()).about(log=found)
            answer = await pool.ask("report", _report(about))
            assert (answer.status_code, "log: expected" in answer.json()["error"]) == (400, True)
            assert await pool.run.events() == []

    @pytest.mark.parametrize("settings", [None, LogSettings()])
    async def test_what_was_not_asked_for_is_not_kept(self, store: ServedStore, settings: LogSettings | None) -> None:
        async with pool_of(store, settings) as pool:
            tasks = await pool.run.queue([{}], [{}], first=99, record=SENSITIVE)
            found = await pool.lease()
            told = [found.about(n, log=log("secret\n", 1), sensitive=True) for n in range(2)]
            told[1]["sensitive"] = False
            assert await pool.report(*[(about, NOTHING) for about in told]) == ["recorded"] * 2
            assert [await kept(store, task.key) for task in tasks] == [None, None]

    async def test_an_outcome_counts_where_the_log_cannot_be_kept(self) -> None:
        store = KeepsNoLog()
        async with pool_of(store, LogSettings()) as pool:
            await pool.run.queue([{}])
            about = (await pool.lease()).about(log=log("lost\n", 1))
            assert await pool.report((about, NOTHING)) == ["recorded"]
            assert len(await pool.run.events()) == 1


class KeepsNoLog(MemoryStore):
    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        raise StoreUnavailable("away")


def _report(about: dict[str, Any]) -> bytes:
    return json.dumps({"worker": "worker-1", "outcomes": [about]}).encode() + b"\n" + NOTHING


class TestWorkers:
    async def test_each_task_has_what_it_printed_and_nothing_of_another(
        self, gateway: Gateway, run: PooledRun, store: ServedStore, tmp_path: Path
    ) -> None:
        source = """
import logging, sys
def work(n, context):
    if n == 3:
        return
    print("hello", n)
    context.logger.warning("careful %s", n)
    print("ünd", n, file=sys.stderr, end="")
"""
        with PoolWorker(tmp_path, gateway.port, source) as worker:
            tasks = await run.queue(*[[{"n": n}, {"n": n + 1}] for n in range(0, 20, 2)])
            await run.wait_for(20)
            for n, task in enumerate(tasks):
                if n != 3:
                    lines = (await printed(store, task.key)).text.decode().splitlines()
                    assert (lines[0], lines[-1], len(lines)) == (f"hello {n}", f"ünd {n}", 3)
                    assert f"careful {n}" in lines[1]
        assert await kept(store, tasks[3].key) is None
        assert "order-1/rows[7].run.1.1.1: hello 7" in worker.log.read_text()

    async def test_of_more_than_is_kept_it_is_the_end(
        self, gateway: Gateway, run: PooledRun, store: ServedStore, tmp_path: Path
    ) -> None:
        source = "def work(n):\n    for line in range(100_000):\n        print(line)\n    return 'done'"
        with PoolWorker(tmp_path, gateway.port, source):
            (task,) = await run.queue([{"n": 0}])
            outcomes = await run.wait_for(1)
            found = await printed(store, task.key)
        lines = found.text.decode().splitlines()
        assert (found.cut, found.lines, lines[-1], int(lines[0]) + len(lines)) == (True, 100_000, "99999", 100_000)
        assert LOG_BYTES - 10 < len(found.text) <= LOG_BYTES
        outcome = outcomes["rows[0]"]
        assert isinstance(outcome, TaskSucceeded)
        assert outcome.result is not None

    @pytest.mark.parametrize(
        ("does", "kind"),
        [
            ("os._exit(3)", "NoOutcome"),
            ("os.kill(os.getpid(), 9)", "OutOfMemory"),
            ("hold = bytearray(600_000_000)", "OutOfMemory"),
            ("raise KeyError(n)", "Error"),
            ("time.sleep(60)", "Timeout"),
        ],
    )
    async def test_of_a_task_that_fails_it_is_what_it_said_until_then(
        self, gateway: Gateway, run: PooledRun, store: ServedStore, tmp_path: Path, does: str, kind: str
    ) -> None:
        run.step_document = {"timeoutMs": 1_000}
        source = f"import os, time\ndef work(n):\n    print('begun', n)\n    if n == 1:\n        {does}"
        variables = {"REACTOR_POOL_CHILD_MEMORY": str(300_000_000)}
        with PoolWorker(tmp_path, gateway.port, source, concurrency=1, variables=variables):
            tasks = await run.queue(*[[{"n": n}] for n in range(3)])
            outcomes = await run.wait_for(3)
            assert kinds(outcomes)["rows[1]"] == kind
            found = [(await printed(store, task.key)).text for task in tasks]
        assert found == [b"begun 0\n", b"begun 1\n", b"begun 2\n"]

    async def test_of_a_task_that_is_closed_it_is_what_it_said_until_then(
        self, gateway: Gateway, run: PooledRun, store: ServedStore, tmp_path: Path
    ) -> None:
        source = (
            "import os, time\ndef work(n):\n    print('begun', n)\n    open(os.environ['FOLDER'] + '/begun', 'w')\n"
        )
        source += "    time.sleep(60)\n"
        with PoolWorker(tmp_path, gateway.port, source) as worker:
            (task,) = await run.queue([{"n": 7}])
            await worker.wait_for_file("begun")
            await run.close(task)
            assert (await printed(store, task.key)).text == b"begun 7\n"
        assert await run.events() == []
        assert "was not taken" not in worker.log.read_text()

    async def test_while_a_task_runs_it_is_what_it_said_until_the_last_heartbeat(
        self, run: PooledRun, store: ServedStore, tmp_path: Path
    ) -> None:
        source = """
import os, time
def work(n):
    for line in range(100):
        print("step", line)
        time.sleep(0.05)
    while not os.path.exists(os.environ["FOLDER"] + "/go"):
        time.sleep(0.01)
    print("gone")
"""
        async with running_gateway(store, lease_seconds=3, task_logs=LogSettings()) as gateway:
            with PoolWorker(tmp_path, gateway.port, source):
                (task,) = await run.queue([{"n": 0}])
                first = await printed(store, task.key)

                async def more() -> KeptLog | None:
                    found = await kept(store, task.key)
                    return found if found is not None and (found.lines or 0) > (first.lines or 0) else None

                second = await until(more, seconds=10)
                assert second is not None
                for found in (first, second):
                    said = "".join(f"step {line}\n" for line in range(found.lines or 0))
                    assert (found.text.decode(), found.cut) == (said, False)
                assert await run.events() == []
                (tmp_path / "go").touch()
                await run.wait_for(1)

                async def whole() -> bool:
                    found = await kept(store, task.key)
                    return found is not None and found.lines == 101 and found.text.endswith(b"gone\n")

                assert await until(whole, seconds=10)

    async def test_what_is_sensitive_stays_in_the_log_of_the_worker(
        self, gateway: Gateway, run: PooledRun, store: ServedStore, tmp_path: Path
    ) -> None:
        with PoolWorker(tmp_path, gateway.port, "def work(n):\n    print('n is', n)"):
            (secret,) = await run.queue([{"n": 1}], record=SENSITIVE)
            (other,) = await run.queue([{"n": 2}], first=1)
            await run.wait_for(2)
            assert (await printed(store, other.key)).text == b"n is 2\n"
        assert await kept(store, secret.key) is None
