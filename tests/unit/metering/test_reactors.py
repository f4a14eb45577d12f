"""However many reactors there are, those with series of their own are few, and so are the series."""

from prometheus_client import CollectorRegistry, generate_latest

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.engine.actions import StartTask
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import NO_STEPS
from reactor_operator.engine.state import Header, RunPhase, RunState, SignalAnswer, Stage
from reactor_operator.metering.reactors import MOST, OTHER, ReactorLabels
from reactor_operator.metering.runs import RunMetrics
from reactor_operator.metering.unfinished import UnfinishedRuns
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.store.port import Commit

REACTORS = 10_000
ENDED = RunState(header=Header(stage=Stage.OVER, phase=RunPhase.FAILED, finished_at=1))


def a_run(reactor: str, namespace: str = "shop", *, sound: bool = True, state: RunState = ENDED) -> KnownRun:
    """Return a run as it is known of a reactor that is there, or is not."""
    definition = Definition(
        run=RunRef(namespace, f"run-of-{reactor}", reactor), created_at=0, generation=1, reactor_name=reactor
    )
    blueprint = Blueprint.__new__(Blueprint) if sound else None
    return KnownRun(definition=definition, blueprint=blueprint, plan=NO_STEPS, state=state)


def commit_of(known: KnownRun) -> tuple[KnownRun, Decided, KnownRun, Commit]:
    """Return a first commit in which as much happens as can."""
    answers = tuple(SignalAnswer(id=str(number), action=f"made-up-{number}", accepted=False) for number in range(20))
    header = Header(stage=Stage.OVER, phase=RunPhase.FAILED, finished_at=1, signals=answers)
    tasks = tuple(StartTask(task=Task(f"s{number}", Action.RUN, 1, 2, 1)) for number in range(5))
    decided = Decided(state=RunState(header=header), actions=tasks)
    return known, decided, known, Commit(run=known.definition.run.uid, revision=0, epoch=1)


def test_of_ten_thousand_reactors_so_many_have_series_of_their_own_and_the_rest_share_one() -> None:
    registry = CollectorRegistry()
    metrics = RunMetrics(registry, ReactorLabels())
    lines = 0
    for number in range(REACTORS):
        metrics.committed(*commit_of(a_run(f"reactor-{number}", f"namespace-{number % 500}")))
        if number == MOST:
            lines = generate_latest(registry).count(b"\n")
    assert generate_latest(registry).count(b"\n") == lines
    assert registry.get_sample_value("reactor_runs_started_total", labels_of("namespace-0", "reactor-0")) == 1
    assert registry.get_sample_value("reactor_runs_started_total", labels_of(OTHER, OTHER)) == REACTORS - MOST
    signals = {**labels_of(OTHER, OTHER), "action": OTHER, "answer": "refused"}
    assert registry.get_sample_value("reactor_signals_total", signals) == 20 * (REACTORS - MOST)


def test_gauges_of_ten_thousand_reactors_share_the_same_labels() -> None:
    registry = CollectorRegistry()
    running = RunState(header=Header(phase=RunPhase.RUNNING))
    UnfinishedRuns(registry, ReactorLabels()).known = lambda: [
        a_run(f"reactor-{number}", state=running) for number in range(REACTORS)
    ]
    shown = [sample for family in registry.collect() for sample in family.samples]
    assert len(shown) == MOST + 1
    assert sum(sample.value for sample in shown) == REACTORS


def test_a_name_that_is_no_reactor_takes_no_place_from_one_that_is() -> None:
    labels = ReactorLabels(most=1)
    assert labels.of(a_run("made-up", sound=False)) == (OTHER, OTHER)
    assert labels.of(a_run("checkout")) == ("shop", "checkout")
    assert labels.of(a_run("checkout", sound=False)) == ("shop", "checkout")
    assert labels.of(a_run("billing")) == (OTHER, OTHER)
    assert labels.of(a_run("checkout")) == ("shop", "checkout")


def labels_of(namespace: str, reactor: str) -> dict[str, str]:
    return {"namespace": namespace, "reactor": reactor}
