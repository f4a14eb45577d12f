"""Summaries of runs in the order in which lists show them, and what waits in them in the order of its waiting.

In: summaries that come, change and go. Out: slices: what matches, from a place on. Never here: the API server, a clock,
an answer that takes long; whoever wants more than a slice takes the next one.

A place is a key, not a number: runs that come and go before it move nothing, so who goes on from slice to slice sees
each run that is there all the time once.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass

from reactor_operator.mirror.summary import RunKey, RunSummary, Waiting, WaitKey, fold

LOOKED_AT = 5_000
"""So many runs one slice looks at: some milliseconds."""
_FILTERED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which runs are asked for; all that is said must hold.

    namespaces: None: any.  phases: empty: any.  reactor, text: empty: any; a text is in the name or in the message.
    created_after, created_before: int ms, neither included.
    """

    namespaces: Set[str] | None = None
    reactor: str = ""
    phases: Set[str] = frozenset()
    text: str = ""
    created_after: int | None = None
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Runs that match, newest first. `rest` is the place to go on from, None where there is nothing more."""

    runs: list[RunSummary]
    rest: RunKey | None


@dataclass(frozen=True, slots=True)
class WaitSlice:
    """Interrupts that match, the longest wait first. `rest` is the place to go on from, None at the end."""

    waiting: list[tuple[RunSummary, Waiting]]
    rest: WaitKey | None


class RunIndex:
    """All runs by namespace and name."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], RunSummary] = {}
        self._keys: list[RunKey] = []
        self._order: list[RunSummary] = []  # one for each key
        self._waits: list[WaitKey] = []
        self._namespaces: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._runs)

    def names(self, namespace: str | None) -> list[tuple[str, str]]:
        """Return namespace and name of all runs, or of those in one namespace."""
        return [name for name in self._runs if namespace in (None, name[0])]

    def namespaces(self) -> frozenset[str]:
        """Return the namespaces in which there are runs."""
        return frozenset(self._namespaces)

    def get(self, namespace: str, name: str) -> RunSummary | None:
        """Return a run, None where there is none of the name."""
        return self._runs.get((namespace, name))

    def put(self, summary: RunSummary) -> bool:
        """Add a run, or what became of it. False: it is known as it is."""
        name = (summary.namespace, summary.name)
        before = self._runs.get(name)
        if before == summary:
            return False
        self._namespaces[summary.namespace] += before is None
        if before is not None and before.key == summary.key:
            self._order[bisect_left(self._keys, before.key)] = summary
        else:
            if before is not None:
                self._drop(before.key)
            place = bisect_left(self._keys, summary.key)
            self._keys.insert(place, summary.key)
            self._order.insert(place, summary)
        self._runs[name] = summary
        self._turn_waits(before.wait_keys if before is not None else [], summary.wait_keys)
        return True

    def remove(self, namespace: str, name: str) -> RunSummary | None:
        """Take a run away and return it, None where there is none."""
        before = self._runs.pop((namespace, name), None)
        if before is None:
            return None
        self._drop(before.key)
        self._turn_waits(before.wait_keys, [])
        self._namespaces[namespace] -= 1
        if not self._namespaces[namespace]:
            del self._namespaces[namespace]
        return before

    def slice(self, query: Query, below: RunKey | None, limit: int, looked_at: int = LOOKED_AT) -> Slice:
        """Return at most `limit` runs that match and are older than `below` (None: from the newest one on)."""
        filters = _filters_of(query)
        last = self._begin(query, below)
        first = 0 if query.created_after is None else bisect_left(self._keys, (query.created_after + 1,))
        stop = max(first, last - looked_at)
        found = list[RunSummary]()
        while last > stop:
            begin = max(stop, last - _FILTERED_AT_ONCE)
            matching = self._order[begin:last]
            for keep in filters:
                matching = keep(matching)
            matching.reverse()
            found += matching
            if len(found) >= limit:
                del found[limit:]
                return Slice(found, found[-1].key)
            last = begin
        return Slice(found, self._keys[last] if last > first else None)

    def _begin(self, query: Query, below: RunKey | None) -> int:
        """Return the place above the first key that may match."""
        last = len(self._keys) if below is None else bisect_left(self._keys, below)
        if query.created_before is None:
            return last
        return min(last, bisect_left(self._keys, (query.created_before,)))

    def waits(
        self, namespaces: Set[str] | None, reactor: str, above: WaitKey | None, limit: int, looked_at: int = LOOKED_AT
    ) -> WaitSlice:
        """Return at most `limit` interrupts that wait for less long than `above` (None: from the longest wait on)."""
        keys, found = self._waits, list[tuple[RunSummary, Waiting]]()
        place = 0 if above is None else bisect_right(keys, above)
        stop = min(len(keys), place + looked_at)
        while place < stop and len(found) < limit:
            _, namespace, name, step = keys[place]
            place += 1
            run = self._runs[namespace, name]
            if (namespaces is None or namespace in namespaces) and (not reactor or run.reactor == reactor):
                found.append((run, next(one for one in run.waiting if one.step == step)))
        return WaitSlice(found, keys[place - 1] if 0 < place < len(keys) else None)

    def _drop(self, key: RunKey) -> None:
        place = bisect_left(self._keys, key)
        del self._keys[place], self._order[place]

    def _turn_waits(self, before: list[WaitKey], after: list[WaitKey]) -> None:
        if before == after:
            return
        for key in before:
            del self._waits[bisect_left(self._waits, key)]
        for key in after:
            insort(self._waits, key)


def _filters_of(query: Query) -> list[Callable[[list[RunSummary]], list[RunSummary]]]:
    """Return what leaves only those that match; each looks at many at once, the cheapest first."""
    filters: list[Callable[[list[RunSummary]], list[RunSummary]]] = []
    namespaces, phases, reactor, needle = query.namespaces, query.phases, query.reactor, fold(query.text)
    if namespaces is not None:
        filters.append(lambda runs: [run for run in runs if run.namespace in namespaces])
    if reactor:
        filters.append(lambda runs: [run for run in runs if run.reactor == reactor])
    if phases:
        filters.append(lambda runs: [run for run in runs if run.phase in phases])
    if needle:
        filters.append(lambda runs: [run for run in runs if needle in run.folded])
    return filters
