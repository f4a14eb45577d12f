"""Whose turn it is: the runs of a reactor that wait are looked at again when something has changed for them.

In: runs and reactors as the watch tells them. Out: marks in the queue, and word to who trims the history.
Never here: whether a run may start (`reconciling/places.py` counts), or a mark for all of thousands that wait: the few
that come next are looked at, and each that starts or goes brings on those behind it.
"""

from collections.abc import Iterable

from reactor_operator.changes.history import Trimmer
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.siblings import KEPT, Reactor, Shelf, ToldRuns, shelf_of
from reactor_operator.kube.fields import int_at
from reactor_operator.ports import ReactorObject, RunObject, RunRef

AT_ONCE = 4


class Turns:
    """Keeps what was told of runs, and marks those whose turn it may be."""

    def __init__(self, queue: ReconcileQueue[RunRef], told: ToldRuns, trimmer: Trimmer) -> None:
        self._queue = queue
        self._told = told
        self._trimmer = trimmer
        self._all_told = False

    def note(self, run: RunObject) -> None:
        """Take down where a run is. One that ended has made a place, and one that started lets others move up."""
        before, now = self._told.put(run)
        reactor = (run.ref.namespace, now.reactor)
        was, shelf = shelf_of(before) if before is not None else None, shelf_of(now)
        just_ended = shelf in KEPT and was not in KEPT
        if just_ended or (was is Shelf.PENDING and shelf is Shelf.ACTIVE):
            self._mark_next(reactor)
        if shelf in KEPT:
            self._trimmer.ended(reactor)
        self._look_whether_all_told()

    def note_again(self, run: RunObject) -> None:
        """A run was read that is there, and may have been told as gone by mistake."""
        if not self._told.knows(run.ref.uid):
            self.note(run)

    def drop(self, ref: RunRef) -> None:
        """A run is gone or going: where it had not ended it had a place, or stood before others."""
        told = self._told.drop(ref.uid)
        if told is not None and shelf_of(told) not in KEPT:
            self._mark_next((ref.namespace, told.reactor))
        self._look_whether_all_told()

    def expect(self, listed: Iterable[RunRef]) -> None:
        """A list showed these runs. Until all are told, none that is limited starts: it might overtake others."""
        self._told.expect(ref.uid for ref in listed)
        self._look_whether_all_told()

    def reactor_changed(self, reactor: ReactorObject) -> None:
        """Mark the runs that wait for a reactor: all of them, or of a limited one as many as may start at once."""
        limit = int_at(reactor.spec, "maxActiveRuns")
        most = None if limit is None else max(limit, 0) + AT_ONCE
        for run in self._told.waiting((reactor.namespace, reactor.name), most):
            self._queue.mark(run.ref)
        self._trimmer.reactor_changed(reactor)

    def reactor_gone(self, reactor: ReactorObject) -> None:
        """A reactor was deleted."""
        self._trimmer.reactor_gone((reactor.namespace, reactor.name))

    def _look_whether_all_told(self) -> None:
        if not self._all_told and self._told.is_complete:
            self._all_told = True
            for reactor in self._told.waited_for():
                self._mark_next(reactor)

    def _mark_next(self, reactor: Reactor) -> None:
        """Mark the few that come next; before all runs are told none of them could start."""
        if self._all_told:
            for run in self._told.waiting(reactor, AT_ONCE):
                self._queue.mark(run.ref)
