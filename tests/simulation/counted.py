"""What the metrics of all operators of a world said in sum: never more than happened, whoever crashed in between.

In: a world at rest. Out: nothing, or an AssertionError. Never here: how much less they said. A commit whose answer is
lost, or whose operator dies with it, is not counted.
"""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from reactor_operator.engine.plan import StepKind
from reactor_operator.metering.reactors import ReactorLabels
from reactor_operator.metering.runs import RunMetrics
from reactor_operator.reconciling.records import KnownRun

if TYPE_CHECKING:
    from tests.simulation.world import World

NAMESPACE = "shop"


class Counts:
    """The series of all operators together: as if Prometheus had added them up."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.meter = RunMetrics(self._registry, ReactorLabels())

    def of(self, reactor: str, name: str) -> float:
        """Return a sample of a reactor, summed over its other labels."""
        samples = (sample for family in self._registry.collect() for sample in family.samples if sample.name == name)
        labels = {"namespace": NAMESPACE, "reactor": reactor}
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


async def check_counted(world: "World") -> None:
    """Check the reactors whose runs neither lost state, nor were taken up again, nor were told by a forged status that
    they had: all of theirs happened once.
    """
    runs: dict[str, list[str]] = {}
    for uid, reactor in world.ledger.reactor_of.items():
        runs.setdefault(reactor, []).append(uid)
    ledger = world.ledger
    twice = ledger.lost | ledger.asked | ledger.requests.excused
    for reactor, uids in runs.items():
        if any(uid in twice or uid not in world.cluster.runs for uid in uids):
            continue
        known = [found for uid in uids if (found := await world.known(uid)) is not None]
        started, ended = (
            world.counts.of(reactor, f"reactor_{name}") for name in ("runs_started_total", "run_seconds_count")
        )
        steps = world.counts.of(reactor, "reactor_step_seconds_count")
        assert ended <= len(uids), f"O6: {ended:g} ends of {len(uids)} runs of {reactor} were counted"
        assert started <= len(uids), f"O6: {started:g} starts of {len(uids)} runs of {reactor} were counted"
        most = sum(map(_rounds, known))
        assert steps <= most, f"O6: {steps:g} ends of steps of {reactor} were counted, of which there were {most}"


def _rounds(known: KnownRun) -> int:
    """Return how many ends of steps that are a task there can have been: one in each round."""
    steps = known.state.steps.items()
    return sum(step.round for path, step in steps if known.plan.steps[path].kind is StepKind.TASK)
