"""Row `observed`: what counting and tracing cost, of the CPU that a step takes on the cluster.

    .venv/bin/python -m tests.benchmarks.metering [PAIRS]    # no cluster needed: of a step without a pod

In: the row `cpu`. Out: the CPU of the calls that count, of those that tell spans and of what encodes these for a
collector (nothing is sent here), per step of a chain over Redis, as a share of the cheaper workload of `cpu`. The chain
is driven with and without them, in turns and in one process; their ratio is in the details, and is noisier. There it is
the reconciler and the store alone, and tasks end when they start.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.running.series import OperatorSeries
from reactor_operator.running.traces import SpanSink
from reactor_operator.store.port import Commit
from reactor_operator.store.redis import RedisStore
from reactor_operator.tracing.traces import RunTraces
from tests.benchmarks.cluster.cpu import measure_cpu
from tests.benchmarks.cluster.place import Place
from tests.benchmarks.driving import Written, drive, read_run
from tests.benchmarks.rows import Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.telling import tell
from tests.contract.redis_server import RedisServer

STEPS = 40
PAIRS = 40
_HEAD = "apiVersion: reactor.run/v1alpha1\nkind: {kind}\nmetadata: {{name: bench}}\nspec:\n"
_STEP = """  - name: s{number}
    arguments: {{who: {{{source}}}}}
    run: {{python: {{handler: "shop:greet"}}}}
    undo: {{python: {{handler: "shop:part"}}}}
"""


class Encoding(SpanExporter):
    """Encodes spans as a collector takes them, sends nothing, and notes the CPU that it took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Encode."""
        began = time.thread_time()
        encode_spans(spans).SerializeToString()
        self.seconds += time.thread_time() - began
        return SpanExportResult.SUCCESS


class Watched:
    """Implements `reconciling.meter.Meter`: counts and tells spans, and notes the CPU that it took, the store's too."""

    def __init__(self) -> None:
        self._series = OperatorSeries.of(CollectorRegistry())
        self._series.runs.told_at = lambda _: 0.0
        self.encoding = Encoding()
        self._sink = SpanSink(self.encoding, "bench", timeout_seconds=10.0)
        self._traces = RunTraces(self._sink.tell)
        self.seconds = 0.0
        self.telling = 0.0

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Count, and tell what ended."""
        began = time.thread_time()
        self._series.runs.committed(before, decided, after, commit)
        counted = time.thread_time()
        self._traces.committed(before, decided, after, commit)
        self.seconds += counted - began
        self.telling += time.thread_time() - counted

    def begin(self) -> None:
        """Forget what it took until now."""
        self.seconds = self.telling = self.encoding.seconds = 0.0

    def close(self) -> None:
        """Encode what is left."""
        self._sink.close()

    def launched(self, run: RunRef) -> None:
        """Count."""
        began = time.thread_time()
        self._series.runs.launched(run)
        self.seconds += time.thread_time() - began

    def observe(self, operation: str, seconds: float, answered: bool) -> None:
        """Count."""
        began = time.thread_time()
        self._series.store.observe(operation, seconds, answered)
        self.seconds += time.thread_time() - began

    def forget(self, uid: str) -> None:
        """Nothing is kept of runs that ended."""


@dataclass(frozen=True, slots=True)
class Taken:
    """CPU (µs) per step of each run, with and without counting, that of the calls that count, of those that tell spans,
    and of encoding these."""

    counted: list[float]
    uncounted: list[float]
    counting: float
    telling: float
    encoding: float

    @property
    def observing(self) -> float:
        """All three."""
        return self.counting + self.telling + self.encoding


async def measure_observed(place: Place, repetitions: int, pairs: int) -> Mapping[str, Measured]:
    """Measure what a step costs, and what of it is counting and tracing."""
    measured = await measure_cpu(place, repetitions)
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        taken = await measure(server.url, pairs)
    step = min(samples.median for samples in measured["cpu"].arms.values()) * 1_000
    tell(f"counting {taken.counting:.0f} µs, telling spans {taken.telling:.0f}, encoding them {taken.encoding:.0f}")
    arms = {"with": Samples(tuple(taken.counted)), "without": Samples(tuple(taken.uncounted))}
    details = {
        "armsUnit": "µs",
        "microsecondsPerStep": {"counting": taken.counting, "spans": taken.telling, "encoding": taken.encoding},
        "microsecondsOfAStep": step,
    }
    return {**measured, "observed": Measured(value=taken.observing / step * 100, arms=arms, details=details)}


async def measure(url: str, pairs: int) -> Taken:
    """Drive a chain with and without counting, in turns."""
    watched, evaluator, written = Watched(), ProcessEvaluator(workers=1), read_run(_chain())
    stores = {True: RedisStore(url, "bench", observe=watched.observe), False: RedisStore(url, "bench")}
    taken: dict[bool, list[float]] = {True: [], False: []}
    try:
        for number in range(pairs + 1):
            for counts in (True, False) if number % 2 else (False, True):
                meter = watched if counts else None
                taken[counts].append(await _one(written, stores[counts], evaluator, f"r{number}-{counts}", meter))
            if number == 0:  # the first pair warms up
                taken = {True: [], False: []}
                watched.begin()
    finally:
        watched.close()
        await evaluator.close()
        for store in stores.values():
            await store.close()
    counting, telling, encoding = (
        seconds / pairs / STEPS * 1e6 for seconds in (watched.seconds, watched.telling, watched.encoding.seconds)
    )
    return Taken(taken[True], taken[False], counting, telling, encoding)


async def _one(
    written: Written, store: RedisStore, evaluator: ProcessEvaluator, name: str, meter: Watched | None
) -> float:
    before = time.process_time()
    await drive(written, store, evaluator, name, most=2 * STEPS, meter=meter)
    return (time.process_time() - before) / STEPS * 1e6


def _chain() -> str:
    sources = ["input: who", *(f"result: s{number}" for number in range(STEPS - 1))]
    steps = [_STEP.format(number=number, source=source) for number, source in enumerate(sources)]
    run = _HEAD.format(kind="ReactorRun") + "  reactorRef: {name: bench}\n  inputs: {who: world}\n"
    return _HEAD.format(kind="Reactor") + "  steps:\n" + "".join(steps) + "---\n" + run


def main() -> None:
    """Measure and print."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        taken = asyncio.run(measure(server.url, pairs))
    with_it, without = statistics.median(taken.counted), statistics.median(taken.uncounted)
    of_it = statistics.mean(taken.counted)
    print(
        f"{pairs} pairs: {without:.0f} µs of CPU per step without, {with_it:.0f} µs with, ratio {with_it / without:.3f}"
    )
    for what, took in (
        ("counting", taken.counting),
        ("telling spans", taken.telling),
        ("encoding them", taken.encoding),
    ):
        print(f"{what}: {took:.0f} µs, {took / of_it:.1%} of it")


if __name__ == "__main__":
    main()
