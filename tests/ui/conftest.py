"""A browser, and a staged shop for it: real gateway, real Redis, real engine. What pages complain of fails the test.

The tests of a process share one event loop, for the browser and the stage live in it.
"""

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from reactor_operator.gateway.static_files import BUILT
from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer
from tests.ui import scenes
from tests.ui.stage import Stage, staged

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DEADLINE_MS = 20_000
AXE = Path("dashboard/node_modules/axe-core/axe.min.js")
expect.set_options(timeout=DEADLINE_MS)

Open = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """The dashboard is there."""
    if not (BUILT / "index.html").is_file():
        pytest.fail(f"{BUILT}: found no index.html, expected the built dashboard: run `make dashboard`")


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        # pages of the tests are ours: Chromium's sandbox needs rights that containers do not give
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(redis: RedisServer) -> AsyncIterator[Stage]:
    """One run of each kind, which stay as they are: tests that change a run start one of their own."""
    store = RedisStore(redis.url, "shop")
    async with staged(store) as stage:
        await scenes.put_reactors(stage)
        for scene in (
            scenes.shipped_order,
            scenes.failed_order,
            scenes.running_order,
            scenes.rolling_order,
            scenes.stuck_order,
            scenes.waiting_purchase,
            scenes.delivery,
        ):
            await scene(stage)
        yield stage
    await store.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def moving(redis: RedisServer) -> AsyncIterator[Stage]:
    """A shop whose runs go on by themselves and answer what is asked of them."""
    store = RedisStore(redis.url, "moving")
    async with staged(store) as stage:
        await scenes.put_reactors(stage)
        async with stage.going():
            yield stage
    await store.close()


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: Browser) -> AsyncIterator[Open]:
    """Opens a page of a stage, or of a server by its address. What it complains of fails the test, unless `allowed`."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(
        stage: Stage | str,
        path: str,
        *,
        token: str | None = "token-of-bob",
        theme: Literal["light", "dark"] = "light",
        size: tuple[int, int] = (1280, 800),
        allowed: tuple[str, ...] = (),
    ) -> Page:
        width, height = size
        context = await browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, timezone_id="UTC"
        )
        context.set_default_timeout(DEADLINE_MS)
        contexts.append(context)
        if token is not None:
            first = (
                f"if (!sessionStorage.getItem('asked')) sessionStorage.setItem('reactor.token', {json.dumps(token)});"
            )
            await context.add_init_script(f"{first} sessionStorage.setItem('asked', '1');")
        page = await context.new_page()

        def complain(words: str) -> None:
            if not any(one in words for one in allowed):
                complaints.append(words)

        page.on("pageerror", lambda problem: complain(f"{path}: {problem}"))
        page.on("console", lambda told: complain(f"{path}: {told.text}") if told.type in ("error", "warning") else None)
        await page.goto((stage if isinstance(stage, str) else stage.url) + path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []
