"""The store that all operators share, and one operator's connection to it: stops before and after calls, fails, and
loses answers after having applied the call.

In: calls of the store port. Out: what the store answers, or a StoreUnavailable. `SharedStore` can also forget.
"""

import copy
from collections.abc import AsyncIterator, Mapping
from random import Random

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import (
    Appended,
    Claimed,
    Commit,
    Entry,
    InboxAhead,
    OldEpoch,
    OpenTask,
    Snapshot,
    StaleRevision,
    Store,
    StoreUnavailable,
)
from tests.simulation.checkpoints import Checkpoints
from tests.simulation.coverage import Coverage, Fault, Place, Seen
from tests.simulation.ledger import Ledger


class SharedStore:
    """What is on disk `now`, and older copies of it. Only a memory store can be emptied and rolled back."""

    def __init__(self, store: Store) -> None:
        self.now = store
        self._copies: list[Store] = []

    def copy(self) -> None:
        """Keep a copy, as a backup would."""
        self._copies.append(copy.deepcopy(self.now))

    def empty(self) -> None:
        """Forget everything (FLUSHALL)."""
        self.now = MemoryStore()

    def roll_back(self, random: Random) -> None:
        """Go back to a copy."""
        self.now = self._copies.pop(random.randrange(len(self._copies)))

    def has_copies(self) -> bool:
        """Tell whether there is anything to go back to."""
        return bool(self._copies)


class FaultyStore:
    """One operator's connection. `lose_next_answer`: the next commit is applied, and nobody is told."""

    def __init__(
        self, owner: str, shared: SharedStore, checkpoints: Checkpoints, ledger: Ledger, coverage: Coverage
    ) -> None:
        self.owner = owner
        self.shared = shared
        self.checkpoints = checkpoints
        self.ledger = ledger
        self.coverage = coverage
        self.random = Random(owner)
        self.fault_rate = 0.0
        self.lose_next_answer = False

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        await self._before(Place.LOAD)
        with self.checkpoints.waiting():
            return await self.shared.now.load(run, known_revision)

    async def commit(self, commit: Commit) -> int:
        await self._before(Place.COMMIT)
        try:
            with self.checkpoints.waiting():
                revision = await self.shared.now.commit(commit)
        except StaleRevision:
            self.coverage.note(Seen.STALE_REVISION)
            raise
        except InboxAhead:
            self.coverage.note(Seen.INBOX_AHEAD)
            raise
        except OldEpoch:
            self.coverage.note(Seen.OLD_EPOCH)
            raise
        self.ledger.committed(commit)
        await self._after(Place.COMMITTED)
        return revision

    async def claimed(self, name: str) -> Claimed | None:
        with self.checkpoints.waiting():
            return await self.shared.now.claimed(name)

    async def append(self, entry: Entry) -> Appended:
        return await self.shared.now.append(entry)

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        return await self.shared.now.open_task(run, task)

    def rings(self) -> AsyncIterator[str]:
        return self.shared.now.rings()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        await self._before(Place.GET_VALUES)
        with self.checkpoints.waiting():
            return await self.shared.now.get_values(run, digests)

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        await self.shared.now.put_values(run, values)

    async def forget(self, run: str) -> None:
        await self.shared.now.forget(run)

    async def active_runs(self) -> frozenset[str]:
        return await self.shared.now.active_runs()

    async def stored_runs(self) -> frozenset[str]:
        return await self.shared.now.stored_runs()

    async def claim_epoch(self, above: int) -> int:
        return await self.shared.now.claim_epoch(above)

    async def incarnation(self) -> str:
        with self.checkpoints.waiting():
            return await self.shared.now.incarnation()

    async def close(self) -> None:
        """Nothing to release: the store is everybody's."""

    async def _before(self, place: Place) -> None:
        await self.checkpoints.reach(self.owner, place)
        if self.fault_rate > 0 and self.random.random() < self.fault_rate:
            self.coverage.note(Fault.CALL_FAILED)
            raise StoreUnavailable(f"{place}: not applied")

    async def _after(self, place: Place) -> None:
        await self.checkpoints.reach(self.owner, place)
        lost, self.lose_next_answer = self.lose_next_answer, False
        if lost or (self.fault_rate > 0 and self.random.random() < self.fault_rate):
            self.coverage.note(Fault.ANSWER_LOST)
            raise StoreUnavailable(f"{place}: applied, but the answer was lost")
