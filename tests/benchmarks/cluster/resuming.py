"""Rows `resume-…` and `resume-http-…`: from the signal that resumes a paused run to the next pod of it.

In: how many runs for each way, and which rows: an annotation of the run, and `POST /v1/signals` on the gateway. Out:
milliseconds from the moment at which the request is sent to that at which a watch tells of the pod, both by this
process's clock. Runs are resumed one after the other, both ways in turn, each when the one before has ended and its pod
is gone, so that what is measured is the operator, not a queue of pods, nor on two cores a kubelet that takes one down.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from time import perf_counter

from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import POD, REACTOR_RUN
from tests.benchmarks.cluster.arms import make_reactor
from tests.benchmarks.cluster.installation import find_installation
from tests.benchmarks.cluster.objects import asking_steps, run_of
from tests.benchmarks.cluster.place import Place, until
from tests.benchmarks.cluster.sending import a_sender
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.telling import tell

Resume = Callable[[str], Awaitable[object]]
ROWS = {"resume": "annotation", "resume-http": "HTTP"}
_REACTOR = "asks"
_RUN = "reactor.run/run"
_PAYLOAD = {"ok": True}
_PAUSED_SECONDS = 180
_CONNECT_SECONDS = 0.2  # the watch is there before anything happens, and the run before is quiet


async def measure_resume(place: Place, runs: int, wanted: Collection[str]) -> Mapping[str, Measured]:
    """Resume `runs` paused runs by each way of which a row is wanted."""
    rows = [row for row in ROWS if any(name in wanted for name in (f"{row}-p50", f"{row}-p99"))]
    await place.empty()
    await make_reactor(place, _REACTOR, asking_steps())
    names = {row: [f"{row}-{index}" for index in range(runs)] for row in rows}
    for name in (name for of_row in names.values() for name in of_row):
        await place.create(REACTOR_RUN, run_of(_REACTOR, name))
    await until("all runs are paused", lambda: _all_paused(place, runs * len(rows)), _PAUSED_SECONDS)
    taken: dict[str, list[float]] = {row: [] for row in rows}
    async with a_sender(place, await find_installation(place.client)) as sender:
        ways: Mapping[str, Resume] = {
            "resume": lambda name: annotate(place, name),
            "resume-http": lambda name: sender.resume(name, "ask", _PAYLOAD),
        }
        for index in range(runs):
            for row in rows:
                name = names[row][index]
                taken[row].append(await time_resume(place, name, ways[row]) * 1_000)
                await until(f"run {name} has ended", lambda name=name: has_ended(place, name), _PAUSED_SECONDS)  # type: ignore[misc]
    measured: dict[str, Measured] = {}
    for row in rows:
        measured |= _rows_of(row, ROWS[row], taken[row])
    return measured


def percentile_99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds (the nearest rank: of 200 values the 198th)."""
    return sorted(values)[-(-len(values) * 99 // 100) - 1]


def _rows_of(row: str, way: str, taken: list[float]) -> dict[str, Measured]:
    samples, p99 = Samples(tuple(taken)), percentile_99(taken)
    tell(f"resume by {way} to next pod: median {samples.median:.0f} ms, p99 {p99:.0f}, greatest {max(taken):.0f}")
    details = {"armsUnit": "ms", "runs": len(taken)}
    arms = {f"resume by {way} to next pod": samples}
    return {
        f"{row}-p50": Measured(value=samples.median, spread=samples.spread, arms=arms, details=details),
        f"{row}-p99": Measured(value=p99, spread=samples.spread, arms=arms, details=details),
    }


async def annotate(place: Place, name: str) -> None:
    """Resume a run by an annotation."""
    annotation = {"reactor.run/resume": json.dumps({"step": "ask", "payload": _PAYLOAD})}
    await place.client.patch(REACTOR_RUN.object(place.namespace, name), {"metadata": {"annotations": annotation}})


async def _all_paused(place: Place, runs: int) -> bool:
    listed = await place.client.list(REACTOR_RUN.collection(place.namespace))
    return sum(text_at(run, "status", "phase") == "Paused" for run in listed.items) == runs


async def has_ended(place: Place, name: str) -> bool:
    """Tell whether a run has succeeded, and no pod of it is left."""
    found = await place.client.get(REACTOR_RUN.object(place.namespace, name))
    if found is None or text_at(found, "status", "phase") != "Succeeded":
        return False
    pods = await place.client.list(POD.collection(place.namespace), {"labelSelector": f"{_RUN}={name}"})
    return not pods.items


async def time_resume(place: Place, name: str, resume: Resume) -> float:
    """Return the seconds from the request that resumes a run to its pod. The answer is waited for after that."""
    version = await place.version(POD)
    async with aclosing(place.changes(POD, version)) as pods:
        told = asyncio.create_task(_pod_of(pods, name))
        try:
            await asyncio.sleep(_CONNECT_SECONDS)
            began = perf_counter()
            resuming = asyncio.ensure_future(resume(name))
            await asyncio.wait({told, resuming}, return_when=asyncio.FIRST_COMPLETED)
            if resuming.done():
                await resuming  # what was refused brings no pod
            took = await told - began
            await resuming
        finally:
            told.cancel()
            await asyncio.wait({told})
    if took <= 0:
        raise BenchmarkFailed(f"the pod of run {name} was there before it was resumed")
    return took


async def _pod_of(pods: AsyncIterator[JsonObject], name: str) -> float:
    """Return when a watch tells of the pod of a run."""
    async for pod in pods:
        if text_at(pod, "metadata", "labels", _RUN) == name:
            return perf_counter()
    raise BenchmarkFailed(f"the watch of pods closed before that of run {name} came")
