"""A run at a glance: its story, its graph, one step in full, and the other ways to look at it."""

import pytest
from playwright.async_api import Page, expect

from reactor_operator.store.memory import MemoryStore
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="session")
RUN = "/dashboard/runs/shop/"


async def phases(page: Page) -> dict[str, str]:
    """Return the phase of every box that is drawn."""
    boxes = await page.locator(".react-flow__node").all()
    found = [(await box.get_attribute("data-id"), box.locator("[data-phase]").first) for box in boxes]
    return {name or "": await box.get_attribute("data-phase") or "" for name, box in found if await box.count()}


async def arrows(page: Page, look: str) -> int:
    """Return how many arrows look so."""
    drawn = await page.locator(f".arrows .{look}").all()
    return sum([int(await one.get_attribute("data-count") or 0) for one in drawn])


async def test_a_failed_run_says_in_a_sentence_what_failed_and_what_was_undone_in_which_order(
    shop: Stage, look: Open
) -> None:
    page = await look(shop, RUN + "order-refused")
    await expect(page.locator(".story")).to_have_text(
        "Failed: charge: card refused: insufficient funds. Rolled back: charge (1st, cleaned up), "
        "reserve (2nd), prepare (3rd). The rollback is complete."
    )
    await expect(page.locator('[data-id="charge"] .order')).to_have_text("1")
    await expect(page.locator('[data-id="reserve"] .order')).to_have_text("2")
    await expect(page.locator('[data-id="prepare"] .order')).to_have_text("3")
    assert await arrows(page, "reversed") == 2, "the arrows of what was undone run backwards"
    found = await phases(page)
    assert (found["charge"], found["reserve"], found["quote"], found["ship"], found["tidy"]) == (
        "Compensated",
        "Undone",
        "Succeeded",
        "Pending",
        "Succeeded",
    )


async def test_a_rollback_that_goes_on_and_one_that_got_stuck_are_told_apart(shop: Stage, look: Open) -> None:
    page = await look(shop, RUN + "order-rolling")
    await expect(page.locator(".story")).to_have_text(
        "Rolling back: charge: card refused: insufficient funds. Undoing now: reserve. Undone so far: charge (1st)."
    )
    await expect(page.locator('[data-id="reserve"] .step')).to_have_attribute("data-phase", "Undoing")
    assert await arrows(page, "reversing") >= 1
    page = await look(shop, RUN + "order-stuck")
    await expect(page.locator(".story")).to_contain_text("Not rolled back, look at: reserve.")
    await page.locator(".story").get_by_role("button", name="reserve").click()
    await expect(page.get_by_role("region", name="Could not be taken back")).to_contain_text(
        "the warehouse does not answer"
    )


async def test_a_step_shows_why_it_failed_what_it_was_given_and_who_tried(shop: Stage, look: Open) -> None:
    page = await look(shop, RUN + "order-refused")
    await page.locator('[data-id="charge"] .step-face').click()
    panel = page.get_by_role("complementary")
    await expect(panel.get_by_role("heading", name="charge")).to_be_focused()
    await expect(panel.locator(".source .here")).to_contain_text("raise CardRefused(answer.reason)")
    await panel.get_by_text("Traceback", exact=True).click()
    await expect(panel).to_contain_text('File "/app/shop/payment.py", line 42, in charge')
    await panel.get_by_role("tab", name="Arguments").click()
    await expect(panel).to_contain_text('"amount": 129')
    await panel.get_by_role("tab", name="Attempts").click()
    await expect(panel).to_contain_text("Run, attempt 1")
    await expect(panel).to_contain_text("Clean up, attempt 1")
    await expect(page).to_have_url(shop.url + RUN + "order-refused?step=charge")
    await panel.get_by_role("button", name="Close the step").click()
    await expect(panel).to_have_count(0)


async def test_composes_switches_and_maps_open_and_close_and_a_map_shows_its_elements_by_page(
    shop: Stage, look: Open
) -> None:
    page = await look(shop, RUN + "delivery-1", size=(1600, 900))
    await expect(page.locator('[data-id="pack/pick"]')).to_be_visible()
    await page.get_by_role("button", name="Close pack").click()
    await expect(page.locator('[data-id="pack/pick"]')).to_have_count(0)
    await expect(page.locator('[data-id="parcels"]')).to_contain_text("40 of 60 · 10 in flight · 1 failed")
    await page.get_by_role("button", name="Open parcels").click()
    await expect(page.locator('[data-id="parcels[]"]')).to_contain_text("each element")
    await page.locator('[data-id="parcels"] .scope-face').click()
    panel = page.get_by_role("complementary")
    await panel.get_by_role("tab", name="Elements").click()
    await expect(panel.locator("tbody tr")).to_have_count(50)
    await panel.get_by_role("button", name="Failed 1").click()
    await expect(panel.locator("tbody tr")).to_have_count(1)
    await expect(panel.locator("tbody")).to_contain_text("nobody at home")
    await panel.get_by_role("button", name="7", exact=True).click()
    await expect(panel.get_by_role("heading", name="parcels[7]")).to_be_visible()


async def test_the_timeline_has_a_bar_for_each_attempt_and_each_way_back(shop: Stage, look: Open) -> None:
    page = await look(shop, RUN + "order-refused?view=timeline")
    row = page.locator(".timeline li").filter(has_text="charge")
    await expect(row.locator(".span")).to_have_count(2)
    await expect(row.locator(".span.tone-bad")).to_have_count(1)
    await expect(row.locator(".span.tone-back")).to_have_count(1)
    await expect(page.locator(".timeline li").filter(has_text="quote").locator(".span.tone-good")).to_have_count(1)


async def test_history_steps_and_data_are_other_ways_to_look_at_the_same(shop: Stage, look: Open) -> None:
    page = await look(shop, RUN + "order-refused?view=history")
    await expect(page.locator(".history li").filter(has_text="charge").first).to_contain_text("Pending → Running")
    await expect(page.locator(".history")).to_contain_text("Running → RollingBack")
    await page.get_by_role("tab", name="Steps").click()
    await expect(page.get_by_role("row").filter(has_text="reserve")).to_contain_text("2nd")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("tab", name="Timeline")).to_have_attribute("aria-selected", "true")
    page = await look(shop, RUN + "order-shipped?view=data")
    await expect(page.get_by_role("region", name="Inputs")).to_contain_text("o-4711")
    await expect(page.get_by_role("region", name="Result")).not_to_contain_text("did not work")


async def test_the_graph_is_walked_by_keys(shop: Stage, look: Open) -> None:
    page = await look(shop, RUN + "order-refused")
    await page.locator('[data-id="prepare"] .step-face').focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("complementary").get_by_role("heading", name="prepare")).to_be_visible()
    await page.locator('[data-id="prepare"] .step-face').focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("complementary").get_by_role("heading", name="reserve")).to_be_visible()
    await page.locator('[data-id="reserve"] .step-face').focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("complementary").get_by_role("heading", name="charge")).to_be_visible()


async def test_what_happens_to_a_run_is_drawn_as_it_happens(moving: Stage, look: Open) -> None:
    run = await scenes.running_order(moving, "drawn")
    page = await look(moving, RUN + "drawn")
    await expect(page.locator('[data-id="charge"] .step')).to_have_attribute("data-phase", "Running")
    await run.report_task(run.started[-1], scenes.REFUSED)
    await expect(page.locator('[data-id="charge"] .step')).to_have_attribute("data-phase", "Compensated")
    await expect(page.locator(".story")).to_contain_text(
        "Rolled back: charge (1st, cleaned up), reserve (2nd), prepare (3rd)."
    )


async def test_a_thousand_steps_are_drawn_as_far_as_they_are_seen_and_from_far_away_as_colours(look: Open) -> None:
    async with staged(MemoryStore()) as stage:
        await scenes.wide_run(stage)
        page = await look(stage, RUN + "wide", allowed=("ERR_CONNECTION_REFUSED",))
        await expect(page.locator(".step").first).to_be_visible()
        assert 0 < await page.locator(".react-flow__node").count() < 200
        await expect(page.get_by_role("list", name="Steps by phase")).to_contain_text("666 succeeded")
        await page.get_by_role("button", name="Fit View").click()
        await expect(page.locator(".step.far")).to_have_count(1_000)
        await expect(page.locator('[data-id="s700"]').get_by_role("button", name="s700, Not started")).to_be_visible()
        await page.locator('[data-id="s700"] button').click()
        await expect(page.get_by_role("complementary").get_by_role("heading", name="s700")).to_be_visible()
