"""Rows `map-cpu`, `map-memory`, `map-linear` and `map-redis`: what an element of a map costs, however many there are.

In: how often. Out: of maps over a SQLite file, each in a process of its own, how much more memory the long one had at
most than the short one, and its CPU time for each element ÷ that of the short one. Of maps on a pool, in this process,
the operator's CPU time for each element; and what Redis keeps of each once it has ended.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.redis import RedisStore
from tests.benchmarks.machine import ROOT
from tests.benchmarks.mapping import Bench, drive_pooled
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples
from tests.contract.redis_server import RedisServer

LONG, SHORT = 1_000_000, 10_000
WINDOW = 1_000
REPORTED = 100
"""Outcomes that a worker tells at once."""
_LIMIT_SECONDS = 3_600
_MIB = 1 << 20


def measure_length(repetitions: int) -> Mapping[str, Measured]:
    """Run the short map before and after the long one, which is run once: it takes minutes."""
    short = [_child(SHORT) for _ in range(repetitions)]
    long = _child(LONG)
    short += [_child(SHORT) for _ in range(repetitions)]
    cpu = Samples(tuple(one["cpu"] / SHORT * 1e6 for one in short))
    peaks = Samples(tuple(one["peakBytes"] / _MIB for one in short))
    each, peak = long["cpu"] / LONG * 1e6, long["peakBytes"] / _MIB
    told = {"long": long, "window": WINDOW}
    return {
        "map-memory": Measured(
            value=peak - peaks.median,
            spread=(peak - max(peaks.values), peak - min(peaks.values)),
            arms={f"{LONG} elements": Samples((peak,)), f"{SHORT} elements": peaks},
            details={"armsUnit": "MiB", **told},
        ),
        "map-linear": Measured(
            value=each / cpu.median,
            spread=(each / max(cpu.values), each / min(cpu.values)),
            arms={f"{LONG} elements": Samples((each,)), f"{SHORT} elements": cpu},
            details={"armsUnit": "µs", **told},
        ),
    }


def _child(elements: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.map_child", str(elements), str(WINDOW)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=_LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired as problem:
        raise BenchmarkFailed(f"a map of {elements} elements took more than {_LIMIT_SECONDS} s") from problem
    if done.returncode:
        raise BenchmarkFailed(f"a map of {elements} elements: {done.stderr.decode().strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure_bookkeeping(repetitions: int) -> Mapping[str, Measured]:
    """Drive maps on a pool over a store in memory."""
    bench = Bench(elements=2 * SHORT, window=WINDOW, on_pool=True)
    taken = []
    for _ in range(repetitions):
        driven = asyncio.run(drive_pooled(bench, MemoryStore(), at_once=REPORTED))
        taken.append(driven.cpu / bench.elements * 1e6)
    samples = Samples(tuple(taken))
    details = {"elements": bench.elements, "window": WINDOW, "reportedAtOnce": REPORTED, "armsUnit": "µs"}
    return {
        "map-cpu": Measured(value=samples.median, spread=samples.spread, arms={"elements": samples}, details=details)
    }


def measure_kept() -> Mapping[str, Measured]:
    """Run two maps on a pool over Redis. What the longer one leaves there more than the shorter is its elements'."""
    lengths = (SHORT, 3 * SHORT)
    kept = [asyncio.run(_kept(elements)) for elements in lengths]
    each = (kept[1] - kept[0]) / (lengths[1] - lengths[0])
    arms = {f"{elements} elements": Samples((float(one),)) for elements, one in zip(lengths, kept, strict=True)}
    return {"map-redis": Measured(value=each, arms=arms, details={"armsUnit": "bytes"})}


async def _kept(elements: int) -> int:
    """Return how many bytes Redis uses more when a map has ended than before it began."""
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        store = RedisStore(server.url, "bench")
        await store.incarnation()
        before = _used(server)
        await drive_pooled(Bench(elements=elements, window=WINDOW, on_pool=True), store, at_once=REPORTED)
        await store.close()
        return _used(server) - before


def _used(server: RedisServer) -> int:
    for line in server.command("INFO", "memory").decode().splitlines():
        name, _, value = line.partition(":")
        if name == "used_memory_dataset":
            return int(value)
    raise BenchmarkFailed("Redis does not tell how much memory it uses")
