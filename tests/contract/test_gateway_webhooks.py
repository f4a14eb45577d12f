"""Webhooks: who proves to have the key resumes what waits under the id, once; everybody else learns nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from reactor_operator.engine.state import Header
from reactor_operator.notifications.signing import sign
from reactor_operator.reconciling.records import read_header
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import NOW, ServedStore
from tests.contract.webhook_server import FINISHED, KEY_OF_REPORTS, WEBHOOK, Deliveries, delivering
from tests.unit.reconciling.conftest import REF


@pytest_asyncio.fixture
async def deliveries(tmp_path: Path) -> AsyncIterator[Deliveries]:
    """A gateway that takes deliveries for a run that waits, and whose operator answers."""
    async with delivering(MemoryStore(), tmp_path) as served:
        await served.run.reconcile()
        async with served.run.answering():
            yield served


async def header_of(deliveries: Deliveries) -> Header:
    header = read_header(await deliveries.gateway.store.load(REF.uid))
    assert header is not None
    return header


class TestAnswers:
    async def test_a_delivery_that_matches_resumes_what_waits(self, served_store: ServedStore, tmp_path: Path) -> None:
        async with delivering(served_store, tmp_path) as deliveries:
            await deliveries.run.reconcile()
            async with deliveries.run.answering():
                answer = await deliveries.deliver()
            assert (answer.status_code, answer.json()) == (
                200,
                {"id": "webhook.reports.msg_1", "run": "r", "answer": "accepted"},
            )
            (told,) = (await header_of(deliveries)).signals
            assert (told.step, told.by, told.accepted) == ("approve", "webhook reports", True)

    async def test_one_that_does_not_match_counts_for_nothing(self, deliveries: Deliveries) -> None:
        answer = await deliveries.deliver({**FINISHED, "event": "started"})
        assert (answer.status_code, answer.json()) == (202, {"answer": "ignored"})
        assert (await header_of(deliveries)).signals == ()
        assert (await deliveries.deliver()).status_code == 200

    async def test_a_payload_that_is_not_taken_is_told_with_every_error(self, deliveries: Deliveries) -> None:
        answer = await deliveries.deliver({**FINISHED, "ok": "yes"})
        assert answer.status_code == 422
        assert answer.json()["errors"] == ["payload.approved: 'yes' is not of type \"boolean\""]
        assert (await deliveries.deliver(id_="msg_2")).status_code == 200

    async def test_without_an_expression_the_body_is_the_payload(self, tmp_path: Path) -> None:
        plain: dict[str, object] = {"name": "reports", "secret": "reports", "correlationId": "headers['x-order']"}
        async with delivering(MemoryStore(), tmp_path, plain) as deliveries:
            await deliveries.run.reconcile()
            async with deliveries.run.answering():
                answer = await deliveries.deliver({"approved": False}, headers={"X-Order": "order/7"})
            assert answer.json()["answer"] == "accepted"

    async def test_a_notification_of_ours_is_a_delivery(self, deliveries: Deliveries) -> None:
        body = b'{"event":"finished","id":"order/7","ok":true}'
        for second in (NOW // 1_000, NOW // 1_000 + 60):
            headers = {"Reactor-Signature": sign(KEY_OF_REPORTS, body, second)}
            answer = await deliveries.gateway.client.post("/v1/webhooks/shop/x/reports", content=body, headers=headers)
            assert (answer.status_code, answer.json()["answer"]) == (200, "accepted")
        assert len((await header_of(deliveries)).signals) == 1


class TestRepetition:
    async def test_a_delivery_again_is_answered_the_same_and_changes_nothing(self, deliveries: Deliveries) -> None:
        first, *others = [await deliveries.deliver() for _ in range(3)]
        assert first.status_code == 200
        assert {other.content for other in others} == {first.content}
        assert len((await header_of(deliveries)).signals) == 1

    async def test_many_at_once_resume_once(self, deliveries: Deliveries) -> None:
        answers = await asyncio.gather(*(deliveries.deliver() for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert len((await header_of(deliveries)).signals) == 1

    async def test_another_delivery_is_told_that_it_comes_too_late(self, deliveries: Deliveries) -> None:
        await deliveries.deliver()
        answer = await deliveries.deliver(id_="msg_2")
        assert (answer.status_code, answer.json()["reason"]) == (409, "interrupt approve is closed")

    async def test_the_same_delivery_is_another_one_at_another_webhook(self, tmp_path: Path) -> None:
        other = {**WEBHOOK, "name": "other"}
        async with delivering(MemoryStore(), tmp_path, WEBHOOK, other) as deliveries:
            await deliveries.run.reconcile()
            async with deliveries.run.answering():
                assert (await deliveries.deliver()).status_code == 200
                assert (await deliveries.deliver(to="shop/x/other")).status_code == 409


class TestProof:
    @pytest.mark.parametrize("to", ["shop/x/reports", "shop/x/other", "shop/y/reports", "bank/x/reports"])
    async def test_without_the_key_nobody_learns_what_there_is(self, deliveries: Deliveries, to: str) -> None:
        answer = await deliveries.deliver(to=to, key=b"another-key-another-key-another-")
        assert answer.status_code == 401
        assert "other" not in answer.text.replace("another", "")
        assert (await header_of(deliveries)).signals == ()

    async def test_nothing_is_asked_of_the_api_server_for_who_proves_nothing(self, deliveries: Deliveries) -> None:
        answer = await deliveries.gateway.client.post("/v1/webhooks/shop/x/reports", content=b"{}")
        assert (answer.status_code, deliveries.reactors.asked) == (401, [])

    @pytest.mark.parametrize("off", [-301, 301])
    async def test_what_was_signed_long_ago_is_refused(self, deliveries: Deliveries, off: int) -> None:
        answer = await deliveries.deliver(second=NOW // 1_000 + off)
        assert (answer.status_code, "sign it anew" in answer.json()["error"]) == (401, True)

    async def test_a_key_that_is_replaced_counts_at_once(self, deliveries: Deliveries) -> None:
        other = b"another-key-another-key-another-"
        (deliveries.folder / "reports").write_bytes(other)
        assert (await deliveries.deliver()).status_code == 401
        assert (await deliveries.deliver(key=other)).status_code == 200

    @pytest.mark.parametrize("key", [None, b"short"])
    async def test_without_a_key_that_is_worth_something_nobody_is_let_in(
        self, deliveries: Deliveries, key: bytes | None
    ) -> None:
        path = deliveries.folder / "reports"
        path.unlink() if key is None else path.write_bytes(key)
        assert (await deliveries.deliver(key=key or b"")).status_code == 401


class TestInput:
    @pytest.mark.parametrize(
        ("body", "word"),
        [
            (b"", "expected JSON"),
            (b"no JSON", "expected JSON"),
            (b"\xff\xfe", "expected JSON"),
            (b'{"a":NaN}', "expected JSON"),
            (b"[" * 2_000 + b"]" * 2_000, "expected JSON"),
            (b"[" + b"0," * 200_000 + b"0]", "more than 100000 members"),
        ],
    )
    async def test_a_body_that_is_no_json_is_told_so(self, deliveries: Deliveries, body: bytes, word: str) -> None:
        answer = await deliveries.deliver(body)
        assert (answer.status_code, word in answer.json()["error"]) == (400, True)

    async def test_a_body_of_two_megabytes_is_not_read(self, deliveries: Deliveries) -> None:
        assert (await deliveries.deliver(b" " * 2_000_000)).status_code == 413

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            ([], "webhook reports: match: "),
            ({"id": "order/7"}, "webhook reports: match: no such key: event"),
            ({"event": "finished", "ok": True}, "webhook reports: correlationId: no such key: id"),
            ({"event": "finished", "ok": True, "id": 7}, "webhook reports: correlationId: found 7, expected a text"),
            ({"event": "finished", "ok": True, "id": "a\nb"}, "webhook reports: correlationId: found 'a"),
            ({"event": "finished", "id": "order/7"}, "webhook reports: payload: no such key: ok"),
        ],
    )
    async def test_what_the_expressions_cannot_read_is_told_with_the_field(
        self, deliveries: Deliveries, body: object, word: str
    ) -> None:
        answer = await deliveries.deliver(body)
        assert (answer.status_code, answer.json()["error"].startswith(word)) == (422, True), answer.text

    async def test_an_expression_that_never_ends_is_stopped_and_the_next_is_answered(self, tmp_path: Path) -> None:
        slow = {**WEBHOOK, "match": "body.n.map(a, body.n.map(b, body.n.map(c, body.n.size()))).size() > 0"}
        async with delivering(MemoryStore(), tmp_path, slow, {**WEBHOOK, "name": "quick"}) as deliveries:
            await deliveries.run.reconcile()
            async with deliveries.run.answering():
                late = await deliveries.deliver({**FINISHED, "n": list(range(2_000))})
                assert (late.status_code, "match: took more than 1s" in late.json()["error"]) == (422, True)
                assert (await deliveries.deliver(to="shop/x/quick")).status_code == 200

    @pytest.mark.parametrize(
        ("method", "path", "code"),
        [
            ("GET", "shop/x/reports", 405),
            ("POST", "shop/x", 404),
            ("POST", "shop/x/reports/more", 404),
            ("POST", "shop/x/Reports", 404),
            ("POST", "shop/..%2Fx/reports", 404),
            ("POST", f"shop/{'x' * 300}/reports", 404),
        ],
    )
    async def test_another_address_or_method_is_told(
        self, deliveries: Deliveries, method: str, path: str, code: int
    ) -> None:
        assert (await deliveries.gateway.client.request(method, f"/v1/webhooks/{path}")).status_code == code


class TestTargets:
    async def test_an_id_under_which_nothing_waits_is_told(self, deliveries: Deliveries) -> None:
        answer = await deliveries.deliver({**FINISHED, "id": "order/8"})
        assert (answer.status_code, answer.headers["retry-after"]) == (404, "30")
        assert answer.json()["error"] == "no interrupt of reactor shop/x waits under the id 'order/8'"

    async def test_one_that_comes_a_moment_before_the_interrupt_opens_waits_for_it(self, tmp_path: Path) -> None:
        async with delivering(MemoryStore(), tmp_path, opening=5.0) as deliveries:
            delivered = asyncio.create_task(deliveries.deliver())
            await asyncio.sleep(0.3)
            async with deliveries.run.answering():
                assert (await delivered).status_code == 200

    async def test_a_webhook_that_means_another_interrupt_resumes_none(self, tmp_path: Path) -> None:
        async with delivering(MemoryStore(), tmp_path, {**WEBHOOK, "step": "sign"}) as deliveries:
            await deliveries.run.reconcile()
            answer = await deliveries.deliver()
            assert answer.status_code == 409
            assert answer.json()["error"] == "webhook reports: the id 'order/7' is that of approve, expected of sign"


class TestLimits:
    async def test_more_than_an_address_takes_are_told_when_to_come_again(self, tmp_path: Path) -> None:
        ignored = {**FINISHED, "event": "started"}
        other = {**WEBHOOK, "name": "other"}
        async with delivering(MemoryStore(), tmp_path, WEBHOOK, other, per_second=0.1) as deliveries:
            answers = [await deliveries.deliver(ignored) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [202, 429, 429]
            assert 0 < int(answers[1].headers["retry-after"]) <= 10
            assert (await deliveries.deliver(ignored, to="shop/x/other")).status_code == 202

    async def test_who_has_no_key_uses_up_nothing(self, tmp_path: Path) -> None:
        async with delivering(MemoryStore(), tmp_path, per_second=0.1) as deliveries:
            for _ in range(10):
                assert (await deliveries.deliver(key=b"another-key-another-key-another-")).status_code == 401
            assert (await deliveries.deliver({**FINISHED, "event": "started"})).status_code == 202

    async def test_a_reactor_is_read_once_in_half_a_minute(self, deliveries: Deliveries) -> None:
        for _ in range(3):
            await deliveries.deliver()
        assert deliveries.reactors.asked == ["shop/x"]


class TestAway:
    async def test_while_the_api_server_is_away_the_sender_is_to_try_again(self, deliveries: Deliveries) -> None:
        deliveries.reactors.away = True
        answer = await deliveries.deliver()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        deliveries.reactors.away = False
        assert (await deliveries.deliver()).status_code == 200
