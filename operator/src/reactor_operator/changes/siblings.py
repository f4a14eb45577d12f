"""The runs of each reactor as the watch tells them: which wait, which go on, which have ended.

In: runs of events, and a list of what exists. Out: runs by reactor, in the order that matters. `ports.Siblings`.
Never here: a request. After a start nothing is said of siblings until all that a list showed was told, for a run must
not overtake one that nobody has spoken of yet.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence, Set
from enum import StrEnum

from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.ports import RunObject, ToldRun
from reactor_operator.reconciling.told import told_reactor

Reactor = tuple[str, str]
"""Namespace and name."""
_WELL = (RunPhase.SUCCEEDED.value, RunPhase.HALTED.value)


class Shelf(StrEnum):
    """Where a run is, as far as others are concerned."""

    PENDING = "pending"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


KEPT = (Shelf.SUCCEEDED, Shelf.FAILED)
"""The shelves of finished runs, each with a number of its own in `history`."""


def shelf_of(run: ToldRun) -> Shelf:
    """Return where the run is."""
    if run.is_pending:
        return Shelf.PENDING
    if run.phase not in ENDED:
        return Shelf.ACTIVE
    return Shelf.SUCCEEDED if run.phase in _WELL else Shelf.FAILED


class ToldRuns:
    """All runs that were told and not told as gone."""

    def __init__(self) -> None:
        self._runs: dict[str, ToldRun] = {}
        self._shelves: dict[tuple[Reactor, Shelf], dict[str, ToldRun]] = {}
        self._gone: set[str] = set()
        self._untold: set[str] = set()
        self._listed = False

    def put(self, run: RunObject) -> tuple[ToldRun | None, ToldRun]:
        """Take down a run; return how it was told before, and how it is now."""
        told = ToldRun(
            ref=run.ref,
            reactor=told_reactor(run),
            created_at=run.created_at,
            phase=text_at(run.status, "phase"),
            finished_at=parse_moment(text_at(run.status, "finishedAt")),
        )
        before = self.drop(run.ref.uid)
        self._gone.discard(run.ref.uid)
        self._runs[run.ref.uid] = told
        self._shelves.setdefault(_place(told), {})[run.ref.uid] = told
        return before, told

    def drop(self, uid: str) -> ToldRun | None:
        """Forget a run that is gone or going; return how it was told."""
        self._untold.discard(uid)
        if self.is_complete:
            self._gone.clear()
        else:
            self._gone.add(uid)
        told = self._runs.pop(uid, None)
        if told is not None:
            shelf = self._shelves[_place(told)]
            del shelf[uid]
            if not shelf:
                del self._shelves[_place(told)]
        return told

    def knows(self, uid: str) -> bool:
        """Return whether the run was told, and not told as gone."""
        return uid in self._runs

    def expect(self, uids: Iterable[str]) -> None:
        """A list showed these runs; those that were told, or told as gone, are not waited for."""
        if not self.is_complete:
            self._untold = set(uids) - self._runs.keys() - self._gone
            self._listed = True

    @property
    def is_complete(self) -> bool:
        """Whether all runs were told that there were when this began. Once so, it stays so."""
        return self._listed and not self._untold

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun] | None:
        """Return the runs of a reactor that were not told as ended, and of the uids in `also` those that were.

        None while not all runs have been told yet.
        """
        if not self.is_complete:
            return None
        where = (namespace, reactor)
        ended = [runs[uid] for shelf in KEPT for runs in [self._on(where, shelf)] for uid in sorted(runs.keys() & also)]
        return [*self._on(where, Shelf.PENDING).values(), *self._on(where, Shelf.ACTIVE).values(), *ended]

    def waiting(self, reactor: Reactor, most: int | None = None) -> Sequence[ToldRun]:
        """Return the runs that were not told as started, oldest first, at `most` so many."""
        waiting = self._on(reactor, Shelf.PENDING).values()
        return sorted(waiting, key=_age) if most is None else heapq.nsmallest(most, waiting, key=_age)

    def waited_for(self) -> set[Reactor]:
        """Return the reactors of which any run waits."""
        return {reactor for reactor, shelf in self._shelves if shelf is Shelf.PENDING}

    def count(self, reactor: Reactor, shelf: Shelf) -> int:
        """Return how many runs there are."""
        return len(self._on(reactor, shelf))

    def oldest_ended(self, reactor: Reactor, shelf: Shelf, most: int) -> Sequence[ToldRun]:
        """Return at `most` so many finished runs, those first that ended first."""
        return heapq.nsmallest(most, self._on(reactor, shelf).values(), key=_end)

    def _on(self, reactor: Reactor, shelf: Shelf) -> Mapping[str, ToldRun]:
        return self._shelves.get((reactor, shelf), {})


def _place(run: ToldRun) -> tuple[Reactor, Shelf]:
    return (run.ref.namespace, run.reactor), shelf_of(run)


def _age(run: ToldRun) -> tuple[int, str]:
    return run.created_at, run.ref.name


def _end(run: ToldRun) -> tuple[int, int, str]:
    return run.finished_at if run.finished_at is not None else run.created_at, run.created_at, run.ref.name
