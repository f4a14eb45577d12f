"""What a task prints: followed while it goes on, and as it was kept when its pod is gone."""

import pytest
from playwright.async_api import Locator, Page, expect

from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.kube.paths import POD
from reactor_operator.store.kept_logs import LOG_BYTES, encode_log, end_of
from reactor_operator.store.memory import MemoryStore
from tests.ui import scenes
from tests.ui.conftest import Open
from tests.ui.stage import Stage, staged
from tests.ui.staged import StagedRun

pytestmark = pytest.mark.asyncio(loop_scope="session")
RUN = "/dashboard/runs/shop/"
CHARGE = Task("charge", Action.RUN, 1, 1, 1)
SCRIPT = '<img src=x onerror="window.hacked = 1">'


def address(run: StagedRun, task: Task = CHARGE) -> str:
    """Return where the API server has the log of a task."""
    return POD.object("shop", pod_name(run.ref.name, run.ref.uid, task), "log")


async def keep(stage: Stage, run: StagedRun, text: bytes, task: Task = CHARGE) -> None:
    """Keep the log of a task that has ended."""
    assert await stage.store.put_log(run.ref.uid, task.key, encode_log(end_of(text)), 10**7)


async def logs_of(page: Page, step: str = "charge") -> Locator:
    """Open the logs of a step."""
    panel = page.get_by_role("complementary")
    await expect(panel.get_by_role("heading", name=step)).to_be_visible()
    await panel.get_by_role("tab", name="Logs").click()
    return panel


async def test_a_log_is_followed_until_its_task_ends(moving: Stage, look: Open) -> None:
    run = await scenes.running_order(moving, "prints")
    moving.server.log_goes_on.clear()
    moving.server.logs[address(run)] = [b"asking the bank\n", f"the bank says {SCRIPT}\n".encode()]
    page = await look(moving, RUN + "prints?step=charge")
    panel = await logs_of(page)
    await expect(panel.get_by_label("Log", exact=True)).to_have_text("asking the bank\n")
    await expect(panel.get_by_role("status")).to_have_text("Live")
    moving.server.log_goes_on.set()
    await expect(panel.get_by_label("Log", exact=True)).to_have_text(f"asking the bank\nthe bank says {SCRIPT}\n")
    await expect(panel.get_by_role("status")).to_have_text("It has ended.")
    assert await page.evaluate("window.hacked") is None
    assert await panel.locator("img").count() == 0


async def test_a_log_that_is_kept_is_there_without_a_pod_and_of_each_attempt(moving: Stage, look: Open) -> None:
    run = await scenes.failed_order(moving, "printed")
    await keep(moving, run, b"asked the bank\nit declined\n")
    await keep(moving, run, b"voided\n", Task("charge", Action.COMPENSATE, 1, 1, 1))
    page = await look(moving, RUN + "printed?step=charge")
    panel = await logs_of(page)
    await expect(panel.get_by_label("Log", exact=True)).to_have_text("voided\n")
    await expect(panel.get_by_role("status")).to_have_text("As it was kept")
    await panel.get_by_label("Which task").select_option("charge.run.1.1.1")
    await expect(panel.get_by_label("Log", exact=True)).to_have_text("asked the bank\nit declined\n")


async def test_of_a_long_log_the_end_is_kept_and_what_a_page_cannot_hold_is_counted(moving: Stage, look: Open) -> None:
    run = await scenes.failed_order(moving, "talks")
    lines = LOG_BYTES // 10 + 1_000
    await keep(moving, run, b"".join(b"line %04d\n" % (number % 10_000) for number in range(lines)))
    page = await look(moving, RUN + "talks?step=charge")
    panel = await logs_of(page)
    await expect(panel.get_by_role("status")).to_have_text("Its end, as it was kept: the beginning is cut")
    await expect(panel).to_contain_text("lines before these are not shown.")
    text = await panel.get_by_label("Log", exact=True).text_content() or ""
    assert text.endswith(f"line {(lines - 1) % 10_000:04}\n")
    assert 4_990 < text.count("\n") <= 5_000
    at_its_end = "element => element.scrollHeight - element.scrollTop - element.clientHeight < 2"
    assert await panel.get_by_label("Log", exact=True).evaluate(at_its_end)


async def test_a_log_that_is_followed_for_longer_than_the_gateway_lets_is_asked_for_again(look: Open) -> None:
    async with staged(MemoryStore(), stream_seconds=4.0) as stage:
        await scenes.put_reactors(stage)
        run = await scenes.running_order(stage, "long")
        stage.server.logs[address(run)] = [b"one\n", b"never\n"]
        page = await look(stage, RUN + "long?step=charge", allowed=("ERR_",))
        panel = await logs_of(page)
        await expect(panel.get_by_label("Log", exact=True)).to_have_text("one\n")
        stage.server.logs[address(run)] = [b"one\ntwo\n"]
        await expect(panel.get_by_label("Log", exact=True)).to_have_text("one\ntwo\n")
        await expect(panel.get_by_role("status")).to_have_text("Live")
        await run.report_task(run.started[-1], scenes.RESULTS["charge"])
        await run.play()
        await keep(stage, run, b"one\ntwo\nthree\n")
        await expect(panel.get_by_role("status")).to_have_text("As it was kept")
        await expect(panel.get_by_label("Log", exact=True)).to_have_text("one\ntwo\nthree\n")


async def test_who_may_not_read_logs_is_told_so(shop: Stage, look: Open) -> None:
    run = shop.runs["order-running"]
    shop.server.logs[address(run)] = [b"CANARY\n"]
    rights = [right for name, right in shop.people.rights if name == "vic" and "pods/log" not in right]
    token = shop.people.let("lou", *rights)
    page = await look(shop, RUN + "order-running?step=charge", token=token, allowed=("403",))
    panel = await logs_of(page)
    await expect(panel).to_contain_text("get pods/log in namespace shop")
    await expect(panel.get_by_label("Log", exact=True)).to_be_empty()
