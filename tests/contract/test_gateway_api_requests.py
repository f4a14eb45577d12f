"""What people ask of runs by the API: from a page of this address or from a program, with the right to; answered as by
`POST /v1/signals`, for it is the same function."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reactor_operator.engine.state import Header
from reactor_operator.reconciling.records import read_header
from tests.contract.looking import Looking, looking
from tests.contract.people import APPROVE, SIGNAL
from tests.unit.reconciling.conftest import REF

ASK = "runs/shop/r/requests"
RESUME = {"action": "resume", "step": "approve", "payload": {"approved": True}}


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    """Ann may act in shop, Vi may look there alone, Cy may act in bank alone."""
    async with looking() as served, served.run.answering():
        served.people.let("vi", "get reactorruns in namespace shop", "list reactorruns in namespace shop")
        served.people.let("cy", SIGNAL.format("bank"))
        yield served


async def header(look: Looking) -> Header:
    found = read_header(await look.run.store.load(REF.uid))
    assert found is not None
    return found


async def untouched(look: Looking) -> bool:
    """Tell whether the run was asked nothing."""
    found = await look.run.store.load(REF.uid)
    return found is not None and found.inbox == () and (await header(look)).signals == ()


class TestAnswers:
    async def test_what_the_run_accepts_is_committed_and_known_as_from_whoever_asked(self, look: Looking) -> None:
        answer = await look.post(ASK, {**RESUME, "messageId": "page-1"})
        assert (answer.status_code, answer.json()) == (200, {"id": "page-1", "run": "r", "answer": "accepted"})
        (signal,) = (await header(look)).signals
        assert (signal.id, signal.action, signal.accepted) == ("page-1", "resume", True)

    async def test_it_is_the_same_request_as_by_signals_and_is_answered_the_same(self, look: Looking) -> None:
        body = {**RESUME, "messageId": "page/1 ü"}
        first = await look.post(ASK, body)
        sent = {"namespace": "shop", "run": "r", **body}
        bearer = {"Authorization": "Bearer token-of-ann"}
        second = await look.client.post("/v1/signals", json=sent, headers=bearer)
        asked = await look.get(f"{ASK}/page%2F1%20%C3%BC")
        assert first.json() == second.json() == asked.json()
        assert len((await header(look)).signals) == 1

    async def test_what_is_wrong_with_a_payload_is_told_by_its_path(self, look: Looking) -> None:
        answer = await look.post(ASK, {**RESUME, "payload": {"approved": "yes"}})
        assert (answer.status_code, answer.json()["answer"]) == (422, "rejected")
        (error,) = answer.json()["errors"]
        assert error.startswith("payload.approved: 'yes' is not of type")

    async def test_what_the_run_refuses_is_told_with_its_reason(self, look: Looking) -> None:
        answer = await look.post(ASK, {"action": "retry"})
        assert (answer.status_code, answer.json()["answer"]) == (409, "rejected")
        assert answer.json()["reason"]

    async def test_a_run_of_another_uid_is_not_asked(self, look: Looking) -> None:
        answer = await look.post(ASK, {**RESUME, "runUid": "another"})
        assert (answer.status_code, "runUid" in answer.json()["error"]) == (409, True)
        assert await untouched(look)

    async def test_to_hold_still_and_to_go_on_count_over_what_was_said_before(self, look: Looking) -> None:
        assert (await look.post(ASK, {"action": "suspend", "reason": "the courier is away"})).status_code == 200
        assert (await header(look)).suspended
        again = await look.post(ASK, {"action": "suspend", "messageId": "again"})
        assert again.json()["reason"] == "the run is suspended already"
        assert (await look.post(ASK, {"action": "unsuspend"})).status_code == 200
        assert not (await header(look)).suspended

    async def test_who_sends_signals_may_suspend_as_well(self, look: Looking) -> None:
        bearer = {"Authorization": "Bearer token-of-ann"}
        for action, suspended in (("suspend", True), ("unsuspend", False)):
            body = {"namespace": "shop", "run": "r", "action": action}
            assert (await look.client.post("/v1/signals", json=body, headers=bearer)).status_code == 200
            assert (await header(look)).suspended is suspended

    async def test_a_dry_run_changes_nothing(self, look: Looking) -> None:
        assert (await look.post(ASK, {**RESUME, "dryRun": True})).json()["answer"] == "accepted"
        assert (await look.post(ASK, {**RESUME, "messageId": "real"})).json()["answer"] == "accepted"

    async def test_what_nobody_asked_is_not_known(self, look: Looking) -> None:
        assert (await look.get(f"{ASK}/nothing")).status_code == 404
        assert (await look.get(f"{ASK}/a/b")).status_code == 404
        assert (await look.get(f"{ASK}/")).status_code == 404


class TestPending:
    async def test_a_request_that_is_not_answered_in_time_stands(self) -> None:
        async with looking(wait_seconds=0.05) as look:
            answer = await look.post(ASK, {**RESUME, "messageId": "slow"})
            assert (answer.status_code, answer.json()["answer"]) == (202, "pending")
            assert (await look.get(f"{ASK}/slow")).status_code == 202
            await look.run.reconcile()
            assert (await look.get(f"{ASK}/slow")).json()["answer"] == "accepted"


class TestRights:
    @pytest.mark.parametrize("token", [None, "nobody", "expired", "a" * 64])
    async def test_without_a_token_that_is_known_nothing_is_asked(self, look: Looking, token: str | None) -> None:
        answer = await look.post(ASK, RESUME, token)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert await untouched(look)

    @pytest.mark.parametrize("token", ["token-of-vi", "token-of-cy", "token-of-ed"])
    async def test_to_look_is_not_to_act_and_to_act_elsewhere_is_not_to_act_here(
        self, look: Looking, token: str
    ) -> None:
        told = [await look.post(f"runs/shop/{name}/requests", RESUME, token) for name in ("r", "nothing")]
        assert [answer.status_code for answer in told] == [403, 403]
        assert told[0].content == told[1].content
        assert "may not create reactorsignals in namespace shop" in told[0].json()["error"]
        assert (await look.get(f"{ASK}/1", token)).status_code == 403
        assert await untouched(look)

    async def test_as_an_approver_only_with_that_right(self, look: Looking) -> None:
        body = {**RESUME, "asApprover": True}
        refused = await look.post(ASK, body)
        assert (refused.status_code, "update reactorruns/approval" in refused.json()["error"]) == (403, True)
        assert await untouched(look)
        look.people.let("ann", APPROVE.format("shop"))
        assert (await look.post(ASK, body)).status_code == 200

    async def test_a_run_that_is_not_there_is_told_to_who_may_act(self, look: Looking) -> None:
        answer = await look.post("runs/shop/nothing/requests", RESUME)
        assert (answer.status_code, "there is no run 'nothing'" in answer.json()["error"]) == (404, True)

    async def test_while_the_api_server_is_away_nobody_acts(self, look: Looking) -> None:
        look.people.away = True
        assert (await look.post(ASK, RESUME)).status_code == 503
        assert await untouched(look)


class TestPagesOfElsewhere:
    @pytest.mark.parametrize(
        "headers",
        [
            {"X_Reactor_Request": ""},
            {"X_Reactor_Request": "0"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": "http://127.0.0.1"},
            {"Origin": "file://"},
            {"Origin": "http://[bad"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
        ],
        ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers.items()),
    )
    async def test_they_ask_nothing_whoever_looks_at_them(self, look: Looking, headers: dict[str, str]) -> None:
        answer = await look.post(ASK, RESUME, **headers)
        assert (answer.status_code, answer.json()["error"].startswith("header ")) == (403, True)
        assert await untouched(look)

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
    async def test_a_body_that_any_form_may_send_is_refused(self, look: Looking, kind: str) -> None:
        answer = await look.post(ASK, RESUME, Content_Type=kind)
        assert answer.status_code == 415
        assert await untouched(look)

    async def test_the_page_of_this_address_may_ask(self, look: Looking) -> None:
        own = f"http://127.0.0.1:{look.gateway.port}"
        answer = await look.post(ASK, RESUME, Origin=own, Sec_Fetch_Site="same-origin")
        assert answer.status_code == 200

    async def test_behind_what_ends_tls_the_origin_is_that_of_the_host(self, look: Looking) -> None:
        tls = {"Host": "reactor.example", "Origin": "https://reactor.example"}
        assert (await look.post(ASK, {**RESUME, "messageId": "1"}, **tls)).status_code == 200
        for origin in ("https://reactor.example:8443", "https://reactor.example.evil.example", "https://example"):
            assert (await look.post(ASK, RESUME, Host="reactor.example", Origin=origin)).status_code == 403

    async def test_other_methods_do_nothing(self, look: Looking) -> None:
        bearer = {"Authorization": "Bearer token-of-ann"}
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await look.client.request(method, f"/api/v1/{ASK}", headers=bearer)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            assert not [name for name in answer.headers if name.startswith("access-control-")]


class TestBodies:
    @pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'"resume"', b'{"action":"\\ud800"}', b"[" * 90_000])
    async def test_what_is_no_request_is_refused(self, look: Looking, body: bytes) -> None:
        answer = await look.post(ASK, body)
        assert (answer.status_code, len(answer.content) < 2_000) == (400, True)
        assert await untouched(look)

    @pytest.mark.parametrize(
        ("field", "value", "told"),
        [
            ("namespace", "bank", "namespace: unknown field"),
            ("run", "other", "run: unknown field"),
            ("correlationId", "order/7", "correlationId: unknown field"),
            ("action", "delete", "action: found 'delete', expected one of"),
            ("step", 7, "step: found 7, expected text"),
            ("asApprover", 1, "asApprover: found 1, expected"),
        ],
    )
    async def test_each_field_is_told_what_it_should_be(self, look: Looking, field: str, value: Any, told: str) -> None:
        answer = await look.post(ASK, {**RESUME, field: value})
        assert answer.status_code == 400
        assert [error.startswith(told) for error in answer.json()["errors"]] == [True]
        assert await untouched(look)

    async def test_a_payload_of_2_mib_is_too_large(self, look: Looking) -> None:
        answer = await look.post(ASK, json.dumps({**RESUME, "payload": "x" * 2_000_000}).encode())
        assert answer.status_code == 413

    async def test_a_query_is_refused(self, look: Looking) -> None:
        assert (await look.post(f"{ASK}?dryRun=true", RESUME)).status_code == 400
        assert await untouched(look)


async def test_where_nobody_may_send_signals_nobody_acts() -> None:
    async with looking(acts=False) as look:
        assert (await look.get("session")).json()["may"] == {"act": False, "approve": False}
        for answer in (await look.post(ASK, RESUME), await look.get(f"{ASK}/1")):
            assert (answer.status_code, "gateway.signals.enabled" in answer.json()["error"]) == (404, True)
