"""Who may look, and that nothing a run says, and no other page, can do anything in their name."""

import asyncio

import httpx
import pytest
from playwright.async_api import expect

from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage
from tests.ui.staged import Fails

pytestmark = pytest.mark.asyncio(loop_scope="session")
SCRIPT = '<img src=x onerror="window.hacked = 1"><script>window.hacked = 2</script>javascript:window.hacked=3'


async def test_without_a_token_there_is_a_form_and_a_wrong_one_is_refused(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/runs", token=None, allowed=("401",))
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("Token").fill("nobody")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).not_to_be_empty()
    await page.get_by_label("Token").fill("Bearer token-of-ann")
    await page.get_by_label("Token").press("Enter")
    await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    await expect(page.locator(".who")).to_contain_text("ann")
    assert await page.evaluate("localStorage.length") == 0, "a token is kept for the tab alone"
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_token_that_is_no_longer_known_asks_for_another_one(shop: Stage, look: Open) -> None:
    shop.people.let("tess", *(right for name, right in shop.people.rights if name == "vic"))
    page = await look(shop, "/dashboard/runs", token="token-of-tess", allowed=("401",))
    await expect(page.get_by_role("link", name="order-refused")).to_be_visible()
    del shop.people.tokens["token-of-tess"]
    words = page.get_by_text("Your token is no longer known. Sign in again.")
    async with asyncio.timeout(15):  # what a review said is kept for some seconds
        while not await words.is_visible():
            await page.get_by_role("button", name="Failed", exact=True).or_(words).first.click()
            await words.or_(page.locator("table")).first.wait_for()


async def test_who_may_not_look_is_told_so(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/runs/shop/order-refused", token="token-of-ed", allowed=("403",))
    await expect(page.get_by_text("You may not look at this")).to_be_visible()


async def test_who_is_given_a_role_meanwhile_can_look_and_act_without_loading_the_page_again(
    shop: Stage, look: Open
) -> None:
    shop.people.let("new")
    page = await look(shop, "/dashboard/runs/shop/order-running", token="token-of-new", allowed=("403",))
    await expect(page.locator(".fresh")).to_have_text("Not live")
    shop.people.let("new", *(right for name, right in shop.people.rights if name == "bob"))
    async with asyncio.timeout(15):  # what a review said is kept for some seconds
        while await page.locator(".fresh").text_content() != "Live":
            await page.evaluate("window.dispatchEvent(new Event('online'))")
            await asyncio.sleep(0.3)
    await expect(page.get_by_role("button", name="Suspend")).to_be_visible()


async def test_what_runs_say_is_text_and_never_script(moving: Stage, look: Open) -> None:
    failure = Fails(
        message=SCRIPT,
        file=SCRIPT[:200],
        line=1,
        detail={"source": SCRIPT, "traceback": SCRIPT, "log": SCRIPT, "origins": [SCRIPT]},
    )
    spec = {
        "description": SCRIPT,
        "steps": [scenes.task("bad", "a:b", arguments={"x": {"input": "x"}}), scenes.task("good", "a:b")],
    }
    await moving.put_reactor("script", spec)
    await moving.start("script-1", "script", scenes.comes_to(bad=failure, good=SCRIPT), {"x": SCRIPT, SCRIPT: 1})
    for path in (
        "/dashboard/runs?reactor=script",
        "/dashboard/runs/shop/script-1?step=bad",
        "/dashboard/runs/shop/script-1?view=history",
        "/dashboard/runs/shop/script-1?view=data",
        "/dashboard/runs/shop/script-1?view=steps&step=" + SCRIPT.replace("<", "%3C").replace("#", ""),
        "/dashboard/reactors/shop/script?view=yaml",
    ):
        page = await look(moving, path, allowed=("404",))
        await expect(page.get_by_text("onerror").first).to_be_attached()
        assert await page.evaluate("window.hacked") is None
        assert await page.locator("img").count() == 0


async def test_a_script_that_gets_in_all_the_same_is_not_run(shop: Stage, look: Open) -> None:
    page = await look(shop, "/dashboard/runs", allowed=("Content Security Policy", "violates", "inline"))
    await expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    await page.evaluate(
        """document.body.insertAdjacentHTML('beforeend', '<img src="x:" onerror="window.hacked = 1">');
        const made = document.createElement('script');
        made.textContent = 'window.hacked = 2';
        document.body.append(made);"""
    )
    assert await page.evaluate("window.hacked") is None
    blocked = await page.evaluate("fetch('https://elsewhere.example/').then(() => 'sent', () => 'blocked')")
    assert blocked == "blocked"


async def test_a_page_of_another_origin_cannot_ask_anything_of_a_run(shop: Stage) -> None:
    address = "/api/v1/runs/shop/order-running/requests"
    token = {"Authorization": "Bearer token-of-bob", "Content-Type": "application/json"}
    own = {"X-Reactor-Request": "1", "Origin": shop.url, "Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(base_url=shop.url, trust_env=False) as client:
        for wrong in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"X-Reactor-Request": "0"}):
            answer = await client.post(address, json={"action": "cancel"}, headers=token | own | wrong)
            assert answer.status_code == 403, wrong
    assert shop.runs["order-running"].status["phase"] == "Running"
