"""When which run is due: one time for each run, found in order.

In: runs and times (int ms). Out: the runs that are due. Never here: a clock, or a memory of times that were replaced: a
run that is looked at a thousand times before its deadline has one entry, or two.
"""

import heapq
from collections.abc import Hashable
from itertools import count
from typing import Generic, TypeVar

_SLACK = 64
Key = TypeVar("Key", bound=Hashable)


class Timetable(Generic[Key]):
    """A heap of times, for runs or what else is due. One that was replaced is passed over, and thrown away where such
    are more than the others. Of those that are due at the same time the one that was put first is first."""

    def __init__(self) -> None:
        self._due: dict[Key, int] = {}
        self._heap: list[tuple[int, int, Key]] = []
        self._turns = count()

    def __len__(self) -> int:
        return len(self._due)

    def at(self, ref: Key) -> int | None:
        """Return when the run is due."""
        return self._due.get(ref)

    def put(self, ref: Key, at: int) -> None:
        """Make the run due at `at`, and at no other time."""
        if self._due.get(ref) == at:
            return
        self._due[ref] = at
        heapq.heappush(self._heap, (at, next(self._turns), ref))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [(at, next(self._turns), ref) for ref, at in self._due.items()]
            heapq.heapify(self._heap)

    def drop(self, ref: Key) -> None:
        """Make the run due at no time."""
        self._due.pop(ref, None)

    def take_due(self, now: int) -> list[Key]:
        """Return the runs that are due, earliest first, and drop them."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            at, _, ref = heapq.heappop(self._heap)
            if self._due.get(ref) == at:
                del self._due[ref]
                taken.append(ref)
        return taken

    def seconds_to_next(self, now: int, longest: float) -> float:
        """Return how long nothing will be due, at most `longest` seconds."""
        return min(max(self._heap[0][0] - now, 0) / 1000, longest) if self._heap else longest
