"""`python -m tests.benchmarks.cluster.timeline`: where the time of a chain of ten Python pod steps goes.

In: a cluster with the chart. Out: a table of milliseconds, a line per step and the medians. The steps themselves tell
when their process and their handler began, by the node's clock, which has to be this machine's (on kind it is).
Never here: a figure of the table of the benchmarks.

The parts of a step, each from the end of the one before: `scheduled` the pod was created until it has a node ·
`process` until the interpreter started (kubelet, network, container runtime) · `handler` until the function was called
(imports, check-in) · `next pod` until the next step's pod was seen created (outcome, inbox, decision, commit, create).
"""

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import median
from time import time

from reactor_operator.kube.fields import map_at, maps_at, text_at
from reactor_operator.kube.paths import POD, REACTOR_RUN
from tests.benchmarks.cluster.arms import CHAIN, make_reactor, time_run
from tests.benchmarks.cluster.objects import Manifest, chain
from tests.benchmarks.cluster.place import Place, a_place
from tests.benchmarks.rows import BenchmarkFailed

_PARTS = ("scheduled", "process", "handler", "next pod")
_SOURCE = """
import os, time

def main(before=None):
    now = time.time()
    with open("/proc/self/stat") as file:
        started = int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return {"process": now - (time.clock_gettime(time.CLOCK_BOOTTIME) - started), "handler": now}
"""


@dataclass(slots=True)
class _Seen:
    """When the watch told of the moments of each step's pod, seconds since the epoch, by step."""

    created: dict[str, float] = field(default_factory=dict)
    scheduled: dict[str, float] = field(default_factory=dict)


def _telling_step(name: str, before: str | None) -> Manifest:
    step: Manifest = {"name": name, "run": {"python": {"source": _SOURCE}}}
    return step if before is None else step | {"arguments": {"before": {"result": before}}}


async def _watch(place: Place, run: str, version: str, seen: _Seen) -> None:
    async with aclosing(place.changes(POD, version)) as changes:
        async for pod in changes:
            if text_at(pod, "metadata", "labels", "reactor.run/run") != run:
                continue  # a pod of the run before, on its way out
            step = text_at(pod, "metadata", "labels", "reactor.run/step")
            seen.created.setdefault(step, time())
            if text_at(pod, "spec", "nodeName"):
                seen.scheduled.setdefault(step, time())


async def _one_run(place: Place, name: str) -> list[list[float]]:
    """Return the milliseconds of each part of each step; first of all how long the first pod was in coming."""
    seen = _Seen()
    watching = asyncio.create_task(_watch(place, name, await place.version(POD), seen))
    began = time()
    took = await time_run(place, "told", name)
    watching.cancel()
    status = map_at(await place.client.get(REACTOR_RUN.object(place.namespace, name)), "status")
    results = {text_at(step, "name"): map_at(step, "result") for step in maps_at(status, "steps")}
    names = [f"step-{index}" for index in range(CHAIN)]
    if not all({"process", "handler"} <= results[step].keys() for step in names):
        raise BenchmarkFailed(f"the status of {name} does not show the results of all steps")
    ends = [seen.created[step] for step in names[1:]] + [began + took]
    lines = []
    for step, end in zip(names, ends, strict=True):
        moments = (seen.created[step], seen.scheduled[step], results[step]["process"], results[step]["handler"], end)
        lines.append([1_000 * (later - earlier) for earlier, later in itertools.pairwise(moments)])
    print(f"{name}: {took:.2f} s; the first pod was created after {1_000 * (seen.created[names[0]] - began):.0f} ms")
    return lines


def _render(lines: list[list[float]]) -> str:
    middle = [median(column) for column in zip(*lines, strict=True)]
    body: Mapping[str, list[float]] = {f"step {index}": line for index, line in enumerate(lines)} | {"median": middle}
    heading = f"{'':8}" + "".join(f"{part:>11}" for part in (*_PARTS, "sum"))
    return "\n".join(
        [heading, *(f"{k:8}" + "".join(f"{v:11.0f}" for v in (*line, sum(line))) for k, line in body.items())]
    )


async def _main() -> None:
    async with a_place() as place:
        await make_reactor(place, "told", chain(_telling_step, CHAIN))
        for name in ("told-1", "told-2", "told-3"):
            print(_render(await _one_run(place, name)))


if __name__ == "__main__":
    asyncio.run(_main())
