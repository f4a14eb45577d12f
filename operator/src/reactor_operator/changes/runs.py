"""Runs as the watch tells them: which are there, which are to be reconciled, what people ask of them.

In: events of ReactorRuns, rings of the inbox, marks of the pod watch. Out: marks in the queue, signals in the inbox.
Never here: trust in an event (a reconcile reads what it needs), a decision about a run, an exception for a bad object.

A run is reconciled only while its object is known to exist: the pods of a deleted run go with it by owner reference,
and nothing is started for it any more.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import structlog

from reactor_operator.changes.expiry import Expiry
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.requests import Prepare, Requests, Stand, as_it_is, removal_through, unknown
from reactor_operator.changes.sweep import Sweeper
from reactor_operator.changes.turns import Turns
from reactor_operator.engine.events import SpecChanged
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.state import ENDED
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.definitions import parse_run
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.ports import Definitions, RunObject, RunRef, Unavailable
from reactor_operator.status.board import ClusterBoard
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, Inbox, StoreUnavailable

_RETRY_SECONDS = 2.0
_log = structlog.get_logger("reactor_operator.changes")


class RunChanges:
    """Keeps the roster of runs and tells the others what changed."""

    def __init__(
        self,
        *,
        queue: ReconcileQueue[RunRef],
        board: ClusterBoard,
        inbox: Inbox,
        client: KubeClient,
        definitions: Definitions,
        expiry: Expiry,
        turns: Turns,
        active: frozenset[str],
        outlived: Callable[[RunRef], bool] = lambda ref: False,
        prepared: Prepare = as_it_is,
        standing: Stand = unknown,
    ) -> None:
        """`outlived` tells of which runs nobody decides any more; `standing` as in `Requests`; `prepared` encrypts what
        is sensitive in a request before it is appended; None: the run is not stored."""
        self._queue = queue
        self._board = board
        self._inbox = inbox
        self._definitions = definitions
        self._expiry = expiry
        self._turns = turns
        self._active = active
        self._requests = Requests(
            inbox=inbox,
            board=board,
            remove=removal_through(client),
            mark=queue.mark,
            outlived=outlived,
            prepared=prepared,
            standing=standing,
        )
        self._roster: dict[str, RunRef] = {}
        self._versions: dict[str, str] = {}
        self._suspensions: dict[str, tuple[int, bool]] = {}
        self._unsettled: set[RunRef] = set()
        self.sweeper: Sweeper | None = None

    async def changed(self, kind: str | None, object_: JsonObject) -> None:
        """Take in one event: `kind` is ADDED, MODIFIED or DELETED, None for what was there at the start."""
        run = parse_run(object_)
        if kind == "DELETED":
            self.gone(run.ref)
            return
        self._versions[run.ref.uid] = run.resource_version
        if run.deleting:
            self._roster.pop(run.ref.uid, None)
            self._queue.forget(run.ref)
            self._turns.drop(run.ref)
            return
        self._roster[run.ref.uid] = run.ref
        self._turns.note(run)
        ended = text_at(run.status, "phase") in ENDED
        if kind is None and ended and run.ref.uid not in self._active:
            self._board.observe(run.ref, run.status)
        elif not run.status or not self._board.is_current(run.ref, run.status):
            self._board.observe(run.ref, run.status)
            self._queue.mark(run.ref)
        await self._attend(run)

    def mark(self, ref: RunRef) -> None:
        """Reconcile a run that a pod speaks of, if its object is known."""
        if ref.uid in self._roster:
            self._queue.mark(ref)

    async def follow_rings(self, rings: AsyncIterator[str]) -> None:
        """Reconcile each run that the inbox rings for, until the rings end."""
        async for uid in rings:
            ref = self._roster.get(uid)
            if ref is not None:
                self._queue.mark(ref)

    def gone(self, ref: RunRef) -> None:
        """A run's object is said to be gone: nothing is done for it any more, and its state is looked at."""
        self._roster.pop(ref.uid, None)
        self._versions.pop(ref.uid, None)
        self._suspensions.pop(ref.uid, None)
        self._unsettled.discard(ref)
        self._turns.drop(ref)
        self._queue.forget(ref)
        self._expiry.forget(ref)
        self._board.forget(ref.uid)
        if self.sweeper is not None:
            self.sweeper.suspect(ref)

    def back(self, ref: RunRef) -> None:
        """A run that was said to be gone is there after all."""
        self._roster[ref.uid] = ref
        self._unsettled.add(ref)
        self._queue.mark(ref)

    def distrust(self, refs: Iterable[RunRef]) -> None:
        """What was handed in may be lost with the store: hand in again what these runs still ask, and their spec."""
        for ref in refs:
            self._suspensions.pop(ref.uid, None)
            self._unsettled.add(ref)
            self.mark(ref)

    def roster(self) -> dict[str, RunRef]:
        """Return the runs whose objects are known to exist, by uid."""
        return dict(self._roster)

    def version_of(self, uid: str) -> str:
        """Return the resourceVersion in which the run was last told, empty where it never was."""
        return self._versions.get(uid, "")

    async def run(self) -> None:
        """Attend again to runs that could not be attended to, until cancelled."""
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            for ref in list(self._unsettled):
                self._unsettled.discard(ref)
                try:
                    run = await self._definitions.get_run(ref)
                except Unavailable:
                    self._unsettled.add(ref)
                    continue
                if run is not None:
                    if ref.uid in self._roster:
                        self._turns.note_again(run)
                    await self._attend_safely(run)

    async def _attend_safely(self, run: RunObject) -> None:
        try:
            await self._attend(run)
        except Exception:
            where = f"{run.ref.namespace}/{run.ref.name}"
            _log.exception("a run cannot be attended to: this is a bug", run=where)

    async def _attend(self, run: RunObject) -> None:
        """See to what people ask and to the TTL; what cannot be done now is done later."""
        try:
            if not await self._requests.take_up(run):
                self._unsettled.add(run.ref)
            if not await self._suspend(run):
                self._unsettled.add(run.ref)
            await self._expiry.note(run)
        except (Unavailable, StoreUnavailable, ApiError) as problem:
            self._unsettled.add(run.ref)
            where = f"{run.ref.namespace}/{run.ref.name}"
            _log.warning("a run could not be attended to; it is tried again", run=where, problem=str(problem))

    async def _suspend(self, run: RunObject) -> bool:
        """Tell the run whether `spec.suspend` lets it go on, once for each spec that may say something new."""
        suspended = run.spec.get("suspend") is True
        told = self._suspensions.get(run.ref.uid, (1, False))
        if told == (run.generation, suspended) or (not suspended and not told[1] and run.generation == 1):
            return True
        event = SpecChanged(suspended=suspended, generation=run.generation)
        digest = digest_of("suspend", run.generation, suspended)
        answer = await self._inbox.append(Entry(run=run.ref.uid, digest=digest, body=encode_event(event)))
        if answer is Appended.UNKNOWN:
            return text_at(run.status, "phase") in ENDED  # a run that is not stored yet is opened as its spec says
        self._suspensions[run.ref.uid] = (run.generation, suspended)
        return True
