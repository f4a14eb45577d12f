"""The queues of pools and the book of leases, in this process's memory.

In: what commits queue, what workers take and renew, which tasks got an outcome. Out: leases, what has run out, depths.
Never here: a change of a task but its binding. Of the runs it knows their tasks alone.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from reactor_operator.store.port import TOLD_AGAIN_MS, Depth, Lease, LeasedTask, worker_binding


@dataclass(slots=True)
class MemoryTask:
    """An open task: who checked in, what was recorded, and where its newest inbox entry is."""

    record: bytes
    binding: str = ""
    outcome: str = ""
    last_position: int = 0
    seen: set[str] = field(default_factory=set)


class HasTasks(Protocol):
    """A run, as far as it is needed here."""

    tasks: dict[str, MemoryTask]


@dataclass(frozen=True, slots=True)
class _Chunk:
    tasks: tuple[str, ...]
    queued_at: int


@dataclass(slots=True)
class _Lease:
    """A chunk that a worker has; nobody has it (`told`) once it has run out."""

    pool: str
    worker: str
    run: str
    tasks: tuple[str, ...]
    until: int
    told: bool = False


class MemoryPools:
    """Queues by pool and run, of runs in the order of their turns; and leases by id (`RUN/LAST TASK`)."""

    def __init__(self, runs: Mapping[str, HasTasks]) -> None:
        self._runs = runs
        self._queues: dict[str, dict[str, deque[_Chunk]]] = {}
        self._leases: dict[str, _Lease] = {}

    def queue(self, run: str, queued: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
        """Put chunks at the ends of queues."""
        for pool, chunks in queued.items():
            waiting = self._queues.setdefault(pool, {}).setdefault(run, deque())
            waiting.extend(_Chunk(chunk, now_ms()) for chunk in chunks)
            self._leave_out_empty(pool, run)

    def trim(self, run: str) -> None:
        """Take chunks off the heads of the run's queues, as long as all tasks in them are closed."""
        for pool, runs in list(self._queues.items()):
            waiting = runs.get(run)
            while waiting and not any(task in self._tasks(run) for task in waiting[0].tasks):
                waiting.popleft()
            self._leave_out_empty(pool, run)

    def drop(self, run: str) -> None:
        """Empty the run's queues."""
        for pool, runs in list(self._queues.items()):
            runs.pop(run, None)
            self._leave_out_empty(pool, run)

    def forget(self, run: str) -> None:
        """Empty the run's queues, and end its leases."""
        self.drop(run)
        for id_ in [id_ for id_, lease in self._leases.items() if lease.run == run]:
            del self._leases[id_]

    def has_outcome(self, run: str, task: str) -> None:
        """End the lease of which `task` is the last, if that completes it."""
        lease = self._leases.get(f"{run}/{task}")
        if lease is not None and not self._undone(lease):
            del self._leases[f"{run}/{task}"]

    def lease(self, pool: str, worker: str, limit: int, for_ms: int) -> tuple[Lease, ...]:
        """Take chunks for a worker, one of each run in turn."""
        binding = worker_binding(pool, worker)
        runs = self._queues.get(pool, {})
        found: list[Lease] = []
        taken = 0
        while taken < limit and runs:
            run = next(iter(runs))
            chunk = self._next_chunk(runs[run], run)
            if chunk and found and taken + len(chunk) > limit:
                break
            waiting = runs.pop(run)
            if chunk:
                waiting.popleft()
                found.append(self._lease(_Lease(pool, worker, run, tuple(chunk), now_ms() + for_ms), binding))
                taken += len(chunk)
            if waiting:
                runs[run] = waiting
        if not runs:
            self._queues.pop(pool, None)
        return tuple(found)

    def extend(self, pool: str, worker: str, leases: Iterable[str], for_ms: int) -> dict[str, frozenset[str]]:
        """Renew leases that are still the worker's."""
        answer: dict[str, frozenset[str]] = {}
        for id_ in leases:
            lease = self._leases.get(id_)
            if lease is None or lease.told or (lease.pool, lease.worker) != (pool, worker):
                continue
            tasks = self._tasks(lease.run)
            answer[id_] = frozenset(task for task in lease.tasks if task not in tasks)
            if self._undone(lease):
                lease.until = now_ms() + for_ms
            else:
                del self._leases[id_]
        return answer

    def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        """End leases that have run out."""
        now = now_ms()
        over = sorted((lease.until, id_) for id_, lease in self._leases.items() if lease.until <= now)
        told: list[tuple[str, str]] = []
        for _, id_ in over:
            if len(told) >= limit:
                break
            lease = self._leases[id_]
            undone = self._undone(lease)
            told += [(lease.run, task) for task in undone]
            if undone:
                lease.told, lease.until = True, now + TOLD_AGAIN_MS
            else:
                del self._leases[id_]
        return tuple(told)

    def depths(self) -> dict[str, Depth]:
        """Return how much waits."""
        pools = self._queues.keys() | {lease.pool for lease in self._leases.values() if not lease.told}
        return {pool: self._depth(pool) for pool in pools}

    def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        """Return tasks that wait in the queue of a pool."""
        runs = self._queues.get(pool, {})
        found: list[tuple[str, str]] = []
        for place, (run, chunks) in enumerate(list(runs.items())[:limit]):
            share = -(-(limit - len(found)) // (min(len(runs), limit) - place))
            found += islice(((run, task) for chunk in chunks for task in chunk.tasks), share)
        return tuple(found)

    def _depth(self, pool: str) -> Depth:
        waiting = [chunk for chunks in self._queues.get(pool, {}).values() for chunk in chunks]
        now = now_ms()
        return Depth(
            queued=sum(len(chunk.tasks) for chunk in waiting),
            leased=sum(len(lease.tasks) for lease in self._leases.values() if lease.pool == pool and not lease.told),
            oldest_ms=now - min((chunk.queued_at for chunk in waiting), default=now),
        )

    def _lease(self, lease: _Lease, binding: str) -> Lease:
        tasks = self._tasks(lease.run)
        for task in lease.tasks:
            tasks[task].binding = binding
        id_ = f"{lease.run}/{lease.tasks[-1]}"
        self._leases[id_] = lease
        leased = tuple(LeasedTask(task=task, record=tasks[task].record) for task in lease.tasks)
        return Lease(id=id_, run=lease.run, tasks=leased)

    def _next_chunk(self, waiting: deque[_Chunk], run: str) -> list[str]:
        """Return what may be done of the first chunk of which anything may; those before it go."""
        while waiting:
            found = [task for task in waiting[0].tasks if self._may_begin(run, task)]
            if found:
                return found
            waiting.popleft()
        return []

    def _may_begin(self, run: str, task: str) -> bool:
        open_ = self._tasks(run).get(task)
        return open_ is not None and not open_.binding and not open_.outcome

    def _undone(self, lease: _Lease) -> list[str]:
        tasks = self._tasks(lease.run)
        return [task for task in lease.tasks if task in tasks and not tasks[task].outcome]

    def _tasks(self, run: str) -> dict[str, MemoryTask]:
        found = self._runs.get(run)
        return {} if found is None else found.tasks

    def _leave_out_empty(self, pool: str, run: str) -> None:
        runs = self._queues.get(pool, {})
        if not runs.get(run):
            runs.pop(run, None)
        if not runs:
            self._queues.pop(pool, None)


def now_ms() -> int:
    """Return the time of day."""
    return time.time_ns() // 1_000_000
