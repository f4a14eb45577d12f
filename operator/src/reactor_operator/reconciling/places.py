"""Which run of a reactor that has a limit may start now: `maxActiveRuns` and `onLimit`.

In: a run that is judged sound, its siblings as a watch told them, and what the store and this process know of them.
Out: the same run where there is a place for it, else that it is to wait, or can never start.
Never here: a counter. Who is active is asked anew each time. A run has a place where it and all that are older than it
fit under the limit, so the oldest comes first and none is overtaken.

Only the operator of the newest epoch commits. So a run is active if the store held it so when this operator began, or
if this operator opened it, and has not ended since.
"""

import asyncio
from collections.abc import Sequence, Set

from reactor_operator.api.reactor import OnLimit
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.state import Stage
from reactor_operator.ports import RunObject, Siblings, ToldRun
from reactor_operator.reconciling.memory import Memory
from reactor_operator.reconciling.opening import CannotOpen, Opened, OpenLater
from reactor_operator.reconciling.records import read_header
from reactor_operator.store.codec import Unreadable
from reactor_operator.store.port import RunStore

_NOT_TOLD_MS = 5_000
_FIRST_LOOK_MS = 5_000
_MORE_FOR_EACH_MS = 1_000
_LONGEST_MS = 1_800_000


class Alone:
    """The siblings of a run where one runs after the other: none."""

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun]:
        """Return no run."""
        return ()


class Places:
    """Gives the places of limited reactors to their runs, oldest first."""

    def __init__(self, store: RunStore, siblings: Siblings, memory: Memory) -> None:
        self._store = store
        self._siblings = siblings
        self._memory = memory
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._given: set[str] = set()
        self._opened: set[str] = set()
        self._passed_over: set[str] = set()
        self._held_before: frozenset[str] | None = None
        self._stores_seen = 0

    async def take(self, run: RunObject, opened: Opened, now: int) -> Opened | OpenLater | CannotOpen:
        """Give the run a place, if there is one. It keeps it until it is stored or dropped. Raises StoreUnavailable."""
        limit = opened.reactor.max_active_runs
        if limit is None:
            return opened
        pinned = opened.definition
        reactor = (run.ref.namespace, pinned.reactor_name)
        # One at a time: two that count at the same moment would both find the last place free.
        async with self._turns.setdefault(reactor, asyncio.Lock()):
            held_before = await self._ask_who_was_active()
            siblings = self._siblings.unfinished(*reactor, self._maybe_active(held_before))
            if siblings is None:
                return OpenLater(definition=pinned, until=now + _NOT_TOLD_MS, since=run.created_at, message="")
            active, before = await self._count(run, siblings, held_before)
            if active + before < limit:
                self._given.add(run.ref.uid)
                self._passed_over.discard(run.ref.uid)
                return opened
            self._given.discard(run.ref.uid)
        if opened.reactor.on_limit is OnLimit.REJECT:
            failure = Failure(kind=FailureKind.TOO_MANY_RUNS, message=_rejected(reactor[1], limit, active, before))
            return CannotOpen(definition=pinned, failure=failure)
        pause = min(_FIRST_LOOK_MS + before * _MORE_FOR_EACH_MS, _LONGEST_MS)
        message = _waits(before, limit)
        return OpenLater(definition=pinned, until=now + pause, since=run.created_at, message=message, queued=True)

    def hold(self, uid: str) -> None:
        """The run goes on, and that is being stored: it is active from here on, also while no answer comes."""
        self._given.add(uid)

    def stored(self, uid: str) -> None:
        """The run is stored: from here on the store and the memory tell whether it is active."""
        self._given.discard(uid)
        self._opened.add(uid)

    def pass_over(self, uid: str) -> None:
        """The run cannot be opened for a reason of its own: it stops none behind it until it is."""
        if uid not in self._opened:
            self._given.discard(uid)
            self._passed_over.add(uid)

    def drop(self, uid: str) -> None:
        """The run is gone."""
        self._given.discard(uid)
        self._opened.discard(uid)
        self._passed_over.discard(uid)

    def distrust(self) -> None:
        """The store may be another: ask it again who is active."""
        self._held_before = None
        self._stores_seen += 1

    async def _ask_who_was_active(self) -> frozenset[str]:
        """Return the runs that the store held as active when this operator began."""
        held_before = self._held_before
        if held_before is None:
            store = self._stores_seen
            held_before = await self._store.active_runs()
            # else it was distrusted meanwhile, and may have been the old one that answered
            if store == self._stores_seen:
                self._held_before = held_before
        return held_before

    def _maybe_active(self, held_before: frozenset[str]) -> Set[str]:
        """Return runs that may be active though their end was told: somebody may have taken them up again since."""
        return self._memory.known.keys() | self._given | (held_before - self._opened)

    async def _count(self, run: RunObject, siblings: Sequence[ToldRun], held_before: frozenset[str]) -> tuple[int, int]:
        """Return how many siblings are active, and how many others wait that are older than the run."""
        active = before = 0
        own_turn = (run.created_at, run.ref.name)
        for sibling in siblings:
            uid = sibling.ref.uid
            if uid == run.ref.uid:
                continue
            if await self._is_active(sibling, held_before):
                active += 1
            elif sibling.is_pending and uid not in self._opened and uid not in self._passed_over:
                before += (sibling.created_at, sibling.ref.name) < own_turn
        return active, before

    async def _is_active(self, sibling: ToldRun, held_before: frozenset[str]) -> bool:
        uid = sibling.ref.uid
        if uid in self._given:
            return True
        known = self._memory.known.get(uid)
        if known is not None:
            return known.state.header.stage is not Stage.OVER
        if sibling.is_pending and uid not in self._opened and uid not in held_before:
            return False
        if sibling.is_over and uid in self._opened:
            return False
        # Not looked at yet by this operator, or over and not told so yet: the store tells, unless it lost the run. Then
        # nobody has ended what people were told of.
        try:
            header = read_header(await self._store.load(uid))
            stage = header.stage if header is not None else None
        except Unreadable:
            return True
        return stage is not Stage.OVER if stage is not None else not (sibling.is_pending or sibling.is_over)


def _waits(before: int, limit: int) -> str:
    return f"waiting: {_runs(before)} before this one; at most {_are_active(limit)}"


def _rejected(reactor: str, limit: int, active: int, before: int) -> str:
    found = f"found {active} active" + (f" and {_runs(before)} before this one" if before else "")
    return (
        f"Reactor {reactor!r} allows at most {_runs(limit)} at once (spec.maxActiveRuns), {found}: "
        "start it again once one has ended, or set spec.onLimit: Queue"
    )


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count or 'no'} runs"


def _are_active(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'} active"
