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

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.encryption import NO_KEYS, CannotDecrypt, Keyring
from reactor_operator.engine.actions import Evaluation
from reactor_operator.engine.decide import begin, recovering
from reactor_operator.engine.identity import Task
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import SignalAnswer, Stage
from reactor_operator.ports import (
    About,
    Board,
    Clock,
    Definitions,
    Evaluator,
    Launcher,
    RunObject,
    RunRef,
    Siblings,
    Teller,
    Unavailable,
)
from reactor_operator.reconciling.definition import Definition, compile_definition
from reactor_operator.reconciling.documents import DocumentCache, Documents, ValueLost
from reactor_operator.reconciling.effects import Effects
from reactor_operator.reconciling.first_look import Begins, Ends, FirstLook, Lost, Waits
from reactor_operator.reconciling.inbox import (
    ASKED_BEFORE,
    NEEDS_WHAT_IS_LOST,
    events_of,
    last_of,
    refused_if_old,
)
from reactor_operator.reconciling.keys import KEPT_MS, Keys
from reactor_operator.reconciling.memory import Memory
from reactor_operator.reconciling.notices import answered, apart
from reactor_operator.reconciling.passing import Pass
from reactor_operator.reconciling.places import Places
from reactor_operator.reconciling.records import Decided, KnownRun, make_commit, read_run
from reactor_operator.reconciling.reporting import Reporter
from reactor_operator.reconciling.signals import parse_requests
from reactor_operator.reconciling.silence import Mute
from reactor_operator.reconciling.told import (
    told_answers,
    told_end,
    told_reactor,
    told_recovering,
    told_sequence,
    with_answers,
)
from reactor_operator.store.port import (
    Claim,
    CommitRefused,
    InboxAhead,
    KeyTaken,
    Snapshot,
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
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._effects = Effects(launcher, board)
        self._reporter = Reporter(board, store)
        self._evaluator = evaluator
        self._clock = clock
        self._epoch = epoch
        self._settings = settings
        self._teller: Teller = teller if teller is not None else Mute()
        self._keyring = keyring
        self._memory = Memory()
        self._keys = Keys(store, definitions, settings.key_retention_ms)
        self._places = Places(store, siblings, self._memory)
        self._first_look = FirstLook(
            definitions=definitions,
            keys=self._keys,
            places=self._places,
            keyring=keyring,
            start_deadline_ms=settings.start_deadline_ms,
            plan_of=lambda definition: self._compile(definition)[1],
        )
        self._cache = DocumentCache()

    async def reconcile(self, ref: RunRef) -> int | None:
        """Move the run as far as it goes now and return when to look again (int ms), None where nothing is due.

        Raises OldEpoch where another operator has taken over, StoreUnavailable and Unavailable where the world is
        away; then nothing is lost, and the caller comes back later.
        """
        for _ in range(_TRIES):
            try:
                return await self._reconcile(ref)
            except (StaleRevision, InboxAhead, KeyTaken):
                self._memory.unsure.add(ref.uid)
            except ValueLost:
                with suppress(StaleRevision, InboxAhead, KeyTaken):
                    await self._recover(ref)
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
            await self._reporter.report(known, self._pass(known).documents, stalled=f"KeyMissing: {problem}")
        self._memory.unsure.add(ref.uid)
        return self._clock.now() + _WITHOUT_KEY_MS

    def forget(self, ref: RunRef) -> None:
        """Drop what is remembered of a run, because it is gone."""
        self._memory.drop(ref.uid)
        self._memory.outlived.discard(ref.uid)
        self._places.drop(ref.uid)
        self._effects.forget(ref.uid)
        self._teller.forget(ref.uid)

    def distrust(self) -> list[RunRef]:
        """The store may be another, or an older copy: read each known run anew before its next action. Return them."""
        self._memory.unsure.update(self._memory.known)
        self._places.distrust()
        self._teller.distrust()
        self._cache = DocumentCache()
        self._reporter.distrust()
        return [known.definition.run for known in self._memory.known.values()]

    def outlived(self, ref: RunRef) -> bool:
        """Tell whether people were told of the run's end, and the store only has a state from before it."""
        return ref.uid in self._memory.outlived

    def launched(self) -> list[tuple[KnownRun, Task]]:
        """Return the open tasks of all known runs whose start was performed: each must have a pod somewhere."""
        found = []
        for uid, known in self._memory.known.items():
            performed = self._memory.acknowledged.get(uid, set())
            for path in known.state.active:
                task = known.state.step(path).task
                name = f"start/{task.key}" if task is not None else ""
                if task is not None and (name not in known.outbox or name in performed):
                    found.append((known, task))
        return found

    def awaits(self, ref: RunRef, task: Task) -> bool | None:
        """Tell whether the run, as last committed, waits for the task; None where that is not known for certain."""
        known = self._memory.known.get(ref.uid)
        if known is None or ref.uid in self._memory.unsure:
            return None
        return known.state.step(task.path).task == task

    async def _reconcile(self, ref: RunRef) -> int | None:
        memory = self._memory
        known = memory.known.get(ref.uid)
        committed = known.revision if known is not None else 0
        snapshot = await self._store.load(ref.uid, 0 if ref.uid in memory.unsure else committed)
        if snapshot is None:
            return await self._open(ref, lost=known is not None)
        if snapshot.records is not None and snapshot.actions is not None:
            known = await self._read(ref, snapshot, committed)
            memory.unsure.discard(ref.uid)
        self._places.stored(ref.uid)
        if known is None:
            memory.drop(ref.uid)
            return None
        memory.keep(known)  # also where nothing is decided: whoever looks for its pods asks what is known
        passing = self._pass(known)
        passing.acknowledged = memory.acknowledged.pop(ref.uid, set())
        unread = snapshot.inbox if known.revision == snapshot.revision else ()  # else it was read on the way
        events, sent = answered(known, events_of(unread))
        passing.acknowledged |= sent
        passing.acknowledged &= known.outbox.keys()  # the answer to the commit that took the others out was lost
        decided = await passing.fold(events, self._clock.now(), self._evaluator)
        await self._save(passing, decided, last_of(unread))
        return await self._act_and_report(passing)

    async def _read(self, ref: RunRef, snapshot: Snapshot, committed: int) -> KnownRun | None:
        """Read a run that is not known, or changed behind our back; compare it with what people were told of it and
        with the revision that we `committed` ourselves.

        None where nothing is left to do: its object was deleted (its pods go with it, and its state is swept), or tells
        that the run has ended.
        """
        assert snapshot.records is not None
        assert snapshot.actions is not None
        revision = snapshot.revision
        known = read_run(
            snapshot.records,
            snapshot.actions,
            revision,
            pending_timeout_ms=self._settings.pending_timeout_ms,
            observed=self._teller.observed,
        )
        stage = known.state.header.stage
        if stage is Stage.RECOVERING:
            return known
        run = await self._definitions.get_run(ref)
        if run is None:
            return None
        over = stage is Stage.OVER  # told as recovering, such a run has ended since, by a cancel
        if max(told_sequence(run), committed) <= revision and (over or not told_recovering(run)):
            return known
        if told_end(run):  # nothing is left to do, whatever the older state says
            if over:
                return known
            self._memory.outlived.add(ref.uid)
            return None
        return await self._stop_to_recover(known, snapshot.inbox, run=run)

    async def _recover(self, ref: RunRef) -> None:
        """A document that the run needs is gone from the store: its state is there, and is no use without it."""
        self._memory.known.pop(ref.uid, None)
        snapshot = await self._store.load(ref.uid)
        if snapshot is None or snapshot.records is None or snapshot.actions is None:
            return
        known = await self._read(ref, snapshot, 0)
        if known is not None:
            stands = known.state.header.stage in {Stage.OVER, Stage.RECOVERING}  # so a request needs what is gone
            run = None if stands else await self._definitions.get_run(ref)
            refusal = NEEDS_WHAT_IS_LOST if stands else ASKED_BEFORE
            await self._stop_to_recover(known, snapshot.inbox, refusal, run)

    async def _stop_to_recover(
        self,
        known: KnownRun,
        inbox: Sequence[tuple[int, bytes]],
        refusal: str = ASKED_BEFORE,
        run: RunObject | None = None,
    ) -> KnownRun:
        """Start nothing more. Saved before it is told: once the status shows it, nothing else knows of the loss.

        The inbox is as old as the state. A request in it was made, and perhaps done, before the loss: it is no answer
        to it, and must not be taken for one. No more is one that still stands on the object (`run`): that is taken
        away only after its answer was told. An end stands where no more than a document is gone; in an older copy it
        may be one that the run was taken up after.
        """
        asked = [*events_of(inbox), *(one.event for one in (parse_requests(run) if run is not None else ()))]
        header = known.state.header
        if header.stage is not Stage.OVER or refusal == ASKED_BEFORE:
            header = replace(recovering(header, self._clock.now()), finished_at=None)
        stopped = self._pass(replace(known, state=replace(known.state, header=header)))
        events, sent = answered(known, [refused_if_old(event, refusal) for event in asked])
        decided = await stopped.fold(events, self._clock.now(), self._evaluator)
        passing = self._pass(known)
        passing.acknowledged |= sent
        await self._save(passing, decided, last_of(inbox))
        return passing.known

    async def _open(self, ref: RunRef, *, lost: bool) -> int | None:
        """Start a run of which nothing is stored; where something once was, it was lost, and nothing is started."""
        self._memory.known.pop(ref.uid, None)
        run = await self._definitions.get_run(ref)
        if run is None or run.deleting:
            self._places.drop(ref.uid)
            return None
        now = self._clock.now()
        if (lost or told_sequence(run) > 0) and not told_end(run):
            return await self._open_lost(run, now)
        if told_end(run):
            return None
        found = await self._first_look.look(run, now)
        match found:
            case Begins():
                return await self._open_sound(found, told_answers(run), now)
            case Ends():
                return await self._open_ended(found, told_answers(run))
            case Lost():
                return await self._open_lost(run, now)
            case Waits():
                if found.status is not None:
                    await self._reporter.waits(ref, found.status)
                return found.until

    async def _open_ended(self, ends: Ends, told: tuple[SignalAnswer, ...]) -> int | None:
        """Store a run that has ended before it began. It holds no key, for it did nothing."""
        decision = replace(ends.decision, state=with_answers(ends.decision.state, told))
        passing = self._fresh(replace(ends.definition, key=None, key_inputs=""), Decided(state=decision.state))
        passing.documents.add(ends.values)
        effects = tuple(action for action in decision.actions if not isinstance(action, Evaluation))
        decided = Decided(state=decision.state, actions=effects, values=ends.values, facts=decision.facts)
        await self._save(passing, decided, 0, share=ends.share)
        return await self._act_and_report(passing)

    async def _open_sound(self, begins: Begins, told: tuple[SignalAnswer, ...], now: int) -> int | None:
        judged = begins.opened
        inputs = judged.definition.inputs
        assert inputs is not None
        values = {inputs.digest: judged.inputs}
        _, plan = self._compile(judged.definition)
        pinned = judged.definition
        begun = begin(plan, pinned.run.uid, now, suspended=judged.suspended, generation=pinned.generation)
        passing = self._fresh(judged.definition, Decided(state=begun))
        passing.documents.add(values)
        decided = await passing.fold(list(begins.asked), self._clock.now(), self._evaluator)
        decided = replace(decided, state=with_answers(decided.state, told))  # after it: an answered suspend counts
        await self._save(passing, replace(decided, values={**values, **decided.values}), 0)
        return await self._act_and_report(passing)

    async def _open_lost(self, run: RunObject, now: int) -> int | None:
        """Store that the run is recovering, so that a cancel finds it; its pinned definition is gone with the rest."""
        definition = Definition(
            run=run.ref,
            created_at=run.created_at,
            generation=run.generation,
            reactor_name=told_reactor(run),
            lost=True,
        )
        definition = await self._keys.keep(run, definition)
        begun = begin(compile_definition(definition, pending_timeout_ms=0)[1], run.ref.uid, now)
        state = replace(begun, header=recovering(begun.header, now))
        passing = self._fresh(definition, Decided(state=state))
        await self._save(passing, Decided(state=state), 0)
        return await self._act_and_report(passing)

    def _fresh(self, definition: Definition, decided: Decided) -> Pass:
        blueprint, plan = self._compile(definition)
        return self._pass(KnownRun(definition=definition, blueprint=blueprint, plan=plan, state=decided.state))

    def _compile(self, definition: Definition) -> tuple[Blueprint | None, Plan]:
        timeout = self._settings.pending_timeout_ms
        return compile_definition(definition, pending_timeout_ms=timeout, observed=self._teller.observed)

    def _pass(self, known: KnownRun) -> Pass:
        documents = Documents(known.definition.run.uid, self._store, self._cache, self._keyring)
        return Pass(known=known, documents=documents)

    async def _save(self, passing: Pass, decided: Decided, inbox_position: int, *, share: Claim | None = None) -> None:
        """Commit, unless there is nothing to say."""
        known = passing.known
        unchanged = decided.state is known.state and known.revision > 0 and not inbox_position
        if unchanged and not self._worth_flushing(passing):
            return
        commit, after = make_commit(
            known,
            decided,
            epoch=self._epoch,
            inbox_position=inbox_position,
            acknowledged=frozenset(passing.acknowledged),
            claim=share or await self._keys.claim_for(known, decided.state, passing.documents),
        )
        if decided.state.header.stage is not Stage.OVER:
            self._places.hold(commit.run)
        await self._store.commit(commit)
        passing.known = after
        passing.acknowledged -= commit.acknowledged
        self._memory.keep(after)
        self._places.stored(after.definition.run.uid)
        if decided.facts:
            self._teller.tell(_about(after), decided.facts)

    def _worth_flushing(self, passing: Pass) -> bool:
        """Acknowledgements travel with the next commit; only an ended run has none to wait for."""
        return bool(passing.acknowledged) and passing.known.state.header.stage is Stage.OVER

    async def _act_and_report(self, passing: Pass) -> int | None:
        """Perform the outbox until nothing more follows from it at once, then report."""
        ref = passing.known.definition.run
        later: set[str] = set()
        try:
            while True:
                orders = {i: o for i, o in passing.known.outbox.items() if i not in passing.acknowledged}
                orders, notices = apart(orders)
                self._teller.offer(_about(passing.known), notices)
                due = {i: o for i, o in orders.items() if i not in later}
                performed = await self._effects.perform(passing.known, due, passing.documents)
                later |= {name for name, result in performed.items() if not result.done}
                events = passing.note(performed, self._clock.now())
                if not events and not self._worth_flushing(passing):
                    break
                try:
                    await self._save(passing, await passing.fold(events, self._clock.now(), self._evaluator), 0)
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


def _about(known: KnownRun) -> About:
    return About(run=known.definition.run, reactor=known.definition.reactor_name)
