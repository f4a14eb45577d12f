"""The work of a worker without its gateway: real children, and moments that are rare."""

import json
import os
import selectors
from collections.abc import Callable, Iterator
from time import monotonic, monotonic_ns

import pytest

from reactor.pool.held import Lease, Task
from reactor.pool.settings import PoolSettings
from reactor.pool.work import Work

DEADLINE_SECONDS = 10
STEP = "d" * 64
SLEEPS = """
import time
def main(n, seconds=0):
    time.sleep(seconds)
    return n
"""


class WorkTrial:
    """A worker's work with one child. Who has ended is not looked for: strays of the tests themselves would go."""

    def __init__(self, source: str) -> None:
        told = {"REACTOR_GATEWAY": "http://127.0.0.1:1", "REACTOR_POOL": "shop/workers", "REACTOR_POOL_TOKEN": "t"}
        self.selector = selectors.DefaultSelector()
        self.work = Work(PoolSettings({**told, "REACTOR_POOL_CHILD_MEMORY": "0"}), self.selector)
        document = {"run": "order-1", "transaction": "t", "variables": {"REACTOR_SOURCE": source}}
        self.work.held.steps[STEP] = json.dumps(document).encode()

    def lease(self, *arguments: dict[str, object], seconds: float = 30.0) -> list[Task]:
        """Take one chunk."""
        number = len(self.work.held.leases)
        until_ns = monotonic_ns() + int(seconds * 1e9)
        lease = Lease(f"lease-{number}", "run-1", [STEP], until_ns)
        for place, one in enumerate(arguments):
            key = f"rows[{number}{place}].run.1.1.1"
            line = {"task": key, "step": STEP, "proof": "p", "idempotencyKey": "k", "arguments": one}
            lease.tasks.append(Task(lease, key, "p", json.dumps(line).encode()))
        lease.open = len(lease.tasks)
        self.work.held.leases[lease.id] = lease
        self.work.held.count += lease.open
        self.work.take([lease])
        return lease.tasks

    def go_until(self, condition: Callable[[], object]) -> None:
        """Do what the loop of a worker does, until something is so."""
        end = monotonic() + DEADLINE_SECONDS
        while not condition():
            assert monotonic() < end
            self.work.go_on(monotonic())
            self.work.look_at_clock(monotonic())
            for found, mask in self.selector.select(0.01):
                found.data(mask)

    def told(self) -> dict[str, object]:
        """Return what would be reported, by task: `released`, the result, or the kind of failure."""
        found: dict[str, object] = {}
        for outcome in self.work.outcomes.next_batch():
            document = json.loads(outcome.document)
            if outcome.released:
                found[outcome.task.key] = "released"
            else:
                found[outcome.task.key] = document.get("result", document.get("failure", {}).get("kind"))
        return found

    def end(self) -> None:
        for pid in self.work.dismiss():
            os.killpg(pid, 9)
            os.waitpid(pid, 0)
        self.selector.close()


@pytest.fixture
def trials() -> Iterator[Callable[[str], WorkTrial]]:
    made: list[WorkTrial] = []

    def make(source: str) -> WorkTrial:
        made.append(WorkTrial(source))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_a_task_that_ends_while_it_is_told_to_stop_takes_no_other_with_it(trials: Callable[[str], WorkTrial]) -> None:
    trial = trials(SLEEPS)
    first, second = trial.lease({"n": 0}, {"n": 1, "seconds": 1.0})
    trial.go_until(lambda: first.child is not None)
    child = first.child
    assert child is not None
    end = monotonic() + DEADLINE_SECONDS
    while child.page.current != second.number:  # the first is answered, and its parent has not looked yet
        assert monotonic() < end
    child.stop(first, "timeout", monotonic() + 0.1)
    trial.go_until(lambda: len(trial.work.outcomes) == 2)
    assert trial.told() == {first.key: "Timeout", second.key: 1}
    assert child.is_idle


def test_steps_are_forgotten_where_they_have_become_many_though_the_worker_is_never_idle(
    trials: Callable[[str], WorkTrial],
) -> None:
    trial = trials(SLEEPS)
    (task,) = trial.lease({"n": 7})
    trial.work.held.steps |= {f"{number:064d}": b"{}" for number in range(5_000)}
    trial.work.forget_steps()
    assert list(trial.work.held.steps) == [STEP]
    trial.go_until(lambda: trial.work.outcomes)
    (second,) = trial.lease({"n": 8})
    for child in trial.work._children.values():
        child.forget_steps()
    trial.go_until(lambda: len(trial.work.outcomes) == 2)
    assert trial.told() == {task.key: 7, second.key: 8}


def test_what_nobody_comes_to_is_given_back_for_another_worker_to_take(trials: Callable[[str], WorkTrial]) -> None:
    trial = trials(SLEEPS)
    (first,) = trial.lease({"n": 0, "seconds": 1.0})
    late = [*trial.lease({"n": 1}, {"n": 2}), *trial.lease({"n": 3})]
    trial.go_until(lambda: first.child is not None and first.child.page.current)
    for task in late:
        task.lease.taken_ns -= 10_000_000_000
    trial.go_until(lambda: len(trial.work.outcomes) == 4)
    assert trial.told() == {first.key: 0, **{task.key: "released" for task in late}}
