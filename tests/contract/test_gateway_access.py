"""Who is answered by the gateway: the task that the token is of, from where it checked in, at addresses it knows."""

from dataclasses import replace

import httpx
import pytest

from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.gateway.requests import METHODS
from reactor_operator.gateway.tokens import task_token
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import (
    ARGUMENTS,
    KEY,
    OTHER_NONCE,
    RUN,
    SUCCEEDED,
    TASK,
    Gateway,
    StoppedClock,
    address,
    open_task,
)


@pytest.mark.parametrize(("method", "verb"), [("GET", "arguments"), ("GET", "result"), ("PUT", "output")])
async def test_once_a_process_has_checked_in_nobody_elsewhere_speaks_for_its_task(
    gateway: Gateway, method: str, verb: str
) -> None:
    await open_task(gateway.store, record=OpenRecord(arguments=reference_to(ARGUMENTS), result=reference_to(ARGUMENTS)))
    await gateway.ask("POST", "check-in")
    entries = len(await gateway.inbox())
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2", verify=False)
    async with httpx.AsyncClient(transport=transport, base_url=str(gateway.client.base_url)) as elsewhere:
        thief = replace(gateway, client=elsewhere)
        assert (await thief.ask(method, verb, content=b"1")).status_code == 409
    assert len(await gateway.inbox()) == entries
    assert (await gateway.ask(method, verb, content=b"1")).status_code == 200


class TestAccess:
    @pytest.mark.parametrize("verb", METHODS)
    async def test_without_the_token_of_the_task_nothing_is_answered(self, open_gateway: Gateway, verb: str) -> None:
        token = task_token(KEY, f"{RUN}/{TASK.key}")
        for authorization in (
            None,
            "",
            "Bearer",
            f"Basic {token}",
            "Bearer " + task_token(b"another key of this length", f"{RUN}/{TASK.key}"),
            "Bearer " + task_token(KEY, f"{RUN}/{TASK.path}.run.1.1.2"),
            "Bearer " + task_token(KEY, f"another-run/{TASK.key}"),
            f"Bearer {token[:-1]}",
            f"Bearer {token} {token}",
            "Bearer é",
        ):
            headers = [(b"Reactor-Nonce", OTHER_NONCE.encode())]
            if authorization is not None:
                headers.append((b"Authorization", authorization.encode("latin-1")))
            answer = await open_gateway.client.request(
                METHODS[verb], address(TASK, verb), headers=headers, content=SUCCEEDED
            )
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), authorization
        assert await open_gateway.inbox() == []

    async def test_a_scheme_in_small_letters_is_the_same(self, open_gateway: Gateway) -> None:
        token = task_token(KEY, f"{RUN}/{TASK.key}")
        answer = await open_gateway.ask("GET", "arguments", headers={"Authorization": f"bearer {token}"})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/tasks/",
            f"/v1/tasks/{RUN}/{TASK.key}/check-in",
            address(TASK, "nothing"),
            address(TASK, "check-in") + "/",
            "/v1/runs",
            "/",
        ],
    )
    async def test_other_addresses_are_not_found(self, open_gateway: Gateway, path: str) -> None:
        assert (await open_gateway.client.post(path)).status_code == 404

    @pytest.mark.parametrize("run", ["a%2Fb", "%FF", "..", "x" * 200, "%00"])
    async def test_a_run_that_cannot_be_one_is_refused_whatever_its_token(
        self, open_gateway: Gateway, run: str
    ) -> None:
        decoded = httpx.URL(f"http://x/{run}").path[1:]
        token = task_token(KEY, f"{decoded}/{TASK.key}")
        path = address(TASK, "check-in").replace(RUN, run)
        answer = await open_gateway.client.post(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in {401, 404}

    @pytest.mark.parametrize(("verb", "method"), METHODS.items())
    async def test_another_method_is_told_the_right_one(self, open_gateway: Gateway, verb: str, method: str) -> None:
        answer = await open_gateway.ask("DELETE", verb)
        assert (answer.status_code, answer.headers["allow"]) == (405, method)

    def test_a_key_that_can_be_guessed_is_refused(self) -> None:
        with pytest.raises(ValueError, match="token key: found 5 bytes, expected at least 16"):
            create_app(MemoryStore(), b"short", StoppedClock())
