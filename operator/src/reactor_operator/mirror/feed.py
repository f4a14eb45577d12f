"""What becomes of runs, told to those who listen: each change once, in order, or the word that some were lost.

In: changes. Out: for each listener those of its namespaces. Never here: a listener that the others wait for, or memory
that grows with how slow one is.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from reactor_operator.mirror.summary import RunSummary

BUFFERED = 1_000
"""Changes that wait for a listener; of more it is told that some were lost."""
REMEMBERED = 5_000
"""Changes that whoever comes back may be told still."""


@dataclass(frozen=True, slots=True)
class Change:
    """A run that is new or changed, or (`removed`) gone. `number` counts all changes, from 1."""

    number: int
    run: RunSummary
    removed: bool = False


@dataclass(slots=True)
class Listener:
    """Somebody who listens. `namespaces`: None: to all of them. `lost`: some changes could not be kept for it.

    closed: nothing more will be told.
    """

    namespaces: Set[str] | None
    waiting: deque[Change] = field(default_factory=deque)
    lost: bool = False
    closed: bool = False
    _there: asyncio.Event = field(default_factory=asyncio.Event)

    def hears(self, change: Change) -> bool:
        """Tell whether a change is of its namespaces."""
        return self.namespaces is None or change.run.namespace in self.namespaces

    def tell(self, change: Change) -> None:
        """Keep a change for it."""
        if not self.hears(change):
            return
        if len(self.waiting) >= BUFFERED:
            self.lose()
        if not self.lost:
            self.waiting.append(change)
        self._there.set()

    def lose(self) -> None:
        """Drop what waits: it has to list again."""
        self.waiting.clear()
        self.lost = True
        self._there.set()

    def close(self) -> None:
        """Let it go: nothing more will be told."""
        self.closed = True
        self._there.set()

    async def next(self, patience_seconds: float) -> list[Change] | None:
        """Return what waits, none after `patience_seconds` without a change, or None: some were lost, list again."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self._there.wait()
        except TimeoutError:
            return []
        if not self.closed:
            self._there.clear()
        if self.lost:
            self.lost = False
            return None
        told = list(self.waiting)
        self.waiting.clear()
        return told


class Feed:
    """Tells changes to listeners."""

    def __init__(self) -> None:
        self.number = 0
        self._closed = False
        self._listeners: list[Listener] = []
        self._recent: deque[Change] = deque(maxlen=REMEMBERED)

    def __len__(self) -> int:
        return len(self._listeners)

    def tell(self, run: RunSummary, *, removed: bool = False) -> None:
        """Tell a change to all who listen."""
        self.number += 1
        change = Change(self.number, run, removed)
        self._recent.append(change)
        for listener in self._listeners:
            listener.tell(change)

    @contextmanager
    def listening(self, namespaces: Set[str] | None, since: int | None = None) -> Iterator[Listener]:
        """Give a listener, until the block ends: to what comes after the change `since`, or (None) from now on."""
        listener = Listener(namespaces)
        if since is not None:
            self._catch_up(listener, since)
        if self._closed:
            listener.close()
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def close(self) -> None:
        """Let all listeners go, those that are still to come too."""
        self._closed = True
        for listener in self._listeners:
            listener.close()

    def _catch_up(self, listener: Listener, since: int) -> None:
        missed = self.number - since
        if not 0 <= missed <= len(self._recent):
            listener.lose()
            return
        for change in islice(self._recent, len(self._recent) - missed, None):
            listener.tell(change)
