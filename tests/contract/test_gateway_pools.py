"""The routes of pools in docs/protocol.md over real HTTP: leases, heartbeats, reports, and who may ask for what."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.engine.events import TaskFailed, TaskLost, TaskStarted, TaskSucceeded
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task, idempotency_key
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.pool_requests import METHODS
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.gateway.tokens import pool_fence, task_token
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import StoreUnavailable
from tests.contract.gateway_server import KEY, NOW, RUN, Gateway, running_gateway
from tests.contract.pool_client import WORKER, Pool
from tests.contract.pool_worker import POOL, PooledRun

NOTHING = b'{"type":"succeeded","result":null}'


@pytest.fixture
def pool(gateway: Gateway) -> Pool:
    return Pool(gateway, PooledRun(gateway.store))


class TestLease:
    async def test_it_brings_tasks_with_all_that_a_pod_would_have(self, pool: Pool) -> None:
        await pool.run.queue([{"n": 1}, {"n": 2}], [{"n": 3}])
        found = await pool.lease()
        digest = reference_to(pool.run.document()).digest
        assert found.head["seconds"] == 30
        assert found.head["waitedMs"] < 1_000
        assert json.loads(found.head["steps"][digest]) == json.loads(pool.run.document())
        keys = [[task for task, _ in lease["tasks"]] for lease in found.head["leases"]]
        assert keys == [["rows[0].run.1.1.1", "rows[1].run.1.1.1"], ["rows[2].run.1.1.1"]]
        assert [lease["steps"] for lease in found.head["leases"]] == [[digest]] * 2
        proof = found.tasks[0].pop("proof")
        assert proof == found.head["leases"][0]["tasks"][0][1]
        assert found.tasks[0] == {
            "task": "rows[0].run.1.1.1",
            "step": digest,
            "idempotencyKey": idempotency_key("t-1", "rows[0]", Action.RUN, 1),
            "arguments": {"n": 1},
        }

    async def test_what_reverses_gets_the_key_the_result_and_the_failure_of_what_it_reverses(self, pool: Pool) -> None:
        record = OpenRecord(
            result=reference_to(b'{"id":1}', "x"),
            request=reference_to(b'{"url":"http://x"}', "x"),
            failure=b'{"kind":"Error"}',
            detail=reference_to(b'{"line":3}', "x"),
            uncertain=True,
            sensitive=Sensitive(result=True),
        )
        await pool.run.queue([{}], action=Action.COMPENSATE, record=record)
        (told,) = (await pool.lease()).tasks
        assert {name: told[name] for name in ("result", "request", "failure", "uncertain", "sensitive")} == {
            "result": {"id": 1},
            "request": {"url": "http://x"},
            "failure": {"kind": "Error", "detail": {"line": 3}},
            "uncertain": True,
            "sensitive": {"arguments": [], "result": True, "request": False},
        }
        assert told["idempotencyKey"] == idempotency_key("t-1", "rows[0]", Action.COMPENSATE, 1)
        assert told["forwardKey"] == idempotency_key("t-1", "rows[0]", Action.RUN, 1)

    async def test_a_step_that_is_known_is_not_told_again(self, pool: Pool) -> None:
        await pool.run.queue([{}])
        digest = reference_to(pool.run.document()).digest
        found = await pool.lease(known=[digest])
        assert found.head["steps"] == {}
        assert found.head["leases"][0]["steps"] == [digest]

    async def test_documents_with_newlines_are_one_line(self, pool: Pool) -> None:
        record = OpenRecord(result=reference_to(b'{\n"text": "a\\nb",\n"more": 1\n}', "x"))
        await pool.run.queue([{}], action=Action.UNDO, record=record)
        assert (await pool.lease()).tasks[0]["result"] == {"text": "a\nb", "more": 1}

    async def test_it_waits_for_something_to_be_queued(self, pool: Pool) -> None:
        asked = asyncio.create_task(pool.lease())
        await asyncio.sleep(0.3)
        assert not asked.done()
        await pool.run.queue([{}])
        began = time.monotonic()
        found = await asked
        assert time.monotonic() - began < 2
        assert len(found.tasks) == 1
        assert found.head["waitedMs"] >= 250

    async def test_a_worker_that_has_gone_takes_nothing(self, pool: Pool) -> None:
        gone = asyncio.create_task(pool.lease())
        await asyncio.sleep(0.2)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await asyncio.sleep(0.2)
        await pool.run.queue([{}])
        assert len((await replace(pool, worker="worker-2").lease()).tasks) == 1

    async def test_many_workers_that_wait_get_each_task_once(self, pool: Pool) -> None:
        asked = [asyncio.create_task(replace(pool, worker=f"worker-{n}").lease(1)) for n in range(10)]
        await asyncio.sleep(0.2)
        await pool.run.queue(*[[{"n": n}] for n in range(10)])
        found = [task["task"] for leased in await asyncio.gather(*asked) for task in leased.tasks]
        assert sorted(found) == sorted(f"rows[{n}].run.1.1.1" for n in range(10))

    async def test_one_task_that_the_store_lost_keeps_no_other_back(self, pool: Pool) -> None:
        lost = OpenRecord(result=reference_to(b"x" * 300, "lost"))
        await pool.run.queue([{"n": 0}], action=Action.UNDO, record=lost)
        await pool.run.queue([{"n": 1}], first=1)
        found = await pool.lease()
        assert [task["task"] for task in found.tasks] == ["rows[1].run.1.1.1"]
        assert len(found.head["leases"]) == 1

    async def test_a_task_too_large_to_be_sent_along_is_to_be_fetched(self, pool: Pool) -> None:
        await pool.run.queue([{"text": "x" * 300_000}], [{"n": 1}])
        found = await pool.lease()
        large = found.tasks[0]
        assert (large["fetch"], "arguments" in large, "arguments" in found.tasks[1]) == (True, False, True)
        fetched = await pool.ask("task", **found.about(0))
        assert fetched.json()["arguments"] == {"text": "x" * 300_000}
        assert fetched.json()["idempotencyKey"] == idempotency_key("t-1", "rows[0]", Action.RUN, 1)

    @pytest.mark.parametrize(
        "told",
        [
            {"limit": 0},
            {"limit": "1"},
            {"limit": True},
            {"limit": 1, "worker": ""},
            {"limit": 1, "worker": "a/b"},
            {"limit": 1, "worker": 7},
            {"limit": 1, "known": "x"},
            {},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, pool: Pool, told: dict[str, object]) -> None:
        answer = await pool.ask("lease", json.dumps({"worker": WORKER, **told}).encode())
        assert answer.status_code == 400
        assert "expected" in answer.json()["error"]

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"1"])
    async def test_a_body_that_is_no_object_is_refused(self, pool: Pool, body: bytes) -> None:
        for verb in ("lease", "heartbeat", "report", "task"):
            assert (await pool.ask(verb, body)).status_code == 400


class TestHeartbeat:
    async def test_it_renews_leases_and_tells_what_is_closed(self, pool: Pool) -> None:
        tasks = await pool.run.queue([{"n": 0}, {"n": 1}], [{"n": 2}])
        ids = [lease["lease"] for lease in (await pool.lease()).head["leases"]]
        await pool.run.close(tasks[0])
        assert (await pool.ask("heartbeat", leases=[*ids, "run/unknown"])).json() == {
            "leases": {
                ids[0]: {"seconds": 30, "closed": [tasks[0].key]},
                ids[1]: {"seconds": 30, "closed": []},
            }
        }

    async def test_all_leases_of_a_worker_are_renewed_at_once_however_long_their_names(self, pool: Pool) -> None:
        await pool.run.queue([{"n": 0}])
        (lease,) = (await pool.lease()).head["leases"]
        others = [f"{RUN}/{'a/' * 500}rows[{n}].run.1.1.1" for n in range(4_000)]
        assert (await pool.ask("heartbeat", leases=[*others, lease["lease"]])).json() == {
            "leases": {lease["lease"]: {"seconds": 30, "closed": []}}
        }

    async def test_the_leases_of_another_worker_or_pool_are_not_there(self, pool: Pool) -> None:
        await pool.run.queue([{}])
        ids = [lease["lease"] for lease in (await pool.lease()).head["leases"]]
        other = replace(pool, pool="shop/other", token=task_token(KEY, pool_fence("shop/other")))
        for asking in (replace(pool, worker="worker-2"), other):
            assert (await asking.ask("heartbeat", leases=ids)).json() == {"leases": {}}


class TestReport:
    async def test_outcomes_are_recorded_as_those_of_pods(self, pool: Pool) -> None:
        tasks = await pool.run.queue(*[[{"n": n}] for n in range(4)])
        found = await pool.lease()
        large = b'{"type":"succeeded","result":"%b"}' % (b"x" * 1000)
        failed = (
            b'{"type":"failed","failure":{"kind":"OutOfMemory","message":"m","retryable":true,"detail":{"line":3}}}'
        )
        documents = [NOTHING, b'{"type":"succeeded","result":{"id": 1}}', large, failed]
        answers = await pool.report(*[(found.about(n), document) for n, document in enumerate(documents)])
        assert answers == ["recorded"] * 4
        events = await pool.run.events()
        assert events[:2] == [
            TaskSucceeded(task=tasks[0]),
            TaskSucceeded(task=tasks[1], result=reference_to(b'{"id": 1}', f"{tasks[1].key} result")),
        ]
        assert events[2] == TaskSucceeded(task=tasks[2], result=reference_to(large[29:-1], f"{tasks[2].key} result"))
        name = f"@{tasks[2].key} result"
        assert await pool.gateway.store.get_values(RUN, frozenset({name})) == {name: large[29:-1]}
        assert isinstance(events[3], TaskFailed)
        assert events[3].failure.kind is FailureKind.OUT_OF_MEMORY
        assert events[3].failure.detail == reference_to(b'{"line":3}', f"{tasks[3].key} detail")

    async def test_when_a_task_began_is_known_where_it_took_long(self, pool: Pool) -> None:
        tasks = await pool.run.queue([{}], [{}], [{}], first=98)
        found = await pool.lease()
        told = [(found.about(n, tookMs=2_500), NOTHING) for n in range(3)]
        assert await pool.report(*told) == ["recorded"] * 3
        assert await pool.report(*told) == ["repeated"] * 3
        assert await pool.run.events() == [
            TaskStarted(task=tasks[0], at=NOW - 2_500),
            TaskSucceeded(task=tasks[0]),
            TaskStarted(task=tasks[1], at=NOW - 2_500),
            TaskSucceeded(task=tasks[1]),
            TaskSucceeded(task=tasks[2]),  # so much is not told of elements beyond the first hundred
        ]

    @pytest.mark.parametrize("took", [-1, "1", 1.5, None, 1 << 62])
    async def test_a_time_that_makes_no_sense_is_refused(self, pool: Pool, took: object) -> None:
        await pool.run.queue([{}])
        head = {"worker": WORKER, "outcomes": [(await pool.lease()).about(tookMs=took)]}
        answer = await pool.ask("report", json.dumps(head).encode() + b"\n" + NOTHING)
        assert (answer.status_code, "tookMs: found" in answer.json()["error"]) == (400, True)
        assert await pool.run.events() == []

    async def test_repeated_it_changes_nothing(self, pool: Pool) -> None:
        await pool.run.queue([{}])
        about = (await pool.lease()).about()
        assert await pool.report((about, NOTHING)) == ["recorded"]
        assert await pool.report((about, NOTHING)) == ["repeated"]
        assert await pool.report((about, b'{"type":"succeeded","result":1}')) == ["conflict"]
        assert len(await pool.run.events()) == 1

    async def test_what_is_closed_takes_nothing_and_the_others_do(self, pool: Pool) -> None:
        tasks = await pool.run.queue([{"n": 0}], [{"n": 1}])
        found = await pool.lease()
        await pool.run.close(tasks[0])
        assert await pool.report((found.about(0), NOTHING), (found.about(1), NOTHING)) == ["closed", "recorded"]

    async def test_what_was_given_back_never_began(self, pool: Pool) -> None:
        (task,) = await pool.run.queue([{}])
        about = (await pool.lease()).about(released=True)
        assert await pool.report((about, b"null")) == ["recorded"]
        (event,) = await pool.run.events()
        assert isinstance(event, TaskLost)
        assert (event.task, event.may_have_started) == (task, False)

    @pytest.mark.parametrize(
        "document", [b"", b"{}", b"[", b'{"type":"failed","failure":{"kind":"Lost","message":"m"}}']
    )
    async def test_what_is_no_outcome_is_a_failure_of_its_task(self, pool: Pool, document: bytes) -> None:
        await pool.run.queue([{}])
        assert await pool.report(((await pool.lease()).about(), document)) == ["recorded"]
        (event,) = await pool.run.events()
        assert isinstance(event, TaskFailed)
        assert event.failure.kind is FailureKind.NO_OUTCOME

    async def test_a_task_that_was_not_given_to_this_worker_is_not_its_to_report(self, pool: Pool) -> None:
        tasks = await pool.run.queue([{"n": 0}], [{"n": 1}])
        found = await pool.lease(1)
        mine = found.about()
        forged: list[dict[str, object]] = [
            {**mine, "task": tasks[1].key},
            {**mine, "proof": "0" * 32},
            {**mine, "proof": None},
            {**mine, "run": "other"},
            {"run": RUN, "task": tasks[0].key},
        ]
        assert await pool.report(*[(about, NOTHING) for about in forged]) == ["refused"] * 5
        assert await replace(pool, worker="worker-2").report((mine, NOTHING)) == ["refused"]
        other = replace(pool, pool="shop/other", token=task_token(KEY, pool_fence("shop/other")))
        assert await other.report((mine, NOTHING)) == ["refused"]
        assert await pool.run.events() == []

    async def test_as_many_lines_as_outcomes_are_expected(self, pool: Pool) -> None:
        body = json.dumps({"worker": WORKER, "outcomes": [{}]}).encode()
        assert (await pool.ask("report", body)).status_code == 400
        assert (await pool.ask("report", body + b"\n{}\n{}")).status_code == 400
        assert (
            await pool.ask("report", json.dumps({"worker": WORKER, "outcomes": [1]}).encode() + b"\n1")
        ).status_code == 400

    async def test_a_task_is_fetched_by_who_was_given_it_and_while_it_is_open(self, pool: Pool) -> None:
        (task,) = await pool.run.queue([{}])
        about = (await pool.lease()).about()
        assert (await replace(pool, worker="worker-2").ask("task", **about)).status_code == 403
        assert (await pool.ask("task", **about)).status_code == 200
        await pool.run.close(task)
        assert (await pool.ask("task", **about)).status_code == 410


class TestAccess:
    @pytest.mark.parametrize("verb", METHODS)
    async def test_the_token_of_the_pool_is_asked_for(self, pool: Pool, verb: str) -> None:
        other = task_token(KEY, pool_fence("shop/other"))
        for token in ("x", other, task_token(KEY, POOL)):
            assert (await replace(pool, token=token).ask(verb)).status_code == 401

    @pytest.mark.parametrize(
        "path", ["shop", "shop/workers", "shop/workers/other", "shop/workers/lease/more", "a b/c/lease"]
    )
    async def test_other_addresses_are_not_there(self, pool: Pool, path: str) -> None:
        headers = {"Authorization": f"Bearer {pool.token}"}
        answer = await pool.gateway.client.post(f"/v1/pools/{path}", headers=headers)
        assert answer.status_code in (401, 404)

    async def test_methods_are_those_of_the_protocol(self, pool: Pool) -> None:
        headers = {"Authorization": f"Bearer {pool.token}"}
        answer = await pool.gateway.client.get(f"/v1/pools/{POOL}/lease", headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")

    async def test_requests_are_counted_by_verb(self, pool: Pool) -> None:
        await pool.run.queue([{}])
        await pool.lease()
        assert _count(pool.gateway.registry, verb="pool lease", code="200") == 1


class Away(MemoryStore):
    """Takes and gives nothing."""

    async def lease(self, *_: object) -> Any:
        raise StoreUnavailable("away")

    extend = append_all = open_task = lease  # type: ignore[assignment]


async def test_a_worker_is_asked_to_repeat_while_the_store_is_away() -> None:
    store = Away()
    async with running_gateway(store) as gateway:
        pool = Pool(gateway, PooledRun(store))
        assert (await pool.ask("lease", limit=1)).status_code == 503
        assert (await pool.ask("heartbeat", leases=["a/b"])).status_code == 503


def _count(registry: CollectorRegistry, **labels: str) -> float:
    return registry.get_sample_value("reactor_gateway_requests_total", labels) or 0.0


def test_a_task_has_no_path_that_a_pool_could_be_taken_for() -> None:
    assert task_token(KEY, pool_fence("shop/workers")) != task_token(KEY, f"{RUN}/{Task('a', Action.RUN, 1, 1, 1).key}")
