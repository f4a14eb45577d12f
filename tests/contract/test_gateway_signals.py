"""Signals by HTTP: what the run answers is what whoever sent one is told, once the commit that says so is there."""

import asyncio
from typing import cast

import pytest

from reactor_operator.engine.events import ResumeRequested
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.redis import RedisStore
from tests.contract.gateway_server import ServedStore
from tests.contract.newer_redis import newer_redis
from tests.contract.redis_server import RedisServer
from tests.contract.signal_server import CORRELATION_ID, RESUME, Signals, WaitingRun, signalling
from tests.unit.reconciling.conftest import REF

BY_ID = {"namespace": "shop", "reactor": "x", "correlationId": CORRELATION_ID, "action": "resume"}
CANCEL = {"namespace": "shop", "run": "r", "action": "cancel"}


class TestAnswers:
    async def test_a_payload_that_is_taken_is_accepted_in_the_name_of_the_caller(self, signals: Signals) -> None:
        answer = await signals.post(RESUME, messageId="m-1", reason="looks fine")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json() == {"id": "m-1", "run": "r", "answer": "accepted", "reason": "looks fine"}
        (told,) = (await signals.header()).signals
        assert (told.id, told.by, told.step, told.accepted) == ("m-1", "ann", "approve", True)

    async def test_a_payload_that_is_not_is_refused_with_every_error(self, signals: Signals) -> None:
        answer = await signals.post(RESUME, messageId="m-1", payload={"approved": "yes", "by": ""})
        assert answer.status_code == 422
        told = answer.json()
        assert told["answer"] == "rejected"
        assert told["reason"] == "the payload is invalid: send another one"
        assert [error.partition(":")[0] for error in told["errors"]] == ["payload.approved", "payload.by"]

    async def test_a_dry_run_says_what_would_be_and_changes_nothing(self, signals: Signals) -> None:
        answer = await signals.post(RESUME, dryRun=True)
        assert (answer.status_code, answer.json()["reason"]) == (200, "it would be accepted")
        assert (await signals.post(RESUME)).status_code == 200

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"step": "nothing"}, "the run has no step nothing"),
            ({"step": "ship"}, "step ship is a task, expected an interrupt"),
            ({"step": "later"}, "interrupt later is not open yet"),
            (
                {"action": "retry", "step": None, "payload": None},
                "the run goes on: cancel it first, or wait for its end",
            ),
        ],
    )
    async def test_what_the_run_refuses_is_a_conflict(
        self, signals: Signals, changed: dict[str, object], reason: str
    ) -> None:
        answer = await signals.post({**RESUME, **changed})
        assert (answer.status_code, answer.json()["reason"]) == (409, reason)
        assert answer.json()["errors"] == []

    async def test_a_second_payload_is_told_that_the_interrupt_is_closed(self, signals: Signals) -> None:
        await signals.post(RESUME, messageId="first")
        answer = await signals.post(RESUME, messageId="second")
        assert (answer.status_code, answer.json()["reason"]) == (409, "interrupt approve is closed: it is Succeeded")

    @pytest.mark.parametrize(
        ("body", "wrong"),
        [
            ({**CANCEL, "payload": 1}, "unknown field 'payload' in cancel, expected reason"),
            ({**RESUME, "payload": "x" * 70_000}, "found 70002 bytes of JSON, expected at most 65536"),
            ({**CANCEL, "action": "retry", "arguments": {}}, "arguments without a step: expected step"),
        ],
    )
    async def test_what_no_run_could_read_reaches_none(
        self, signals: Signals, body: dict[str, object], wrong: str
    ) -> None:
        answer = await signals.post(body)
        assert (answer.status_code, answer.json()["answer"]) == (422, "rejected")
        assert wrong in answer.json()["reason"]
        assert answer.json()["errors"] == [answer.json()["reason"]]
        assert (await signals.header()).signals == ()

    async def test_a_run_that_is_not_stored_is_told_so(self, signals: Signals) -> None:
        answer = await signals.post(CANCEL, run="new")
        assert (answer.status_code, answer.json()["answer"]) == (409, "rejected")
        assert "has not started yet" in answer.json()["reason"]

    async def test_another_run_of_the_same_name_is_not_asked(self, signals: Signals) -> None:
        answer = await signals.post(CANCEL, runUid="another")
        assert (answer.status_code, answer.json()["error"][:23]) == (409, "runUid: found 'another'")
        assert (await signals.post(CANCEL, runUid=REF.uid)).status_code == 200


class TestRepeating:
    async def test_the_same_message_again_changes_nothing_and_is_answered_the_same(self, signals: Signals) -> None:
        first, second = [await signals.post(RESUME, messageId="m-1") for _ in range(2)]
        assert first.json() == second.json()
        assert len((await signals.header()).signals) == 1

    async def test_it_is_even_where_others_have_taken_the_place_of_its_answer(self, signals: Signals) -> None:
        await signals.post(RESUME, messageId="m-1")
        await signals.post(CANCEL, action="retry", messageId="m-2")
        for number in range(20):
            await signals.post(CANCEL, action="retry", messageId=f"more-{number}")
        assert (await signals.post(RESUME, messageId="m-1")).json()["answer"] == "accepted"
        forgotten = await signals.post(CANCEL, action="retry", messageId="m-2")
        assert (forgotten.status_code, "answered before" in forgotten.json()["reason"]) == (409, True)

    async def test_without_an_id_the_same_words_are_one_request_until_it_is_answered(
        self, served_store: ServedStore
    ) -> None:
        async with signalling(served_store, wait_seconds=0.05) as signals:
            first, second = [await signals.post(CANCEL) for _ in range(2)]
            assert first.json() == second.json()
            assert len(await signals.inbox()) == 1
            other = await signals.post(CANCEL, token="token-of-bob")
            assert other.json()["id"] != first.json()["id"]

    async def test_said_again_after_the_answer_they_are_another_one(self, signals: Signals) -> None:
        first, second = [await signals.post(CANCEL, action="retry") for _ in range(2)]
        assert first.json()["id"] != second.json()["id"]
        assert len((await signals.header()).signals) == 2


class TestPending:
    async def test_nothing_is_accepted_before_the_commit_that_consumed_it(self, served_store: ServedStore) -> None:
        async with signalling(served_store, wait_seconds=0.2) as signals:
            answer = await signals.post(RESUME, messageId="a/b c")
            assert answer.status_code == 202
            assert answer.json() == {"id": "a/b c", "run": "r", "answer": "pending"}
            assert len(await signals.inbox()) == 1
            again = await signals.look("shop/r/a%2Fb%20c")
            assert (again.status_code, again.json()) == (202, answer.json())
            await signals.run.reconcile()
            answered = await signals.look("shop/r/a%2Fb%20c")
            assert (answered.status_code, answered.json()["answer"]) == (200, "accepted")

    async def test_the_answer_comes_while_it_is_waited_for(self, served_store: ServedStore) -> None:
        async with signalling(served_store) as signals:
            waiting = asyncio.create_task(signals.post(RESUME, messageId="m-1"))
            async with signals.run.answering():
                assert (await waiting).json()["answer"] == "accepted"

    async def test_nor_before_that_commit_is_on_disk(self, redis_server: RedisServer, installation: str) -> None:
        """Redis shows a commit to all as soon as it is in memory; its writer alone waits for the disk."""
        operator = RedisStore(redis_server.url, installation)
        async with newer_redis(redis_server.port) as newer:
            store = RedisStore(newer.url, installation)
            async with signalling(store, wait_seconds=0.05) as signals:
                assert (await signals.post(RESUME, messageId="m-1")).status_code == 202
                await WaitingRun(cast("MemoryStore", operator)).reconcile()
                newer.on_disk = 0
                assert (await signals.look("shop/r/m-1")).status_code == 503
                newer.on_disk = 1
                assert (await signals.look("shop/r/m-1")).json()["answer"] == "accepted"
            await store.close()
        await operator.close()

    @pytest.mark.parametrize(
        ("path", "told"),
        [
            ("shop/r/unknown", "run shop/r knows no signal 'unknown'"),
            ("shop/nothing/1", "there is no run 'nothing' in namespace shop"),
            ("shop/new/1", "run shop/new knows no signal '1'"),
            ("shop/r", "no such address"),
            ("shop/r/1/2", "no such address"),
            ("shop//1", "no such address"),
            ("shop/%2E%2E/1", "no such address"),
            ("Shop/r/1", "no such address"),
        ],
    )
    async def test_what_is_not_known_is_not_found(self, signals: Signals, path: str, told: str) -> None:
        answer = await signals.look(path)
        assert answer.status_code == 404
        assert told in answer.json()["error"]


class TestCorrelationIds:
    async def test_the_interrupt_that_waits_under_an_id_is_resumed(self, signals: Signals) -> None:
        answer = await signals.post(BY_ID, payload={"approved": True}, messageId="m-1")
        assert answer.json() == {"id": "m-1", "run": "r", "answer": "accepted"}
        assert (await signals.header()).signals[-1].step == "approve"

    async def test_a_step_beside_the_id_must_be_the_one_that_waits(self, signals: Signals) -> None:
        answer = await signals.post(BY_ID, payload={"approved": True}, step="sign")
        assert (answer.status_code, answer.json()["answer"]) == (409, "rejected")
        assert "found 'sign', expected 'approve'" in answer.json()["reason"]

    async def test_it_is_for_the_round_in_which_it_was_found_alone(self, served_store: ServedStore) -> None:
        async with signalling(served_store, wait_seconds=0.05) as signals:
            await signals.post(BY_ID, payload={"approved": True}, messageId="m-1")
            await signals.post(BY_ID, action="skip", messageId="m-2")
            await signals.post(RESUME, messageId="m-3")
            asked = [decode_event(body) for body in await signals.inbox()]
        assert [getattr(one, "step", "") for one in asked] == ["approve"] * 3
        assert [getattr(one, "round", None) for one in asked] == [1, 1, 0]

    async def test_one_that_is_closed_says_so_and_a_message_that_was_answered_is_answered_again(
        self, signals: Signals
    ) -> None:
        first = await signals.post(BY_ID, payload={"approved": True}, messageId="m-1")
        again = await signals.post(BY_ID, payload={"approved": True}, messageId="m-1")
        assert again.json() == first.json()
        other = await signals.post(BY_ID, payload={"approved": True}, messageId="m-2")
        assert (other.status_code, other.json()["reason"]) == (409, "interrupt approve is closed")

    @pytest.mark.parametrize("changed", [{"correlationId": "order/8"}, {"reactor": "y"}])
    async def test_one_that_nobody_has_is_not_found(self, signals: Signals, changed: dict[str, object]) -> None:
        assert (await signals.post({**BY_ID, **changed})).status_code == 404

    async def test_one_of_another_namespace_is_not_found(self, signals: Signals) -> None:
        answer = await signals.post(BY_ID, token="token-of-cy", namespace="bank")
        assert answer.status_code == 404


class TestSensitive:
    async def test_a_payload_for_a_sensitive_step_is_encrypted_before_it_is_stored(self) -> None:
        store = MemoryStore()
        async with signalling(store, wait_seconds=0.05) as signals:
            await signals.post(RESUME, step="secret", payload="CANARY")
            (body,) = await signals.inbox()
            assert isinstance(decode_event(body), ResumeRequested)
            assert "CANARY" not in repr(vars(store))
