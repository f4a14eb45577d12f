"""Rows `chain-python`, `chain-container`, `fan-out`, `map-fan-out` and `pool-pod`: ratios of arms run in turn.

In: the rows that are wanted and how often. Out: medians of seconds and their ratios; of `pool-pod` elements a second.
Each repetition runs every arm once, in an order that moves by one, so that a slow minute of the machine falls on all.
"""

from collections.abc import Collection, Mapping

from tests.benchmarks.cluster.arms import (
    COMPLETIONS,
    POOLED,
    Arm,
    bare_pod_loop,
    container_chain,
    container_fan_out,
    container_map,
    indexed_job_60,
    pod_map,
    pool_map,
    python_chain,
)
from tests.benchmarks.cluster.installation import wait_installed
from tests.benchmarks.cluster.place import Place
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples, ratio
from tests.benchmarks.telling import tell

_TRIES = 3
_ARMS: Mapping[str, Arm] = {
    "bare-pod loop": bare_pod_loop,
    "chain of 10 Python steps": python_chain,
    "chain of 10 container steps": container_chain,
    "Indexed Job 60/10": indexed_job_60,
    "60 container steps, 10 at a time": container_fan_out,
    "map of 60 containers, 10 at a time": container_map,
    "map of 60 Python pods, 10 at a time": pod_map,
    f"map of {POOLED} elements on a pool": pool_map,
}
COMPARED: Mapping[str, tuple[str, str]] = {
    "chain-python": ("chain of 10 Python steps", "bare-pod loop"),
    "chain-container": ("chain of 10 container steps", "bare-pod loop"),
    "fan-out": ("60 container steps, 10 at a time", "Indexed Job 60/10"),
    "map-fan-out": ("map of 60 containers, 10 at a time", "Indexed Job 60/10"),
    "pool-pod": (f"map of {POOLED} elements on a pool", "map of 60 Python pods, 10 at a time"),
}
_RATES: Mapping[str, tuple[int, int]] = {"pool-pod": (POOLED, COMPLETIONS)}
"""Rows in which elements a second are compared, and how many elements each arm has."""


async def measure_latency(place: Place, rows: Collection[str], repetitions: int) -> Mapping[str, Measured]:
    """Compare the arms that `rows` name."""
    needed = {arm for row in rows for arm in COMPARED[row]}
    taken = await take_in_turn(place, {name: arm for name, arm in _ARMS.items() if name in needed}, repetitions)
    measured: dict[str, Measured] = {}
    for row in rows:
        arm, baseline = COMPARED[row]
        arms = {name: taken[name] for name in (arm, baseline)}
        details: dict[str, object] = {}
        if row in _RATES:
            counts = zip(arms.items(), _RATES[row], strict=True)
            arms = {name: Samples(tuple(count / one for one in took.values)) for (name, took), count in counts}
            details = {"armsUnit": "elements/s"}
        value, spread = ratio(arms[arm], arms[baseline])
        measured[row] = Measured(value=value, spread=spread, arms=arms, details=details)
    return measured


async def take_in_turn(place: Place, arms: Mapping[str, Arm], repetitions: int) -> dict[str, Samples]:
    """Run every arm `repetitions` times in turn, each on an empty namespace."""
    names = list(arms)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for repetition in range(repetitions):
        shift = repetition % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(await _undisturbed(place, arms[name]))
            tell(f"{name}: {seconds[name][-1]:.2f} s ({repetition + 1} of {repetitions})")
    await place.empty()
    return {name: Samples(tuple(values)) for name, values in seconds.items()}


async def _undisturbed(place: Place, arm: Arm) -> float:
    """Run an arm on an empty namespace; again where somebody replaced the operator or the gateway under it."""
    for _ in range(_TRIES):
        await place.empty()
        before = await wait_installed(place.client)
        took = await arm(place)
        if (await wait_installed(place.client)).uids == before.uids:
            return took
        tell("operator or gateway was replaced meanwhile: once more")
    raise BenchmarkFailed(f"operator or gateway was replaced during {_TRIES} of {_TRIES} tries of one arm")
