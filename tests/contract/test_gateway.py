"""The protocol of docs/protocol.md over real HTTP: every row of its table, and what each answers."""

import asyncio
import hashlib
import json

import pytest
from prometheus_client import CollectorRegistry

from reactor_operator.engine.events import TaskStarted, TaskSucceeded, TaskUploaded
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.bodies import BODY_LIMIT
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.store.codec import decode_event
from reactor_operator.store.port import Appended, Entry
from tests.contract.gateway_server import (
    ARGUMENTS,
    NOW,
    OTHER_NONCE,
    RUN,
    SUCCEEDED,
    TASK,
    Gateway,
    close_task,
    open_task,
)


class TestCheckIn:
    async def test_it_brings_the_arguments_byte_for_byte(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        answer = await gateway.ask("POST", "check-in")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert ARGUMENTS in answer.content
        assert set(answer.json()) == {"arguments", "result", "failure", "uncertain"}

    async def test_it_brings_the_result_to_an_undo_and_the_failure_to_a_compensate(self, gateway: Gateway) -> None:
        undo = Task("charge", Action.UNDO, 1, 1, 1)
        ref = reference_to(ARGUMENTS)
        record = OpenRecord(arguments=ref, result=ref, failure=b'{"kind":"Error"}', uncertain=True)
        await open_task(gateway.store, undo, record)
        assert (await gateway.ask("POST", "check-in", task=undo)).json() == {
            "arguments": json.loads(ARGUMENTS),
            "result": json.loads(ARGUMENTS),
            "failure": {"kind": "Error"},
            "uncertain": True,
        }

    async def test_it_brings_what_explains_the_failure_byte_for_byte(self, gateway: Gateway) -> None:
        compensate = Task("charge", Action.COMPENSATE, 1, 1, 1)
        record = OpenRecord(failure=b'{"kind":"Error"}', detail=reference_to(ARGUMENTS))
        await open_task(gateway.store, compensate, record)
        answer = await gateway.ask("POST", "check-in", task=compensate)
        assert answer.json()["failure"] == {"kind": "Error", "detail": json.loads(ARGUMENTS)}
        assert b'"detail":' + ARGUMENTS in answer.content
        failure = await gateway.ask("GET", "failure", task=compensate, nonce=None)
        assert failure.json() == answer.json()["failure"]

    async def test_it_brings_what_an_http_action_sends(self, gateway: Gateway) -> None:
        await open_task(gateway.store, record=OpenRecord(request=reference_to(ARGUMENTS)))
        answer = await gateway.ask("POST", "check-in")
        assert answer.json()["request"] == json.loads(ARGUMENTS)

    async def test_a_task_without_arguments_gets_an_empty_object(self, gateway: Gateway) -> None:
        await open_task(gateway.store, record=OpenRecord())
        assert (await gateway.ask("POST", "check-in")).json() == {
            "arguments": {},
            "result": None,
            "failure": None,
            "uncertain": False,
        }

    async def test_the_start_is_recorded_before_the_arguments_are_given(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.ask("POST", "check-in")
        assert [decode_event(body) for body in await gateway.inbox()] == [TaskStarted(task=TASK, at=NOW)]

    async def test_the_same_process_gets_the_same_answer_again_and_starts_once(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        first, second = [await gateway.ask("POST", "check-in") for _ in range(2)]
        assert first.content == second.content
        assert len(await gateway.inbox()) == 1

    async def test_another_process_is_refused(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.ask("POST", "check-in")
        answer = await gateway.ask("POST", "check-in", nonce=OTHER_NONCE)
        assert answer.status_code == 409
        assert "another process" in answer.json()["error"]

    async def test_a_task_that_is_closed_superseded_or_unknown_is_gone(self, gateway: Gateway) -> None:
        assert (await gateway.ask("POST", "check-in")).status_code == 410
        await open_task(gateway.store)
        await close_task(gateway.store)
        assert (await gateway.ask("POST", "check-in")).status_code == 410
        assert await gateway.inbox() == []

    async def test_a_task_whose_outcome_was_seen_elsewhere_is_gone(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.store.append(Entry(run=RUN, task=TASK.key, final=True, digest="d", body=b"lost"))
        assert (await gateway.ask("POST", "check-in")).status_code == 410

    @pytest.mark.parametrize(
        "record",
        [
            OpenRecord(arguments=reference_to(b'{"lost":1}')),
            OpenRecord(failure=b'{"kind":"Error"}', detail=reference_to(b'{"lost":1}')),
        ],
    )
    async def test_what_the_store_lost_is_not_made_up(self, gateway: Gateway, record: OpenRecord) -> None:
        await open_task(gateway.store, record=record)
        answer = await gateway.ask("POST", "check-in")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert await gateway.inbox() == []

    @pytest.mark.parametrize("nonce", [None, "", "g" * 32, "a" * 31, "a" * 33, "a" * 64_000])
    async def test_a_nonce_is_32_hex_digits(self, gateway: Gateway, nonce: str | None) -> None:
        await open_task(gateway.store)
        answer = await gateway.ask("POST", "check-in", nonce=nonce)
        assert answer.status_code in {400, 431}
        assert await gateway.inbox() == []


class TestOutcome:
    async def test_it_is_recorded_with_its_value(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.ask("POST", "check-in")
        assert (await gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code == 200
        result = reference_to(b'{"id":1}')
        assert decode_event((await gateway.inbox())[1]) == TaskSucceeded(task=TASK, result=result)
        assert await gateway.store.get_values(RUN, frozenset({result.digest})) == {result.digest: b'{"id":1}'}

    async def test_the_same_bytes_again_are_the_same_outcome(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        answers = [(await gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code for _ in range(3)]
        assert answers == [200, 200, 200]
        assert len(await gateway.inbox()) == 1

    async def test_another_outcome_is_refused(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.ask("PUT", "outcome", content=SUCCEEDED)
        answer = await gateway.ask("PUT", "outcome", content=b'{"type":"succeeded","result":{"id":2}}')
        assert answer.status_code == 409
        assert len(await gateway.inbox()) == 1

    async def test_an_outcome_of_a_process_that_did_not_check_in_is_refused(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.ask("POST", "check-in")
        answer = await gateway.ask("PUT", "outcome", content=SUCCEEDED, nonce=OTHER_NONCE)
        assert answer.status_code == 409
        assert (await gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code == 200

    async def test_an_outcome_of_a_closed_task_is_gone(self, gateway: Gateway) -> None:
        assert (await gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code == 410
        await open_task(gateway.store)
        await close_task(gateway.store)
        assert (await gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code == 410

    async def test_its_digest_is_that_of_the_document(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        await gateway.ask("PUT", "outcome", content=SUCCEEDED)
        found = await gateway.store.open_task(RUN, TASK.key)
        assert found is not None
        assert found.outcome == hashlib.sha256(SUCCEEDED).hexdigest()

    async def test_a_broken_document_is_named_and_leaves_the_task_open(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        answer = await gateway.ask("PUT", "outcome", content=b'{"type":"exploded"}')
        assert answer.status_code == 400
        assert "field type: found 'exploded'" in answer.json()["error"]
        assert (await gateway.ask("PUT", "outcome", content=SUCCEEDED)).status_code == 200

    async def test_a_result_of_32_mib_fits(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        document = b'{"type":"succeeded","result":"%b"}' % (b"x" * (BODY_LIMIT - 2))
        assert (await gateway.ask("PUT", "outcome", content=document)).status_code == 200

    async def test_outcomes_of_many_tasks_at_once_are_all_recorded(self, gateway: Gateway) -> None:
        tasks = [Task(f"step-{i}", Action.RUN, 1, 1, 1) for i in range(30)]
        for task in tasks:
            await open_task(gateway.store, task)
        checked = await asyncio.gather(*(gateway.ask("POST", "check-in", task=task) for task in tasks))
        ended = await asyncio.gather(*(gateway.ask("PUT", "outcome", task=task, content=SUCCEEDED) for task in tasks))
        assert {answer.status_code for answer in (*checked, *ended)} == {200}
        assert len(await gateway.inbox()) == 60


class TestOutput:
    async def test_an_output_that_is_json_is_kept_as_it_is(self, gateway: Gateway) -> None:
        await open_task(gateway.store)
        answer = await gateway.ask(
            "PUT", "output", nonce=None, content=b'{ "a": 1 }\n', headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 200
        ref = reference_to(b'{ "a": 1 }\n')
        assert [decode_event(body) for body in await gateway.inbox()] == [TaskUploaded(task=TASK, result=ref)]
        assert await gateway.store.get_values(RUN, frozenset({ref.digest})) == {ref.digest: b'{ "a": 1 }\n'}

    @pytest.mark.parametrize(
        ("content_type", "body", "kept"),
        [
            ("text/plain", b"plain \xff text", '"plain � text"'.encode()),
            ("text/plain; charset=utf-8", b"42", b'"42"'),
            ("application/json", b"{broken", b'"{broken"'),
            ("", b"", b'""'),
        ],
    )
    async def test_other_output_is_one_string_and_marked_as_text(
        self, gateway: Gateway, content_type: str, body: bytes, kept: bytes
    ) -> None:
        await open_task(gateway.store)
        await gateway.ask("PUT", "output", nonce=None, content=body, headers={"Content-Type": content_type})
        ref = reference_to(kept)
        told = [decode_event(event) for event in await gateway.inbox()]
        assert told == [TaskUploaded(task=TASK, result=ref, text=True)]
        assert await gateway.store.get_values(RUN, frozenset({ref.digest})) == {ref.digest: kept}

    async def test_output_of_a_closed_task_or_after_its_outcome_is_gone(self, gateway: Gateway) -> None:
        assert (await gateway.ask("PUT", "output", nonce=None, content=b"x")).status_code == 410
        await open_task(gateway.store)
        await gateway.ask("PUT", "outcome", content=SUCCEEDED)
        assert (await gateway.ask("PUT", "output", nonce=None, content=b"x")).status_code == 410


class TestDocuments:
    async def test_each_is_sent_byte_for_byte(self, gateway: Gateway) -> None:
        ref = reference_to(ARGUMENTS)
        await open_task(gateway.store, record=OpenRecord(arguments=ref, result=ref, failure=b'{"kind":"Error"}'))
        for verb, expected in {"arguments": ARGUMENTS, "result": ARGUMENTS, "failure": b'{"kind":"Error"}'}.items():
            answer = await gateway.ask("GET", verb, nonce=None)
            assert (answer.status_code, answer.content) == (200, expected)
        assert await gateway.inbox() == []

    @pytest.mark.parametrize("verb", ["result", "failure"])
    async def test_one_that_is_not_there_is_not_found(self, gateway: Gateway, verb: str) -> None:
        await open_task(gateway.store, record=OpenRecord())
        assert (await gateway.ask("GET", verb, nonce=None)).status_code == 404

    async def test_a_task_without_arguments_has_an_empty_object(self, gateway: Gateway) -> None:
        await open_task(gateway.store, record=OpenRecord())
        assert (await gateway.ask("GET", "arguments", nonce=None)).content == b"{}"

    @pytest.mark.parametrize("verb", ["arguments", "result", "failure"])
    async def test_those_of_a_closed_task_are_gone(self, gateway: Gateway, verb: str) -> None:
        assert (await gateway.ask("GET", verb, nonce=None)).status_code == 410


class TestMetrics:
    async def test_answers_are_counted_by_verb_and_code(self, open_gateway: Gateway) -> None:
        await open_gateway.ask("POST", "check-in")
        await open_gateway.ask("POST", "check-in", nonce=OTHER_NONCE)
        await open_gateway.ask("POST", "made-up-by-the-task")
        registry: CollectorRegistry = open_gateway.registry
        for verb, code in (("check-in", "200"), ("check-in", "409"), ("", "404")):
            labels = {"verb": verb, "code": code}
            assert registry.get_sample_value("reactor_gateway_requests_total", labels) == 1


async def test_an_entry_recorded_by_the_gateway_is_known_to_the_pod_watcher(gateway: Gateway) -> None:
    await open_task(gateway.store)
    await gateway.ask("POST", "check-in")
    await gateway.ask("PUT", "outcome", content=SUCCEEDED)
    digest = hashlib.sha256(SUCCEEDED).hexdigest()
    seen_in_pod = Entry(run=RUN, task=TASK.key, final=True, digest=digest, body=b"the same")
    assert await gateway.store.append(seen_in_pod) is Appended.REPEATED
