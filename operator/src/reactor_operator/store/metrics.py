"""How long the store takes to answer, as its callers see it.

In: one observation per call. Out: Prometheus series by operation. Never here: keys, or what was stored.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class StoreMetrics:
    """The series, registered once per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        seconds = Histogram(
            "reactor_store_seconds",
            "Time until the store answered, until a write was on its disk, by operation.",
            ("operation",),
            buckets=_BUCKETS,
            registry=registry,
        )
        failures = Counter(
            "reactor_store_failures", "Calls that the store did not answer.", ("operation",), registry=registry
        )
        self._seconds, self._failures = cache(seconds.labels), cache(failures.labels)

    def observe(self, operation: str, seconds: float, answered: bool) -> None:
        """Note one call. `operation` is the name of a script, or `read` or `write`."""
        if answered:
            self._seconds(operation).observe(seconds)
        else:
            self._failures(operation).inc()
