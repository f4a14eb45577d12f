"""What waits for people: the form that a schema gives, and what is wrong beside the field, whoever found it."""

import pytest
from playwright.async_api import Page, expect

from reactor_operator.kube.paths import REACTOR_RUN
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage
from tests.unit.mirror.made import run_object, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def open_form(page: Page, step: str, run: str) -> None:
    """Open the form of a step in the inbox."""
    await page.get_by_role("button", name=f"Answer {step} of {run}").click()


async def test_what_waits_is_answered_in_a_form_and_the_run_goes_on(moving: Stage, look: Open) -> None:
    await scenes.waiting_purchase(moving, "buy-1")
    page = await look(moving, "/dashboard/inbox")
    await open_form(page, "approve", "buy-1")
    form = page.get_by_role("form", name="Answer approve")
    await form.get_by_role("button", name="Answer approve").click()
    await expect(form.get_by_role("group", name="Approved?").get_by_text("This is needed.")).to_be_visible()
    await form.get_by_label("Yes").check()
    await form.get_by_label("Credit limit").fill("0")
    await form.get_by_role("button", name="Add").click()
    await form.get_by_label("email").fill("x")
    await form.get_by_role("button", name="Answer approve").click()
    limit = form.locator(".form-line").filter(has=page.get_by_label("Credit limit"))
    await expect(limit.locator(".field-error").first).to_contain_text("less than 1")
    await expect(form.get_by_label("Credit limit")).to_have_attribute("aria-invalid", "true")
    await expect(form.get_by_label("email")).to_have_attribute("aria-invalid", "true")
    await form.get_by_label("Credit limit").fill("500")
    await form.get_by_label("email").fill("ann@shop.example")
    await form.get_by_role("button", name="Answer approve").click()
    await expect(page.get_by_role("button", name="Answer approve of buy-1")).to_have_count(0)
    await open_form(page, "sign", "buy-1")
    await page.get_by_role("form", name="Answer sign").get_by_label("Payload (JSON)").fill('"ok"')
    await page.get_by_role("form", name="Answer sign").get_by_role("button", name="Answer sign").click()
    await expect(page.get_by_text("buy-1")).to_have_count(0)
    assert moving.runs["buy-1"].status["phase"] == "Succeeded"


async def test_what_the_server_alone_can_judge_stands_beside_the_field_too(moving: Stage, look: Open) -> None:
    code = {"type": "string", "title": "Contact", "format": "idn-email"}  # which is not judged in the browser
    schema = {"type": "object", "required": ["code"], "properties": {"code": code}}
    await moving.put_reactor("coded", {"steps": [{"name": "ask", "interrupt": {"payloadSchema": schema}}]})
    await moving.start("coded-1", "coded")
    page = await look(moving, "/dashboard/runs/shop/coded-1?step=ask", allowed=("422",))
    form = page.get_by_role("form", name="Answer ask")
    await form.get_by_label("Contact").fill("nobody")
    await form.get_by_role("button", name="Answer ask").click()
    line = form.locator(".form-line").filter(has=page.get_by_label("Contact"))
    await expect(line.locator(".field-error").first).to_contain_text("'nobody' is not a")
    await expect(form.get_by_label("Contact")).to_have_attribute("aria-invalid", "true")
    await form.get_by_label("Contact").fill("ann@shop.example")
    await form.get_by_role("button", name="Answer ask").click()
    await expect(page.locator(".run-title .badge")).to_have_text("Succeeded")


async def test_an_empty_inbox_says_so_and_approvers_alone_approve(moving: Stage, shop: Stage, look: Open) -> None:
    page = await look(moving, "/dashboard/inbox?reactor=order")
    await expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    page = await look(shop, "/dashboard/inbox", token="token-of-ann")
    await open_form(page, "sign", "purchase-1")
    await expect(page.get_by_text("Only approvers may answer")).to_be_visible()


async def test_a_payload_may_be_json_too_and_what_is_none_is_not_sent(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/inbox")
    await open_form(page, "approve", "purchase-1")
    form = page.get_by_role("form", name="Answer approve")
    await form.get_by_label("Yes").check()
    await form.get_by_role("button", name="As JSON").click()
    await expect(form.get_by_label("Payload (JSON)")).to_have_value('{\n  "approved": true\n}')
    await form.get_by_label("Payload (JSON)").fill('{"approved": tru')
    await expect(form.get_by_text("Not JSON yet")).to_be_visible()
    await expect(form.get_by_role("button", name="Answer approve")).to_be_disabled()


async def test_what_somebody_is_about_to_answer_stays_while_other_runs_change(moving: Stage, look: Open) -> None:
    for number in range(60):
        asks = {"step": "ask", "openedAt": f"2025-01-01T00:00:{number:02}Z"}
        one = run_object(f"many-{number:02}", phase="Paused", interrupts=[asks])
        await moving.server.put(REACTOR_RUN.object("shop", f"many-{number:02}"), one)
    await until(lambda: moving.mirror.index.get("shop", "many-59") is not None)
    page = await look(moving, "/dashboard/inbox?reactor=x", allowed=("404",))
    await expect(page.locator(".inbox > li")).to_have_count(50)
    await page.get_by_role("button", name="Show more").click()
    await open_form(page, "ask", "many-55")
    payload = page.get_by_label("Payload (JSON)")
    await payload.fill('{"half": "typed"}')
    await moving.server.put(REACTOR_RUN.object("shop", "many-00"), run_object("many-00", phase="Succeeded"))
    await expect(page.get_by_role("link", name="many-00")).to_have_count(0)
    await expect(page.locator(".inbox > li")).to_have_count(59)
    await expect(payload).to_have_value('{"half": "typed"}')
