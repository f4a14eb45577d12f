"""The one place where a run moves: load, decide, save, act, report.

In: the key of a run that may have changed. Out: the time to look again. Level-triggered: calling it once too often
changes nothing, and whatever was missed is found the next time.
Never here: two reconciles of one run at once (the caller's queue sees to that), or a rule of the saga (the engine's).

1. load    the run as stored, only what is new since the last time; a run never stored is opened
2. decide  fold what waits in the inbox, then the clock, through the engine; evaluations are answered inside the fold
3. save    one atomic commit; refused means somebody knew more: load again
4. act     perform the outbox; what happened at once goes through 2 and 3 again
5. report  render the status
"""

from contextlib import suppress
from dataclasses import dataclass

from reactor_operator.encryption import NO_KEYS, CannotDecrypt, Keyring
from reactor_operator.engine.draft import open_tasks
from reactor_operator.engine.elements import step_at
from reactor_operator.engine.identity import Task
from reactor_operator.ports import (
    Board,
    Clock,
    Definitions,
    Evaluator,
    Launcher,
    RunRef,
    Siblings,
    Teller,
    Unavailable,
)
from reactor_operator.reconciling.committing import Commits, Opened, about, nobody_waits, worth_flushing
from reactor_operator.reconciling.effects import Effects
from reactor_operator.reconciling.first_commit import FirstCommit
from reactor_operator.reconciling.first_look import FirstLook
from reactor_operator.reconciling.inbox import events_of, last_of
from reactor_operator.reconciling.keys import KEPT_MS, Keys
from reactor_operator.reconciling.lost import ValueLost
from reactor_operator.reconciling.memory import Memory
from reactor_operator.reconciling.meter import Meter, Unmetered
from reactor_operator.reconciling.notices import answered, apart
from reactor_operator.reconciling.passing import Pass
from reactor_operator.reconciling.places import Places
from reactor_operator.reconciling.pooled import PoolBook, is_queued
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.reconciling.recovery import Recovery
from reactor_operator.reconciling.reporting import Reporter
from reactor_operator.reconciling.silence import Mute
from reactor_operator.reconciling.standing import Signalled, Standing, nothing_signalled, standing_of
from reactor_operator.store.port import (
    CommitRefused,
    CorrelationTaken,
    InboxAhead,
    KeyTaken,
    StaleRevision,
    Store,
    StoreUnavailable,
)

_TRIES = 50
_WITHOUT_KEY_MS = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """How long a run waits for its Reactor, a task for a place to start, and how long a key outlives its runs."""

    start_deadline_ms: int = 30_000
    pending_timeout_ms: int = 600_000
    key_retention_ms: int = KEPT_MS


class Reconciler:
    """Reconciles runs of one operator (one epoch) against one store."""

    def __init__(
        self,
        *,
        store: Store,
        definitions: Definitions,
        launcher: Launcher,
        board: Board,
        evaluator: Evaluator,
        siblings: Siblings,
        clock: Clock,
        epoch: int,
        settings: ReconcileSettings,
        teller: Teller | None = None,
        keyring: Keyring = NO_KEYS,
        pools: PoolBook | None = None,
        signalled: Signalled = nothing_signalled,
        opened: Opened = nobody_waits,
        meter: Meter | None = None,
        traced: bool = False,
    ) -> None:
        self._store = store
        self._meter: Meter = meter if meter is not None else Unmetered()
        self._effects = Effects(launcher, board, pools=pools is not None, meter=self._meter, traced=traced)
        self._reporter = Reporter(board, store)
        self._clock = clock
        self._teller: Teller = teller if teller is not None else Mute()
        self._memory = Memory()
        self._places = Places(store, siblings, self._memory)
        self._commits = Commits(
            store=store,
            memory=self._memory,
            keys=Keys(store, definitions, settings.key_retention_ms),
            places=self._places,
            teller=self._teller,
            meter=self._meter,
            traced=traced,
            evaluator=evaluator,
            clock=clock,
            keyring=keyring,
            epoch=epoch,
            pending_timeout_ms=settings.pending_timeout_ms,
            pools=pools,
            opened=opened,
        )
        first_look = FirstLook(
            definitions=definitions,
            keys=self._commits.keys,
            places=self._places,
            keyring=keyring,
            start_deadline_ms=settings.start_deadline_ms,
            plan_of=lambda definition: self._commits.compile(definition)[1],
            signalled=signalled,
        )
        self._first_commit = FirstCommit(self._commits, first_look, definitions, self._reporter)
        self._recovery = Recovery(self._commits, definitions, signalled)

    async def reconcile(self, ref: RunRef) -> int | None:
        """Move the run as far as it goes now and return when to look again (int ms), None where nothing is due.

        Raises OldEpoch where another operator has taken over, StoreUnavailable and Unavailable where the world is
        away; then nothing is lost, and the caller comes back later.
        """
        for _ in range(_TRIES):
            try:
                return await self._reconcile(ref)
            except (StaleRevision, InboxAhead, KeyTaken, CorrelationTaken):
                self._memory.unsure.add(ref.uid)
            except ValueLost:
                with suppress(StaleRevision, InboxAhead, KeyTaken, CorrelationTaken):
                    await self._recovery.recover(ref)
                self._memory.unsure.add(ref.uid)
            except CannotDecrypt as problem:
                self._places.pass_over(ref.uid)
                return await self._without_key(ref, problem)
            except (CommitRefused, StoreUnavailable, Unavailable):
                raise
            except Exception:
                self._places.pass_over(ref.uid)
                raise
        raise AssertionError(f"run {ref.namespace}/{ref.name}: somebody else commits it all the time in our epoch")

    async def _without_key(self, ref: RunRef, problem: CannotDecrypt) -> int:
        """Say that the run waits for a key, and look again later. Other runs go on."""
        known = self._memory.known.get(ref.uid)
        if known is not None:
            await self._reporter.report(known, self._commits.over(known).documents, stalled=f"KeyMissing: {problem}")
        self._memory.unsure.add(ref.uid)
        return self._clock.now() + _WITHOUT_KEY_MS

    def forget(self, ref: RunRef) -> None:
        """Drop what is remembered of a run, because it is gone."""
        self._memory.drop(ref.uid)
        self._memory.outlived.discard(ref.uid)
        self._places.drop(ref.uid)
        self._effects.forget(ref.uid)
        self._teller.forget(ref.uid)
        self._meter.forget(ref.uid)

    def distrust(self) -> list[RunRef]:
        """The store may be another, or an older copy: read each known run anew before its next action. Return them."""
        self._memory.unsure.update(self._memory.known)
        self._places.distrust()
        self._teller.distrust()
        self._commits.distrust()
        self._reporter.distrust()
        return [known.definition.run for known in self._memory.known.values()]

    def outlived(self, ref: RunRef) -> bool:
        """Tell whether people were told of the run's end, and the store only has a state from before it."""
        return ref.uid in self._memory.outlived

    def known(self) -> list[KnownRun]:
        """Return the runs for which there is anything left to do, as last committed."""
        return list(self._memory.known.values())

    def launched(self) -> list[tuple[KnownRun, Task]]:
        """Return the open tasks of all known runs whose start was performed: each must have a pod somewhere."""
        found = []
        for uid, known in self._memory.known.items():
            performed = self._memory.acknowledged.get(uid, set())
            for task in open_tasks(known.state):
                name = f"start/{task.key}"
                if self._commits.pools is not None and is_queued(known.blueprint, known.plan, task):
                    continue  # its lease tells whether it is lost
                if name not in known.outbox or name in performed:
                    found.append((known, task))
        return found

    def was_launched(self, uid: str, task: Task) -> bool:
        """Tell whether a task of a run is known to need no start any more: it was performed, or the task is closed."""
        known, name = self._memory.known.get(uid), f"start/{task.key}"
        if known is None or uid in self._memory.unsure:
            return False
        return name not in known.outbox or name in self._memory.acknowledged.get(uid, set())

    def awaits(self, ref: RunRef, task: Task) -> bool | None:
        """Tell whether the run, as last committed, waits for the task; None where that is not known for certain."""
        known = self._memory.known.get(ref.uid)
        if known is None or ref.uid in self._memory.unsure:
            return None
        return step_at(known.plan, known.state, task.path).task == task

    async def standing(self, ref: RunRef) -> Standing | None:
        """Return what the run, as stored, has answered and has still to read; None where nothing is stored of it.

        Raises StoreUnavailable.
        """
        known = None if ref.uid in self._memory.unsure else self._memory.known.get(ref.uid)
        snapshot = await self._store.load(ref.uid, known.revision if known is not None else 0)
        if snapshot is not None and snapshot.records is not None:
            await self._store.settle()  # a commit that is under way may be seen before it is on disk
        return None if snapshot is None else standing_of(snapshot, known, self._commits.read)

    async def _reconcile(self, ref: RunRef) -> int | None:
        memory = self._memory
        known = memory.known.get(ref.uid)
        committed = known.revision if known is not None else 0
        snapshot = await self._store.load(ref.uid, 0 if ref.uid in memory.unsure else committed)
        if snapshot is None:
            memory.known.pop(ref.uid, None)
            opened = await self._first_commit.make(ref, lost=known is not None)
            return await self._act_and_report(opened) if isinstance(opened, Pass) else opened
        if snapshot.records is not None and snapshot.actions is not None:
            known = await self._recovery.read(ref, snapshot, committed)
            memory.unsure.discard(ref.uid)
        self._places.stored(ref.uid)
        if known is None:
            memory.drop(ref.uid)
            return None
        if snapshot.records is not None:
            self._commits.tell_open(known)
        memory.keep(known)  # also where nothing is decided: whoever looks for its pods asks what is known
        passing = self._commits.over(known)
        passing.acknowledged = memory.acknowledged.pop(ref.uid, set())
        unread = snapshot.inbox if known.revision == snapshot.revision else ()  # else it was read on the way
        events, sent = answered(known, events_of(unread))
        passing.acknowledged |= sent
        passing.acknowledged &= known.outbox.keys()  # the answer to the commit that took the others out was lost
        await self._commits.save(passing, await self._commits.fold(passing, events), last_of(unread))
        return await self._act_and_report(passing)

    async def _act_and_report(self, passing: Pass) -> int | None:
        """Perform the outbox until nothing more follows from it at once, then report."""
        ref = passing.known.definition.run
        later: set[str] = set()
        try:
            while True:
                orders = {i: o for i, o in passing.known.outbox.items() if i not in passing.acknowledged}
                orders, notices = apart(orders)
                self._teller.offer(about(passing.known), notices)
                due = {i: o for i, o in orders.items() if i not in later}
                performed = await self._effects.perform(passing.known, due, passing.documents)
                later |= {name for name, result in performed.items() if not result.done}
                events = passing.note(performed, self._clock.now())
                if not events and not worth_flushing(passing):
                    break
                try:
                    await self._commits.save(passing, await self._commits.fold(passing, events))
                except BaseException:
                    # What it brought is not saved: the order is performed once more, and brings it again.
                    passing.acknowledged -= {name for name, result in performed.items() if result.event is not None}
                    raise
                if not events:
                    break
        finally:
            if passing.acknowledged:
                self._memory.acknowledged[ref.uid] = passing.acknowledged
        await self._reporter.report(passing.known, passing.documents)
        times = [time for time in (passing.wake_at, passing.again_at) if time is not None]
        return min(times, default=None)
