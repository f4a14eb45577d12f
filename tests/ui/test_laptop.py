"""The dashboard of a laptop: beside the runs that a command drives, and of a state file later."""

import asyncio
import contextlib
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.ui.conftest import Open

pytestmark = pytest.mark.asyncio(loop_scope="session")
COMMAND = (sys.executable, "-c", "from reactor_operator.cli.main import main; main()")
EXAMPLES = Path("examples").absolute()
RUN = "/dashboard/runs/default/"
PATIENCE_SECONDS = 60.0
GONE = "ERR_"  # of a page that is still there when its command is not


@dataclass(frozen=True, slots=True)
class Command:
    """A command that serves a dashboard; `address` lets one browser in."""

    process: asyncio.subprocess.Process
    address: str

    @property
    def url(self) -> str:
        return self.address.partition("/dashboard")[0]

    async def said(self, words: str) -> str:
        """Return the line that says `words`, once it is printed."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while words not in (line := (await self.process.stdout.readline()).decode()):
                assert line, f"it ended without {words!r}"
        return line

    async def end(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


@contextlib.asynccontextmanager
async def started(folder: Path, *words: str) -> AsyncIterator[Command]:
    """Start a command in a folder, and yield it once it has printed its address."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    try:
        command = Command(process, "")
        found = re.search(r"http://127\S+", await command.said("http://127"))
        assert found is not None
        yield Command(process, found[0])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_who_runs_the_example_sees_what_failed_what_was_undone_and_in_which_order(
    look: Open, tmp_path: Path
) -> None:
    async with started(tmp_path, "run", str(EXAMPLES / "02-order-processing"), "--ui") as command:
        await command.said("the dashboard stays until Ctrl-C")
        page = await look(command.address, "", token=None, allowed=(GONE,))
        await expect(page.get_by_role("link", name="order-shipped")).to_be_visible()
        await page.get_by_role("link", name="order-courier-down").click()
        await expect(page.locator(".story")).to_contain_text(
            "Rolled back: ship (1st, cleaned up), charge (2nd), reserve (3rd). The rollback is complete."
        )
        await expect(page.locator(".story")).to_contain_text("the courier's office in Stormhaven does not answer")
        assert "key=" not in page.url, "what lets in once is not kept where others see it"
        await page.reload()
        await expect(page.locator('[data-id="charge"] .order')).to_have_text("2")
        await page.locator('[data-id="charge"] .step-face').click()
        panel = page.get_by_role("complementary")
        await panel.get_by_role("tab", name="Logs").click()
        await panel.get_by_label("Which task").select_option("charge.run.1.1.1")
        await expect(panel.get_by_label("Log", exact=True)).to_contain_text("charged 27.00 to the card ending in 4242")
        assert await command.end() == 1, "two runs failed"


async def test_a_browser_that_was_not_let_in_sees_nothing(look: Open, tmp_path: Path) -> None:
    async with started(tmp_path, "run", str(EXAMPLES / "01-hello"), "--ui") as command:
        page = await look(command.url, "/dashboard/runs", token=None, allowed=("403", GONE))
        await expect(page.get_by_text("open the address with its key").first).to_be_visible()
        await look(command.address, "", token=None, allowed=(GONE,))
        page = await look(command.address, "", token=None, allowed=("403", GONE))
        await expect(page.get_by_text("This key was used already")).to_be_visible()
        assert await command.end() == 0


async def test_a_run_of_a_state_file_is_answered_in_the_page_and_goes_on(look: Open, tmp_path: Path) -> None:
    folder = tmp_path / "10-approval"
    shutil.copytree(EXAMPLES / "10-approval", folder)
    run = ("run", str(folder), "--state", "runs.db")
    process = await asyncio.create_subprocess_exec(*COMMAND, *run, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 3, "it waits"
    async with started(
        tmp_path, "dashboard", "--state", "runs.db", "--manifests", str(folder), "--no-browser"
    ) as command:
        page = await look(command.address, "", token=None, allowed=(GONE,))
        await page.get_by_role("link", name=re.compile("Inbox")).click()
        await page.get_by_role("button", name="Answer approval of chairs-approved").click()
        form = page.get_by_role("form", name="Answer approval")
        await form.get_by_label("Yes").check()
        await form.get_by_label("by", exact=True).fill("ann")
        await form.get_by_role("button", name="Answer approval").click()
        await expect(page.get_by_role("button", name="Answer approval of chairs-approved")).to_have_count(0)
        await page.goto(command.url + RUN + "chairs-approved")
        await expect(page.locator(".run-title .badge")).to_have_text("Succeeded")
        assert await command.end() == 0
