"""Rows `paused-…`: what it costs that ten thousand runs wait for a signal, for as long as nobody sends one.

In: an installation, and how many runs. Out: by how much the operator's memory grows, and its CPU while nothing happens;
the seconds from the deletion of its pod until another one is ready and has resumed a run. All runs are counted as
Paused before and after that, and some, spread over all of them, are resumed to their end: where one is not there or
does not go on, there is no figure.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.paths import REACTOR_RUN
from tests.benchmarks.cluster.arms import make_reactor
from tests.benchmarks.cluster.installation import Installation, Reading, find_installation, read_now, restart_operator
from tests.benchmarks.cluster.objects import asking_steps, run_of
from tests.benchmarks.cluster.place import Place, until
from tests.benchmarks.cluster.resuming import has_ended, time_resume
from tests.benchmarks.cluster.sending import Sender, a_sender
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.telling import tell

ROWS = frozenset({"paused-memory", "paused-cpu", "paused-ready"})
_REACTOR = "asks"
_AT_ONCE = 16
_PAUSED_SECONDS = 1_800
_ENDED_SECONDS = 180
_IDLE_MS = 120_000  # a minute at least, and the look at every run, which is taken each minute, twice
_SETTLE_READINGS = 3
_QUIET_CORES = 0.05
_QUIET_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What the operator used while all runs waited; after a restart also the seconds until it was ready, and worked."""

    memory_mib: float
    cores: Mapping[str, float]
    ready_seconds: float = 0.0
    works_seconds: float = 0.0


async def measure_paused(place: Place, runs: int, resumed: int, restarts: int) -> Mapping[str, Measured]:
    """Make `runs` runs that wait, look at the operator, restart it `restarts` times, and resume `resumed` of them."""
    await place.empty()
    await make_reactor(place, _REACTOR, asking_steps())
    names = [f"waits-{index}" for index in range(runs)]
    spread = iter(names[:: max(1, runs // (resumed + restarts))])
    async with a_sender(place, await restart_operator(place.client)) as sender:
        await _make(place, ["warm"])
        await _resume(place, sender, "warm")
        before = await _memory(place.client, await find_installation(place.client))
        tell(f"operator before: {before:.1f} MiB")
        made_seconds = await _make(place, names)
        looks = [await _look(place)]
        for _ in range(restarts):
            looks.append(await _restart(place, sender, next(spread)))
        await _expect_paused(place, runs - restarts)
        taken = [await _resume(place, sender, next(spread)) * 1_000 for _ in range(resumed)]
        await _expect_paused(place, runs - restarts - resumed)
    await place.empty()
    tell(f"{resumed} of {runs} resumed: median {Samples(tuple(taken)).median:.0f} ms, greatest {max(taken):.0f}")
    details = {
        "runs": runs,
        "beforeMiB": before,
        "madeSeconds": made_seconds,
        "looks": [asdict(look) for look in looks],
    }
    return _rows(before, looks, Samples(tuple(taken)), details)


def _rows(before: float, looks: Sequence[_Look], taken: Samples, details: Mapping[str, object]) -> dict[str, Measured]:
    growth = Samples(tuple(look.memory_mib - before for look in looks))
    share = Samples(tuple(100 * look.cores["operator"] for look in looks))
    works = Samples(tuple(look.works_seconds for look in looks[1:]))
    arms = {"resume by HTTP to next pod": taken}
    return {
        "paused-memory": Measured(value=max(growth.values), spread=growth.spread, details=details),
        "paused-cpu": Measured(value=max(share.values), spread=share.spread, details=details),
        "paused-ready": Measured(
            value=max(works.values), spread=works.spread, arms=arms, details={"armsUnit": "ms", **details}
        ),
    }


async def _make(place: Place, names: Iterable[str]) -> float:
    """Create runs side by side and wait until all that there are wait; return the seconds that took."""
    wanted = list(names)
    left = iter(wanted)

    async def create() -> None:
        for name in left:
            await place.create(REACTOR_RUN, run_of(_REACTOR, name))

    began = perf_counter()
    await asyncio.gather(*(create() for _ in range(_AT_ONCE)))
    tell(f"{len(wanted)} runs are created after {perf_counter() - began:.0f} s")
    await until(f"{len(wanted)} runs are paused", _are_paused(place, len(wanted)), _PAUSED_SECONDS)
    took = perf_counter() - began
    tell(f"they are paused after {took:.0f} s")
    return took


def _are_paused(place: Place, runs: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await _count_paused(place) == runs

    return look


async def _count_paused(place: Place) -> int:
    query = {"fieldSelector": "status.phase=Paused"}
    return len((await place.client.list(REACTOR_RUN.collection(place.namespace), query, metadata_only=True)).items)


async def _expect_paused(place: Place, runs: int) -> None:
    found = await _count_paused(place)
    if found != runs:
        raise BenchmarkFailed(f"{found} runs are Paused, expected {runs}")


async def _resume(place: Place, sender: Sender, name: str) -> float:
    """Resume a run, wait for its end, and return the seconds to its next pod."""
    took = await time_resume(place, name, lambda name: sender.resume(name, "ask", {"ok": True}))
    await until(f"run {name} has ended", lambda: has_ended(place, name), _ENDED_SECONDS)
    return took


async def _restart(place: Place, sender: Sender, name: str) -> _Look:
    """Restart the operator, resume a run at once, and look at the operator when it has nothing to do any more."""
    began = perf_counter()
    await restart_operator(place.client)
    ready = perf_counter() - began
    works = ready + await _resume(place, sender, name)
    tell(f"restarted: ready after {ready:.1f} s, a run is resumed after {works:.1f} s")
    return replace(await _look(place), ready_seconds=ready, works_seconds=works)


async def _look(place: Place) -> _Look:
    installation = await find_installation(place.client)
    cores = await _idle(place.client, installation)
    look = _Look(memory_mib=await _memory(place.client, installation), cores=cores)
    shares = ", ".join(f"{component} {100 * share:.2f} %" for component, share in cores.items())
    tell(f"all runs wait: operator {look.memory_mib:.1f} MiB; of a core {shares}")
    return look


async def _memory(client: KubeClient, installation: Installation) -> float:
    """Return the greatest of a few readings."""
    return max([(await read_now(client, installation))["operator"].memory_mib for _ in range(_SETTLE_READINGS)])


async def _idle(client: KubeClient, installation: Installation) -> Mapping[str, float]:
    """Wait until what was begun is done; return the cores that each component uses then."""
    before = await read_now(client, installation)

    async def is_quiet() -> bool:
        nonlocal before
        earlier, before = before, await read_now(client, installation)
        return _cores(earlier["operator"], before["operator"]) < _QUIET_CORES

    await until("the operator is quiet", is_quiet, _QUIET_SECONDS)
    idle_from = before
    while any(before[component].at_ms < idle_from[component].at_ms + _IDLE_MS for component in before):
        before = await read_now(client, installation)
    return {component: _cores(idle_from[component], before[component]) for component in before}


def _cores(earlier: Reading, later: Reading) -> float:
    return (later.cpu_seconds - earlier.cpu_seconds) / (later.at_ms - earlier.at_ms) * 1_000
