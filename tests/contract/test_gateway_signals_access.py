"""Who may send signals: whom the API server knows and lets, in that namespace; and nobody while it is away."""

import pytest

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Entry, StoreUnavailable
from tests.contract.gateway_server import running_gateway
from tests.contract.signal_server import RESUME, Signals, signalling

SIGN = {"namespace": "shop", "run": "r", "action": "resume", "step": "sign", "payload": None}


class TestTokens:
    @pytest.mark.parametrize(
        "authorization",
        [
            "",
            "Bearer",
            "Bearer nobody",
            "Basic token-of-ann",
            "Bearer token-of-ann token-of-ann",
            "Bearer " + "x" * 20_000,
        ],
    )
    async def test_without_one_that_is_known_nothing_is_answered(self, signals: Signals, authorization: str) -> None:
        for method, path in (("POST", "/v1/signals"), ("GET", "/v1/signals/shop/r/1")):
            answer = await signals.client.request(
                method, path, headers={"Authorization": authorization}, content=b"no JSON"
            )
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert (await signals.header()).signals == ()

    async def test_a_token_of_a_task_is_none(self, signals: Signals) -> None:
        assert (await signals.post(RESUME, token="a" * 64)).status_code == 401

    async def test_a_body_is_not_read_for_nobody(self, signals: Signals) -> None:
        answer = await signals.post(b"x" * 3_000_000, token=None)
        assert answer.status_code == 401


class TestRights:
    async def test_a_right_in_another_namespace_is_none_in_this_one(self, signals: Signals) -> None:
        answer = await signals.post(RESUME, token="token-of-cy")
        assert answer.status_code == 403
        assert "cy may not create reactorsignals in namespace shop" in answer.json()["error"]
        assert (await signals.look("shop/r/1", token="token-of-cy")).status_code == 403
        assert (await signals.header()).signals == ()

    async def test_who_has_no_right_does_not_learn_which_runs_there_are(self, signals: Signals) -> None:
        told = [await signals.post(RESUME, token="token-of-cy", run=run) for run in ("r", "nothing")]
        assert [answer.status_code for answer in told] == [403, 403]
        assert told[0].content == told[1].content
        assert not any(question.startswith("which run") for question in signals.people.asked)

    @pytest.mark.parametrize("run", ["nothing", "x" * 253])
    async def test_a_run_that_is_not_there_is_told_to_who_may_ask(self, signals: Signals, run: str) -> None:
        answer = await signals.post(RESUME, run=run)
        assert (answer.status_code, "there is no run" in answer.json()["error"]) == (404, True)

    async def test_an_interrupt_of_approvers_takes_what_an_approver_sends_as_one(self, signals: Signals) -> None:
        plain = await signals.post(SIGN, token="token-of-bob")
        assert (plain.status_code, "approvers alone" in plain.json()["reason"]) == (409, True)
        approved = await signals.post(SIGN, token="token-of-bob", asApprover=True)
        assert (approved.status_code, approved.json()["answer"]) == (200, "accepted")

    async def test_to_say_so_does_not_make_one(self, signals: Signals) -> None:
        answer = await signals.post(SIGN, asApprover=True)
        assert answer.status_code == 403
        assert "ann may not update reactorruns/approval in namespace shop" in answer.json()["error"]
        assert (await signals.header()).signals == ()


class TestAway:
    async def test_while_the_api_server_is_away_nobody_is_let_in(self, signals: Signals) -> None:
        signals.people.away = True
        for answer in (await signals.post(RESUME), await signals.look("shop/r/1")):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        signals.people.away = False
        assert (await signals.post(RESUME)).status_code == 200

    async def test_tasks_need_it_for_nothing(self, signals: Signals) -> None:
        signals.people.away = True
        assert (await signals.client.get("/v1/tasks/a/b.run.1.1.1/arguments")).status_code == 401

    async def test_a_store_that_is_away_is_asked_again(self) -> None:
        class Away(MemoryStore):
            async def append(self, entry: Entry) -> Appended:
                raise StoreUnavailable("away")

        async with signalling(Away()) as signals:
            answer = await signals.post(RESUME)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


class TestAddresses:
    @pytest.mark.parametrize(("method", "path"), [("GET", "/v1/signals"), ("POST", "/v1/signals/shop/r/1")])
    async def test_another_method_is_told_the_right_one(self, signals: Signals, method: str, path: str) -> None:
        headers = {"Authorization": "Bearer token-of-ann"}
        answer = await signals.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, {"GET": "POST", "POST": "GET"}[method])

    async def test_where_signals_are_off_there_is_no_such_address(self) -> None:
        async with running_gateway(MemoryStore()) as gateway:
            assert (await gateway.client.post("/v1/signals", json=RESUME)).status_code == 404

    async def test_what_is_answered_is_counted_without_the_names_of_runs(self, signals: Signals) -> None:
        await signals.post(RESUME)
        await signals.look("shop/r/1")
        found = {
            (sample.labels["verb"], sample.labels["code"])
            for metric in signals.registry.collect()
            for sample in metric.samples
            if sample.name == "reactor_gateway_requests_total"
        }
        assert found == {("signal", "200"), ("signal look", "404")}
