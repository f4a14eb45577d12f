"""What the gateway counts.

In: one observation per answered request. Out: series in the registry it was given. Never here: names of runs or tasks,
of which there is no end.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class GatewayMetrics:
    """The gateway's series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "reactor_gateway_requests", "Requests by verb and answer.", ("verb", "code"), registry=registry
        )
        self._seconds = Histogram(
            "reactor_gateway_request_seconds",
            "Time to answer a request.",
            ("verb",),
            buckets=_BUCKETS,
            registry=registry,
        )

    def observe(self, verb: str, code: int, seconds: float) -> None:
        """Count one answer. `verb` is one of the protocol's, or empty."""
        self._answers.labels(verb, str(code)).inc()
        self._seconds.labels(verb).observe(seconds)
