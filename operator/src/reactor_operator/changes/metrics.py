"""What the operator counts of the changes it follows.

In: observations. Out: Prometheus series. Never here: names of runs as labels.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class ChangeMetrics:
    """The series, registered once per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queue = Gauge("reactor_queue_runs", "Runs that wait to be reconciled.", registry=registry)
        self.oldest = Gauge(
            "reactor_queue_oldest_seconds",
            "For how long the run has waited to be reconciled that has waited longest.",
            registry=registry,
        )
        self.reconcile_seconds = Histogram(
            "reactor_reconcile_seconds", "Time of one reconcile.", buckets=_BUCKETS, registry=registry
        )
        self.failures = Counter(
            "reactor_reconcile_failures", "Reconciles that were put off, by why.", ["reason"], registry=registry
        )
        for reason in ("unavailable", "bug"):  # from zero: what begins at one has not increased for who looks seldom
            self.failures.labels(reason)
        self.missed_events = Counter(
            "reactor_missed_events", "Changes of pods that a relist found and no watch told.", registry=registry
        )
        self.missed_runs = Counter(
            "reactor_missed_run_events", "Changes of runs that a list found and no watch told.", registry=registry
        )
        self.watch_breaks = Counter(
            "reactor_watch_breaks", "Watches that broke or went stale, by kind.", ["kind"], registry=registry
        )
        self.orphans = Counter(
            "reactor_orphan_pods_deleted", "Pods deleted because nobody waits for their task.", registry=registry
        )
        self.foreign = Counter(
            "reactor_foreign_pods", "Pods with our label whose seal does not hold.", registry=registry
        )
        self.api_requests = Counter(
            "reactor_api_requests", "Answers of the API server.", ["method", "resource", "code"], registry=registry
        )
        self.leader = Gauge("reactor_leader", "1 while this process holds the lease.", registry=registry)

    def observe_request(self, method: str, resource: str, code: int) -> None:
        """Count one answer of the API server."""
        self.api_requests.labels(method, resource, str(code)).inc()
