"""Rows `page-…`: the dashboard in a browser: bytes, until it shows something, until it shows a change, frames.

In: how often it is opened afresh, and shown a change. Out: KiB of the first load, compressed; milliseconds; frames per
second while 1,000 steps are panned, as they are first shown and all in view, of which the lower is judged. The browser
is Debian's Chromium without a screen, which draws by software, over a real gateway on this machine. A change is a run
that the API server is given; it is seen once its words are on the page.
"""

import asyncio
import gzip
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as BrowserFailed

from reactor_operator.gateway.static_files import BUILT
from reactor_operator.store.memory import MemoryStore
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples
from tests.ui import scenes
from tests.ui.conftest import CHROMIUM
from tests.ui.stage import Stage, staged

ROWS = frozenset({"page-bytes", "page-first", "page-change", "page-pan"})
STEPS = 1_000
PANS = 3
_SETTLING_SECONDS = 1.0
_TIMEOUT_MS = 90_000
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


def measure_page(starts: int, changes: int) -> Mapping[str, Measured]:
    """Open a browser and look. Raises BenchmarkFailed where there is no dashboard, or no browser to look with."""
    if not (BUILT / "index.html").is_file() or not Path(CHROMIUM).exists():
        raise BenchmarkFailed(f"found no dashboard at {BUILT}, or no {CHROMIUM}: make dashboard test-ui")
    try:
        return asyncio.run(_measure(starts, changes))
    except BrowserFailed as problem:
        raise BenchmarkFailed(problem.message.partition("\n")[0]) from None


async def _measure(starts: int, changes: int) -> Mapping[str, Measured]:
    async with staged(MemoryStore()) as stage, async_playwright() as playwright:
        await scenes.put_reactors(stage)
        await scenes.shipped_order(stage)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = {
            "page-bytes": await _first_load(browser, stage),
            "page-first": await _first_paint(browser, stage, starts),
            "page-change": await _changes(browser, stage, changes),
            "page-pan": await _panning(browser, stage),
        }
        await browser.close()
        return found


async def _opened(browser: Browser) -> Page:
    """Return a page of a browser that was never here."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(_TIMEOUT_MS)
    await context.add_init_script(_SIGNED_IN)
    return await context.new_page()


async def _first_load(browser: Browser, stage: Stage) -> Measured:
    page = await _opened(browser)
    files: list[str] = []
    page.on("request", lambda request: files.append(request.url.partition("/dashboard/")[2]))
    await page.goto(stage.url + "/dashboard/runs")
    await page.get_by_role("link", name="order-shipped").wait_for()
    bytes_of = {file: len(gzip.compress((BUILT / file).read_bytes())) for file in files if file.startswith("assets/")}
    await page.context.close()
    return Measured(value=sum(bytes_of.values()) / 1024, details={"bytesByFile": bytes_of})


async def _first_paint(browser: Browser, stage: Stage, starts: int) -> Measured:
    taken = []
    for _ in range(starts):
        page = await _opened(browser)
        await page.goto(stage.url + "/dashboard/runs")
        await page.get_by_role("link", name="order-shipped").wait_for()
        taken.append(float(await page.evaluate(_FIRST)))
        await page.context.close()
    samples = Samples(tuple(taken))
    details = {"armsUnit": "ms"}
    return Measured(value=samples.median, spread=samples.spread, arms={"nothing cached": samples}, details=details)


async def _changes(browser: Browser, stage: Stage, changes: int) -> Measured:
    run = await scenes.running_order(stage, "measured")
    page = await _opened(browser)
    await page.goto(stage.url + "/dashboard/runs/shop/measured")
    await page.locator('[data-id="charge"]').wait_for()
    taken = []
    for number in range(changes):
        changed = json.loads(json.dumps(stage.server.objects[run.path]))
        words = changed["status"]["message"] = f"mark {number}"
        for step in changed["status"]["steps"]:
            if step["name"] == "charge":
                step["reason"] = words
        began = perf_counter()
        await stage.server.put(run.path, changed)
        await page.locator(".story").filter(has_text=f"{words}.").wait_for()
        taken.append((perf_counter() - began) * 1_000)
    await page.context.close()
    samples, p95 = Samples(tuple(taken)), statistics.quantiles(taken, n=20)[-1]
    return Measured(value=p95, spread=samples.spread, arms={"until it is seen": samples}, details={"armsUnit": "ms"})


async def _panning(browser: Browser, stage: Stage) -> Measured:
    await scenes.wide_run(stage, STEPS)
    page = await _opened(browser)
    await page.goto(stage.url + "/dashboard/runs/shop/wide")
    began = perf_counter()
    await page.locator(".step").first.wait_for()
    drawn = perf_counter() - began
    arms, boxes = {}, {}
    for what in ("as first shown", "all in view"):
        await asyncio.sleep(_SETTLING_SECONDS)
        boxes[what] = await page.locator(".react-flow__node").count()
        arms[what] = Samples(tuple([float(await page.evaluate(_PAN)) for _ in range(PANS)]))
        await page.get_by_role("button", name="Fit View").click()
        await page.locator(".graph[data-far]").wait_for()
    await page.context.close()
    worst = min(arms.values(), key=lambda samples: samples.median)
    details = {"armsUnit": "frames/s", "boxesDrawn": boxes, "secondsUntilDrawn": drawn}
    return Measured(value=worst.median, spread=worst.spread, arms=arms, details=details)
