"""How many workers a pool is to have: a pure rule over its queue, for pools with minReplicas and maxReplicas.

In: the spec, the depth of the queue, how many workers there are and how many are ready, the present, what was wanted
before. Out: a number, and what to remember. Never here: a request, a clock.

The rule (docs/pools.md): two tasks for each process, one that runs and one that waits; where all workers are ready and
the oldest task still waits for more than 5 s, one task for each process. More at once; fewer only when for 60 s no more
were needed, and then as many as were needed at most in this time. Never fewer than the leased tasks keep busy.
"""

from dataclasses import dataclass

from reactor_operator.api.pool import PoolSpec
from reactor_operator.store.port import Depth

TASKS_PER_PROCESS = 2
LONGEST_WAIT_MS = 5_000
STABLE_MS = 60_000


@dataclass(frozen=True, slots=True)
class ScaleMemory:
    """What was wanted when (int ms), newest last: of the last minute those above all that came after them.

    A pool that is met for the first time remembers as many as it has: it is not known for how long they were needed.
    """

    wanted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Scaled:
    """How many workers there are to be from now on, and what to remember."""

    replicas: int
    memory: ScaleMemory


def desired_replicas(spec: PoolSpec, current: int, depth: Depth, ready: int, now: int, memory: ScaleMemory) -> Scaled:
    """Return how many workers the pool is to have; `now` is int ms of any clock that never goes back.

    Without both bounds it is what `replicas` says, which a person or an autoscaler writes.
    """
    if spec.min_replicas is None or spec.max_replicas is None:
        return Scaled(spec.replicas, ScaleMemory())
    wanted = _bounded(_needed(spec, current, depth, ready), spec.min_replicas, spec.max_replicas)
    before = memory.wanted or ((now, current),)
    kept = tuple((at, number) for at, number in before if now - at < STABLE_MS and number > wanted)
    stable = max((number for _, number in kept), default=wanted)
    replicas = wanted if wanted >= current else min(current, stable)
    return Scaled(_bounded(replicas, spec.min_replicas, spec.max_replicas), ScaleMemory((*kept, (now, wanted))))


def _needed(spec: PoolSpec, current: int, depth: Depth, ready: int) -> int:
    """Return how many workers the tasks need that wait or run now."""
    tasks = depth.queued + depth.leased
    needed = _ceiling(tasks, spec.concurrency * TASKS_PER_PROCESS)
    if depth.queued and depth.oldest_ms > LONGEST_WAIT_MS and ready >= current:
        needed = _ceiling(tasks, spec.concurrency)
    return max(needed, min(current, _ceiling(depth.leased, spec.concurrency)))


def _bounded(number: int, lowest: int, highest: int) -> int:
    return max(lowest, min(number, highest))


def _ceiling(number: int, per: int) -> int:
    return -(-number // per)
