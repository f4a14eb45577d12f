"""A store that stops before and after every call, fails, and loses answers after having applied the call."""

from collections.abc import AsyncIterator, Mapping
from random import Random

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Entry, OpenTask, Snapshot, StoreUnavailable
from tests.simulation.checkpoints import Checkpoints


class FaultyStore:
    """One operator's connection to the shared memory store."""

    def __init__(self, inner: MemoryStore, checkpoints: Checkpoints, random: Random) -> None:
        self.inner = inner
        self.checkpoints = checkpoints
        self.random = random
        self.fault_rate = 0.0

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        await self._before("load")
        return await self.inner.load(run, known_revision)

    async def commit(self, commit: Commit) -> int:
        await self._before("commit")
        revision = await self.inner.commit(commit)
        await self._after("commit")
        return revision

    async def append(self, entry: Entry) -> Appended:
        return await self.inner.append(entry)

    async def open_task(self, run: str, task: str) -> OpenTask | None:
        return await self.inner.open_task(run, task)

    def rings(self) -> AsyncIterator[str]:
        return self.inner.rings()

    async def get_values(self, run: str, digests: frozenset[str]) -> Mapping[str, bytes]:
        await self._before("get values")
        return await self.inner.get_values(run, digests)

    async def put_values(self, run: str, values: Mapping[str, bytes]) -> None:
        await self._before("put values")
        await self.inner.put_values(run, values)

    async def forget(self, run: str) -> None:
        await self.inner.forget(run)

    async def active_runs(self) -> frozenset[str]:
        return await self.inner.active_runs()

    async def stored_runs(self) -> frozenset[str]:
        return await self.inner.stored_runs()

    async def claim_epoch(self, above: int) -> int:
        return await self.inner.claim_epoch(above)

    async def incarnation(self) -> str:
        return await self.inner.incarnation()

    async def close(self) -> None:
        """Nothing to release."""

    async def _before(self, what: str) -> None:
        await self.checkpoints.reach("operator", what)
        if self.random.random() < self.fault_rate:
            raise StoreUnavailable(f"{what}: not applied")

    async def _after(self, what: str) -> None:
        await self.checkpoints.reach("operator", f"after {what}")
        if self.random.random() < self.fault_rate:
            raise StoreUnavailable(f"{what}: applied, but the answer was lost")
