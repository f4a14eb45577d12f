"""Any sequence of calls about pools: Redis answers as the store in memory does, and both keep what is promised.

What is promised: a task is leased once, to nobody while it is closed; and as long as it is open without an outcome, it
waits in a queue, or a worker has it, or it was told as lost.
"""

import asyncio
import itertools
import time
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from reactor_operator.store import memory_pools, redis_pools
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Depth, Entry, Lease, worker_binding
from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer

RUNS = ("run-a", "run-b", "run-c")
POOLS = ("shop/fast", "shop/slow")
WORKERS = ("w1", "w2")
LONG = 10_000_000
_installations = itertools.count(1)


@dataclass(frozen=True)
class Held:
    """A lease that a worker was given."""

    pool: str
    worker: str
    lease: Lease


class PoolsMachine(RuleBasedStateMachine):
    """Calls both stores alike."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    @initialize()
    def begin(self) -> None:
        self.memory = MemoryStore()
        self.redis = RedisStore(self.url, f"pools-{next(_installations)}")
        self.revisions = dict.fromkeys(RUNS, 0)
        self.numbers = itertools.count(1)
        self.open: dict[tuple[str, str], bool] = {}
        """Tasks that are open, and whether they have an outcome."""
        self.waiting: set[tuple[str, str]] = set()
        self.held: list[Held] = []
        self.given: list[tuple[str, str]] = []
        self.lost: set[tuple[str, str]] = set()

    @rule(
        run=st.sampled_from(RUNS),
        sizes=st.dictionaries(st.sampled_from(POOLS), st.lists(st.integers(1, 3), min_size=1, max_size=5)),
        closes=st.sets(st.integers(0, 20), max_size=6),
        active=st.sampled_from((True, True, True, True, True, False)),
    )
    def commit(self, run: str, sizes: dict[str, list[int]], closes: set[int], active: bool) -> None:
        mine = [task for of_run, task in self.open if of_run == run]
        closed = {task for number, task in enumerate(mine) if number in closes} if active else set(mine)
        queued = {
            pool: tuple(tuple(f"t{next(self.numbers)}" for _ in range(size)) for size in of_pool)
            for pool, of_pool in (sizes if active else {}).items()
        }
        opens = [task for chunks in queued.values() for chunk in chunks for task in chunk]
        commit = Commit(
            run=run,
            revision=self.revisions[run],
            epoch=1,
            inbox_position=1_000_000,
            opens={task: task.encode() for task in opens},
            closes=frozenset(closed),
            queued=queued,
            active=active,
        )
        for store in (self.memory, self.redis):
            self.runner.run(store.commit(commit))
        self.revisions[run] += 1
        for task in closed:
            del self.open[run, task]
            self.waiting.discard((run, task))
        for task in opens:
            self.open[run, task] = False
            self.waiting.add((run, task))

    @rule(
        pool=st.sampled_from(POOLS),
        worker=st.sampled_from(WORKERS),
        limit=st.integers(1, 7),
        for_ms=st.sampled_from((LONG, LONG, 0)),
    )
    def lease(self, pool: str, worker: str, limit: int, for_ms: int) -> None:
        found = self.runner.run(self.redis.lease(pool, worker, limit, for_ms))
        assert found == self.runner.run(self.memory.lease(pool, worker, limit, for_ms))
        for lease in found:
            for leased in lease.tasks:
                assert self.open[lease.run, leased.task] is False
                assert leased.record == leased.task.encode()
                self.waiting.remove((lease.run, leased.task))
                self.given.append((lease.run, leased.task))
            self.held.append(Held(pool, worker, lease))
        assert len(self.given) == len(set(self.given))

    @rule(
        worker=st.sampled_from(WORKERS),
        others=st.booleans(),
        numbers=st.sets(st.integers(0, 10)),
        for_ms=st.sampled_from((LONG, LONG, 0)),
    )
    def extend(self, worker: str, others: bool, numbers: set[int], for_ms: int) -> None:
        for pool in POOLS:
            mine = [held.lease.id for held in self.held if others or (held.pool, held.worker) == (pool, worker)]
            asked = frozenset(id_ for number, id_ in enumerate(mine) if number in numbers)
            found = self.runner.run(self.redis.extend(pool, worker, asked, for_ms))
            assert found == self.runner.run(self.memory.extend(pool, worker, asked, for_ms))

    @rule(numbers=st.sets(st.integers(0, 12), min_size=1), last_first=st.booleans(), liar=st.booleans())
    def report(self, numbers: set[int], last_first: bool, liar: bool) -> None:
        entries = []
        for number, held in enumerate(self.held):
            if number in numbers:
                binding = worker_binding(held.pool, "another" if liar else held.worker)
                entries += [
                    Entry(
                        run=held.lease.run, task=leased.task, final=True, binding=binding, digest="done", body=b"done"
                    )
                    for leased in held.lease.tasks
                ]
        if last_first:
            entries.reverse()
        self._append(entries)

    @rule(limit=st.integers(1, 9), tell=st.booleans())
    def expired(self, limit: int, tell: bool) -> None:
        time.sleep(0.002)
        found = self.runner.run(self.redis.expired(limit))
        assert sorted(found) == sorted(self.runner.run(self.memory.expired(limit))) or limit < 9
        for run, task in found:
            assert self.open[run, task] is False
            assert (run, task) in self.given
        self.lost |= set(found)
        # of which leases it tells where it may not tell all depends on the very millisecond
        rest = self.runner.run(self.redis.expired(1_000)), self.runner.run(self.memory.expired(1_000))
        self.lost |= {*rest[0], *rest[1]}
        if tell:
            self._append([Entry(run=run, task=task, final=True, digest="lost", body=b"lost") for run, task in found])

    @rule(run=st.sampled_from(RUNS))
    def forget(self, run: str) -> None:
        for store in (self.memory, self.redis):
            self.runner.run(store.forget(run))
        self.revisions[run] = 0
        for task in [task for of_run, task in self.open if of_run == run]:
            del self.open[run, task]
            self.waiting.discard((run, task))

    def _append(self, entries: list[Entry]) -> None:
        found = self.runner.run(self.redis.append_all(entries))
        assert found == self.runner.run(self.memory.append_all(entries))
        for entry, answer in zip(entries, found, strict=True):
            if answer is Appended.RECORDED:
                self.open[entry.run, entry.task] = True

    @invariant()
    def both_say_the_same(self) -> None:
        here, there = (self.runner.run(store.depths()) for store in (self.redis, self.memory))
        assert _counts(here) == _counts(there)
        for run, task in self.open:
            found = self.runner.run(self.redis.open_task(run, task))
            assert found == self.runner.run(self.memory.open_task(run, task))

    @invariant()
    def no_open_task_is_forgotten(self) -> None:
        """Lease all that waits and let all run out, in a copy of neither: what is where is known from the answers."""
        undone = {task for task, has_outcome in self.open.items() if not has_outcome}
        assert undone <= self.waiting | set(self.given)

    def teardown(self) -> None:
        """In the end every task that is open and has no outcome is leased or told."""
        for pool in POOLS:
            while self.runner.run(self.redis.lease(pool, "last", 5, 0)):
                pass
        ids = frozenset(held.lease.id for held in self.held)
        for pool, worker in itertools.product(POOLS, WORKERS):
            self.runner.run(self.redis.extend(pool, worker, ids, 0))
        time.sleep(0.002)
        while found := self.runner.run(self.redis.expired(7)):
            self.lost |= set(found)
        undone = {task for task, has_outcome in self.open.items() if not has_outcome}
        assert undone <= self.lost
        for run in RUNS:
            self.runner.run(self.redis.forget(run))
        assert self.runner.run(self.redis.depths()) == {}
        self.runner.run(self.redis.close())
        self.runner.close()


def _counts(depths: object) -> dict[str, tuple[int, int]]:
    assert isinstance(depths, dict)
    found: dict[str, Depth] = depths
    return {pool: (depth.queued, depth.leased) for pool, depth in found.items()}


def test_redis_answers_as_memory_does(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (memory_pools, redis_pools):
        monkeypatch.setattr(module, "TOLD_AGAIN_MS", LONG)
    machine = type("Machine", (PoolsMachine,), {"url": redis_server.url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
