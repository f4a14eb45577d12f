"""The table of the benchmarks: what each row says, must reach and aims at; and what a measurement gives.

In: nothing. Out: `ROWS`, `Measured`, `NotMeasured`. Never here: how anything is measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.benchmarks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. Less is better unless `more` is; `unit` is empty where the row is a ratio."""

    name: str
    title: str
    unit: str = ""
    must: float
    aim: float | None = None
    more: bool = False

    def reaches(self, value: float, bar: float) -> bool:
        """Tell whether a figure is as good as `bar` says."""
        return value >= bar if self.more else value <= bar


ROWS = (
    Row(name="chain-python", title="chain of 10 Python pod steps ÷ bare-pod loop of 10", must=0.45, aim=0.25),
    Row(name="chain-container", title="chain of 10 container steps ÷ bare-pod loop of 10", must=1.15, aim=1.05),
    Row(name="fan-out", title="60 container steps, parallelism 10 ÷ Indexed Job 60/10", must=1.15, aim=1.0),
    Row(name="cpu", title="operator + gateway CPU per step", unit="ms", must=25, aim=10),
    Row(name="observed", title="metrics and traces, of the CPU per step", unit="%", must=5),
    Row(name="writes", title="API writes by the operator per one-step run", unit="requests", must=6, aim=5),
    Row(name="memory-idle", title="operator memory, idle", unit="MiB", must=120),
    Row(name="memory-finished", title="operator memory, 1,000 finished runs listed", unit="MiB", must=200),
    Row(name="resume-p50", title="annotation that resumes a run to its next pod, median of 200", unit="ms", must=60),
    Row(name="resume-p99", title="annotation that resumes a run to its next pod, p99 of 200", unit="ms", must=250),
    Row(name="resume-http-p50", title="POST that resumes a run to its next pod, median of 200", unit="ms", must=40),
    Row(name="resume-http-p99", title="POST that resumes a run to its next pod, p99 of 200", unit="ms", must=150),
    Row(name="paused-memory", title="operator memory, 10,000 paused runs over none", unit="MiB", must=150),
    Row(name="paused-cpu", title="operator CPU while 10,000 runs are paused", unit="% of a core", must=2),
    Row(name="paused-ready", title="operator restart with 10,000 paused runs until it works", unit="s", must=30),
    Row(name="decide", title="decide on a 100-step graph, per event", unit="µs", must=60, aim=25),
    Row(name="plan", title="plan a 10,000-step reactor", unit="s", must=1.0),
    Row(name="plan-linear", title="plan of 10,000 steps ÷ of 1,000 steps", must=13),
    Row(name="transforms", title="reactor run of a chain of 1,000 transforms, wall", unit="s", must=2.0),
    Row(name="transforms-linear", title="chain of 4,000 transforms ÷ of 1,000, CPU", must=5),
    Row(name="one-step", title="reconciler CPU per one-step run, in process", unit="ms", must=3),
    Row(name="redis-round-trips", title="round trips to Redis per commit", must=1),
    Row(name="redis-bytes", title="bytes Redis writes per event, chain of 1,000 ÷ of 100", must=1.1),
    Row(name="map-fan-out", title="map of 60 container pods, window 10 ÷ Indexed Job 60/10", must=1.1, aim=1.0),
    Row(
        name="pool-dramatiq",
        title="elements/s on a pool, 2 processes ÷ Dramatiq with results",
        must=1.5,
        aim=4,
        more=True,
    ),
    Row(name="pool-celery", title="elements/s on a pool, 2 processes ÷ Celery with results", must=2, aim=6, more=True),
    Row(name="pool-arq", title="elements/s on a pool, 2 processes ÷ ARQ with results", must=2, aim=6, more=True),
    Row(name="pool-pod", title="elements/s on a pool ÷ as pods", must=400, aim=1_000, more=True),
    Row(name="pool-undo", title="elements undone on a pool, chunks of 100", unit="/s", must=300, aim=1_000, more=True),
    Row(name="map-cpu", title="operator CPU per element on a pool, fold and commit", unit="µs", must=100),
    Row(name="map-memory", title="peak memory, map of 1,000,000 over one of 10,000", unit="MiB", must=60, aim=20),
    Row(name="map-linear", title="CPU per element, map of 1,000,000 ÷ of 10,000", must=1.15, aim=1.0),
    Row(name="map-redis", title="Redis memory per finished element", unit="B", must=120, aim=40),
    Row(name="runs-page", title="first page of 50 of 100,000 runs, slowest filter, p95", unit="ms", must=100, aim=50),
    Row(name="runs-memory", title="gateway memory per run that it mirrors", unit="B", must=1_500),
    Row(name="page-bytes", title="first load of the dashboard, compressed", unit="KiB", must=350),
    Row(name="page-first", title="first contentful paint, nothing cached", unit="ms", must=1_000),
    Row(name="page-change", title="change of a run to its words on the screen, p95", unit="ms", must=500),
    Row(name="page-pan", title="panning a graph of 1,000 steps", unit="frames/s", must=30, more=True),
    Row(name="hello", title="reactor run of 01-hello, cold, wall", unit="s", must=0.7, aim=0.4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a row came to.

    `value` is what is judged; `spread` its least and greatest over the repetitions; `arms` what was timed, in seconds
    unless the row says otherwise; `details` whatever else explains the figure.
    """

    value: float
    spread: tuple[float, float] | None = None
    arms: Mapping[str, Samples] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why a row has no figure."""

    reason: str


Outcome = Measured | NotMeasured


class BenchmarkFailed(Exception):
    """A measurement did not come to its end; the row says why, the others go on."""


def verdict(row: Row, outcome: Outcome) -> str:
    """Return the last column: `aim`, `reached`, `MISSED` or `not measured`."""
    match outcome:
        case NotMeasured():
            return "not measured"
        case Measured(value=value) if not row.reaches(value, row.must):
            return "MISSED"
        case Measured(value=value) if row.aim is not None and row.reaches(value, row.aim):
            return "aim"
        case _:
            return "reached"
