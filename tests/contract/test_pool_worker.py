"""A worker of a pool against a gateway: real processes, real HTTP, and a real Redis behind it."""

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.encryption import draw_keys
from reactor_operator.engine.events import Event, TaskFailed, TaskStarted, TaskSucceeded
from reactor_operator.engine.identity import Action, idempotency_key
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.gateway.tokens import pool_fence, task_token
from reactor_operator.store.redis import RedisStore
from tests.contract.gateway_server import KEY, NOW, RUN, Gateway, ServedStore, running_gateway
from tests.contract.pool_worker import POOL, PooledRun, PoolWorker, kinds, until
from tests.contract.redis_server import RedisServer
from tests.unit.runtime.service import Service, serving

LEASE_SECONDS = 3.0
KEYS = draw_keys()
WAITS = """
import os, time
def work(n):
    if n == 0:
        open(os.environ["FOLDER"] + "/begun", "w").close()
        while not os.path.exists(os.environ["FOLDER"] + "/go"):
            time.sleep(0.01)
    return n
"""


@pytest.fixture
async def store(redis_server: RedisServer, installation: str) -> AsyncIterator[ServedStore]:
    opened = RedisStore(redis_server.url, installation)
    yield opened
    await opened.close()


@pytest.fixture
async def gateway(store: ServedStore) -> AsyncIterator[Gateway]:
    async with running_gateway(store, KEYS, LEASE_SECONDS) as running:
        yield running


@pytest.fixture
def run(store: ServedStore) -> PooledRun:
    return PooledRun(store)


def _command(pid: object) -> bytes:
    """Return what a process was called with, nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def result_of(run: PooledRun, event: Event) -> Any:
    assert isinstance(event, TaskSucceeded), event
    if event.result is None:
        return None
    inline = event.result.inline
    stored = inline or (await run.store.get_values(run.run, frozenset({event.result.digest})))[event.result.digest]
    return json.loads(KEYS.decrypt(run.run, stored))


async def test_tasks_are_done_each_with_an_environment_of_its_own(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = """
import os
NAMES = ("REACTOR_STEP", "REACTOR_TASK", "REACTOR_ACTION", "REACTOR_RUN", "REACTOR_ARGUMENTS", "REACTOR_UNCERTAIN")
def work(n, context):
    found = [os.environ.get("LEFT"), os.getcwd(), "REACTOR_POOL_TOKEN" in os.environ, context.idempotency_key]
    print("hello", n)
    os.environ["LEFT"] = "behind"
    os.chdir("/")
    os.close(1)
    return found + [os.environ[name] for name in NAMES]
"""
    with PoolWorker(tmp_path, gateway.port, source) as worker:
        await run.queue(*[[{"n": n}] for n in range(20)])
        outcomes = await run.wait_for(20)
    for n in range(20):
        assert await result_of(run, outcomes[f"rows[{n}]"]) == [
            None,
            str(tmp_path),
            False,
            idempotency_key("t-1", f"rows[{n}]", Action.RUN, 1),
            f"rows[{n}]",
            f"{RUN}/rows[{n}].run.1.1.1",
            "run",
            "order-1",
            json.dumps({"n": n}, separators=(",", ":")),
            "0",
        ]
    lines = worker.log.read_text().splitlines()
    said = {f"order-1/rows[{n}].run.1.1.1: hello {n}" for n in range(20)}
    assert {line for line in lines if "hello" in line} == said


async def test_children_stay_and_their_modules_are_imported_once(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = "import os\nseen = []\ndef work(n):\n    seen.append(n)\n    return [os.getpid(), len(seen)]"
    with PoolWorker(tmp_path, gateway.port, source, concurrency=1):
        await run.queue(*[[{"n": n}] for n in range(30)])
        outcomes = await run.wait_for(30)
    told = [await result_of(run, event) for event in outcomes.values()]
    assert len({pid for pid, _ in told}) == 1
    assert sorted(count for _, count in told) == list(range(1, 31))


@pytest.mark.parametrize(
    ("does", "kind", "words"),
    [
        ("os._exit(3)", "NoOutcome", "exit code 3"),
        ("os.kill(os.getpid(), 11)", "NoOutcome", "SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "OutOfMemory", "memory"),
        ("hold = bytearray(600_000_000)", "OutOfMemory", "MemoryError"),
        ("raise KeyError(n)", "Error", "KeyError"),
        ("import sys; sys.exit(1)", "Error", "sys.exit"),
        ("return {1, 2}", "InvalidResult", "result is a set"),
    ],
)
async def test_what_one_task_does_fails_no_other(
    gateway: Gateway, run: PooledRun, tmp_path: Path, does: str, kind: str, words: str
) -> None:
    source = f"import os\ndef work(n):\n    if n == 5:\n        {does}\n    return n"
    variables = {"REACTOR_POOL_CHILD_MEMORY": str(300_000_000)}
    with PoolWorker(tmp_path, gateway.port, source, variables=variables):
        await run.queue(*[[{"n": n}] for n in range(12)])
        outcomes = await run.wait_for(12)
    failed = outcomes.pop("rows[5]")
    assert isinstance(failed, TaskFailed)
    assert (failed.failure.kind.value, words in failed.failure.message) == (kind, True), failed
    assert set(kinds(outcomes).values()) == {"TaskSucceeded"}


async def test_a_child_that_tasks_leave_ever_more_in_is_replaced_in_time(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = """
import os, time
kept = []
def work(n):
    kept.append(bytearray(10_000_000))
    time.sleep(0.02)
    return os.getpid()
"""
    variables = {"REACTOR_POOL_CHILD_MEMORY": str(400_000_000)}
    with PoolWorker(tmp_path, gateway.port, source, concurrency=1, variables=variables):
        await run.queue(*[[{"n": n}] for n in range(100)])
        outcomes = await run.wait_for(100)
    pids = [await result_of(run, event) for event in outcomes.values()]
    assert 3 <= len(set(pids)) <= 10


async def test_a_handler_may_have_many_threads_within_its_memory(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = """
import asyncio, time
async def work(n):
    await asyncio.gather(*[asyncio.to_thread(time.sleep, 0.05) for _ in range(32)])
    return n
"""
    variables = {"REACTOR_POOL_CHILD_MEMORY": str(150_000_000)}
    with PoolWorker(tmp_path, gateway.port, source, concurrency=1, variables=variables):
        await run.queue(*[[{"n": n}] for n in range(3)])
        outcomes = await run.wait_for(3)
    assert kinds(outcomes) == {f"rows[{n}]": "TaskSucceeded" for n in range(3)}


async def test_requests_are_made_as_in_a_pod(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    run.step_document = {"variables": {"REACTOR_HTTP": "1"}}
    with serving(Service(body=b'{"id": 7}')) as service, PoolWorker(tmp_path, gateway.port):
        request = json.dumps({"method": "POST", "url": service.address, "body": "{}"}).encode()
        record = OpenRecord(request=reference_to(request, "x"))
        await run.queue([{"n": 0}], record=record)
        outcomes = await run.wait_for(1)
    assert await result_of(run, outcomes["rows[0]"]) == {"id": 7}


async def test_a_child_with_threads_left_behind_is_replaced(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    source = """
import os, threading, time
def work(n):
    if n == 0:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return os.getpid()
"""
    with PoolWorker(tmp_path, gateway.port, source, concurrency=1):
        await run.queue(*[[{"n": n}] for n in range(4)])
        outcomes = await run.wait_for(4)
    pids = [await result_of(run, outcomes[f"rows[{n}]"]) for n in range(4)]
    assert pids[0] not in pids[1:]
    assert len(set(pids)) == 2


async def test_processes_that_a_task_leaves_behind_end_with_it(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = """
import subprocess
def work(n):
    return subprocess.Popen(["sleep", "600"], start_new_session=n % 2 == 0).pid
"""
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue(*[[{"n": n}] for n in range(4)])
        outcomes = await run.wait_for(4)
        pids = [await result_of(run, event) for event in outcomes.values()]
        assert not [pid for pid in pids if b"sleep" in _command(pid)]


async def test_tasks_of_a_chunk_are_done_in_order_by_one_child(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = "import os\norder = []\ndef work(n):\n    order.append(n)\n    return [os.getpid(), order[-3:]]"
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue([{"n": 2}, {"n": 1}, {"n": 0}])
        outcomes = await run.wait_for(3)
    told = [await result_of(run, outcomes[f"rows[{n}]"]) for n in range(3)]
    assert [order for _, order in told] == [[2], [2, 1], [2, 1, 0]]
    assert len({pid for pid, _ in told}) == 1


async def test_an_undo_that_fails_stops_its_chunk_and_the_rest_is_given_back(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = "def work(n, result):\n    if n == 2:\n        raise ValueError(n)\n    return result"
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue([{"n": n} for n in range(5)], action=Action.UNDO)
        outcomes = await run.wait_for(5)
    assert list(kinds(outcomes).values()) == ["TaskSucceeded"] * 2 + ["Error"] + ["never started"] * 2


async def test_told_to_stop_it_ends_what_it_does_and_gives_back_the_rest(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    with PoolWorker(tmp_path, gateway.port, WAITS, concurrency=1) as worker:
        await run.queue(*[[{"n": n}] for n in range(1)], [{"n": n} for n in range(1, 20)])
        await worker.wait_for_file("begun")
        worker.tell(signal.SIGTERM)
        await asyncio.sleep(0.3)
        (tmp_path / "go").touch()
        assert await worker.ended() == 0
        outcomes = await run.wait_for(1)
    assert isinstance(outcomes["rows[0]"], TaskSucceeded)
    rest = {kind for path, kind in kinds(outcomes).items() if path != "rows[0]"}
    assert rest <= {"never started"}
    queued = (await run.store.depths()).get(POOL)
    assert (queued.queued if queued else 0) + len(outcomes) == 20


async def test_what_is_closed_is_stopped_and_no_neighbour_with_it(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    with PoolWorker(tmp_path, gateway.port, WAITS, concurrency=1) as worker:
        (first, *_) = await run.queue([{"n": 0}, {"n": 1}], [{"n": 2}])
        await worker.wait_for_file("begun")
        await run.close(first)
        outcomes = await run.wait_for(2)
    assert kinds(outcomes) == {"rows[1]": "TaskSucceeded", "rows[2]": "TaskSucceeded"}


async def test_a_task_that_listens_ends_by_itself_when_it_is_closed(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = """
import os
def work(context):
    open(os.environ["FOLDER"] + "/begun", "w").close()
    if context.cancellation.wait(30):
        open(os.environ["FOLDER"] + "/cleaned", "w").close()
"""
    with PoolWorker(tmp_path, gateway.port, source) as worker:
        tasks = await run.queue([{}])
        await worker.wait_for_file("begun")
        await run.close(*tasks)
        await worker.wait_for_file("cleaned")


async def test_when_a_task_began_is_told_where_it_took_long(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    run.step_document = {"timeoutMs": 1_500}
    source = (
        "import os, time\ndef work(n):\n    time.sleep((0, 1.1, 60, 1.2)[n])\n    if n == 3:\n        os._exit(1)\n"
    )
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue(*[[{"n": n}] for n in range(4)])
        assert kinds(await run.wait_for(4)) == {
            "rows[0]": "TaskSucceeded",
            "rows[1]": "TaskSucceeded",
            "rows[2]": "Timeout",
            "rows[3]": "NoOutcome",
        }
    began = {event.task.path: NOW - event.at for event in await run.events() if isinstance(event, TaskStarted)}
    assert sorted(began) == ["rows[1]", "rows[2]", "rows[3]"]
    assert 1_100 <= began["rows[1]"] < 60_000
    assert 1_500 <= began["rows[2]"] < 60_000
    assert 1_200 <= began["rows[3]"] < 60_000


async def test_a_task_that_takes_too_long_fails_as_timeout(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    run.step_document = {"timeoutMs": 400}
    source = "import time\ndef work(n):\n    time.sleep(60 if n == 1 else 0)\n    return n"
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue(*[[{"n": n}] for n in range(4)])
        outcomes = await run.wait_for(4)
    assert kinds(outcomes) == {
        "rows[0]": "TaskSucceeded",
        "rows[1]": "Timeout",
        "rows[2]": "TaskSucceeded",
        "rows[3]": "TaskSucceeded",
    }


async def test_what_was_done_under_a_lease_that_ran_out_is_not_told(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    with PoolWorker(tmp_path, gateway.port, WAITS, concurrency=1) as worker:
        (task,) = await run.queue([{"n": 0}])
        await worker.wait_for_file("begun")
        worker.tell(signal.SIGSTOP)
        expired = await until(lambda: run.store.expired(10))
        assert expired == ((RUN, task.key),)
        await run.close(task)
        (tmp_path / "go").touch()
        worker.tell(signal.SIGCONT)
        await run.queue([{"n": 1}], first=1)
        assert kinds(await run.wait_for(1)) == {"rows[1]": "TaskSucceeded"}


async def test_a_lease_is_renewed_while_its_task_runs(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    source = f"import time\ndef work(n):\n    time.sleep({LEASE_SECONDS * 1.5})"
    with PoolWorker(tmp_path, gateway.port, source, concurrency=1):
        await run.queue([{"n": 0}])
        while not await until(run.events, seconds=0.1):
            assert await run.store.expired(10) == ()


async def test_outcomes_wait_for_a_gateway_that_is_away(store: ServedStore, run: PooledRun, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as until_end:
        async with running_gateway(store) as gateway:
            worker = PoolWorker(tmp_path, gateway.port, WAITS, concurrency=1)
            until_end.enter_context(worker)
            await run.queue([{"n": 0}])
            await worker.wait_for_file("begun")
        (tmp_path / "go").touch()
        await worker.wait_for_words("does not answer")
        assert await run.events() == []
        async with running_gateway(store, port=gateway.port):
            assert kinds(await run.wait_for(1)) == {"rows[0]": "TaskSucceeded"}


async def test_documents_too_large_to_be_sent_along_are_fetched(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = "def work(n, text):\n    return [n, len(text)]"
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue([{"n": 0, "text": "x" * 3_000_000}], [{"n": 1, "text": "x"}])
        outcomes = await run.wait_for(2)
    assert await result_of(run, outcomes["rows[0]"]) == [0, 3_000_000]
    assert await result_of(run, outcomes["rows[1]"]) == [1, 1]


async def test_a_large_result_is_recorded(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    with PoolWorker(tmp_path, gateway.port, "def work(n):\n    return 'é' * 2_000_000 * n"):
        await run.queue(*[[{"n": n}] for n in range(4)])
        outcomes = await run.wait_for(4)
    for n in range(4):
        assert await result_of(run, outcomes[f"rows[{n}]"]) == "é" * 2_000_000 * n


async def test_sensitive_values_are_masked_and_results_encrypted(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    source = "def work(pin, fail):\n    if fail:\n        raise ValueError('wrong ' + pin)\n    return pin"
    record = OpenRecord(sensitive=Sensitive(arguments=frozenset({"pin"}), result=True))
    with PoolWorker(tmp_path, gateway.port, source):
        await run.queue([{"pin": "47110815", "fail": False}], [{"pin": "47110815", "fail": True}], record=record)
        outcomes = await run.wait_for(2)
    succeeded, failed = outcomes["rows[0]"], outcomes["rows[1]"]
    assert isinstance(succeeded, TaskSucceeded)
    assert succeeded.result is not None
    assert succeeded.result.encrypted
    assert await result_of(run, succeeded) == "47110815"
    assert isinstance(failed, TaskFailed)
    assert failed.failure.message == "ValueError: wrong ***"


async def test_scripts_requests_and_variables_of_authors(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    script = "import os\ndef main(n):\n    return [n, os.environ['GREETING'], os.environ['N']]"
    run.step_document = {
        "variables": {"REACTOR_SOURCE": script},
        "env": [{"name": "N", "argument": "n"}, {"name": "GREETING", "value": "$(REACTOR_STEP) is $(N), $$(N)"}],
    }
    with PoolWorker(tmp_path, gateway.port):
        await run.queue(*[[{"n": n}] for n in range(3)])
        outcomes = await run.wait_for(3)
        for n in range(3):
            expected = [n, f"rows[{n}] is {n}, $(N)", str(n)]
            assert await result_of(run, outcomes[f"rows[{n}]"]) == expected
        run.step_document = {"variables": {"REACTOR_HTTP": "1"}}
        await run.queue([{"n": 3}], first=3)
        assert kinds(await run.wait_for(4))["rows[3]"] == "CannotStart"  # there is no request


def done_files(folder: Path) -> list[Path]:
    """Return what workers wrote; one that came late may have had nothing to do."""
    return list(folder.glob("**/done"))


async def test_many_tasks_of_two_workers_are_each_done_once(gateway: Gateway, run: PooledRun, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    source = (
        "import os\ndef work(n):\n    with open(os.environ['FOLDER'] + '/done', 'a') as f:\n        f.write(f'{n}\\n')"
    )
    with PoolWorker(tmp_path, gateway.port, source) as one, PoolWorker(other, gateway.port, source) as two:
        for start in range(0, 3_000, 500):
            await run.queue(*[[{"n": n}] for n in range(start, start + 500)], first=start)
        await run.wait_for(3_000)
    done = [int(n) for file in done_files(tmp_path) for n in file.read_text().split()]
    assert sorted(done) == list(range(3_000))
    assert not re.search(r"not taken", one.log.read_text() + two.log.read_text())


async def test_a_worker_of_one_chunk_does_it_and_ends_though_one_of_its_tasks_fails(
    gateway: Gateway, run: PooledRun, tmp_path: Path
) -> None:
    queue = "shop/~order-1-rows-0"
    source = "def work(n):\n    if n == 2:\n        raise KeyError(n)\n    return n"
    await run.queue([{"n": n} for n in range(5)], pool=queue)
    await run.queue([{"n": 5}], first=5)
    variables = {
        "REACTOR_POOL": queue,
        "REACTOR_POOL_TOKEN": task_token(KEY, pool_fence(queue)),
        "REACTOR_POOL_ONCE": "1",
    }
    with PoolWorker(tmp_path, gateway.port, source, concurrency=1, variables=variables) as worker:
        assert await worker.ended() == 0
        outcomes = await run.wait_for(5)
    assert kinds(outcomes) == {f"rows[{n}]": "Error" if n == 2 else "TaskSucceeded" for n in range(5)}
    assert (await run.store.depths()).keys() == {POOL}, "it took nothing of others"
