"""Who looks and what they may do, as a page asks first; and that the page itself is there for anybody, with no data."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reactor_operator.gateway.api.viewers import MOST_REVIEWED
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import running_gateway
from tests.contract.looking import Looking, looking
from tests.contract.people import APPROVE


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    async with looking() as served:
        await served.put_run("b", "bank")
        yield served


async def session(look: Looking, token: str, **query: Any) -> dict[str, Any]:
    answer = await look.get("session", token, **query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestSession:
    async def test_each_is_told_who_they_are_and_where_they_may_look(self, look: Looking) -> None:
        ann = await session(look, "token-of-ann")
        assert (ann["user"], ann["laptop"], ann["namespaces"]) == ("ann", False, ["shop"])
        assert ann["version"]
        assert (await session(look, "token-of-root"))["namespaces"] is None
        assert (await session(look, "token-of-cy"))["namespaces"] == ["bank"]

    async def test_who_may_nothing_is_told_so_and_not_refused(self, look: Looking) -> None:
        ed = await session(look, "token-of-ed")
        assert (ed["namespaces"], ed["may"]) == ([], {"act": False, "approve": False})

    async def test_what_they_may_do_is_told_of_all_namespaces_or_of_those_that_are_named(self, look: Looking) -> None:
        look.people.let("ann", APPROVE.format("shop"))
        both, neither = {"act": True, "approve": True}, {"act": False, "approve": False}
        assert (await session(look, "token-of-ann"))["may"] == both
        assert (await session(look, "token-of-ann", namespace="shop"))["may"] == both
        assert (await session(look, "token-of-ann", namespace="bank"))["may"] == neither
        assert (await session(look, "token-of-cy"))["may"] == neither

    async def test_to_act_is_not_to_approve_and_who_cannot_act_cannot_approve(self, look: Looking) -> None:
        assert (await session(look, "token-of-ann"))["may"] == {"act": True, "approve": False}
        look.people.let("cy", APPROVE.format("bank"))
        assert (await session(look, "token-of-cy"))["may"] == {"act": False, "approve": False}

    async def test_of_very_many_namespaces_some_are_to_be_named(self, look: Looking) -> None:
        for number in range(MOST_REVIEWED):
            await look.put_run("r", f"n{number}")
        ann = await session(look, "token-of-ann")
        assert (ann["namespaces"], ann["namespacesOmitted"]) == ([], True)
        named = await session(look, "token-of-ann", namespace="shop")
        assert (named["namespaces"], named["namespacesOmitted"]) == (["shop"], False)

    @pytest.mark.parametrize("token", [None, "nobody", "expired"])
    async def test_who_is_not_known_is_told_nothing(self, look: Looking, token: str | None) -> None:
        answer = await look.get("session", token)
        assert (answer.status_code, set(answer.json())) == (401, {"error"})


class TestPage:
    async def test_a_gateway_has_it_only_where_it_is_told_to(self, look: Looking) -> None:
        for path in ("/dashboard/", "/"):
            assert (await look.client.get(path)).text == "Not Found"

    async def test_it_needs_no_token_and_opens_no_way_to_data(self, tmp_path: Any) -> None:
        (tmp_path / "index.html").write_text("<p>here</p>")
        async with running_gateway(MemoryStore(), dashboard=tmp_path) as gateway:
            assert (await gateway.client.get("/dashboard/runs/shop/r")).text == "<p>here</p>"
            assert (await gateway.client.get("/api/v1/session")).status_code == 404
            assert (await gateway.client.get("/v1/signals")).status_code == 404
