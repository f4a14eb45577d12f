"""Which runs to reconcile, and when: a set of dirty runs, a heap of times, at most one reconcile per run at once.

In: marks from watches, the inbox and timers. Out: calls of `reconcile`, many runs side by side. Never here: what a run
is; what else has a namespace and a name may be looked at so too. A reconcile that fails is repeated after a growing
pause; it never stops another run.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

import structlog

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.timetable import Timetable
from reactor_operator.ports import Clock, Unavailable
from reactor_operator.store.port import OldEpoch, StoreUnavailable


class Named(Hashable, Protocol):
    """What is reconciled: a run, by its `RunRef`, or another thing that logs can name."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def name(self) -> str:
        """Its name there."""


Key = TypeVar("Key", bound=Named)
Reconcile = Callable[[Key], Awaitable[int | None]]

AT_ONCE = 64
_FIRST_PAUSE_MS = 500
_LONGEST_PAUSE_MS = 30_000
_LONGEST_SLEEP_SECONDS = 30.0
_log = structlog.get_logger("reactor_operator.changes")


class ReconcileQueue(Generic[Key]):
    """Calls `reconcile` for each marked run."""

    def __init__(
        self, reconcile: Reconcile[Key], clock: Clock, metrics: ChangeMetrics, *, at_once: int = AT_ONCE
    ) -> None:
        self._reconcile = reconcile
        self._clock = clock
        self._metrics = metrics
        self._at_once = at_once
        self._dirty: dict[Key, float] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._again: dict[Key, float] = {}
        self._told: dict[Key, float] = {}
        self._gone: set[Key] = set()
        self._times: Timetable[Key] = Timetable()
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()
        self._fatal: BaseException | None = None
        metrics.oldest.set_function(self._oldest_seconds)

    def mark(self, ref: Key) -> None:
        """Reconcile the run as soon as there is room; while it is being reconciled, once more after that."""
        self._mark(ref, time.perf_counter())

    def _mark(self, ref: Key, told: float) -> None:
        self._gone.discard(ref)
        if ref in self._running:
            self._again.setdefault(ref, told)
        else:
            self._dirty.setdefault(ref, told)
            self._wake.set()

    def mark_at(self, ref: Key, at: int) -> None:
        """Reconcile the run at `at` (int ms) at the latest. The earliest time that was asked for counts."""
        before = self._times.at(ref)
        if before is None or at < before:
            self._times.put(ref, at)
            self._wake.set()

    def forget(self, ref: Key) -> None:
        """Drop every mark and time of a run that is gone; what is under way ends and is not followed up."""
        if ref in self._running:
            self._gone.add(ref)
        self._dirty.pop(ref, None)
        self._times.drop(ref)
        self._again.pop(ref, None)
        self._failures.pop(ref, None)

    def told_at(self, ref: Key) -> float | None:
        """Return when (`time.perf_counter`) the run was first marked that is being reconciled; None for any other."""
        return self._told.get(ref)

    def _oldest_seconds(self) -> float:
        return time.perf_counter() - min(self._dirty.values()) if self._dirty else 0.0

    @property
    def is_busy(self) -> bool:
        """Whether anything is marked, under way or due later."""
        return bool(self._dirty or self._running or len(self._times))

    async def run(self) -> None:
        """Reconcile until cancelled. Raises OldEpoch where another operator has taken over."""
        try:
            while self._fatal is None:
                self._wake.clear()
                for ref in self._times.take_due(self._clock.now()):
                    self.mark(ref)
                while self._dirty and len(self._running) < self._at_once:
                    ref = next(iter(self._dirty))
                    self._told[ref] = self._dirty.pop(ref)
                    self._running[ref] = asyncio.create_task(self._one(ref))
                self._metrics.queue.set(len(self._dirty))
                await self._sleep()
            raise self._fatal
        finally:
            for task in list(self._running.values()):
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _one(self, ref: Key) -> None:
        started = time.perf_counter()
        self._times.drop(ref)
        try:
            wake_at = await self._reconcile(ref)
        except OldEpoch as problem:
            self._fatal = problem
        except (Unavailable, StoreUnavailable) as problem:
            self._retry_later(ref, problem, expected=True)
        except Exception as problem:
            self._retry_later(ref, problem, expected=False)
        else:
            self._failures.pop(ref, None)
            if wake_at is not None:
                self.mark_at(ref, wake_at)
        finally:
            self._metrics.reconcile_seconds.observe(time.perf_counter() - started)
            self._running.pop(ref, None)
            self._told.pop(ref, None)
            if ref in self._gone:
                self._gone.discard(ref)
                self.forget(ref)
            elif ref in self._again:
                told = self._again.pop(ref)
                if ref not in self._failures:
                    self._mark(ref, told)
            self._wake.set()

    def _retry_later(self, ref: Key, problem: Exception, *, expected: bool) -> None:
        failures = self._failures.get(ref, 0)
        self._failures[ref] = failures + 1
        pause = min(_FIRST_PAUSE_MS << min(failures, 16), _LONGEST_PAUSE_MS)
        pause += random.randrange(pause // 2)  # noqa: S311 - runs that failed together do not come back together
        self.mark_at(ref, self._clock.now() + pause)
        self._metrics.failures.labels("unavailable" if expected else "bug").inc()
        where = f"{ref.namespace}/{ref.name}"
        if expected:
            _log.warning("a run waits for the world", run=where, problem=str(problem), again_ms=pause)
        else:
            _log.error("a run cannot be reconciled: this is a bug", run=where, again_ms=pause, exc_info=problem)

    async def _sleep(self) -> None:
        """Wait for a mark, the end of a reconcile or the next time that is due."""
        try:
            async with asyncio.timeout(self._times.seconds_to_next(self._clock.now(), _LONGEST_SLEEP_SECONDS)):
                await self._wake.wait()
        except TimeoutError:
            return
