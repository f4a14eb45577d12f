"""A store in memory whose queues a test fills, and in which time passes as the test says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reactor_operator.engine.events import Event
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Depth, Entry, Lease, StoreUnavailable

RECORD = encode_record(OpenRecord())
LONG_MS = 600_000


class Queues(MemoryStore):
    """Implements `pools.ports.WaitingStore`. `older_ms` is added to how long the oldest task of a queue has waited."""

    def __init__(self) -> None:
        super().__init__()
        self.older_ms = 0
        self.is_away = False

    async def queue(self, pool: str, run: str, *tasks: str) -> None:
        """Open tasks of a new run and put each in a queue."""
        opens = dict.fromkeys(tasks, RECORD)
        queued = {pool: tuple((task,) for task in tasks)}
        await self.commit(Commit(run=run, revision=0, epoch=1, records={"a": b"{}"}, opens=opens, queued=queued))

    async def take(self, pool: str, limit: int = 1, for_ms: int = LONG_MS) -> tuple[Lease, ...]:
        """Let a worker take tasks."""
        return await self.lease(pool, "worker-1", limit, for_ms)

    async def events(self, run: str) -> list[Event]:
        """Return what waits in the inbox of a run."""
        snapshot = await self.load(run)
        assert snapshot is not None
        return [decode_event(body) for _, body in snapshot.inbox]

    async def depths(self) -> Mapping[str, Depth]:
        self._answer()
        found = await super().depths()
        return {
            key: replace(depth, oldest_ms=depth.oldest_ms + self.older_ms) if depth.queued else depth
            for key, depth in found.items()
        }

    async def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        self._answer()
        return await super().expired(limit)

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        self._answer()
        return await super().append_all(entries)

    async def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        self._answer()
        return await super().waiting(pool, limit)

    def _answer(self) -> None:
        if self.is_away:
            raise StoreUnavailable("the store is away")
