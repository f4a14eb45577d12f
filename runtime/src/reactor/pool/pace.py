"""How fast tasks go, and so how many to lease and to hand out at once.

In: how long tasks took. Out: numbers. Never here: a child that starves while there is work, or one that sits on work
which another could do.
"""

from reactor.pool.children import ChildProcess
from reactor.pool.held import Lease, Task

MOST = 500
_HELD_SECONDS = 0.3
"""What is leased ahead."""
_MOST_HELD = 3_000
_AHEAD_US = 10_000.0
"""What a child has before it."""
_UNKNOWN_US = 20_000.0
_STEPS = 1_000
_WEIGHT = 0.05
_QUICKER, _SLOWER = 0.1, 0.3
"""How much a task counts for what tasks take: a slow one more, for others wait behind it."""


class Pace:
    """What is known of the speed of this worker."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._by_step: dict[str, float] = {}
        self._overall_us: float | None = None

    def took(self, lease: Lease, micros: int) -> None:
        """Learn from a task that ended."""
        if len(self._by_step) > _STEPS:
            self._by_step.clear()
        step = lease.steps[0]
        known = self._by_step.get(step)
        self._by_step[step] = micros if known is None else known + (micros - known) * _WEIGHT
        if self._overall_us is None:
            self._overall_us = micros
        self._overall_us += (micros - self._overall_us) * (_SLOWER if micros > self._overall_us else _QUICKER)

    def expect(self, lease: Lease, tasks: list[Task]) -> float:
        """Note how long tasks of a lease will take, and return it in microseconds for all together."""
        each = self._by_step.get(lease.steps[0], _UNKNOWN_US)
        for task in tasks:
            task.expected_us = each
        return each * len(tasks)

    def wants(self, child: ChildProcess) -> bool:
        """Return whether a child will be without work soon."""
        return not child.tasks or child.expected_us < _AHEAD_US / 2

    def room(self, child: ChildProcess) -> float:
        """Return how many microseconds of work a child should still get."""
        return _AHEAD_US - child.expected_us

    def lease_limit(self, held: int, idle: int, running_us: float = 0.0) -> int:
        """Return how many tasks to lease where so many are held and so many children wait; 0: none now.

        running_us: for how long every child has been at its task. Until one has ended there is one for each child.
        """
        ahead = 0
        if self._overall_us is not None:
            each_us = max(self._overall_us, running_us, 1.0)
            ahead = int(_HELD_SECONDS * 1_000_000 * self._concurrency / each_us)
        wanted = min(max(self._concurrency, ahead), _MOST_HELD)
        missing = wanted - held
        if idle == 0 and missing < wanted / 2:
            return 0
        return min(max(missing, idle), MOST)
