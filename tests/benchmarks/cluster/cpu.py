"""Row `cpu`: what a step costs the operator and the gateway together.

In: an installation with nothing else to do. Out: CPU milliseconds per step, of two workloads; the dearer one is judged.
What both use while idle (probes, leases, relists) is measured first and taken off; it is given beside the figure. Pods
are deleted as by default, so that their deletion is paid for.
"""

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.cluster.arms import CHAIN, COMPLETIONS, PARALLELISM, make_reactor, time_run
from tests.benchmarks.cluster.installation import Installation, Reading, find_installation, read_now
from tests.benchmarks.cluster.objects import chain, container_step, python_step
from tests.benchmarks.cluster.place import Place
from tests.benchmarks.rows import Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.telling import tell

_CHAINS = 5
_IDLE_MS = 60_000


async def measure_cpu(place: Place, repetitions: int) -> Mapping[str, Measured]:
    """Measure idleness once, then both workloads `repetitions` times."""
    await place.empty()
    await make_reactor(place, "chain", chain(python_step, CHAIN))
    steps = [container_step(f"step-{index}") for index in range(COMPLETIONS)]
    await make_reactor(place, "fan-out", steps, parallelism=PARALLELISM)
    await time_run(place, "chain", "warm")
    installation = await find_installation(place.client)
    before = idle_from = await _settled(place, installation)
    while any(before[component].at_ms < idle_from[component].at_ms + _IDLE_MS for component in before):
        before = await read_now(place.client, installation)
    idle = {component: _rate(idle_from[component], before[component]) for component in before}
    tell(f"idle: {_thousandths(idle)} of a core")
    per_step: dict[str, list[float]] = {"Python chain": [], "container fan-out": []}
    shares: list[dict[str, Any]] = []
    for repetition in range(repetitions):
        for workload, taken in per_step.items():
            steps_run = await _work(place, workload, repetition)
            after = await _settled(place, installation)
            spent = {component: _net(before[component], after[component], idle[component]) for component in before}
            taken.append(sum(spent.values()) / steps_run * 1_000)
            shares.append({"workload": workload, "milliseconds": {c: s / steps_run * 1_000 for c, s in spent.items()}})
            tell(f"{workload}: {taken[-1]:.2f} ms of CPU per step ({repetition + 1} of {repetitions})")
            before = after
    arms = {workload: Samples(tuple(taken)) for workload, taken in per_step.items()}
    dearer = max(arms.values(), key=lambda samples: samples.median)
    details = {"armsUnit": "ms", "idleCores": idle, "shares": shares}
    return {"cpu": Measured(value=dearer.median, spread=dearer.spread, arms=arms, details=details)}


async def _work(place: Place, workload: str, repetition: int) -> int:
    """Run one workload and return how many steps it had."""
    if workload == "container fan-out":
        await time_run(place, "fan-out", f"fan-out-{repetition}")
        return COMPLETIONS
    for index in range(_CHAINS):
        await time_run(place, "chain", f"chain-{repetition}-{index}")
    return CHAIN * _CHAINS


async def _settled(place: Place, installation: Installation) -> Mapping[str, Reading]:
    """Return readings from after the last pod's deletion; the first new one may have come too early for it."""
    await read_now(place.client, installation)
    return await read_now(place.client, installation)


def _rate(earlier: Reading, later: Reading) -> float:
    return (later.cpu_seconds - earlier.cpu_seconds) / (later.at_ms - earlier.at_ms) * 1_000


def _net(earlier: Reading, later: Reading, idle_rate: float) -> float:
    return later.cpu_seconds - earlier.cpu_seconds - idle_rate * (later.at_ms - earlier.at_ms) / 1_000


def _thousandths(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{component} {rate * 1_000:.1f}/1000" for component, rate in rates.items())
