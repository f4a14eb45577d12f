"""Lists of runs: what is asked for, in pages, and a line for everything that makes no sense."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.gateway_server import open_task
from tests.contract.looking import Looking, looking

NEW, OLD = "2026-01-02T00:00:00Z", "2025-01-01T00:00:00Z"


@pytest_asyncio.fixture
async def look() -> AsyncIterator[Looking]:
    async with looking() as served:
        yield served


async def names(look: Looking, token: str = "token-of-ann", **query: Any) -> list[str]:
    answer = await look.get("runs", token, **query)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


class TestFilters:
    async def test_the_newest_comes_first_with_what_a_list_shows(self, look: Looking) -> None:
        await look.put_run("new", at=NEW, phase="Failed", message="no stock", startedAt=NEW, finishedAt=NEW)
        first, second = (await look.get("runs")).json()["items"]
        assert first == {
            "namespace": "shop",
            "name": "new",
            "uid": "uid-new",
            "reactor": "x",
            "phase": "Failed",
            "createdAt": NEW,
            "startedAt": NEW,
            "finishedAt": NEW,
            "progress": "",
            "message": "no stock",
            "waiting": 0,
        }
        assert (second["name"], second["phase"], second["waiting"]) == ("r", "Paused", 2)

    async def test_all_that_is_said_must_hold(self, look: Looking) -> None:
        await look.put_run("order-1", phase="Failed", message="no Stock", at=OLD)
        await look.put_run("order-2", phase="Running", at=NEW)
        assert await names(look, text="order") == ["order-2", "order-1"]
        assert await names(look, text="STOCK") == ["order-1"]
        assert await names(look, phase=["Failed", "Running"]) == ["order-2", "order-1"]
        assert await names(look, phase="Failed", text="order-2") == []
        assert await names(look, createdAfter="2026-01-01T12:00:00+00:00") == ["order-2"]
        assert await names(look, createdBefore="2025-06-01T00:00:00Z") == ["order-1"]
        assert await names(look, reactor="y") == []

    async def test_what_changes_and_goes_is_seen(self, look: Looking) -> None:
        await look.put_run("order", phase="Running")
        await look.put_run("order", phase="Failed")
        async with asyncio.timeout(5):
            while await names(look, phase="Failed") != ["order"]:  # noqa: ASYNC110 - a list tells nobody of changes
                await asyncio.sleep(0.01)


class TestPages:
    async def test_pages_follow_each_other_and_end(self, look: Looking) -> None:
        for number in range(5):
            await look.put_run(f"order-{number}", at=NEW)
        seen, cursor = list[str](), None
        while True:
            page = (await look.get("runs", limit=2, **({"cursor": cursor} if cursor else {}))).json()
            seen += [item["name"] for item in page["items"]]
            cursor = page.get("next")
            if cursor is None:
                break
        assert seen == ["order-4", "order-3", "order-2", "order-1", "order-0", "r"]

    async def test_a_page_that_shows_the_last_one_says_that_nothing_follows(self, look: Looking) -> None:
        assert "next" not in (await look.get("runs", limit=1)).json()

    async def test_runs_that_come_and_go_move_nothing(self, look: Looking) -> None:
        for number in range(4):
            await look.put_run(f"order-{number}", at=NEW)
        first = (await look.get("runs", limit=2)).json()
        await look.put_run("order-9", at=NEW)
        await look.server.remove("/apis/reactor.run/v1alpha1/namespaces/shop/reactorruns/order-2")
        second = (await look.get("runs", limit=2, cursor=first["next"])).json()
        assert [item["name"] for item in first["items"] + second["items"]] == [
            "order-3",
            "order-2",
            "order-1",
            "order-0",
        ]


class TestQuestions:
    @pytest.mark.parametrize(
        ("query", "line"),
        [
            ({"limit": "0"}, "limit: found 0, expected at least 1"),
            ({"limit": "501"}, "limit: found 501, expected at most 500"),
            ({"limit": "-1"}, "limit: found '-1', expected a whole number"),
            ({"limit": "١"}, "limit: found '١', expected a whole number"),
            ({"phase": "Faild"}, "phase[0]: found 'Faild', expected one of"),
            ({"phaze": "Failed"}, "unknown field 'phaze': did you mean phase?"),
            ({"namespace": "../x"}, "namespace[0]: found '../x', expected a DNS label"),
            ({"namespace": [f"n{number}" for number in range(51)]}, "namespace: found 51, expected at most 50"),
            ({"reactor": ""}, "reactor: found empty text"),
            ({"reactor": ["x", "y"]}, "reactor: found it more than once, expected one value"),
            ({"text": "a\nb"}, "text: found 'a\\nb', expected printable text in one line"),
            ({"createdAfter": "yesterday"}, "createdAfter: found 'yesterday', expected a time with its zone"),
            ({"createdBefore": "2026-01-01T00:00:00"}, "createdBefore: found '2026-01-01T00:00:00', expected a time"),
            ({"cursor": "WyJydW5zIl0"}, "cursor: found one that no page of this list gave"),
            ({"cursor": "ä"}, "cursor: found one that no page of this list gave"),
            ({"cursor": "WyJpbmJveCIsMSwiYSIsImIiLCJjIl0"}, "cursor: found one that no page of this list gave"),
        ],
    )
    async def test_what_makes_no_sense_is_told(self, look: Looking, query: dict[str, Any], line: str) -> None:
        answer = await look.get("runs", **query)
        assert answer.status_code == 400
        assert [told for told in answer.json()["errors"] if line in told], answer.text

    async def test_everything_that_is_wrong_is_told_at_once(self, look: Looking) -> None:
        answer = await look.get("runs", limit="many", createdAfter="soon", sort="name")
        assert len(answer.json()["errors"]) == 3

    async def test_addresses_of_single_objects_take_no_parameters(self, look: Looking) -> None:
        for path in ("runs/shop/r", "runs/shop/r/graph", "reactors/shop/x", "openapi.json"):
            assert (await look.get(path, limit=1)).status_code == 400

    async def test_an_address_that_is_none_is_told_and_nothing_writes(self, look: Looking) -> None:
        for path in ("pods", "", "runs/", "runs/shop", "runs/shop/r/graph/x"):
            assert (await look.get(path)).status_code == 404
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = await look.client.request(
                method,
                "/api/v1/runs",
                headers={"Authorization": "Bearer token-of-ann", "Origin": "https://evil.example"},
            )
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
            assert not [name for name in answer.headers if name.startswith("access-control-")]


class TestFirstList:
    async def test_until_all_runs_are_known_whoever_asks_is_to_ask_again(self) -> None:
        async with looking(ready=False) as look:
            for path in ("runs", "inbox", "changes"):
                answer = await look.get(path)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert (await look.get("reactors/shop/x")).status_code == 200

    async def test_tasks_are_served_meanwhile(self) -> None:
        async with looking(ready=False) as look:
            look.people.away = True
            await open_task(look.gateway.store)
            assert (await look.gateway.ask("POST", "check-in")).status_code == 200
