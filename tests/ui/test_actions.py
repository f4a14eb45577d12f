"""What is asked of runs: each action behind a question, and what the run answers."""

import pytest
from playwright.async_api import Page, expect

from reactor_operator.engine.failures import FailureKind
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage
from tests.ui.staged import HANGS, Fails

pytestmark = pytest.mark.asyncio(loop_scope="session")
RUN = "/dashboard/runs/shop/"


async def ask(page: Page, action: str, name: str, reason: str = "") -> None:
    """Ask something of a run, and say why."""
    await page.get_by_role("group", name="What can be asked of this run").get_by_role("button", name=action).click()
    dialog = page.get_by_role("dialog")
    if reason:
        await dialog.get_by_label("Why").fill(reason)
    await dialog.get_by_role("button", name=f"{action} {name}").click()
    await expect(dialog).to_have_count(0)


async def test_suspend_go_on_and_cancel(moving: Stage, look: Open) -> None:
    run = await scenes.running_order(moving, "held")
    page = await look(moving, RUN + "held")
    await ask(page, "Suspend", "held", "the courier is away")
    await expect(page.locator(".run-title .badge")).to_have_text("Suspended")
    await expect(page.locator(".story")).to_contain_text("the courier is away")
    await ask(page, "Go on", "held")
    await expect(page.locator(".run-title .badge")).to_have_text("Running")
    await ask(page, "Cancel", "held", "wrong customer")
    await run.report_task(run.started[-1], scenes.RESULTS["charge"])
    await expect(page.locator(".story")).to_have_text("Cancelled: wrong customer. What was done is kept.")


async def test_a_question_that_is_left_changes_nothing(moving: Stage, look: Open) -> None:
    await scenes.running_order(moving, "left")
    page = await look(moving, RUN + "left")
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("dialog")).to_contain_text("It stops and keeps everything")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator(".run-title .badge")).to_have_text("Running")


async def test_undo_takes_a_run_back_that_went_well(moving: Stage, look: Open) -> None:
    await scenes.shipped_order(moving, "sent-back")
    page = await look(moving, RUN + "sent-back")
    await ask(page, "Undo", "sent-back", "the customer changed their mind")
    await expect(page.locator(".story")).to_have_text(
        "Undone: the customer changed their mind. Rolled back: ship (1st), charge (2nd), reserve (3rd), prepare (4th)."
    )


async def test_retry_of_what_could_not_be_undone_asks_what_was_found(moving: Stage, look: Open) -> None:
    await scenes.stuck_order(moving, "again")
    moving.runs["again"].script = scenes.comes_to()
    page = await look(moving, RUN + "again")
    await page.get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("button", name="Retry again")).to_be_disabled()
    await dialog.get_by_role("group", name="reserve").get_by_label("is gone").check()
    await dialog.get_by_role("button", name="Retry again").click()
    await expect(page.locator(".run-title .badge")).to_have_text("Succeeded")


async def test_skip_gives_a_step_a_value_and_a_refusal_says_why(moving: Stage, look: Open) -> None:
    refused = Fails(message="card refused", kind=FailureKind.ERROR)
    await moving.start("skipped", "order", scenes.comes_to(charge=refused, ship=HANGS), scenes.INPUTS)
    page = await look(moving, RUN + "skipped?step=charge", allowed=("409", "422"))
    await page.get_by_role("complementary").get_by_role("button", name="Skip").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Value of charge").fill("{")
    await expect(dialog).to_contain_text("Not JSON yet")
    await expect(dialog.get_by_role("button", name="Skip charge")).to_be_disabled()
    await dialog.get_by_label("Value of charge").fill('{"id": "paid-by-hand"}')
    await dialog.get_by_role("button", name="Skip charge").click()
    await expect(page.locator(".run-title .badge")).not_to_have_text("Failed")


async def test_who_may_only_look_is_offered_nothing_to_do(shop: Stage, look: Open) -> None:
    page = await look(shop, RUN + "order-running", token="token-of-vic")
    await expect(page.locator(".story")).to_contain_text("Running charge.")
    await expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
