"""Waiting for work: who finds a queue empty is woken when something is put into it.

In: the depths of queues, asked of the store every few milliseconds while anybody waits, however many do. Out: a
wake-up. Never here: a task; whoever is woken asks for a lease, and may find that another one was faster.
"""

import asyncio
from contextlib import suppress

import structlog

from reactor_operator.store.port import Pools, StoreUnavailable

FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.1
_AWAY_SECONDS = 1.0
_GROWTH = 1.1
"""Of the pause, each time nothing was found: after half a second of silence it is as long as it gets."""
_log = structlog.get_logger("reactor_operator.gateway")


class Wakeups:
    """Wakes those who wait for a pool."""

    def __init__(self, store: Pools) -> None:
        self._store = store
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._pause = FIRST_PAUSE_SECONDS

    async def wait(self, pool: str, seconds: float) -> None:
        """Return when something is in the queue of a pool, or after so many seconds."""
        event = asyncio.Event()
        self._waiting.setdefault(pool, set()).add(event)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look(), name="queues of pools")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            waiting = self._waiting.get(pool, set())
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(pool, None)

    def found(self) -> None:
        """There was work just now, and there may be more soon: look more often."""
        self._pause = FIRST_PAUSE_SECONDS

    async def _look(self) -> None:
        """Look at the queues as long as anybody waits."""
        while self._waiting:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * _GROWTH, LONGEST_PAUSE_SECONDS)
            try:
                depths = await self._store.depths()
            except StoreUnavailable as problem:
                _log.warning("the store is away; workers wait", problem=str(problem))
                self._pause = _AWAY_SECONDS
                continue
            for pool, depth in depths.items():
                if depth.queued > 0:
                    for event in self._waiting.get(pool, ()):
                        event.set()
