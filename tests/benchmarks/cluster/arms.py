"""The arms that are compared: each does its work once on an empty namespace and returns the seconds it took.

In: a `Place`. Out: seconds of wall clock from the first create until a watch shows the end. Never here: which arm is
compared with which. No arm deletes a pod while it is timed: what ended is kept by all of them alike.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from time import perf_counter

from reactor_operator.kube.fields import JsonObject, maps_at, text_at
from reactor_operator.kube.paths import JOB, POD, REACTOR, REACTOR_POOL, REACTOR_RUN
from tests.benchmarks.cluster.objects import (
    Manifest,
    bare_pod,
    chain,
    container_elements,
    container_step,
    indexed_job,
    python_elements,
    python_step,
    reactor,
    run_of,
    worker_pool,
)
from tests.benchmarks.cluster.place import Place
from tests.benchmarks.rows import BenchmarkFailed

Arm = Callable[[Place], Awaitable[float]]
CHAIN = 10
COMPLETIONS, PARALLELISM = 60, 10
POOLED, POOL_WINDOW, CHILDREN = 10_000, 1_000, 2
_LIMIT_SECONDS = 280  # a watch lasts 300
_READY_SECONDS = 30
_POOL_SECONDS = 120
_KEEP_PODS = {"podRetention": "all"}


async def bare_pod_loop(place: Place) -> float:
    """Create a pod, watch it to Succeeded, create the next."""
    version = await place.version(POD)
    async with asyncio.timeout(_LIMIT_SECONDS), aclosing(place.changes(POD, version)) as changes:
        began = perf_counter()
        for index in range(CHAIN):
            await place.create(POD, bare_pod(f"bare-{index}"))
            async for pod in changes:
                if text_at(pod, "metadata", "name") == f"bare-{index}" and _pod_ended(pod):
                    break
        return perf_counter() - began


async def indexed_job_60(place: Place) -> float:
    """Create an Indexed Job and watch it to Complete."""
    version = await place.version(JOB)
    async with asyncio.timeout(_LIMIT_SECONDS):
        began = perf_counter()
        await place.create(JOB, indexed_job("indexed", COMPLETIONS, PARALLELISM))
        await place.wait(JOB, "indexed", version, _job_ended)
        return perf_counter() - began


async def python_chain(place: Place) -> float:
    """Run ten Python steps that hand each other their results."""
    return await run_once(place, chain(python_step, CHAIN))


async def container_chain(place: Place) -> float:
    """Run ten container steps one after another."""
    return await run_once(place, chain(container_step, CHAIN))


async def container_fan_out(place: Place) -> float:
    """Run sixty container steps, ten at a time."""
    steps = [container_step(f"step-{index}") for index in range(COMPLETIONS)]
    return await run_once(place, steps, parallelism=PARALLELISM)


async def container_map(place: Place) -> float:
    """Map over sixty elements, ten at a time, each of them a container."""
    return await run_once(place, [container_elements(COMPLETIONS, PARALLELISM)])


async def pod_map(place: Place) -> float:
    """Map over sixty elements, ten at a time, each of them a Python pod."""
    return await run_once(place, [python_elements(COMPLETIONS, PARALLELISM)])


async def pool_map(place: Place) -> float:
    """Map over `POOLED` elements on a pool that is ready, and has done something before."""
    version = await place.version(REACTOR_POOL)
    await place.create(REACTOR_POOL, worker_pool("fast", CHILDREN))
    try:
        async with asyncio.timeout(_POOL_SECONDS):
            await place.wait(REACTOR_POOL, "fast", version, lambda found: _condition(found, "Ready") == "True")
    except TimeoutError as problem:
        raise BenchmarkFailed(f"the pool was not ready within {_POOL_SECONDS} s") from problem
    await make_reactor(place, "warm", [python_elements(100, POOL_WINDOW, "fast")])
    await time_run(place, "warm", "warm-1")
    return await run_once(place, [python_elements(POOLED, POOL_WINDOW, "fast")], parallelism=POOL_WINDOW)


async def run_once(place: Place, steps: Sequence[Manifest], **spec: object) -> float:
    """Make a reactor, wait until it is ready, and time one run of it from its create to phase Succeeded."""
    await make_reactor(place, "timed", steps, **{"defaults": _KEEP_PODS, **spec})
    return await time_run(place, "timed", "timed-1")


async def make_reactor(place: Place, name: str, steps: Sequence[Manifest], **spec: object) -> None:
    """Create a Reactor and wait until the operator has judged it sound."""
    version = await place.version(REACTOR)
    await place.create(REACTOR, reactor(name, list(steps), **spec))
    try:
        async with asyncio.timeout(_READY_SECONDS):
            judged = await place.wait(REACTOR, name, version, lambda found: bool(_condition(found, "Ready")))
    except TimeoutError as problem:
        raise BenchmarkFailed(
            f"Reactor {name} was not judged within {_READY_SECONDS} s: is the operator up?"
        ) from problem
    if _condition(judged, "Ready") != "True":
        raise BenchmarkFailed(f"Reactor {name} is not Ready: {maps_at(judged, 'status', 'conditions')}")


async def time_run(place: Place, reactor_name: str, name: str) -> float:
    """Time one run of a reactor that is ready."""
    version = await place.version(REACTOR_RUN)
    began = perf_counter()
    await place.create(REACTOR_RUN, run_of(reactor_name, name))
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            ended = await place.wait(REACTOR_RUN, name, version, _run_ended)
    except TimeoutError as problem:
        raise BenchmarkFailed(f"ReactorRun {name} did not end within {_LIMIT_SECONDS} s") from problem
    took = perf_counter() - began
    if text_at(ended, "status", "phase") != "Succeeded":
        raise BenchmarkFailed(
            f"ReactorRun {name}: {text_at(ended, 'status', 'phase')}: {text_at(ended, 'status', 'message')}"
        )
    return took


def _run_ended(run: JsonObject) -> bool:
    return text_at(run, "status", "phase") in {"Succeeded", "Failed", "Cancelled", "Halted"}


def _pod_ended(pod: JsonObject) -> bool:
    phase = text_at(pod, "status", "phase")
    if phase == "Failed":
        raise BenchmarkFailed(f"pod {text_at(pod, 'metadata', 'name')} failed: {text_at(pod, 'status', 'message')}")
    return phase == "Succeeded"


def _job_ended(job: JsonObject) -> bool:
    if _condition(job, "Failed") == "True":
        raise BenchmarkFailed(f"the Indexed Job failed: {maps_at(job, 'status', 'conditions')}")
    return _condition(job, "Complete") == "True"


def _condition(found: JsonObject, kind: str) -> str:
    conditions = maps_at(found, "status", "conditions")
    return next((text_at(one, "status") for one in conditions if text_at(one, "type") == kind), "")
