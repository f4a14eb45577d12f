"""The way in to a dashboard on this machine: a key that opens once, a cookie that no page of elsewhere can use, and no
request under another name."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reactor_operator.cli.dashboard.guard import Guard

PORT, BEARER = 8_123, "bearer-of-the-application"
OWN = f"http://127.0.0.1:{PORT}"


async def echo(http: Request) -> JSONResponse:
    return JSONResponse({"path": http.url.path, "query": http.url.query, "headers": dict(http.headers)})


class Let:
    """A guard before an application that tells what it was asked, and a browser."""

    def __init__(self) -> None:
        self.said: list[str] = []
        routes = [Route("/{rest:path}", echo, methods=["GET", "POST"])]
        self.guard = Guard(Starlette(routes=routes), PORT, BEARER, self.said.append)
        self.browser = self.a_browser()

    def a_browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.guard), base_url=OWN)

    async def open(self) -> httpx.Response:
        return await self.browser.get(self.guard.address)

    async def data(self, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.browser.get("/api/v1/runs?limit=1", headers=sent)


@pytest_asyncio.fixture
async def let() -> AsyncIterator[Let]:
    found = Let()
    yield found
    await found.browser.aclose()


class TestKey:
    async def test_it_becomes_a_cookie_that_no_script_and_no_other_site_has_and_leaves_the_address(
        self, let: Let
    ) -> None:
        answer = await let.open()
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/")
        name, _, attributes = answer.headers["set-cookie"].partition("=")
        assert name == f"reactor-{PORT}"
        assert {part.strip().lower() for part in attributes.split(";")[1:]} == {
            "httponly",
            "path=/api/v1",
            "samesite=strict",
        }
        assert answer.headers["referrer-policy"] == "no-referrer"

    async def test_it_opens_once_and_the_next_one_is_told(self, let: Let) -> None:
        first = let.guard.address
        await let.open()
        async with let.a_browser() as other:
            answer = await other.get(first)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
            assert let.said == [let.guard.address]
            assert let.guard.address != first
            assert (await other.get(let.guard.address)).status_code == 303

    async def test_what_is_no_key_opens_nothing(self, let: Let) -> None:
        for key in ("", "x", "é", "a" * 43):
            answer = await let.browser.get("/dashboard/", params={"key": key})
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        assert let.said == []

    async def test_the_rest_of_the_address_stays(self, let: Let) -> None:
        key = let.guard.address.rpartition("=")[2]
        answer = await let.browser.get("/dashboard/runs/shop/r", params={"tab": "a b", "key": key})
        assert answer.headers["location"] == "/dashboard/runs/shop/r?tab=a+b"


class TestData:
    async def test_with_the_cookie_it_is_asked_for_with_the_bearer_and_without_the_cookie(self, let: Let) -> None:
        await let.open()
        asked: dict[str, Any] = (await let.data(Authorization="Bearer mine", X_Kept="1")).json()
        assert (asked["path"], asked["query"]) == ("/api/v1/runs", "limit=1")
        assert asked["headers"]["authorization"] == f"Bearer {BEARER}"
        assert asked["headers"]["x-kept"] == "1"
        assert "cookie" not in asked["headers"]

    @pytest.mark.parametrize("path", ["/api/v1/session", "/api/v1", "/v1/signals", "/metrics", "/dashboards/x", "/x"])
    async def test_without_it_everything_but_the_page_is_closed(self, let: Let, path: str) -> None:
        for headers in ({}, {"Authorization": f"Bearer {BEARER}"}, {"Cookie": f"reactor-{PORT}=x"}):
            answer = await let.browser.get(path, headers=headers)
            assert (answer.status_code, set(answer.json())) == (403, {"error"})
            assert answer.headers["cache-control"] == "no-store"

    async def test_the_page_needs_nothing(self, let: Let) -> None:
        for path in ("/", "/dashboard", "/dashboard/", "/dashboard/assets/a.js"):
            assert (await let.browser.get(path)).status_code == 200

    async def test_a_cookie_of_another_dashboard_opens_nothing(self, let: Let) -> None:
        other = Let()
        await other.open()
        let.browser.cookies = other.browser.cookies
        assert (await let.data()).status_code == 403
        await other.browser.aclose()


class TestElsewhere:
    @pytest.mark.parametrize(
        "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.2:{PORT}", ""]
    )
    async def test_under_another_name_nothing_is_answered_and_no_key_is_taken(self, let: Let, host: str) -> None:
        await let.open()
        address = let.guard.address
        for path in ("/dashboard/", address, "/api/v1/runs"):
            answer = await let.browser.get(path, headers={"Host": host})
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
            assert answer.json()["error"].startswith("header Host: found ")
        assert let.guard.address == address

    async def test_localhost_is_this_machine_too(self, let: Let) -> None:
        assert (await let.browser.get("/dashboard/", headers={"Host": f"LocalHost:{PORT}"})).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://127.0.0.1:{PORT + 1}"},
            {"Origin": f"http://localhost:{PORT}"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
        ],
        ids=str,
    )
    async def test_a_page_of_elsewhere_is_told_nothing_whatever_its_browser_sends(
        self, let: Let, headers: dict[str, str]
    ) -> None:
        await let.open()
        assert (await let.data(**headers)).status_code == 403

    async def test_the_page_itself_is_answered(self, let: Let) -> None:
        await let.open()
        assert (await let.data(Origin=OWN, Sec_Fetch_Site="same-origin")).status_code == 200
