"""What a view shows while there is nothing to show: that it loads, that there is none, why not, that it is cut off."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from reactor_operator.store.memory import MemoryStore
from tests.contract.redis_server import free_port
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="session")
GONE = "ERR_CONNECTION_REFUSED"  # of a page that is still there when its stage is not
VIEWS = {
    "/dashboard/runs": ("**/api/v1/runs?**", "There are no runs yet"),
    "/dashboard/inbox": ("**/api/v1/inbox?**limit=50", "Nothing waits for you"),
    "/dashboard/reactors": ("**/api/v1/reactors?**", "There are no reactors yet"),
}


async def test_views_of_nothing_say_what_would_be_there(look: Open) -> None:
    async with staged(MemoryStore()) as stage:
        for path, (_, words) in VIEWS.items():
            page = await look(stage, path, allowed=(GONE,))
            await expect(page.get_by_text(words)).to_be_visible()
        page = await look(stage, "/dashboard/runs/shop/gone", allowed=("404", GONE))
        await expect(page.get_by_text("There is none", exact=True)).to_be_visible()
        page = await look(stage, "/dashboard/nowhere", allowed=(GONE,))
        await expect(page.get_by_text("There is no such page")).to_be_visible()


@pytest.mark.parametrize("path", [*VIEWS, "/dashboard/runs/shop/order-refused", "/dashboard/reactors/shop/order"])
async def test_a_view_says_that_it_loads_and_why_it_cannot_and_comes_back(shop: Stage, look: Open, path: str) -> None:
    page = await look(shop, "/dashboard/nowhere", allowed=("Failed to load resource",))
    pattern = VIEWS[path][0] if path in VIEWS else f"**/api/v1{path.removeprefix('/dashboard')}"
    held, broken = asyncio.Event(), True

    async def hold(route: Route) -> None:
        await held.wait()
        await (route.abort() if broken else route.continue_())

    await page.route(pattern, hold)
    await page.goto(shop.url + path)
    await expect(page.locator(".state[role=status]")).to_be_visible()
    held.set()
    await expect(page.get_by_text("The gateway cannot be reached")).to_be_visible()
    broken = False
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("main h1")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_gateway_that_goes_away_is_told_and_what_is_new_is_there_when_it_is_back(look: Open) -> None:
    port = free_port()
    async with staged(MemoryStore(), port=port) as stage:
        page = await look(stage, "/dashboard/runs", allowed=("Failed to load resource", "ERR_"))
        await expect(page.locator(".fresh")).to_have_text("Live")
        await scenes.put_reactors(stage)
        await scenes.shipped_order(stage)
        await expect(page.get_by_role("link", name="order-shipped")).to_be_visible()
    await expect(page.get_by_role("alert").filter(has_text="Disconnected")).to_be_visible()
    await expect(page.locator(".fresh")).to_have_text("Not live")
    await expect(page.get_by_role("link", name="order-shipped")).to_be_visible()
    async with staged(MemoryStore(), port=port) as stage:
        await scenes.put_reactors(stage)
        await scenes.failed_order(stage)
        await expect(page.get_by_role("link", name="order-refused")).to_be_visible()
        await expect(page.locator(".fresh")).to_have_text("Live")
        await expect(page.get_by_role("alert")).to_have_count(0)
