"""The dashboard beside the runs that `reactor run --ui` drives: it shows them while they go on, and stays.

In: a world, a driver, runs. Out: a server, until Ctrl-C. Never here: how the command drives its runs.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from reactor_operator.cli.dashboard.guard import Guard
from reactor_operator.cli.dashboard.keeper import Keeper
from reactor_operator.cli.dashboard.serving import laptop_app, serving
from reactor_operator.cli.dashboard.world import LaptopWorld
from reactor_operator.cli.drive import Driver, Interrupts
from reactor_operator.cli.laptop import LaptopRun
from reactor_operator.cli.run_view import RunView

LEAVING = (
    "leaving: what runs is let end, nothing new starts and nothing is cancelled; Ctrl-C again kills what still runs"
)


@dataclass(frozen=True, slots=True)
class Beside:
    """A dashboard that is served. `keeper` drives on the runs that somebody asks something of."""

    guard: Guard
    world: LaptopWorld
    keeper: Keeper
    say: Callable[[str], None]

    @contextlib.contextmanager
    def driving(self, run: LaptopRun) -> Iterator[None]:
        """Show a run that the command drives, until the block ends; then it may be asked to go on."""
        self.world.give(run)
        with self.keeper.leaving(run.ref.uid):
            yield

    async def stay(self, stops: Interrupts) -> None:
        """Serve until Ctrl-C, and let what is in flight end."""
        if not stops.cancelled:
            stops.first = ""
            self.say("the dashboard stays until Ctrl-C")
            await stops.next()
            if self.keeper.is_busy:
                self.say(LEAVING)
        await self.keeper.close()

    def last(self, view: RunView) -> RunView:
        """Return how a run stands by now that the command left so."""
        return self.keeper.last.get(view.uid, view)


@contextlib.asynccontextmanager
async def beside(world: LaptopWorld, driver: Driver, port: int, say: Callable[[str], None]) -> AsyncIterator[Beside]:
    """Serve the dashboard of a laptop, until the block ends. Raises CommandError where the port is taken."""
    keeper = Keeper(world.store, driver, world, say)
    bearer = secrets.token_urlsafe(32)
    async with serving(laptop_app(world, bearer, driver.logs), bearer, port, say) as guard:
        tasks = [asyncio.create_task(keeper.listen()), asyncio.create_task(world.read(say))]
        for task in tasks:
            task.add_done_callback(_tell_failure)
        try:
            yield Beside(guard, world, keeper, say)
        finally:
            world.mirror.feed.close()  # who listens would hold up the end
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await keeper.close(at_once=True)


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Show what ended a task that others go on without."""
    if not task.cancelled() and (problem := task.exception()) is not None:
        said = {"message": "a part of the dashboard ended", "exception": problem}
        asyncio.get_running_loop().call_exception_handler(said)
