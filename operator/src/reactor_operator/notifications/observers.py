"""Observers: code of users that is told what happens to runs, and can do them no harm.

In: entry points of the group `reactor.observers`, and events. Out: calls of `on_event`, in a thread for each observer.
Never here: a wait for one of them. One that raises is logged once by name; one that hangs misses what does not fit
into its queue; one that cannot be loaded is left out.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, entry_points

from reactor_operator.notifications.run_event import Observer, RunEvent

GROUP = "reactor.observers"
QUEUED = 1_000
"""Events that wait for one observer; more are dropped."""
CLOSE_SECONDS = 2.0
"""How long a process that ends waits for observers."""
_log = logging.getLogger("reactor_operator.observers")  # structlog would cost the laptop its start


class Observers:
    """All observers that are installed. There is no thread where there are none."""

    def __init__(self, found: Sequence[EntryPoint]) -> None:
        self._watchers = [_Watcher(one) for one in found]

    @classmethod
    def installed(cls) -> "Observers":
        """Return those of the environment that this process runs in."""
        return cls(sorted(entry_points(group=GROUP), key=lambda one: one.name))

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._watchers)

    def tell(self, events: Sequence[RunEvent]) -> None:
        """Hand events over. Takes no time worth naming."""
        for watcher in self._watchers:
            for event in events:
                watcher.put(event)

    def close(self, seconds: float) -> None:
        """Give them so long to take what waits, then leave them behind. Blocks meanwhile."""
        deadline = time.monotonic() + seconds
        for watcher in self._watchers:
            watcher.stop()
        for watcher in self._watchers:
            watcher.join(max(deadline - time.monotonic(), 0.0))


@asynccontextmanager
async def observing() -> AsyncIterator[Observers]:
    """Yield the installed observers; at the end give them a moment to take what they were told."""
    found = Observers.installed()
    try:
        yield found
    finally:
        if found.any:
            await asyncio.to_thread(found.close, CLOSE_SECONDS)


class _Watcher:
    """One observer, loaded and called in a thread of its own: what it does at import can hang nobody else either."""

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        self._name = entry.name
        self._events: queue.Queue[RunEvent | None] = queue.Queue(QUEUED + 1)  # one place is kept for the end
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._run, name=f"observer {entry.name}", daemon=True)
        self._thread.start()

    def put(self, event: RunEvent) -> None:
        if self._events.qsize() < QUEUED and self._thread.is_alive():
            self._events.put_nowait(event)
        else:
            self._say_once("is too slow, so events are dropped" if self._thread.is_alive() else "")

    def stop(self) -> None:
        self._events.put_nowait(None)

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            observer: Observer = self._entry.load()()
        except BaseException as problem:  # also a SystemExit: it is the observer's, not ours
            self._say_once("cannot be loaded", problem)
            return
        while (event := self._events.get()) is not None:
            try:
                observer.on_event(event)
            except BaseException as problem:
                self._say_once("failed; it is told of further events, and of its failures no more", problem)

    def _say_once(self, what: str, problem: BaseException | None = None) -> None:
        if what and what not in self._said:
            self._said.add(what)
            why = f"{type(problem).__name__}: {problem}" if problem is not None else f"more than {QUEUED} wait"
            _log.warning("observer %s %s: %s", self._name, what, why)
