"""Rows `memory-idle` and `memory-finished`: what the operator holds when nothing runs, and with 1,000 ended runs.

In: an installation. Out: MiB of the container's working set, which is what its limit is held against: all processes,
and the page cache it uses. The operator is restarted before each figure, but for the first look at 1,000 runs, which
is taken where they were run; the greater of both is judged. The runs are real and end without a pod: their steps are
skipped.
"""

import asyncio
from collections.abc import Mapping

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.paths import REACTOR_RUN
from tests.benchmarks.cluster.arms import make_reactor, time_run
from tests.benchmarks.cluster.installation import Installation, read_now, restart_operator
from tests.benchmarks.cluster.objects import python_step, run_of, skipped_step
from tests.benchmarks.cluster.place import Place, until
from tests.benchmarks.rows import Measured
from tests.benchmarks.telling import tell

RUNS = 1_000
_STEPS = 7
_AT_ONCE = 8
_FINISHED_SECONDS = 900
_SETTLE_READINGS = 3
_INPUTS = {
    "orderId": "o-1",
    "customer": {"id": "c-1", "email": "someone@example.org"},
    "items": [{"sku": f"sku-{index}", "quantity": index + 1, "price": "9.90"} for index in range(8)],
}


async def measure_memory(place: Place) -> Mapping[str, Measured]:
    """Restart, warm and read; make 1,000 runs and read; restart and read."""
    await place.empty()
    await make_reactor(place, "warm", [python_step("only")])
    await make_reactor(place, "skipped", [skipped_step(f"step-{index}") for index in range(_STEPS)])
    installation = await restart_operator(place.client)
    await time_run(place, "warm", "warm-1")
    idle = await _settled(place.client, installation)
    tell(f"operator idle: {idle:.1f} MiB")
    await _finish_runs(place)
    worked = await _settled(place.client, installation)
    tell(f"operator after {RUNS} runs: {worked:.1f} MiB")
    installation = await restart_operator(place.client)
    listed = await _settled(place.client, installation)
    tell(f"operator restarted with {RUNS} finished runs to list: {listed:.1f} MiB")
    await place.empty()
    details = {"ranMiB": worked, "restartedMiB": listed}
    return {
        "memory-idle": Measured(value=idle),
        "memory-finished": Measured(value=max(worked, listed), details=details),
    }


async def _settled(client: KubeClient, installation: Installation) -> float:
    """Return the greatest of a few readings."""
    return max([(await read_now(client, installation))["operator"].memory_mib for _ in range(_SETTLE_READINGS)])


async def _finish_runs(place: Place) -> None:
    names = iter([f"run-{index}" for index in range(RUNS)])

    async def create() -> None:
        for name in names:
            await place.create(REACTOR_RUN, run_of("skipped", name, _INPUTS))

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(create())
    unfinished = {"fieldSelector": "status.phase!=Succeeded"}

    async def are_finished() -> bool:
        return not (await place.client.list(REACTOR_RUN.collection(place.namespace), unfinished)).items

    await until(f"{RUNS} runs are finished", are_finished, _FINISHED_SECONDS)
