"""Rows `resume-p50` and `resume-p99`: from the annotation that resumes a paused run to the next pod of it.

In: how many runs. Out: milliseconds from the moment at which the patch is sent to that at which a watch tells of the
pod, both by this process's clock. Runs are resumed one after the other, each when the one before has
ended, so that what is measured is the operator, not a queue of pods.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from time import perf_counter

from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import POD, REACTOR_RUN
from tests.benchmarks.cluster.arms import make_reactor
from tests.benchmarks.cluster.objects import python_step, run_of
from tests.benchmarks.cluster.place import Place, until
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.telling import tell

_REACTOR = "asks"
_RUN = "reactor.run/run"
_PAUSED_SECONDS = 120
_CONNECT_SECONDS = 0.2  # the watch is there before anything happens, and the run before is quiet


async def measure_resume(place: Place, runs: int) -> Mapping[str, Measured]:
    """Resume `runs` paused runs one after the other."""
    await place.empty()
    after = python_step("after") | {"waitFor": ["ask"]}
    await make_reactor(place, _REACTOR, [{"name": "ask", "interrupt": {}}, after])
    names = [f"{_REACTOR}-{index}" for index in range(runs)]
    for name in names:
        await place.create(REACTOR_RUN, run_of(_REACTOR, name))
    await until(f"{runs} runs are paused", lambda: _all_paused(place, runs), _PAUSED_SECONDS)
    taken = []
    for name in names:
        taken.append(await _resume(place, name) * 1_000)
        await until(f"run {name} has ended", lambda name=name: _has_ended(place, name), _PAUSED_SECONDS)  # type: ignore[misc]
    samples = Samples(tuple(taken))
    ordered = sorted(taken)
    tell(f"resume to next pod: median {samples.median:.0f} ms, greatest {ordered[-1]:.0f} ms")
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    details = {"armsUnit": "ms", "runs": runs}
    arms = {"resume to next pod": samples}
    return {
        "resume-p50": Measured(value=samples.median, spread=samples.spread, arms=arms, details=details),
        "resume-p99": Measured(value=p99, spread=samples.spread, arms=arms, details=details),
    }


async def _all_paused(place: Place, runs: int) -> bool:
    listed = await place.client.list(REACTOR_RUN.collection(place.namespace))
    return sum(text_at(run, "status", "phase") == "Paused" for run in listed.items) == runs


async def _has_ended(place: Place, name: str) -> bool:
    found = await place.client.get(REACTOR_RUN.object(place.namespace, name))
    return found is not None and text_at(found, "status", "phase") == "Succeeded"


async def _resume(place: Place, name: str) -> float:
    """Return the seconds from the patch to the pod."""
    version = await place.version(POD)
    annotation = {"reactor.run/resume": json.dumps({"step": "ask", "payload": {"ok": True}})}
    async with aclosing(place.changes(POD, version)) as pods:
        told = asyncio.ensure_future(anext(pods))
        await asyncio.sleep(_CONNECT_SECONDS)
        began = perf_counter()
        await place.client.patch(REACTOR_RUN.object(place.namespace, name), {"metadata": {"annotations": annotation}})
        pod = await told
        while text_at(pod, "metadata", "labels", _RUN) != name:
            pod = await anext(pods)
        took = perf_counter() - began
    if took <= 0:
        raise BenchmarkFailed(f"the pod of run {name} was there before it was resumed")
    return took
