"""The list of runs: filters in the address, pages, and what changes meanwhile."""

import pytest
from playwright.async_api import expect

from reactor_operator.kube.paths import REACTOR_RUN
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage
from tests.unit.mirror.made import run_object, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_each_run_says_what_it_is_and_what_happened(shop: Stage, look: Open) -> None:
    page = await look(shop, "/")
    row = page.get_by_role("row").filter(has_text="order-refused")
    await expect(row).to_contain_text("Failed")
    await expect(row).to_contain_text("card refused: insufficient funds")
    await expect(page.get_by_role("row").filter(has_text="purchase-1")).to_contain_text("Waiting for a signal")
    await expect(page.get_by_text("7 runs")).to_be_visible()
    await row.get_by_role("link", name="order-refused").click()
    await expect(page).to_have_url(shop.url + "/dashboard/runs/shop/order-refused")
    await page.go_back()
    await expect(page.get_by_role("heading", name="Runs")).to_be_visible()


async def test_filters_are_in_the_address_and_a_list_of_nothing_says_so(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/runs")
    await page.get_by_role("button", name="Failed", exact=True).click()
    await expect(page).to_have_url(shop.url + "/dashboard/runs?phase=Failed")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_label("Name or message").fill("STUCK")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page).to_have_url(shop.url + "/dashboard/runs?phase=Failed&text=STUCK")
    await page.reload()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_label("Reactor").fill("delivery")
    await expect(page.get_by_text("No run is like that")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page.locator("tbody tr")).to_have_count(7)


async def test_what_happens_is_seen_without_asking_and_pages_follow_one_another(moving: Stage, look: Open) -> None:
    for number in range(60):
        name = f"old-{number:02}"
        old = run_object(name, at=f"2025-01-01T00:00:{number:02}Z", phase="Succeeded", progress="1/1")
        await moving.server.put(REACTOR_RUN.object("shop", name), old)
    await until(lambda: moving.mirror.index.get("shop", "old-59") is not None)
    page = await look(moving, "/dashboard/runs?text=l")
    await expect(page.locator("tbody tr")).to_have_count(50)
    await page.get_by_role("button", name="Show more").click()
    await expect(page.get_by_role("link", name="old-00")).to_be_visible()

    run = await scenes.running_order(moving, "live-1")
    row = page.locator("tbody tr").first
    await expect(row).to_contain_text("live-1")
    await expect(row).to_contain_text("Running")
    await run.report_task(run.started[-1], scenes.RESULTS["charge"])
    await expect(row).to_contain_text("Succeeded")
    del moving.runs["live-1"]
    await moving.server.remove(run.path)
    await expect(page.get_by_role("link", name="live-1")).to_have_count(0)
