"""Results of a map, read by the tasks that have them as an argument: over the gateway, in pods and in pools."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reactor
from reactor_operator.encryption import Keyring, draw_keys
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.gateway.tokens import task_token
from reactor_operator.outcomes.results import RESULTS_KEY
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.contract.gateway_server import KEY, RUN, Gateway, ServedStore, running_gateway
from tests.contract.pool_worker import PooledRun, PoolWorker
from tests.contract.test_pool_worker import result_of
from tests.pages_of_results import STEP, enumerated, write_results

TASK = Task("report", Action.RUN, 1, 1, 1)
FAILURE = {"kind": "Error", "message": "ValueError: no"}
READS = """
def main(rows):
    return [len(rows), rows.succeeded, rows.failed, rows.skipped, len(list(rows)), [one.index for one in rows.failures],
            sum(one["n"] for one in rows.successes if isinstance(one, dict)), rows[3].value, rows[9].failure]
"""
READ = [250, 224, 25, 1, 250, list(range(9, 250, 10)), sum(n for n in range(3, 250) if n % 10 != 9) + 1, {"n": 3}]


def sealed(total: int) -> dict[str, object]:
    return enumerated(total, Keyring(sealing=KEY).seal(RUN, STEP, "1"))


async def open_with_results(store: ServedStore, total: int = 250, rows: object = None) -> None:
    arguments = json.dumps({"rows": rows or sealed(total)}).encode()
    found = await store.load(RUN)
    await store.commit(
        Commit(
            run=RUN,
            revision=found.revision if found else 0,
            epoch=1,
            values={reference_to(arguments).digest: arguments},
            opens={TASK.key: encode_record(OpenRecord(arguments=reference_to(arguments)))},
        )
    )


class TestPages:
    async def test_a_page_has_the_results_of_a_hundred_elements(self, gateway: Gateway) -> None:
        await write_results(gateway.store, RUN, 250)
        await open_with_results(gateway.store)
        answer = await gateway.ask("GET", f"results?step={STEP}&round=1&page=0", task=TASK)
        found = answer.json()
        assert (answer.status_code, found["pages"], len(found["items"])) == (200, 3, 100)
        assert found["items"][0] == {"index": 0, "ok": True, "value": None}
        assert found["items"][2] == {"index": 2, "ok": True, "value": "x" * 1000}
        assert found["items"][9] == {"index": 9, "ok": False, "failure": FAILURE}
        last = (await gateway.ask("GET", f"results?step={STEP}&page=2", task=TASK)).json()
        assert [item["index"] for item in last["items"]] == list(range(200, 250))

    @pytest.mark.parametrize(("which", "count"), [("all", 100), ("ok", 90), ("failed", 10)])
    async def test_a_filter_leaves_out_the_others(self, gateway: Gateway, which: str, count: int) -> None:
        await write_results(gateway.store, RUN, 250)
        await open_with_results(gateway.store)
        found = (await gateway.ask("GET", f"results?step={STEP}&page=1&filter={which}", task=TASK)).json()
        assert len(found["items"]) == count
        assert {item["ok"] for item in found["items"]} == {"all": {True, False}, "ok": {True}, "failed": {False}}[which]

    async def test_a_page_that_is_too_large_is_sent_in_parts(self, gateway: Gateway) -> None:
        large = {n: json.dumps("x" * (12 * 1024 * 1024)).encode() for n in (3, 4, 5, 6)}
        await write_results(gateway.store, RUN, 250, large)
        await open_with_results(gateway.store)
        parts: list[dict[str, Any]] = []
        rest = ""
        while not parts or rest:
            parts.append((await gateway.ask("GET", f"results?step={STEP}&page=0{rest}", task=TASK)).json())
            rest = f"&after={parts[-1]['after']}" if "after" in parts[-1] else ""
        assert [part.get("after") for part in parts] == [4, None]
        assert [item["index"] for part in parts for item in part["items"]] == list(range(100))

    async def test_a_page_that_was_never_written_is_empty(self, gateway: Gateway) -> None:
        await open_with_results(gateway.store)
        found = await gateway.ask("GET", f"results?step={STEP}&page=9", task=TASK)
        assert found.json() == {"items": [], "pages": 3}

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("step=other", 404),
            (f"step={STEP}&round=2", 404),
            ("", 400),
            (f"step={STEP}&filter=some", 400),
            (f"step={STEP}&page=-1", 400),
            (f"step={STEP}&page=9999999999", 400),
        ],
    )
    async def test_a_task_reads_what_it_was_given_and_nothing_else(
        self, gateway: Gateway, query: str, status: int
    ) -> None:
        await write_results(gateway.store, RUN, 250)
        await open_with_results(gateway.store)
        assert (await gateway.ask("GET", f"results?{query}", task=TASK)).status_code == status

    @pytest.mark.parametrize(
        "seal",
        [
            "",
            7,
            Keyring(sealing=KEY).seal("another run", STEP, "1"),
            Keyring(sealing=KEY).seal(RUN, STEP, "2"),
            Keyring(sealing=KEY).seal(RUN, "other", "1"),
            Keyring(sealing=b"another key of 16").seal(RUN, STEP, "1"),
        ],
    )
    async def test_an_input_that_looks_like_results_gives_none(self, gateway: Gateway, seal: object) -> None:
        await write_results(gateway.store, RUN, 250)
        told = enumerated(250)[RESULTS_KEY]
        assert isinstance(told, dict)
        made_up = {RESULTS_KEY: {**told, "seal": seal}}
        await open_with_results(gateway.store, rows=made_up)
        assert (await gateway.ask("GET", f"results?step={STEP}", task=TASK)).status_code == 404

    async def test_a_task_that_is_closed_reads_nothing(self, gateway: Gateway) -> None:
        assert (await gateway.ask("GET", f"results?step={STEP}", task=TASK)).status_code == 410

    async def test_encrypted_results_are_opened(self) -> None:
        keys, store = draw_keys(), MemoryStore()
        secret = keys.encrypt(RUN, "rows[3].run.1.1.1 result", b'"secret"')
        await write_results(store, RUN, 10, {3: secret})
        await open_with_results(store, 10)
        async with running_gateway(store, keys) as gateway:
            found = (await gateway.ask("GET", f"results?step={STEP}", task=TASK)).json()
        assert found["items"][3] == {"index": 3, "ok": True, "value": "secret"}

    async def test_a_result_that_the_store_lost_is_not_made_up(self, gateway: Gateway) -> None:
        await write_results(gateway.store, RUN, 10)
        found = await gateway.store.load(RUN)
        assert found is not None
        lost = frozenset({"@rows[2].run.1.1.1 result"})
        await gateway.store.commit(Commit(run=RUN, revision=found.revision, epoch=1, dropped=lost))
        await open_with_results(gateway.store, 10)
        assert (await gateway.ask("GET", f"results?step={STEP}", task=TASK)).status_code == 503


async def test_a_handler_in_a_pod_reads_them(tmp_path: Path, gateway: Gateway) -> None:
    await write_results(gateway.store, RUN, 250)
    await open_with_results(gateway.store)
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(reactor.__file__).parents[1]),
        "REACTOR_STEP": TASK.path,
        "REACTOR_TASK": f"{RUN}/{TASK.key}",
        "REACTOR_ACTION": "run",
        "REACTOR_GATEWAY": f"http://127.0.0.1:{gateway.port}",
        "REACTOR_TOKEN": task_token(KEY, f"{RUN}/{TASK.key}"),
        "REACTOR_SOURCE": READS,
        "REACTOR_TERMINATION_LOG": str(tmp_path / "log"),
    }
    ended = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "reactor"], env=variables, capture_output=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads((tmp_path / "log").read_bytes())
    assert told == {"type": "succeeded", "result": [*READ, FAILURE]}


async def test_a_handler_in_a_pool_reads_them(tmp_path: Path, gateway: Gateway) -> None:
    await write_results(gateway.store, RUN, 250)
    run = PooledRun(gateway.store, step_document={"variables": {"REACTOR_SOURCE": READS}})
    with PoolWorker(tmp_path, gateway.port):
        await run.queue([{"rows": sealed(250)}], path="report")
        outcomes = await run.wait_for(1)
    assert await result_of(run, outcomes["report"]) == [*READ, FAILURE]
