"""What counting costs: CPU of a chain of steps over Redis, with and without it, in turns and in one process.

    .venv/bin/python -m tests.benchmarks.metering [PAIRS]

In: nothing. Out: a line with both figures and their ratio. Nothing but the reconciler and the store counts: there is no
API server, and tasks end when they start, so on a cluster the ratio is smaller.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from prometheus_client import CollectorRegistry

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.running.series import OperatorSeries
from reactor_operator.store.redis import RedisStore
from tests.benchmarks.driving import Written, drive, read_run
from tests.contract.redis_server import RedisServer

STEPS = 40
PAIRS = 40
_HEAD = "apiVersion: reactor.run/v1alpha1\nkind: {kind}\nmetadata: {{name: bench}}\nspec:\n"
_STEP = """  - name: s{number}
    arguments: {{who: {{{source}}}}}
    run: {{python: {{handler: "shop:greet"}}}}
    undo: {{python: {{handler: "shop:part"}}}}
"""


async def measure(url: str, pairs: int) -> dict[bool, list[float]]:
    """Return CPU (µs) per step of each run, with and without counting."""
    series = OperatorSeries.of(CollectorRegistry())
    series.runs.told_at = lambda _: 0.0
    stores = {True: RedisStore(url, "bench", observe=series.store.observe), False: RedisStore(url, "bench")}
    evaluator = ProcessEvaluator(workers=1)
    written, taken = read_run(_chain()), dict[bool, list[float]]({True: [], False: []})
    try:
        for number in range(-1, pairs):  # the first pair warms up
            for counts in (True, False) if number % 2 else (False, True):
                found = await _one(
                    written, stores[counts], evaluator, f"r{number}-{counts}", series if counts else None
                )
                if number >= 0:
                    taken[counts].append(found)
    finally:
        await evaluator.close()
        for store in stores.values():
            await store.close()
    return taken


async def _one(
    written: Written, store: RedisStore, evaluator: ProcessEvaluator, name: str, series: OperatorSeries | None
) -> float:
    before = time.process_time()
    await drive(written, store, evaluator, name, most=2 * STEPS, meter=series.runs if series is not None else None)
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
    with_it, without = (statistics.median(taken[counts]) for counts in (True, False))
    least = min(taken[True]) / min(taken[False])
    print(
        f"{pairs} pairs: {without:.0f} µs of CPU per step without, {with_it:.0f} µs with; "
        f"ratio of medians {with_it / without:.3f}, of the least {least:.3f}"
    )


if __name__ == "__main__":
    main()
