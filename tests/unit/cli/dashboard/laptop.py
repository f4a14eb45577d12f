"""A dashboard over a state file, as `reactor dashboard --state` serves it, and a browser that is let in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from reactor_operator.cli.dashboard.beside import Beside, beside
from reactor_operator.cli.dashboard.state import driver_of
from reactor_operator.cli.dashboard.world import LaptopWorld
from reactor_operator.cli.drive import Interrupts
from reactor_operator.cli.manifests import Manifests, load_manifests
from reactor_operator.cli.state_file import open_keys, open_store
from reactor_operator.notifications.observers import Observers
from reactor_operator.store.port import Store
from tests.unit.mirror.made import until

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Laptop:
    """What a test needs to look, to act, and to press Ctrl-C."""

    browser: httpx.AsyncClient
    beside: Beside
    store: Store
    stops: Interrupts
    said: list[str]

    async def get(self, path: str, code: int = 200) -> Any:
        answer = await self.browser.get(f"/api/v1/{path}")
        assert answer.status_code == code, answer.text
        return answer.json()

    async def ask(self, run: str, code: int = 200, **body: Any) -> Any:
        headers = {"X-Reactor-Request": "1"}
        answer = await self.browser.post(f"/api/v1/runs/default/{run}/requests", json=body, headers=headers)
        assert answer.status_code == code, answer.text
        return answer.json()

    async def phases(self) -> dict[str, str]:
        return {item["name"]: item["phase"] for item in (await self.get("runs"))["items"]}

    async def until(self, run: str, *phases: str | None) -> None:
        """Wait until a run is in one of these phases; None: until it is gone."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.phases()).get(run) not in phases:  # noqa: ASYNC110 - a list tells nobody of changes
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def laptop(state: Path, folder: Path | None) -> AsyncIterator[Laptop]:
    """Serve the runs of a state file; `folder` has the manifests, None: they are not here."""
    said: list[str] = []
    say: Callable[[str], None] = said.append
    manifests = load_manifests([str(folder)]) if folder is not None else Manifests()
    async with open_store(state) as store:
        keys, stops = open_keys(state, needed=False), Interrupts(say)
        world = LaptopWorld(store, keys, manifests, "this folder")
        driver = await driver_of(world, stops, Observers([]), None)
        async with beside(world, driver, 0, say) as served:
            base = served.guard.address.partition("/dashboard")[0]
            async with httpx.AsyncClient(base_url=base, timeout=PATIENCE_SECONDS, trust_env=False) as browser:
                await browser.get(served.guard.address)
                await until(lambda: world.mirror.ready)
                yield Laptop(browser, served, store, stops, said)
