"""The bell of a store that lives in one process: who listens is told which runs got an entry.

In: the run of each appended entry. Out: runs, each at most once per look. Never here: the entries themselves.
"""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakSet


class Listener(AsyncIterator[str]):
    """Yields runs that were rung for since it was made; rings for one run that nobody has heard yet are one."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._rung = asyncio.Event()

    def hear(self, run: str) -> None:
        """Note a ring."""
        self._waiting[run] = None
        self._rung.set()

    async def __anext__(self) -> str:
        while not self._waiting:
            self._rung.clear()
            await self._rung.wait()
        run = next(iter(self._waiting))
        del self._waiting[run]
        return run


class Bell:
    """Rings for every listener that is still held by someone."""

    def __init__(self) -> None:
        self._listeners: WeakSet[Listener] = WeakSet()

    def ring(self, run: str) -> None:
        """Tell every listener."""
        for listener in self._listeners:
            listener.hear(run)

    def listen(self) -> Listener:
        """Return a listener that hears every ring from now on."""
        listener = Listener()
        self._listeners.add(listener)
        return listener
