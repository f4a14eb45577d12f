"""`python -m tests.benchmarks`: measure, print one table, save everything as JSON.

In: `--only ROW…`, `--quick`, `--output FILE`. Out: the table on stdout, progress on stderr. A missed row is told by the
table and by nothing else: the exit code is 0. The rows of a cluster need KUBECONFIG and the chart (`make bench`).
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from reactor_operator.kube.errors import ApiError
from reactor_operator.ports import Unavailable
from tests.benchmarks.cluster import paused
from tests.benchmarks.cluster.facts import cluster_facts, operator_counters
from tests.benchmarks.cluster.installation import find_installation
from tests.benchmarks.cluster.latency import COMPARED, measure_latency
from tests.benchmarks.cluster.memory import measure_memory
from tests.benchmarks.cluster.place import Place, a_place
from tests.benchmarks.cluster.resuming import measure_resume
from tests.benchmarks.cluster.writes import measure_writes
from tests.benchmarks.cold_start import measure_cold_start
from tests.benchmarks.decide import measure_decide
from tests.benchmarks.elements import measure_bookkeeping, measure_kept, measure_length
from tests.benchmarks.laptop import measure_one_step, measure_transforms
from tests.benchmarks.listing import measure_listing
from tests.benchmarks.machine import ROOT, machine_facts
from tests.benchmarks.metering import measure_observed
from tests.benchmarks.page import ROWS as PAGE_ROWS
from tests.benchmarks.page import measure_page
from tests.benchmarks.planning import measure_planning
from tests.benchmarks.queues import LIBRARIES, measure_queues, measure_undo
from tests.benchmarks.redis_cost import measure_redis
from tests.benchmarks.report import render_document, render_table
from tests.benchmarks.rows import ROWS, BenchmarkFailed, Measured, NotMeasured, Outcome
from tests.benchmarks.telling import tell

RESUMED = 60
"""Of the paused runs, how many are resumed to their end."""
_PAIRS = 8
"""Chains with and without counting and tracing, for each repetition of a ratio."""
_TROUBLE = (BenchmarkFailed, ApiError, Unavailable, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often things are repeated: ratios, CPU workloads, folds of a run, process starts, runs that are counted, runs
    that are resumed, each way; restarts of the operator; and how many tasks go through queues and runs are paused."""

    ratios: int
    workloads: int
    folds: int
    starts: int
    counted: int
    resumed: int
    restarts: int
    tasks: int
    paused: int


FULL = Effort(
    ratios=5, workloads=3, folds=200, starts=10, counted=5, resumed=200, restarts=2, tasks=20_000, paused=10_000
)
QUICK = Effort(ratios=2, workloads=1, folds=30, starts=3, counted=2, resumed=20, restarts=1, tasks=2_000, paused=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Local:
    """A measurement of this machine alone, and the rows it fills."""

    rows: frozenset[str]
    measure: Callable[[Effort], Mapping[str, Measured]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnCluster:
    """A measurement on the cluster: its rows, its limit, and whether it sees to a replaced operator itself."""

    rows: frozenset[str]
    measure: Callable[[Place, Collection[str], Effort], Awaitable[Mapping[str, Measured]]]
    limit_seconds: float
    minds_replacement: bool = False


_LOCAL = (
    _Local(rows=frozenset({"decide"}), measure=lambda effort: measure_decide(effort.folds)),
    _Local(rows=frozenset({"plan", "plan-linear"}), measure=lambda effort: measure_planning(effort.ratios)),
    _Local(
        rows=frozenset({"transforms", "transforms-linear"}), measure=lambda effort: measure_transforms(effort.ratios)
    ),
    _Local(rows=frozenset({"one-step"}), measure=lambda effort: measure_one_step(effort.ratios)),
    _Local(rows=frozenset({"redis-round-trips", "redis-bytes"}), measure=lambda _: measure_redis()),
    _Local(
        rows=frozenset({f"pool-{library.name}" for library in LIBRARIES}),
        measure=lambda effort: measure_queues(effort.workloads, effort.tasks),
    ),
    _Local(rows=frozenset({"pool-undo"}), measure=lambda effort: measure_undo(effort.ratios)),
    _Local(rows=frozenset({"map-cpu"}), measure=lambda effort: measure_bookkeeping(effort.ratios)),
    _Local(rows=frozenset({"map-memory", "map-linear"}), measure=lambda effort: measure_length(effort.workloads)),
    _Local(rows=frozenset({"map-redis"}), measure=lambda _: measure_kept()),
    _Local(rows=frozenset({"runs-page", "runs-memory"}), measure=lambda effort: measure_listing(effort.folds)),
    _Local(rows=PAGE_ROWS, measure=lambda effort: measure_page(effort.starts, effort.folds)),
    _Local(rows=frozenset({"hello"}), measure=lambda effort: measure_cold_start(effort.starts)),
)
_ON_CLUSTER = (
    _OnCluster(
        rows=frozenset(COMPARED),
        measure=lambda place, rows, effort: measure_latency(place, rows, effort.ratios),
        limit_seconds=4_500,
        minds_replacement=True,
    ),
    _OnCluster(
        rows=frozenset({"cpu", "observed"}),
        measure=lambda place, _, effort: measure_observed(place, effort.workloads, effort.ratios * _PAIRS),
        limit_seconds=1_200,
    ),
    _OnCluster(
        rows=frozenset({"writes"}),
        measure=lambda place, _, effort: measure_writes(place, effort.counted),
        limit_seconds=600,
    ),
    _OnCluster(
        rows=frozenset({"resume-p50", "resume-p99", "resume-http-p50", "resume-http-p99"}),
        measure=lambda place, rows, effort: measure_resume(place, effort.resumed, rows),
        limit_seconds=2_400,
    ),
    _OnCluster(
        rows=frozenset({"memory-idle", "memory-finished"}),
        measure=lambda place, _, __: measure_memory(place),
        limit_seconds=1_800,
        minds_replacement=True,
    ),
    _OnCluster(  # the last one: what it leaves is swept for some minutes after
        rows=paused.ROWS,
        measure=lambda place, _, effort: paused.measure_paused(place, effort.paused, RESUMED, effort.restarts),
        limit_seconds=4_500,
        minds_replacement=True,
    ),
)


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    wanted = frozenset(options.only or [row.name for row in ROWS])
    effort = QUICK if options.quick else FULL
    machine = machine_facts()
    outcomes: dict[str, Outcome] = {}
    for local in _LOCAL:
        if wanted & local.rows:
            outcomes |= _measure_local(local, wanted, effort)
    if any(wanted & group.rows for group in _ON_CLUSTER):
        found, facts = asyncio.run(_measure_on_cluster(wanted, effort))
        outcomes |= found
        machine |= {"cluster": facts}
    machine |= {"loadAverageAfter": machine_facts()["loadAverage"]}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        render_document(outcomes, machine, {"quick": options.quick, "repetitions": asdict(effort)})
    )
    print(render_table(outcomes))
    tell(f"saved as {options.output}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure and print one table.")
    names = [row.name for row in ROWS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="ROW", help=f"only these rows: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it works, not to publish")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "benchmarks.json", help="where the JSON goes")
    return parser.parse_args()


def _measure_local(local: _Local, wanted: frozenset[str], effort: Effort) -> dict[str, Outcome]:
    tell(f"measuring {', '.join(sorted(wanted & local.rows))}")
    try:
        measured = local.measure(effort)
    except _TROUBLE as problem:
        return _without(wanted & local.rows, problem)
    return {row: measured[row] for row in wanted & local.rows}


async def _measure_on_cluster(wanted: frozenset[str], effort: Effort) -> tuple[dict[str, Outcome], dict[str, object]]:
    """Measure the groups one after another; one that fails does not keep the next from being measured."""
    outcomes: dict[str, Outcome] = {}
    facts: dict[str, object] = {}
    groups = [group for group in _ON_CLUSTER if wanted & group.rows]
    try:
        async with a_place() as place:
            facts |= await cluster_facts(place, await find_installation(place.client))
            for group in groups:
                outcomes |= await _measure_group(group, place, wanted, effort)
            facts["counters"] = await operator_counters(place.client, await find_installation(place.client))
    except _TROUBLE as problem:
        outcomes = _without(wanted & frozenset().union(*(group.rows for group in groups)), problem) | outcomes
    return outcomes, facts


async def _measure_group(group: _OnCluster, place: Place, wanted: frozenset[str], effort: Effort) -> dict[str, Outcome]:
    rows = wanted & group.rows
    tell(f"measuring {', '.join(sorted(rows))}")
    try:
        async with asyncio.timeout(group.limit_seconds):
            before = await find_installation(place.client)
            measured = await group.measure(place, rows, effort)
            if not group.minds_replacement and (await find_installation(place.client)).uids != before.uids:
                raise BenchmarkFailed("operator or gateway was replaced while it was measured")
    except _TROUBLE as problem:
        return _without(rows, problem)
    return {row: measured[row] for row in rows}


def _without(rows: Collection[str], problem: BaseException) -> dict[str, Outcome]:
    reason = str(problem) or "it took longer than it may"
    return {row: NotMeasured(reason) for row in rows}


if __name__ == "__main__":
    main()
