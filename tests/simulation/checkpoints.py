"""Where the simulation takes control: between any two effects a coroutine stops until it is told to go on, or crashes.

In: coroutines that call `reach`. Out: the list of those that wait, for the scheduler to choose from.
Never here: two answers from outside of the loop (a thread, a socket, a process) that are waited for at once. Which of
them came first would be a matter of real time, and the seed would not repeat.
"""

import asyncio
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from tests.simulation.coverage import Coverage, Place
from tests.simulation.trace import Trace


@dataclass(frozen=True, eq=False)
class Paused:
    """A coroutine of `owner` that waits at `place`."""

    owner: str
    place: Place
    future: asyncio.Future[None]


class Checkpoints:
    """All coroutines that wait. Those of an owner in `held` are not told to go on."""

    def __init__(self, random: Random, coverage: Coverage, trace: Trace) -> None:
        self.random = random
        self.coverage = coverage
        self.trace = trace
        self.paused: list[Paused] = []
        self.held: set[str] = set()
        self._stirred = True
        self._nothing_is_under_way = asyncio.Event()
        self._nothing_is_under_way.set()

    async def reach(self, owner: str, place: Place) -> None:
        """Stop here until resumed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        paused = Paused(owner, place, future)
        self.paused.append(paused)
        try:
            await future
        finally:
            self.paused.remove(paused)
        self.coverage.crossed[place.value] += 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Say that an answer is waited for, maybe from outside of the loop: nothing else moves until it is there."""
        assert self._nothing_is_under_way.is_set(), "two answers from outside of the loop are waited for at once"
        self._nothing_is_under_way.clear()
        try:
            yield
        finally:
            self._nothing_is_under_way.set()

    def choose(self) -> Paused | None:
        """Pick one that waits and may go on; None where there is none."""
        waiting = [p for p in self.paused if p.owner not in self.held and not p.future.done()]
        return self.random.choice(waiting) if waiting else None

    def resume_one(self) -> bool:
        """Let one that waits go on; False where none may."""
        chosen = self.choose()
        if chosen is not None:
            self.trace.note("resume", chosen.owner, chosen.place)
            chosen.future.set_result(None)
            self.stir()
        return chosen is not None

    def stir(self) -> None:
        """Say that a coroutine was begun or told to go on."""
        self._stirred = True

    async def settle(self) -> None:
        """Let every coroutine run until it waits at a checkpoint or is done; what is under way is waited for."""
        if not self._stirred:
            return
        self._stirred = False
        # asyncio has no public way to ask whether anything can run; a fixed number of rounds would be a guess
        ready: Sized = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        while ready or not self._nothing_is_under_way.is_set():
            await self._nothing_is_under_way.wait()
            await asyncio.sleep(0)
