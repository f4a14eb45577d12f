"""Where the simulation takes control: between any two effects a coroutine stops until it is told to go on, or crashes.

In: coroutines that call `reach`. Out: the list of those that wait, for the scheduler to choose from.
"""

import asyncio
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, eq=False)
class Paused:
    """A coroutine of `owner` that waits at `place`."""

    owner: str
    place: str
    future: asyncio.Future[None]


class Checkpoints:
    """All coroutines that wait. `open` lets everything through without stopping, for the fault-free run."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.paused: list[Paused] = []
        self.crossed = 0

    async def reach(self, owner: str, place: str) -> None:
        """Stop here until resumed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        paused = Paused(owner, place, future)
        self.paused.append(paused)
        try:
            await future
        finally:
            if paused in self.paused:
                self.paused.remove(paused)
        self.crossed += 1

    def resume_one(self) -> bool:
        """Let one that waits go on; False where none waits."""
        waiting = [p for p in self.paused if not p.future.done()]
        if not waiting:
            return False
        self.random.choice(waiting).future.set_result(None)
        return True


async def settle() -> None:
    """Let every coroutine run until it waits at a checkpoint or is done."""
    for _ in range(12):
        await asyncio.sleep(0)
