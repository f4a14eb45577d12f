"""The bell of a store that lives in one process: who listens is told which runs got an entry.

In: each appended entry. Out: runs, each at most once per look. Never here: what the entries say.
"""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakSet

from reactor_operator.store.port import Entry

_NO_HURRY_SECONDS = 0.3
"""From a start, or a reason to wait, nothing follows at once: what comes soon after is looked at together with it."""


class Listener(AsyncIterator[str]):
    """Yields runs that were rung for since it was made; rings for one run that nobody has heard yet are one."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._late: dict[str, asyncio.TimerHandle] = {}
        self._rung = asyncio.Event()

    def hear(self, run: str, *, hurry: bool = True) -> None:
        """Note a ring, soon where there is no hurry."""
        if not hurry:
            if run not in self._late:
                self._late[run] = asyncio.get_running_loop().call_later(_NO_HURRY_SECONDS, self.hear, run)
            return
        late = self._late.pop(run, None)
        if late is not None:
            late.cancel()
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

    def ring(self, entry: Entry) -> None:
        """Tell every listener of an entry that was recorded."""
        for listener in self._listeners:
            listener.hear(entry.run, hurry=entry.final or not entry.task)

    def listen(self) -> Listener:
        """Return a listener that hears every ring from now on."""
        listener = Listener()
        self._listeners.add(listener)
        return listener
