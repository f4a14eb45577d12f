"""The dashboard in a browser, on a real cluster: a run is watched, answered, followed and undone from the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.cluster.cluster import Namespace, python_step, reactor, run_of, wait_until
from tests.cluster.test_dashboard import served
from tests.cluster.test_interrupts_from_outside import token
from tests.ui.conftest import CHROMIUM

DEADLINE_MS = 90_000
PRINTS = "def main():\n    print('a word from its pod')\n    return {'reserved': 3}\n"
GIVES_BACK = {"python": {"source": "def main():\n    print('given back')\n"}}
ASK = {
    "name": "approve",
    "waitFor": ["reserve"],
    "interrupt": {
        "payloadSchema": {
            "type": "object",
            "required": ["approved"],
            "properties": {"approved": {"type": "boolean", "title": "Approved?"}},
        }
    },
}


@pytest.fixture
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=DEADLINE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, address: str, complaints: list[str]) -> Page:
    """Open a page; what it complains of goes to `complaints`."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(DEADLINE_MS)
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    page.goto(address)
    return page


def test_a_run_is_watched_answered_and_undone_in_a_browser(namespace: Namespace, browser: Browser) -> None:
    token(namespace, "editor", "edit")
    complaints: list[str] = []
    steps = [python_step("reserve", PRINTS, undo=GIVES_BACK), ASK, python_step("order", waitFor=["approve"])]
    namespace.apply(reactor("purchase", steps))
    with served("--service-account", f"{namespace.name}/editor") as address:
        page = opened(browser, address, complaints)
        expect(page.locator(".fresh")).to_have_text("Not live")  # there is no run yet that they could see
        namespace.apply(run_of("purchase"))
        expect(page.locator(".fresh")).to_have_text("Live")
        page.get_by_role("link", name="purchase-1").click()
        expect(page.locator('[data-id="approve"] .step')).to_have_attribute("data-phase", "Waiting")
        page.locator('[data-id="approve"] .step-face').click()
        form = page.get_by_role("form", name="Answer approve")
        form.get_by_label("Yes").check()
        form.get_by_role("button", name="Answer approve").click()
        expect(page.locator('[data-id="order"] .step')).to_have_attribute("data-phase", "Succeeded")
        expect(page.locator(".run-title .badge")).to_have_text("Succeeded")
        wait_until("the pods are gone", lambda: not namespace.pods("purchase-1"))
        page.locator('[data-id="reserve"] .step-face').click()
        panel = page.get_by_role("complementary")
        panel.get_by_role("tab", name="Logs").click()
        expect(panel.get_by_label("Log", exact=True)).to_have_text("a word from its pod\n")
        panel.get_by_role("tab", name="Result").click()
        expect(panel).to_contain_text('"reserved": 3')
        page.get_by_role("button", name="Undo", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Undo purchase-1").click()
        expect(page.locator('[data-id="reserve"] .step')).to_have_attribute("data-phase", "Undone")
        expect(page.locator(".story")).to_contain_text("reserve (1st)")
    assert namespace.wait_finished("purchase-1")["phase"] == "Undone"
    assert [told for told in complaints if "403" not in told] == []
