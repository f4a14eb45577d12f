"""Every view, in both colours and from 360 pixels to 4K, as axe judges it."""

from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.ui.conftest import AXE, Open
from tests.ui.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
NARROW, WIDE, HUGE = (360, 740), (1280, 800), (3840, 2160)
RUN = "/dashboard/runs/shop/"
VIEWS = {
    "/dashboard/runs": "tbody tr",
    "/dashboard/inbox": ".inbox .card",
    "/dashboard/reactors": "tbody tr",
    "/dashboard/reactors/shop/order?view=graph&step=charge": ".step",
    "/dashboard/reactors/shop/unsound": ".yaml-line.bad",
    RUN + "order-refused?step=charge": ".failure",
    RUN + "delivery-1?step=parcels": ".inspector .facts",
    RUN + "purchase-1?step=approve": ".answer-form",
    RUN + "order-stuck?view=steps": "tbody tr",
    RUN + "order-refused?view=timeline": ".span",
    RUN + "order-refused?view=history": ".history li",
    RUN + "order-shipped?view=data": ".json",
}
_JUDGE = """async () => {
  const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const judged = await axe.run(document, {runOnly: rules});
  const words = node => node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? '');
  return judged.violations.map(one => `${one.id}: ${one.help}: ` + one.nodes.slice(0, 3).map(words).join(' | '));
}"""


async def violations(page: Page) -> list[str]:
    """Return what axe finds."""
    await page.evaluate(AXE.read_text())
    found: list[str] = await page.evaluate(_JUDGE)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_view_keeps_anybody_out(shop: Stage, look: Open, theme: Literal["light", "dark"]) -> None:
    page = await look(shop, "/dashboard/runs", theme=theme)
    found = {}
    for path, there in VIEWS.items():
        await page.goto(shop.url + path)
        await expect(page.locator(there).first).to_be_visible()
        if wrong := await violations(page):
            found[path] = wrong
    await page.goto(shop.url + RUN + "order-refused")
    await page.get_by_role("button", name="Retry").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    if wrong := await violations(page):
        found["dialog"] = wrong
    assert found == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_signing_in_keeps_nobody_out(shop: Stage, look: Open, theme: Literal["light", "dark"]) -> None:
    page = await look(shop, "/dashboard/runs", token=None, theme=theme, allowed=("401",))
    await expect(page.get_by_label("Token")).to_be_focused()
    assert await violations(page) == []


@pytest.mark.parametrize("size", [NARROW, HUGE])
async def test_views_fit_any_screen(shop: Stage, look: Open, size: tuple[int, int]) -> None:
    page = await look(shop, "/dashboard/runs", size=size)
    for path, there in VIEWS.items():
        await page.goto(shop.url + path)
        await expect(page.locator(there).first).to_be_attached()
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size[0], f"{path}: {wide} pixels wide"


async def test_colours_follow_the_system_unless_somebody_chose(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/runs", theme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    dark = await page.evaluate(ground)
    await page.get_by_role("button", name="Colours").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    light = await page.evaluate(ground)
    assert dark != light
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")


async def test_a_run_is_found_and_opened_by_keys_alone(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/runs")
    await expect(page.get_by_role("link", name="order-refused")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "order-refused":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="order-refused")).to_be_visible()
