"""`make screenshots`: the pictures of docs/dashboard.md, of the staged shop, each at most 200 KiB."""

import asyncio
from pathlib import Path

from playwright.async_api import async_playwright

from reactor_operator.store.memory import MemoryStore
from tests.ui import scenes
from tests.ui.conftest import CHROMIUM
from tests.ui.stage import staged

FOLDER = Path("docs/images")
MOST_BYTES = 200 * 1024
RUN = "/dashboard/runs/shop/"
PICTURES = {
    "dashboard-run": (RUN + "order-refused", "light", ".order"),
    "dashboard-step": (RUN + "order-refused?step=charge", "dark", ".failure"),
    "dashboard-map": (RUN + "delivery-1", "light", ".map-bar"),
    "dashboard-answer": (RUN + "purchase-1?step=approve", "light", ".answer-form"),
    "dashboard-runs": ("/dashboard/runs", "dark", "tbody tr"),
}


async def main() -> None:
    """Draw them anew."""
    async with staged(MemoryStore()) as stage, async_playwright() as playwright:
        await scenes.put_reactors(stage)
        await scenes.shipped_order(stage)
        await scenes.failed_order(stage)
        await scenes.rolling_order(stage)
        await scenes.delivery(stage)
        await scenes.waiting_purchase(stage)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (path, theme, there) in PICTURES.items():
            context = await browser.new_context(
                viewport={"width": 1360, "height": 820}, color_scheme="dark" if theme == "dark" else "light"
            )
            await context.add_init_script("sessionStorage.setItem('reactor.token', 'token-of-bob')")
            page = await context.new_page()
            await page.goto(stage.url + path)
            await page.locator(there).first.wait_for(timeout=60_000)
            if path.startswith(RUN):
                await page.locator(".step").first.wait_for(timeout=60_000)
            await page.locator(".fresh.live").wait_for(timeout=60_000)
            picture = await page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
            if len(picture) > MOST_BYTES:
                raise SystemExit(f"{name}.png: found {len(picture)} bytes, expected at most {MOST_BYTES}")
            await context.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
