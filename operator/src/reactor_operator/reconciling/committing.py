"""Passes over runs: begun from what is stored, decided on, and committed.

In: a run as it is known or is to be known, and what happened. Out: the pass, with the run as committed.
Never here: whether a run is opened, goes on or recovers; an order performed.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.encryption import Keyring
from reactor_operator.engine import events as ev
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState, Stage
from reactor_operator.ports import About, Clock, Evaluator, Teller
from reactor_operator.reconciling.correlations import OpenIds, changed_ids, ids_of
from reactor_operator.reconciling.definition import Definition, compile_definition
from reactor_operator.reconciling.documents import DocumentCache, Documents
from reactor_operator.reconciling.keys import Keys
from reactor_operator.reconciling.memory import Memory
from reactor_operator.reconciling.meter import Meter
from reactor_operator.reconciling.passing import Pass
from reactor_operator.reconciling.places import Places
from reactor_operator.reconciling.pooled import PoolBook
from reactor_operator.reconciling.records import Decided, KnownRun, make_commit, read_run
from reactor_operator.store.port import Claim, Snapshot, Store

Opened = Callable[[Collection[str]], None]
"""Is told the names of correlation ids under which interrupts are open, as soon as it is stored. May be told twice."""


def nobody_waits(_: Collection[str]) -> None:
    """Tell nobody."""


@dataclass(slots=True, kw_only=True)
class Commits:
    """What every pass is made with, and where each of its commits goes: into the store, then into what is remembered.

    epoch:              of this operator; a newer one makes its commits fail.
    pools:              those that there are; None where their tasks are launched like others, and no chunks of them.
    pending_timeout_ms: how long a task waits for a place to start, where its reactor does not say.
    opened:             is told of interrupts that are open now.
    """

    store: Store
    memory: Memory
    keys: Keys
    places: Places
    teller: Teller
    meter: Meter
    traced: bool
    evaluator: Evaluator
    clock: Clock
    keyring: Keyring
    epoch: int
    pending_timeout_ms: int
    pools: PoolBook | None = None
    opened: Opened = nobody_waits
    _cache: DocumentCache = field(default_factory=DocumentCache)

    def distrust(self) -> None:
        """The store may be another: read each document anew."""
        self._cache = DocumentCache()

    def compile(self, definition: Definition) -> tuple[Blueprint | None, Plan]:
        """Return what a definition says, laid out and as the engine reads it."""
        return compile_definition(
            definition,
            pending_timeout_ms=self.pending_timeout_ms,
            observed=self.teller.observed,
            chunks=self.pools is not None,
        )

    def read(self, snapshot: Snapshot) -> KnownRun:
        """Return the run that a whole snapshot tells."""
        assert snapshot.records is not None
        assert snapshot.actions is not None
        return read_run(
            snapshot.records,
            snapshot.actions,
            snapshot.revision,
            pending_timeout_ms=self.pending_timeout_ms,
            observed=self.teller.observed,
            chunks=self.pools is not None,
        )

    def over(self, known: KnownRun) -> Pass:
        """Begin a pass over a run that is stored."""
        documents = Documents(known.definition.run.uid, self.store, self._cache, self.keyring)
        return Pass(known=known, documents=documents, ids=OpenIds(self.store, known.definition.run.uid))

    def over_new(self, definition: Definition, state: RunState) -> Pass:
        """Begin a pass over a run that is not stored yet."""
        blueprint, plan = self.compile(definition)
        return self.over(KnownRun(definition=definition, blueprint=blueprint, plan=plan, state=state))

    async def fold(self, passing: Pass, events: Sequence[ev.Event]) -> Decided:
        """Decide on events and on the time. Raises ValueLost, CannotDecrypt, StoreUnavailable."""
        return await passing.fold(list(events), self.clock.now(), self.evaluator, self.pools)

    async def save(
        self, passing: Pass, decided: Decided, inbox_position: int = 0, *, share: Claim | None = None
    ) -> None:
        """Commit, unless there is nothing to say. Raises CommitRefused, StoreUnavailable."""
        known = passing.known
        unchanged = decided.state is known.state and known.revision > 0 and not inbox_position
        if unchanged and not worth_flushing(passing):
            return
        commit, after = make_commit(
            known,
            decided,
            epoch=self.epoch,
            inbox_position=inbox_position,
            acknowledged=frozenset(passing.acknowledged),
            pools=self.pools is not None,
            traced=self.traced,
            claim=share or await self.keys.claim_for(known, decided.state, passing.documents),
        )
        correlations, passed_on = changed_ids(known, decided.state)
        if correlations:
            commit = replace(commit, correlations=correlations, passed_on=passed_on)
        if decided.state.header.stage is not Stage.OVER:
            self.places.hold(commit.run)
        await self.store.commit(commit)
        self.opened([name for name, holder in correlations.items() if holder is not None])
        passing.documents.drop(commit.dropped)
        passing.documents.pages.drop(decided.filing.sources)
        passing.known = after
        passing.acknowledged -= commit.acknowledged
        self.memory.keep(after)
        self.places.stored(after.definition.run.uid)
        if decided.facts:
            self.teller.tell(about(after), decided.facts)
        self.meter.committed(known, decided, after, commit)

    def tell_open(self, known: KnownRun) -> None:
        """Tell of all interrupts of a run that was read: the answer to the commit that opened one may have been lost,
        with whoever made it too."""
        self.opened(list(ids_of(known, known.plan, known.state)))


def worth_flushing(passing: Pass) -> bool:
    """Acknowledgements travel with the next commit; only an ended run has none to wait for."""
    return bool(passing.acknowledged) and passing.known.state.header.stage is Stage.OVER


def about(known: KnownRun) -> About:
    """Return what those who are told of a run call it by."""
    return About(run=known.definition.run, reactor=known.definition.reactor_name)
