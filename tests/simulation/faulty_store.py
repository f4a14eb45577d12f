"""One operator's connection to the store that all share: stops before and after calls, fails, and loses answers after
having applied the call.

In: calls of the store port. Out: what the store answers, or a StoreUnavailable. Never here: what the store is kept in
(`disks.py`).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random

from reactor_operator.store.port import (
    Appended,
    Claimed,
    Closed,
    Commit,
    Entry,
    Held,
    HistoryPage,
    InboxAhead,
    OldEpoch,
    OpenTask,
    Snapshot,
    StaleRevision,
    StoreUnavailable,
)
from tests.simulation.checkpoints import Checkpoints
from tests.simulation.cluster import FakeCluster
from tests.simulation.coverage import Fault, Place, Seen


class FaultyStore:
    """One operator's connection.

    lose_next_answer: the next commit is applied, and nobody is told.
    away_until:       until when (int ms) no call reaches the store.
    """

    def __init__(self, owner: str, cluster: FakeCluster, checkpoints: Checkpoints) -> None:
        self.owner = owner
        self.shared = cluster.store
        self.cluster = cluster
        self.checkpoints = checkpoints
        self.ledger = cluster.ledger
        self.coverage = cluster.coverage
        self.random = Random(f"{cluster.seed} {owner}")
        self.fault_rate = cluster.fault_rate
        self.lose_next_answer = False
        self.away_until = 0

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        await self._before(Place.LOAD)
        self.ledger.looked(self.owner, run)
        return await self.shared.load(run, known_revision)

    async def settle(self) -> None:
        await self._before(Place.LOAD)
        await self.shared.settle()

    async def commit(self, commit: Commit) -> int:
        await self._before(Place.COMMIT)
        try:
            revision = await self.shared.commit(commit)
        except StaleRevision:
            self.coverage.note(Seen.STALE_REVISION)
            raise
        except InboxAhead:
            self.coverage.note(Seen.INBOX_AHEAD)
            raise
        except OldEpoch:
            self.coverage.note(Seen.OLD_EPOCH)
            raise
        self.ledger.committed(commit, self.owner)
        await self._after(Place.COMMITTED)
        return revision

    async def claimed(self, name: str) -> Claimed | None:
        return await self.shared.claimed(name)

    async def find_correlation(self, name: str) -> Held | Closed | None:
        return await self.shared.find_correlation(name)

    async def append(self, entry: Entry) -> Appended:
        """Hand in a request; what pods tell is appended by their own ways."""
        await self._before(Place.HAND_IN)
        answer = await self.shared.append(entry)
        if answer is Appended.RECORDED:
            self.cluster.changed(entry.run)
        await self._after(Place.HANDED_IN)
        return answer

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Hand in what a worker reports."""
        await self._before(Place.HAND_IN)
        answers = await self.shared.append_all(entries)
        for entry, answer in zip(entries, answers, strict=True):
            if answer is Appended.RECORDED:
                self.cluster.changed(entry.run)
        await self._after(Place.HANDED_IN)
        return answers

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        return await self.shared.open_task(run, task)

    def rings(self) -> AsyncIterator[str]:
        return self.shared.rings()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        await self._before(Place.GET_VALUES)
        return await self.shared.get_values(run, digests)

    async def get_pages(self, run: str, names: frozenset[str]) -> Mapping[str, bytes]:
        await self._before(Place.GET_VALUES)
        return await self.shared.get_pages(run, names)

    async def get_history(self, run: str, after: int, limit: int) -> HistoryPage:
        return await self.shared.get_history(run, after, limit)

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        return await self.shared.put_log(run, task, body, most_bytes)

    async def get_log(self, run: str, task: str) -> bytes | None:
        return await self.shared.get_log(run, task)

    async def logged_tasks(self, run: str) -> frozenset[str]:
        return await self.shared.logged_tasks(run)

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        await self.shared.put_values(run, values)

    async def forget(self, run: str) -> None:
        await self.shared.forget(run)

    async def active_runs(self) -> frozenset[str]:
        await self._before(Place.ACTIVE_RUNS)
        return await self.shared.active_runs()

    async def stored_runs(self) -> frozenset[str]:
        return await self.shared.stored_runs()

    async def claim_epoch(self, above: int) -> int:
        return await self.shared.claim_epoch(above)

    async def incarnation(self) -> str:
        await self._before(Place.INCARNATION)
        return await self.shared.incarnation()

    async def close(self) -> None:
        """Nothing to release: the store is everybody's."""

    async def _before(self, place: Place) -> None:
        await self.checkpoints.reach(self.owner, place)
        away = self.cluster.now() < self.away_until
        if away or (self.fault_rate > 0 and self.random.random() < self.fault_rate):
            self.coverage.note(Fault.CALL_FAILED)
            raise StoreUnavailable(f"{place}: not applied")

    async def _after(self, place: Place) -> None:
        await self.checkpoints.reach(self.owner, place)
        lost, self.lose_next_answer = self.lose_next_answer, False
        if lost or (self.fault_rate > 0 and self.random.random() < self.fault_rate):
            self.coverage.note(Fault.ANSWER_LOST)
            raise StoreUnavailable(f"{place}: applied, but the answer was lost")
