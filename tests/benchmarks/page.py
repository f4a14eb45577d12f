"""What the dashboard takes in a browser: until it shows something, until it shows a change, and frames while panning.

    make dashboard && .venv/bin/python -m tests.benchmarks.page

In: nothing. Out: milliseconds and frames per second, of Debian's Chromium without a screen, which draws by software,
over a real gateway on this machine. A change is a run that the API server is given; it is seen once its words are on
the page.
"""

import asyncio
import json
import statistics
import time

from playwright.async_api import Page, async_playwright

from reactor_operator.store.memory import MemoryStore
from tests.ui import scenes
from tests.ui.stage import Stage, staged

CHANGES = 40
_CHROMIUM = "/usr/bin/chromium"
_SIGNED_IN = "sessionStorage.setItem('reactor.token','token-of-bob')"
_FIRST = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_PAN = """async () => {
  const pane = document.querySelector('.react-flow__pane'), at = pane.getBoundingClientRect();
  const began = performance.now();
  let frames = 0, goes = true;
  const count = () => { frames++; if (goes) requestAnimationFrame(count) };
  requestAnimationFrame(count);
  await new Promise(done => {
    let moves = 0;
    const move = () => {
      const wheel = {deltaX: moves % 120 < 60 ? 25 : -25, deltaY: 0, clientX: at.x + 300, clientY: at.y + 200};
      pane.dispatchEvent(new WheelEvent('wheel', {...wheel, bubbles: true, cancelable: true}));
      if (++moves < 240) requestAnimationFrame(move); else done();
    };
    requestAnimationFrame(move);
  });
  goes = false;
  return frames / ((performance.now() - began) / 1000);
}"""


async def _paints(page: Page, stage: Stage) -> None:
    await page.goto(stage.url + "/dashboard/runs")
    await page.get_by_role("heading").first.wait_for()
    cold = await page.evaluate(_FIRST)
    await page.reload()
    await page.get_by_role("heading").first.wait_for()
    print(f"first contentful paint: {cold:.0f} ms cold, {await page.evaluate(_FIRST):.0f} ms warm")


async def _changes(page: Page, stage: Stage) -> None:
    run = await scenes.running_order(stage, "measured")
    await page.goto(stage.url + "/dashboard/runs/shop/measured")
    await page.locator('[data-id="charge"]').wait_for(timeout=60_000)
    taken = []
    for number in range(CHANGES):
        changed = json.loads(json.dumps(stage.server.objects[run.path]))
        words = changed["status"]["message"] = f"mark {number}"
        for step in changed["status"]["steps"]:
            if step["name"] == "charge":
                step["reason"] = words
        began = time.perf_counter()
        await stage.server.put(run.path, changed)
        await page.locator(".story").filter(has_text=f"{words}.").wait_for(timeout=20_000)
        taken.append((time.perf_counter() - began) * 1_000)
    p95 = statistics.quantiles(taken, n=20)[-1]
    print(f"change to screen, {CHANGES} of them: median {statistics.median(taken):.0f} ms, p95 {p95:.0f}")


async def _panning(page: Page, stage: Stage) -> None:
    await scenes.wide_run(stage)
    await page.goto(stage.url + "/dashboard/runs/shop/wide")
    began = time.perf_counter()
    await page.locator(".step").first.wait_for(timeout=90_000)
    print(f"1,000 steps: drawn after {time.perf_counter() - began:.1f} s")
    for what in ("as they are first shown", "all of them in view"):
        boxes = await page.locator(".react-flow__node").count()
        print(f"panning 1,000 steps, {what}: {await page.evaluate(_PAN):.0f} frames/s, {boxes} boxes")
        await page.get_by_role("button", name="Fit View").click()
        await page.locator(".graph[data-far]").wait_for()


async def measure() -> None:
    """Measure and print."""
    async with staged(MemoryStore()) as stage, async_playwright() as playwright:
        await scenes.put_reactors(stage)
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 1280, "height": 800})
        await context.add_init_script(_SIGNED_IN)
        page = await context.new_page()
        await _paints(page, stage)
        await _changes(page, stage)
        await _panning(page, stage)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(measure())
