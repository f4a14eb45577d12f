"""The loop over all pools: each second every queue is looked at, and a pool is reconciled where something may be due.

In: the roster, the depths of the queues. Out: reconciles, side by side, and the series of metrics. Never here: what a
reconcile does, or one pool's failure that stops others: it is left alone for a growing pause.
"""

import asyncio
import random
import time
from collections.abc import Mapping

import structlog

from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import int_at
from reactor_operator.pools.metrics import PoolMetrics
from reactor_operator.pools.ports import PoolStore
from reactor_operator.pools.reconciler import PoolReconciler
from reactor_operator.pools.roster import Known, PoolRoster
from reactor_operator.pools.scaling import desired_replicas
from reactor_operator.pools.status import EMPTY_QUEUE, differs_in_more_than_counts, render_pool_status
from reactor_operator.pools.workers import NO_WORKERS, Workers
from reactor_operator.ports import Clock, Unavailable
from reactor_operator.store.port import Depth, StoreUnavailable

LOOK_SECONDS = 1.0
AT_ONCE = 8
UNSETTLED_SECONDS = 3.0
TROUBLED_SECONDS = 10.0
SETTLED_SECONDS = 60.0
COUNTS_SECONDS = 10.0
"""How often a status is written that says nothing new but how much waits."""
_GATHER_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_log = structlog.get_logger("reactor_operator.pools")


class PoolLoop:
    """Keeps all pools as they should be."""

    def __init__(
        self,
        roster: PoolRoster,
        reconciler: PoolReconciler,
        store: PoolStore,
        clock: Clock,
        metrics: PoolMetrics,
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._roster = roster
        self._reconciler = reconciler
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._look_seconds = look_seconds
        self._depths: Mapping[str, Depth] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Look until cancelled, every second and soon after a mark."""
        while True:
            try:
                self._depths = await self._store.depths()
            except StoreUnavailable as problem:
                _log.warning("the queues of pools could not be looked at", problem=str(problem))
            await self.look()
            await self._roster.wait(self._look_seconds)
            await asyncio.sleep(_GATHER_SECONDS)  # what changes together is looked at once

    async def look(self) -> None:
        """Reconcile each pool for which something may be due."""
        now = time.monotonic()
        due = [known for known in self._roster.all() if self._is_due(known, now)]
        await asyncio.gather(*(self._one(known) for known in due))
        self._metrics.show(
            self._depths, {known.pool.key: (known.workers or NO_WORKERS).ready for known in self._roster.all()}
        )

    def _is_due(self, known: Known, now: float) -> bool:
        workers = known.workers
        if now < known.not_before:
            return False
        if known.dirty or workers is None:
            return True
        wanted = self._replicas(known, workers)  # asked each time, for it remembers what was needed when
        if known.pool.spec is not None and wanted != workers.wanted and not workers.trouble:
            return True
        waited = now - known.looked_at
        if (
            known.pool.spec is not None
            and not workers.settled
            and waited >= (TROUBLED_SECONDS if workers.trouble else UNSETTLED_SECONDS)
        ):
            return True
        depth, status = self._depth(known), known.pool.status
        counts = (int_at(status, "queued") or 0, int_at(status, "leased") or 0)
        if counts != (depth.queued, depth.leased) and now - known.written_at >= COUNTS_SECONDS:
            return True
        return waited >= SETTLED_SECONDS

    async def _one(self, known: Known) -> None:
        async with self._room:
            pool, known.dirty, known.looked_at = known.pool, False, time.monotonic()
            try:
                known.workers = await self._reconciler.reconcile(pool, lambda workers: self._replicas(known, workers))
                await self._tell(known, known.workers)
            except (Unavailable, ApiError) as problem:
                self._put_off(known)
                _log.warning("a pool waits for the API server", pool=pool.key, problem=str(problem))
            except Exception:
                self._put_off(known)
                _log.exception("a pool cannot be reconciled: this is a bug", pool=pool.key)
            else:
                known.failures = 0

    def _replicas(self, known: Known, workers: Workers) -> int:
        spec = known.pool.spec
        if spec is None:
            return workers.wanted
        now = time.monotonic_ns() // 1_000_000
        scaled = desired_replicas(spec, workers.wanted, self._depth(known), workers.ready, now, known.memory)
        known.memory = scaled.memory
        return scaled.replicas

    def _depth(self, known: Known) -> Depth:
        return self._depths.get(known.pool.key, EMPTY_QUEUE)

    async def _tell(self, known: Known, workers: Workers) -> None:
        """Write the status where it says something new; how much waits alone is told every ten seconds."""
        pool = known.pool
        status = render_pool_status(pool, workers, self._depth(known), self._clock.now())
        if status.items() <= pool.status.items():
            return
        now = time.monotonic()
        if not differs_in_more_than_counts(status, pool.status) and now - known.written_at < COUNTS_SECONDS:
            return
        written = await self._reconciler.write_status(pool, status)
        known.written_at = now
        if written is not None:
            self._roster.changed(None, written)

    def _put_off(self, known: Known) -> None:
        pause = min(_FIRST_PAUSE_SECONDS * 2**known.failures, _LONGEST_PAUSE_SECONDS)
        known.failures = min(known.failures + 1, 16)
        known.dirty = True
        known.not_before = time.monotonic() + pause * random.uniform(1.0, 1.5)  # noqa: S311
