"""Rows `runs-page` and `runs-memory`: what the gateway's index of runs costs, with 100,000 of them.

In: how often. Out: of each filter the CPU time of its first page of 50, slice by slice as the gateway asks for it, and
the slowest filter's p95 (on a quiet machine it is the wall clock, whose own p95 is in the details); the memory that the
index takes for each run, as Python counts it.
"""

import gc
import tracemalloc
from collections.abc import Iterator, Mapping
from itertools import cycle
from statistics import quantiles
from time import perf_counter, thread_time

import orjson

from reactor_operator.kube.moments import render_moment
from reactor_operator.mirror.index import Query, RunIndex
from reactor_operator.mirror.summary import summary_of
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples

RUNS = 100_000
PAGE = 50
_BEGAN = 1_700_000_000_000
_PHASES = ("Succeeded",) * 17 + ("Failed", "Running", "Paused")
_RARE = 10_007
"""One run in so many is of a rare reactor: less than a page of them."""


def measure_listing(repetitions: int) -> Mapping[str, Measured]:
    """Fill an index that is weighed, and one that is asked for each first page in turn."""
    taken = _bytes_taken()
    index = _filled()
    gc.collect()  # what the filling left behind is not for the first page to clear away
    queries = _queries()
    seconds: dict[str, list[float]] = {name: [] for name in queries}
    waited: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(repetitions):
        for name, query in queries.items():
            began = perf_counter()
            seconds[name].append(_seconds(index, query))
            waited[name].append(perf_counter() - began)
    arms = {name: Samples(tuple(values)) for name, values in seconds.items()}
    tails = {name: _p95_ms(values) for name, values in seconds.items()}
    slowest = max(tails.values())
    wall = {name: _p95_ms(values) for name, values in waited.items()}
    details = {"p95Milliseconds": tails, "p95MillisecondsOnTheWall": wall, "bytesOfAll": taken, "runs": RUNS}
    return {
        "runs-page": Measured(value=slowest, spread=(min(tails.values()), slowest), arms=arms, details=details),
        "runs-memory": Measured(value=taken / RUNS, details=details),
    }


def _filled() -> RunIndex:
    index = RunIndex()
    for run in _runs():
        index.put(summary_of(orjson.loads(run)))
    return index


def _bytes_taken() -> int:
    tracemalloc.start()
    index = _filled()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if len(index) != RUNS:
        raise BenchmarkFailed(f"the index has {len(index)} runs, expected {RUNS}")
    return taken


def _p95_ms(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1] * 1000


def _seconds(index: RunIndex, query: Query) -> float:
    began = thread_time()
    part = index.slice(query, None, PAGE + 1)
    found = part.runs
    while part.rest is not None and len(found) <= PAGE:
        part = index.slice(query, part.rest, PAGE + 1 - len(found))
        found += part.runs
    took = thread_time() - began
    if not found and query.text != "not to be found":
        raise BenchmarkFailed(f"no run was found of {query}")
    return took


def _queries() -> Mapping[str, Query]:
    half = _BEGAN + RUNS // 2 * 1000
    return {
        "any": Query(),
        "a phase": Query(phases=frozenset({"Paused"})),
        "a rare reactor": Query(reactor="rare"),
        "a namespace": Query(namespaces=frozenset({"team-7"})),
        "no namespace but a rare reactor's": Query(namespaces=frozenset({"team-7"}), reactor="rare"),
        "a text in the message": Query(text="OUT OF STOCK"),
        "a text in one name": Query(text="order-0000"),
        "a text that is nowhere": Query(text="not to be found"),
        "the older half": Query(created_before=half, phases=frozenset({"Failed"})),
        "the older half, a text that is nowhere": Query(created_before=half, text="not to be found"),
    }


def _runs() -> Iterator[bytes]:
    """Yield ReactorRuns as they come from the API server, in no order that the index would like."""
    phases = cycle(_PHASES)
    for number in range(RUNS):
        place = number * 7_919 % RUNS
        created = render_moment(_BEGAN + place * 1000)
        phase = next(phases)
        name = f"order-{place:05}" if place else "order-0000"
        status = {
            "phase": phase,
            "message": f"charge: Error: {place} is out of stock, and the warehouse of {place % 97} is shut"
            if phase == "Failed"
            else "running reserve, charge",
            "progress": f"{place % 7}/7",
            "startedAt": created,
            "finishedAt": created,
            "interrupts": [{"step": "approve", "openedAt": created}] if phase == "Paused" else [],
            "steps": [{"name": "reserve", "phase": "Succeeded"}],
        }
        metadata = {
            "name": name,
            "namespace": f"team-{place % 40}",
            "uid": f"2f1e5a2c-0000-4000-8000-{place:012}",
            "creationTimestamp": created,
        }
        reactor = "rare" if place % _RARE == 0 else f"reactor-{place % 60}"
        yield orjson.dumps({"metadata": metadata, "spec": {"reactorRef": {"name": reactor}}, "status": status})
