"""ReactorSignals, from their objects to the inbox of their run, and the answer of the run back to them.

In: signals as the watch and the lists tell them, which run moved, and which correlation ids are open. Out: entries in
the inbox; and of signals an owner, a status, in the end their deletion. Each look reads the run anew and may be
repeated, also by another operator: the same signal is one request however often it is seen, and a crash between any two
effects loses and repeats nothing. A signal by correlation id says first, in its status, where the id was found, and is
handed in after that: so it is for one run, whatever opens under the id while no operator is there.
Never here: an answer that is the run's to give, or a bad signal that keeps another one from its own.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import count

import structlog
from prometheus_client import CollectorRegistry

from reactor_operator.api.signal import SignalPhase
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.requests import Entrance, Prepare, Stand, as_it_is, is_recorded_still
from reactor_operator.changes.signal_object import AwaitedId, FoundInterrupt, SignalObject, parse_signal
from reactor_operator.changes.signal_roster import Known, SignalRoster, Target
from reactor_operator.changes.signal_rules import (
    Answer,
    HandIn,
    Holder,
    Keep,
    Recorded,
    Remove,
    Seen,
    Send,
    Wait,
    asked_by,
    next_of,
    request_to,
    told,
)
from reactor_operator.changes.signal_writer import SignalWriter
from reactor_operator.encryption import CannotDecrypt
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.definitions import parse_run
from reactor_operator.kube.errors import ApiError, Conflict, refusals_as_unavailable
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.paths import REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import Clock, RunObject, RunRef, Unavailable
from reactor_operator.reconciling.correlations import correlation_name, parse_correlation_name, parse_holder
from reactor_operator.reconciling.signals import Request
from reactor_operator.store.port import Appended, Closed, Correlations, StoreUnavailable

LIST_SECONDS = 60.0
IDS_EVERY = 10
"""Lists of which one has ids looked at again: whoever opens an interrupt tells so, and many may wait for long."""
AGAIN_MS = 2_000
AT_ONCE = 8
"""Requests of one run that wait to be decided on, at most: a run keeps the answers to twenty."""
_GATHER_MS = 100
_NOT_KEPT_MS = 60_000
_FORGOTTEN = "this was asked of the run before, and its answer is not kept any more: look at the status of the run"
_log = structlog.get_logger("reactor_operator.changes")


class SignalChanges:
    """Follows signals. What is looked at together is a run, by its name, with all signals that are for it; or a
    correlation id, with those for which it was not found yet."""

    def __init__(
        self,
        *,
        client: KubeClient,
        inbox: Entrance,
        correlations: Correlations,
        standing: Stand,
        clock: Clock,
        mark: Callable[[RunRef], None],
        outlived: Callable[[RunRef], bool] = lambda ref: False,
        prepared: Prepare = as_it_is,
        verified: bool = True,
    ) -> None:
        """`mark` has a run reconciled; `outlived` and `prepared` as in `RunChanges`; `verified` as in `Seen`."""
        self._client = client
        self._writer = SignalWriter(client)
        self._inbox = inbox
        self._correlations = correlations
        self._standing = standing
        self._clock = clock
        self._mark = mark
        self._outlived = outlived
        self._prepared = prepared
        self._verified = verified
        self._roster = SignalRoster()
        self._queue: ReconcileQueue[Target] = ReconcileQueue(self.look, clock, ChangeMetrics(CollectorRegistry()))

    def changed(self, kind: str | None, object_: JsonObject) -> None:
        """Take in one event: `kind` is ADDED, MODIFIED or DELETED, None for what a list tells."""
        signal = parse_signal(object_)
        if kind == "DELETED":
            self._roster.drop(signal.uid)
        elif self._roster.put(signal):
            self._queue.mark(signal.target)

    def moved(self, ref: RunRef) -> None:
        """A run may have answered, started, or come to what a signal waits for."""
        if self._roster.has(ref):
            self._queue.mark_at(RunRef(ref.namespace, ref.name, ""), self._clock.now() + _GATHER_MS)

    def opened(self, names: Collection[str]) -> None:
        """Interrupts are open under these ids, as the store calls them: what waits for one is sent there."""
        for awaited in (AwaitedId(*parse_correlation_name(name)) for name in names):
            if self._roster.has(awaited):
                self._queue.mark(awaited)

    def asked_of(self, ref: RunRef) -> Sequence[Request]:
        """Return what signals ask of a run, which they wait for or were handed to, and which has not answered yet.

        Raises Unavailable while not every signal of its namespace is known.
        """
        if not self._roster.is_complete(ref.namespace):
            raise Unavailable(f"not every ReactorSignal of namespace {ref.namespace} is known yet")
        asked = (request_to(one.signal, ref.uid, verified=self._verified) for one in self._roster.of(ref))
        return [request for request in asked if request is not None]

    async def run(self) -> None:
        """Look at what was marked, or is due, until cancelled."""
        await self._queue.run()

    async def follow(self, namespaces: Sequence[str | None], *, pause_seconds: float = LIST_SECONDS) -> None:
        """List all signals now and every minute, until cancelled: what no watch told is found by a list."""
        for turn in count():
            listed = [await self._list(namespace) for namespace in namespaces]
            self.mark_unanswered(ids=turn % IDS_EVERY == 0)
            await asyncio.sleep(pause_seconds if all(listed) else AGAIN_MS / 1000)

    def mark_unanswered(self, *, ids: bool) -> None:
        """Look at all that wait for an answer; `ids`: also at those that wait for an id to be opened."""
        for known in self._roster.unanswered():
            if ids or isinstance(known.signal.target, RunRef):
                self._queue.mark(known.signal.target)
            if known.told is not None:
                self._mark(known.told)

    async def _list(self, namespace: str | None) -> bool:
        before = self._roster.uids(namespace)
        try:
            listing = await self._client.list(REACTOR_SIGNAL.collection(namespace))
        except (Unavailable, ApiError) as problem:
            _log.warning("signals could not be listed", namespace=namespace or "all namespaces", problem=str(problem))
            return False
        found = [parse_signal(one) for one in listing.items]
        for signal in found:
            if self._roster.put(signal):
                self._queue.mark(signal.target)
        for uid in before - {signal.uid for signal in found}:
            self._roster.drop(uid)
        self._roster.listed(namespace)
        return True

    async def look(self, target: Target) -> int | None:
        """See to all signals for the run of this name, or for an id, and return when to look again (int ms), if ever.

        Raises Unavailable and StoreUnavailable where the run cannot be read; of what fails for one signal the others
        learn nothing.
        """
        signals = self._roster.of(target)
        if not signals:
            return None
        if all(known.signal.is_answered for known in signals):
            seen = Seen(now=self._clock.now(), run=None)
        elif isinstance(target, AwaitedId):
            seen = await self._see_id(target)
        else:
            seen = await self._see_run(target)
        times = []
        room = AT_ONCE - (0 if seen.standing is None else len(seen.standing.unread))
        for known in signals:
            at, handed_in = await self._safely(known, seen, room)
            room -= handed_in
            times += [] if at is None else [at]
        return min(times, default=None)

    async def _see_run(self, target: RunRef) -> Seen:
        run = await self._read(target) if target.name else None
        return Seen(
            now=self._clock.now(),
            run=run,
            standing=None if run is None else await self._standing(run.ref),
            outlived=run is not None and self._outlived(run.ref),
            verified=self._verified,
        )

    async def _see_id(self, awaited: AwaitedId) -> Seen:
        """Look for the run in which an interrupt is open under an id, or was. One that is gone, or going, is none."""
        name = correlation_name(awaited.namespace, awaited.reactor, awaited.id)
        found = await self._correlations.find_correlation(name)
        if found is None:
            return Seen(now=self._clock.now(), run=None, verified=self._verified)
        standing = await self._standing(RunRef(awaited.namespace, "", found.run))
        ref = None if standing is None else standing.run
        run = None if ref is None else await self._read(ref)
        step, round_ = parse_holder(found.path)
        closed_at = found.at if isinstance(found, Closed) else None
        return Seen(
            now=self._clock.now(),
            run=None if run is None or run.ref != ref or run.deleting else run,
            standing=standing,
            holder=Holder(step=step, round=round_, closed_at=closed_at),
            verified=self._verified,
        )

    async def _read(self, target: RunRef) -> RunObject | None:
        with refusals_as_unavailable(f"get ReactorRun {target.namespace}/{target.name}"):
            found = await self._client.get(REACTOR_RUN.object(target.namespace, target.name))
        return None if found is None else parse_run(found)

    async def _safely(self, known: Known, seen: Seen, room: int) -> tuple[int | None, bool]:
        """Do what is next for a signal; return when to look again, and whether it was handed in."""
        where = known.signal.where
        try:
            return await self._one(known, seen, room)
        except Conflict:
            await self._reread(known)
        except (Unavailable, StoreUnavailable, ApiError, CannotDecrypt) as problem:
            _log.warning("a signal could not be seen to; it is tried again", signal=where, problem=str(problem))
        except Exception:
            _log.exception("a signal cannot be seen to: this is a bug", signal=where)
        return seen.now + AGAIN_MS, False

    async def _reread(self, known: Known) -> None:
        try:
            self._keep(known, await self._writer.read(known.signal))
        except (Unavailable, ApiError) as problem:
            _log.warning("a signal could not be read", signal=known.signal.where, problem=str(problem))

    async def _one(self, known: Known, seen: Seen, room: int) -> tuple[int | None, bool]:
        step = next_of(known.signal, replace(seen, sent=self._roster.sent(known.signal)))
        match step:
            case Remove():
                await self._writer.remove(known.signal)
                self._roster.drop(known.signal.uid)
            case Keep(until=until):
                return until, False
            case Answer():
                return await self._answer(known, step, seen.now), False
            case Wait():
                return await self._wait(known, step, seen.run), False
            case Send(found=found):
                return await self._send(known, found), False
            case HandIn(request=request) if room > 0:
                assert seen.run is not None
                return await self._hand_in(known, request, seen.run.ref), True
            case HandIn() | Recorded():
                pass  # the run moves, and then this is looked at
        return None, False

    async def _answer(self, known: Known, answer: Answer, now: int) -> int | None:
        written = self._keep(known, await self._writer.answer(known.signal, answer, now))
        return None if written is None else now + written.ttl_ms

    async def _wait(self, known: Known, wait: Wait, run: RunObject | None) -> int | None:
        if wait.owned and run is not None:
            if not await self._own(known, run.ref):
                return None
            if known.told != run.ref:
                known.told = run.ref
                self._mark(run.ref)  # it may end before it starts, if that is what is asked
        if known.signal.reason != wait.reason:
            self._keep(known, await self._writer.pending(known.signal, wait.reason))
        return wait.until

    async def _send(self, known: Known, found: FoundInterrupt) -> int | None:
        """Write for which run it is, and look at it with that."""
        written = self._keep(known, await self._writer.send(known.signal, found))
        if written is None:
            return None
        if written.found is None:  # the API server prunes what its definition of the kind does not know
            problem = (
                "status.found is not kept: the definition of ReactorSignals is older than this operator, update it"
            )
            _log.error("a signal cannot be seen to", signal=known.signal.where, problem=problem)
            return self._clock.now() + _NOT_KEPT_MS
        self._queue.mark(written.target)
        return None

    async def _hand_in(self, known: Known, request: Request, ref: RunRef) -> int | None:
        """Record the request. Before that its run owns the signal: for no other one is it ever meant again."""
        if not await self._own(known, ref):
            return None
        entry = await self._prepared(request.entry_for(ref), request.event)
        appended = Appended.UNKNOWN if entry is None else await self._inbox.append(entry)
        if appended is Appended.UNKNOWN:
            return self._clock.now() + AGAIN_MS
        if entry is not None and appended is Appended.REPEATED:
            standing = await self._standing(ref)
            answer = None if standing is None else standing.answer_to(asked_by(request))
            if answer is not None:
                return await self._answer(known, told(answer), self._clock.now())
            read = standing is not None and asked_by(request) not in standing.unread
            if read and await is_recorded_still(self._inbox, entry):
                lost = Answer(phase=SignalPhase.EXPIRED, reason=_FORGOTTEN)
                return await self._answer(known, lost, self._clock.now())
        known.told = ref
        self._mark(ref)
        return None

    async def _own(self, known: Known, ref: RunRef) -> bool:
        """Have the run own the signal; False where the signal is gone."""
        if known.signal.owner == ref.uid:
            return True
        return self._keep(known, await self._writer.own(known.signal, ref)) is not None

    def _keep(self, known: Known, written: SignalObject | None) -> SignalObject | None:
        if written is None:
            self._roster.drop(known.signal.uid)
        else:
            self._roster.put(written)
        return written
