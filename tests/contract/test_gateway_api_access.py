"""Who may look: whom the API server knows and lets, namespace by namespace; and nobody while it is away."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reactor_operator.gateway.api.openapi import DESCRIBED
from reactor_operator.gateway.api.viewers import MOST_REVIEWED
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import running_gateway
from tests.contract.looking import SCHEMA, Looking, let, looking

READ = [one for one in DESCRIBED if one.method == "get"]
PATHS = [one.path.removeprefix("/api/v1/").format(namespace="shop", name="r", id="1") for one in READ]
OF_ONE = [f"{kind}/shop/{name}" for kind in ("runs", "reactors") for name in ("r", "x", "none")]
OF_ONE += ["runs/shop/r/graph", "runs/shop/none/graph", "runs/shop/r/requests/1", "runs/shop/none/requests/1"]
LISTS = ["runs", "inbox", "reactors", "changes"]


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    async with looking() as served:
        await served.put_run("b", "bank")
        yield served


async def seen(look: Looking, token: str, path: str = "runs", **query: Any) -> set[str]:
    answer = await look.get(path, token, **query)
    assert answer.status_code == 200, answer.text
    return {item["namespace"] for item in answer.json()["items"]}


def read_since(look: Looking, before: int) -> list[str]:
    """Return what the gateway read of single objects since so many requests."""
    collections = ("/reactorruns", "/reactors")
    return [path for _, path, _ in look.server.requests[before:] if not path.endswith(collections)]


class TestTokens:
    @pytest.mark.parametrize("path", [*PATHS, "nothing", "runs/shop/none"])
    async def test_without_one_that_is_known_nothing_is_answered(self, look: Looking, path: str) -> None:
        for token in (None, "nobody", "a" * 64):
            answer = await look.get(path, token)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")

    async def test_nobody_learns_what_makes_sense_to_ask(self, look: Looking) -> None:
        assert (await look.get("runs", "nobody", phaze="x")).status_code == 401


class TestRights:
    @pytest.mark.parametrize("path", OF_ONE)
    async def test_without_a_right_there_what_is_there_is_not_told(self, look: Looking, path: str) -> None:
        before = len(look.server.requests)
        for token in ("token-of-cy", "token-of-ed"):
            answer = await look.get(path, token)
            assert answer.status_code == 403
            assert "in namespace shop" in answer.json()["error"]
        assert read_since(look, before) == []

    @pytest.mark.parametrize("path", LISTS)
    async def test_who_may_look_nowhere_is_told_so(self, look: Looking, path: str) -> None:
        answer = await look.get(path, "token-of-ed")
        assert (answer.status_code, "ed may not" in answer.json()["error"]) == (403, True)
        named = await look.get(path, "token-of-ed", namespace=["shop", "bank"])
        assert "in namespaces bank, shop" in named.json()["error"]

    async def test_each_sees_what_is_theirs(self, look: Looking) -> None:
        assert await seen(look, "token-of-ann") == {"shop"}
        assert await seen(look, "token-of-cy") == {"bank"}
        assert await seen(look, "token-of-root") == {"shop", "bank"}
        assert await seen(look, "token-of-ann", "inbox") == {"shop"}
        assert await seen(look, "token-of-cy", "inbox") == set()
        assert await seen(look, "token-of-ann", "reactors") == {"shop"}

    async def test_of_several_namespaces_those_are_shown_that_they_may_see(self, look: Looking) -> None:
        answer = await look.get("runs", namespace=["shop", "bank"])
        assert {item["namespace"] for item in answer.json()["items"]} == {"shop"}
        assert answer.json()["namespaces"] == ["shop"]
        assert await seen(look, "token-of-root", namespace=["bank"]) == {"bank"}
        assert "namespaces" not in (await look.get("runs", "token-of-root")).json()

    async def test_to_list_is_not_to_get_or_to_watch(self, look: Looking) -> None:
        look.people.let("lia", "list reactorruns in namespace shop")
        assert await seen(look, "token-of-lia") == {"shop"}
        for path in ("runs/shop/r", "changes", "reactors"):
            assert (await look.get(path, "token-of-lia")).status_code == 403

    async def test_graphs_and_forms_show_what_a_reactor_says_and_need_its_right(self, look: Looking) -> None:
        look.people.let("gil", "get reactorruns in namespace shop", "list reactorruns in namespace shop")
        assert (await look.get("runs/shop/r", "token-of-gil")).status_code == 200
        assert (await look.get("runs/shop/r/graph", "token-of-gil")).status_code == 403
        hers = (await look.get("inbox")).json()["items"]
        his = (await look.get("inbox", "token-of-gil")).json()["items"]
        assert [item.pop("payloadSchema", None) for item in hers] == [SCHEMA, None]
        assert hers == his

    async def test_a_right_that_is_given_counts_at_once(self, look: Looking) -> None:
        assert (await look.get("runs", "token-of-ed")).status_code == 403
        let(look.people, "ed", "bank")
        assert await seen(look, "token-of-ed") == {"bank"}

    async def test_of_very_many_namespaces_some_are_to_be_named(self, look: Looking) -> None:
        for number in range(MOST_REVIEWED):
            await look.put_run("r", f"n{number}")
        answer = await look.get("runs")
        assert answer.status_code == 400
        assert "namespace: found none, expected some" in answer.json()["errors"][0]
        assert await seen(look, "token-of-ann", namespace="shop") == {"shop"}
        assert len(await seen(look, "token-of-root", limit=500)) == MOST_REVIEWED + 2


class TestNames:
    @pytest.mark.parametrize(
        "path",
        [
            *("runs/shop/%2e%2e", "runs/%2e%2e/pods", "runs/shop/%2e%2e/graph", "runs/shop/r%2Fstatus", "runs/shop/R"),
            *("runs/shop%2Freactorruns/r", "reactors/shop/%2e%2e%2f", "runs/shop/r%00", "runs/shop/r%0a", "runs/%20/r"),
            *(f"runs/{'n' * 64}/r", f"runs/shop/{'n' * 254}"),
        ],
    )
    async def test_no_name_leads_anywhere_else(self, look: Looking, path: str) -> None:
        before = len(look.server.requests)
        answer = await look.client.get(f"/api/v1/{path}", headers={"Authorization": "Bearer token-of-root"})
        assert answer.request.url.raw_path.decode() == f"/api/v1/{path}"
        assert answer.status_code == 404
        assert read_since(look, before) == []


class TestScope:
    async def test_where_namespaces_are_watched_those_are_asked_about(self) -> None:
        async with looking("shop", "bank") as look:
            await look.put_run("b", "bank")
            assert await seen(look, "token-of-cy") == {"bank"}
            assert await seen(look, "token-of-root") == {"shop", "bank"}
            asked = {
                question.partition("reactorruns in ")[2] for question in look.people.asked if "cy list" in question
            }
            assert asked == {"all namespaces", "namespace bank", "namespace shop"}

    async def test_a_namespace_that_is_not_watched_is_told_to_who_may_look_there(self) -> None:
        async with looking("shop") as look:
            for path in LISTS:
                answer = await look.get(path, "token-of-root", namespace=["shop", "bank"])
                assert answer.status_code == 404
                assert answer.json()["error"] == "not among the namespaces that this installation watches: bank"
                assert (await look.get(path, "token-of-ann", namespace=["bank"])).status_code == 403

    async def test_off_unless_it_is_asked_for(self) -> None:
        async with running_gateway(MemoryStore()) as gateway:
            for path in PATHS:
                answer = await gateway.client.get(f"/api/v1/{path}", headers={"Authorization": "Bearer token-of-root"})
                assert answer.status_code == 404


class TestAway:
    async def test_while_the_api_server_is_away_nobody_is_let_in(self, look: Looking) -> None:
        look.people.away = True
        for path in PATHS:
            answer = await look.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        look.people.away = False
        assert (await look.get("runs")).status_code == 200
