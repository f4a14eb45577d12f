"""Queues as a test says they are, over a store in memory that takes the entries."""

from collections.abc import Mapping, Sequence

from reactor_operator.engine.events import Event
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Depth, Entry, StoreUnavailable


class Queues:
    """Implements `pools.ports.PoolStore`."""

    def __init__(self) -> None:
        self.inbox = MemoryStore()
        self.told: dict[str, Depth] = {}
        self.tasks: dict[str, list[tuple[str, str]]] = {}
        self.ended_leases: list[tuple[str, str]] = []
        self.is_away = False

    async def open(self, run: str, *tasks: str) -> list[tuple[str, str]]:
        """Open tasks of a new run."""
        record = encode_record(OpenRecord())
        await self.inbox.commit(
            Commit(run=run, revision=0, epoch=1, records={"a": b"{}"}, opens=dict.fromkeys(tasks, record))
        )
        return [(run, task) for task in tasks]

    async def queue(self, pool: str, run: str, *tasks: str, oldest_ms: int = 30_000) -> list[tuple[str, str]]:
        """Open tasks of a new run and put them in a queue."""
        opened = await self.open(run, *tasks)
        self.tasks.setdefault(pool, []).extend(opened)
        self.told[pool] = Depth(queued=len(self.tasks[pool]), leased=0, oldest_ms=oldest_ms)
        return opened

    async def events(self, run: str) -> list[Event]:
        """Return what waits in the inbox of a run."""
        snapshot = await self.inbox.load(run)
        assert snapshot is not None
        return [decode_event(body) for _, body in snapshot.inbox]

    async def depths(self) -> Mapping[str, Depth]:
        self._answer()
        return self.told

    async def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        self._answer()
        taken, self.ended_leases = self.ended_leases[:limit], self.ended_leases[limit:]
        return tuple(taken)

    async def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        self._answer()
        return tuple(self.tasks.get(pool, [])[:limit])

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        self._answer()
        return [await self.inbox.append(entry) for entry in entries]

    def _answer(self) -> None:
        if self.is_away:
            raise StoreUnavailable("the store is away")
