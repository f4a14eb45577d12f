"""`reactor dashboard --state FILE`: the runs of a state file in a browser, which go on where somebody acts on them.

In: a state file, manifests. Out: a dashboard until Ctrl-C, and an exit code. Never here: a run that is driven because
it was looked at.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from reactor_operator.cli.dashboard.beside import beside
from reactor_operator.cli.dashboard.browser import open_browser
from reactor_operator.cli.dashboard.world import LaptopWorld
from reactor_operator.cli.drive import Driver, Interrupts, interrupts
from reactor_operator.cli.errors import EXIT_OK, CommandError, refuse_errors
from reactor_operator.cli.manifests import Manifests, load_manifests
from reactor_operator.cli.state_file import open_keys, open_store
from reactor_operator.cli.traced import tracing
from reactor_operator.notifications.observers import Observers, observing
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.reconciling.meter import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDashboard:
    """The command as it was typed. `path`: where manifests are; None: in this folder, where there may be none."""

    state: Path
    path: str | None
    port: int
    browser: bool

    def execute(self) -> int:
        """Do it and return the exit code. Raises CommandError."""
        if not self.state.exists():
            raise CommandError(f"--state {self.state}: found no file, expected that of a `reactor run --state`")
        manifests = self._manifests()
        with tracing(os.environ) as traces:
            return asyncio.run(self._serve(manifests, traces))

    def _manifests(self) -> Manifests:
        """Return the manifests. Those that nobody named are passed over where they are wrong, and that is said."""
        if self.path is not None:
            manifests = load_manifests([self.path])
            refuse_errors(manifests.findings)
            return manifests
        try:
            manifests = load_manifests(["."])
        except CommandError:
            return Manifests()
        for finding in manifests.findings:
            print(finding, file=sys.stderr)
        return manifests

    async def _serve(self, manifests: Manifests, traces: Meter | None) -> int:
        def say(text: str) -> None:
            print(text, flush=True)

        async with open_store(self.state) as store, interrupts(say) as stops, observing() as observers:
            keys = open_keys(self.state, needed=False)
            world = LaptopWorld(store, keys, manifests, self.path or "this folder")
            driver = await driver_of(world, stops, observers, traces)
            async with beside(world, driver, self.port, say) as dashboard:
                say(f"dashboard of {self.state}: {dashboard.guard.address}")
                say("a run that somebody acts on there goes on in this process")
                if self.browser:
                    open_browser(dashboard.guard.address)
                await dashboard.stay(stops)
        return EXIT_OK


async def driver_of(world: LaptopWorld, stops: Interrupts, observers: Observers, traces: Meter | None) -> Driver:
    """Return what drives the runs of a world."""
    return Driver(
        store=world.store,
        epoch=await world.store.claim_epoch(0),
        manifests=world.manifests,
        stops=stops,
        verbose=False,
        signing_keys=SigningKeys.of_laptop(os.environ),
        observers=observers,
        keyring=world.keys,
        look=world.look,
        traces=traces,
    )
