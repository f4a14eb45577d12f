"""What is large comes by page: documents level by level, the elements of a map fifty at a time."""

import orjson
import pytest
from playwright.async_api import Page, Request, expect

from reactor_operator.engine.identity import Task
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage
from tests.ui.staged import HANGS, Fails

pytestmark = pytest.mark.asyncio(loop_scope="session")
RUN = "/dashboard/runs/shop/"
ROWS = 1_000
LARGE = {
    "a/b": {"m~n": [True, None, 1.5]},
    "note": "n" * 300_000,
    "rows": [{"id": number, "name": f"row {number} " + "x" * 40} for number in range(ROWS)],
}
MILLION = 1_000_000
MOST_BYTES = 64 * 1024


def listened(page: Page) -> list[Request]:
    """Return a list of what the page asks from now on."""
    asked: list[Request] = []
    page.on("requestfinished", lambda request: asked.append(request))
    return asked


async def largest(asked: list[Request]) -> int:
    """Return the bytes of the greatest answer of the API."""
    return max([len(await (await one.response()).body()) for one in asked if "/api/" in one.url], default=0)  # type: ignore[union-attr]


async def test_a_large_document_opens_level_by_level(moving: Stage, look: Open) -> None:
    await moving.start("large", "order", scenes.comes_to(prepare=LARGE, reserve=HANGS), scenes.INPUTS)
    page = await look(moving, RUN + "large?step=prepare")
    asked = listened(page)
    panel = page.get_by_role("complementary")
    await panel.get_by_role("tab", name="Result").click()
    await expect(panel.locator(".level").first).to_contain_text("object, 3 entries")
    await panel.get_by_role("button", name="rows").click()
    rows = panel.locator(".level").nth(1)
    await expect(rows).to_contain_text("array, 1,000 entries")
    await expect(rows.locator("> ul > li")).to_have_count(50)
    await expect(rows).to_contain_text("row 49 ")
    await rows.get_by_role("button", name="Next").click()
    await expect(rows).to_contain_text("page 2")
    await expect(rows).to_contain_text("row 50 ")
    await expect(rows).not_to_contain_text("row 49 ")
    await rows.get_by_role("button", name="Before").click()
    await expect(rows).to_contain_text("row 49 ")
    await panel.get_by_role("button", name="note").click()
    await expect(panel).to_contain_text("string, 300,000 characters")
    assert await largest(asked) < MOST_BYTES * 2, "a page is read, not the document"


async def test_a_key_with_any_character_is_opened(moving: Stage, look: Open) -> None:
    document = {"a/b": {"m~n": ["x" * 9_000, "deep"]}, "": ["y" * 9_000, "nameless"]}
    assert len(orjson.dumps(document)) > 16 * 1024, "small enough to be there at once"
    await moving.start("odd", "order", scenes.comes_to(prepare=document, reserve=HANGS), scenes.INPUTS)
    page = await look(moving, RUN + "odd?step=prepare")
    panel = page.get_by_role("complementary")
    await panel.get_by_role("tab", name="Result").click()
    await panel.get_by_role("button", name="a/b").click()
    await panel.get_by_role("button", name="m~n").click()
    await expect(panel).to_contain_text("deep")


async def test_whole_numbers_keep_all_their_digits_shown_and_sent(moving: Stage, look: Open) -> None:
    bank, other = 9_007_199_254_740_993, 18_014_398_509_481_987  # no number of JavaScript
    await moving.put_reactor(
        "exact", {"steps": [{"name": "ask", "interrupt": {}}, scenes.task("pay", "bank:pay", "ask")]}
    )
    run = await moving.start("exact-1", "exact", scenes.comes_to(pay={"id": bank}))
    page = await look(moving, RUN + "exact-1?step=ask")
    form = page.get_by_role("form", name="Answer ask")
    await form.get_by_label("Payload (JSON)").fill(f'{{"account": {other}}}')
    await form.get_by_role("button", name="Answer ask").click()
    panel = page.get_by_role("complementary")
    await panel.get_by_role("tab", name="Result").click()
    await expect(panel).to_contain_text(f'"account": {other}')
    await page.locator('[data-id="pay"] .step-face').click()
    await panel.get_by_role("tab", name="Result").click()
    await expect(panel).to_contain_text(f'"id": {bank}')
    assert run.status["phase"] == "Succeeded"


async def test_a_map_of_a_million_is_shown_fifty_at_a_time(moving: Stage, look: Open) -> None:
    """120 of them have an outcome, 40 are in flight, and the others are no more than a number."""

    def script(one: Task) -> object:
        if not one.path.startswith("rows["):
            return list(range(MILLION))
        index = int(one.path.removeprefix("rows[").removesuffix("]"))
        return HANGS if index >= 120 else Fails(message="not a row") if index % 40 == 7 else {"ok": True}

    work = {"python": {"handler": "many:work"}}
    rows = {"source": {"result": "list"}, "batchSize": 40, "failFast": False, "run": work}
    steps = [{"name": "list", "run": work}, {"name": "rows", "map": rows}]
    await moving.put_reactor("million", {"parallelism": 40, "steps": steps})
    run = await moving.start("million-1", "million", script)
    page = await look(moving, RUN + "million-1?step=rows")
    asked = listened(page)
    await expect(page.locator('[data-id="rows"]')).to_contain_text("120 of 1,000,000 · 40 in flight · 3 failed")
    panel = page.get_by_role("complementary")
    await panel.get_by_role("tab", name="Elements").click()
    await expect(panel.get_by_role("button", name="All 1,000,000")).to_be_visible()
    await expect(panel.locator("tbody tr")).to_have_count(50)
    await panel.get_by_role("button", name="Next").click()
    await expect(panel.locator("tbody tr").first).to_contain_text("50")
    await expect(panel.locator(".pager")).to_contain_text("page 2")
    await panel.get_by_role("button", name="Before").click()
    await panel.get_by_role("button", name="Failed 3").click()
    await expect(panel.locator("tbody tr")).to_have_count(3)
    await panel.get_by_role("button", name="Running 40").click()
    await expect(panel.locator("tbody tr")).to_have_count(40)
    await panel.get_by_role("button", name="120", exact=True).click()
    await expect(panel.get_by_role("heading", name="rows[120]")).to_be_visible()
    assert await largest(asked) < MOST_BYTES
    await run.report_task(next(task for task in run.started if task.path == "rows[120]"), {"ok": True})
    await expect(page.locator('[data-id="rows"]')).to_contain_text("121 of 1,000,000")
