"""What the operator shows of pools, for people and for autoscalers.

In: depths of queues, how many workers are ready. Out: Prometheus series, one for each pool. Never here: names of runs.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from reactor_operator.pools.pool import pod_of, pool_of
from reactor_operator.store.port import Depth

_LABELS = ("namespace", "pool")


class PoolMetrics:
    """The series, registered once per process. They are those of the operator that leads; others show none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, words: str) -> Gauge:
            return Gauge(f"reactor_pool_{name}", words, _LABELS, registry=registry)

        self._queued = gauge("queued_tasks", "Tasks that wait for a worker.")
        self._leased = gauge("leased_tasks", "Tasks that workers have taken and not ended.")
        self._oldest = gauge("oldest_seconds", "For how long the oldest task has waited.")
        self._ready = gauge("ready_workers", "Workers that are ready.")
        self.lost = Counter("reactor_pool_lost_tasks", "Tasks whose lease ran out.", registry=registry)
        self._shown: set[str] = set()

    def show(self, depths: Mapping[str, Depth], ready: Mapping[str, int]) -> None:
        """Show pools that exist (`ready` has them) and queues of pools that do not; the series of others go."""
        shown = {key for key in depths if pod_of(key) is None} | ready.keys()
        for key in self._shown - shown:
            for series in (self._queued, self._leased, self._oldest, self._ready):
                series.remove(*pool_of(key))
        for key in shown:
            labels, depth = pool_of(key), depths.get(key, _NOTHING)
            self._queued.labels(*labels).set(depth.queued)
            self._leased.labels(*labels).set(depth.leased)
            self._oldest.labels(*labels).set(depth.oldest_ms / 1000)
            self._ready.labels(*labels).set(ready.get(key, 0))
        self._shown = set(shown)


_NOTHING = Depth(queued=0, leased=0, oldest_ms=0)
