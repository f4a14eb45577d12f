"""Every series of a process, made once (docs/metrics.md).

In: a registry. Out: what counts. Never here: what is counted.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, disable_created_metrics

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.metering.reactors import ReactorLabels
from reactor_operator.metering.runs import RunMetrics
from reactor_operator.metering.unfinished import UnfinishedRuns
from reactor_operator.pools.metrics import PoolMetrics
from reactor_operator.store.metrics import StoreMetrics


def new_registry() -> CollectorRegistry:
    """Return a registry. No series tells when it was made: that doubles what is read, and says no more than the
    start of the process."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return CollectorRegistry()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSeries:
    """The series of an operator; of those of runs, reactors have the same labels in all."""

    changes: ChangeMetrics
    runs: RunMetrics
    unfinished: UnfinishedRuns
    pools: PoolMetrics
    store: StoreMetrics

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "OperatorSeries":
        """Register them."""
        reactors = ReactorLabels()
        return cls(
            changes=ChangeMetrics(registry),
            runs=RunMetrics(registry, reactors),
            unfinished=UnfinishedRuns(registry, reactors),
            pools=PoolMetrics(registry),
            store=StoreMetrics(registry),
        )
