"""How the runs stand that have not ended: counted anew each time somebody reads the metrics.

In: the runs that the operator knows. Out: gauges by reactor. Never here: a counter that a crash could leave wrong.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reactor_operator.engine.state import RunState, Stage
from reactor_operator.metering.reactors import Labels, ReactorLabels
from reactor_operator.reconciling.records import KnownRun

REACTOR = ("namespace", "reactor")


class UnfinishedRuns(Collector):
    """The gauges. Those of the operator that leads; others show none."""

    def __init__(self, registry: CollectorRegistry, reactors: ReactorLabels) -> None:
        self._reactors = reactors
        self.known: Callable[[], Iterable[KnownRun]] = tuple
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Count."""
        runs: dict[tuple[str, ...], int] = {}
        interrupts: dict[Labels, int] = {}
        notices: dict[Labels, int] = {}
        for known in self.known():
            labels, header = self._reactors.of(known), known.state.header
            if header.stage is not Stage.OVER:
                place = (*labels, header.phase.value)
                runs[place] = runs.get(place, 0) + 1
                if found := open_interrupts(known.state):
                    interrupts[labels] = interrupts.get(labels, 0) + found
            if found := header.notices.pending:
                notices[labels] = notices.get(labels, 0) + found
        yield _gauge("runs", "Stored runs that have not ended, by phase.", runs, "phase")
        yield _gauge("interrupts_open", "Interrupts that wait for a payload, also in elements.", interrupts)
        yield _gauge("notifications_pending", "Events that wait to be delivered to notifications.", notices)


def open_interrupts(state: RunState) -> int:
    """Return how many interrupts are open in a run, also in the elements of its maps that are in flight."""
    inside = (element for elements in state.elements.values() for element in elements.values())
    return len(state.waiting) + sum(open_interrupts(element) for element in inside)


def _gauge(name: str, words: str, counts: dict[tuple[str, ...], int] | dict[Labels, int], *labels: str) -> Metric:
    family = GaugeMetricFamily(f"reactor_{name}", words, labels=(*REACTOR, *labels))
    for place, number in counts.items():
        family.add_metric(place, number)
    return family
