"""Who holds which correlation id, in this process's memory.

In: commits, runs that are forgotten. Out: holders, what closed, and the refusal of a commit that would take what is
held. Never here: a name that closed and whose time is over, once any commit lets one go.
"""

from dataclasses import dataclass
from heapq import heappop, heappush

from reactor_operator.store.memory_pools import now_ms
from reactor_operator.store.port import Closed, Commit, CorrelationTaken, Held


@dataclass(frozen=True, slots=True)
class _Closed:
    """What is known of a name that was let go, and until when (ms)."""

    known: Closed
    until: int


class MemoryCorrelations:
    """Names by what is known of them, those that each run holds, and those that closed in the order of their ends."""

    def __init__(self) -> None:
        self._names: dict[str, Held | _Closed] = {}
        self._held_by: dict[str, set[str]] = {}
        self._ends: list[tuple[int, str]] = []

    def check(self, commit: Commit) -> None:
        """Raise CorrelationTaken where the commit would take what is held."""
        taken = [
            name
            for name, path in commit.correlations.items()
            if path is not None and self._is_taken(commit, name, path)
        ]
        if taken:
            raise CorrelationTaken(commit.run, taken)

    def apply(self, commit: Commit) -> None:
        """Let names go, and take those that were found free."""
        if not commit.correlations:
            return
        held = self._held_by.setdefault(commit.run, set())
        for name, path in commit.correlations.items():
            if path is None and name in held:
                held.remove(name)
                self._close(name, commit.closed_kept_ms)
            elif path is not None:
                held.add(name)
                self._names[name] = Held(run=commit.run, path=path)
        if not held:
            del self._held_by[commit.run]

    def forget(self, run: str) -> None:
        """Free the names that a run holds."""
        for name in self._held_by.pop(run, ()):
            del self._names[name]

    def find(self, name: str) -> Held | Closed | None:
        """Return what is known of a name."""
        found = self._names.get(name)
        if isinstance(found, _Closed):
            return found.known if found.until > now_ms() else None
        return found

    def _is_taken(self, commit: Commit, name: str, path: str) -> bool:
        found = self._names.get(name)
        if not isinstance(found, Held):
            return False
        return found.run != commit.run or (found.path != path and name not in commit.passed_on)

    def _close(self, name: str, kept_ms: int) -> None:
        now, held = now_ms(), self._names[name]
        assert isinstance(held, Held)
        self._names[name] = _Closed(Closed(run=held.run, path=held.path, at=now), now + kept_ms)
        heappush(self._ends, (now + kept_ms, name))
        while self._ends and self._ends[0][0] <= now:
            end, over = heappop(self._ends)
            found = self._names.get(over)
            if isinstance(found, _Closed) and found.until == end:
                del self._names[over]
