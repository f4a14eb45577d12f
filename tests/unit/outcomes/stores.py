"""A store in memory with the run of `tests.unit.tasks.orders` in it, and a clock that stands still."""

from reactor_operator.engine.events import Event
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.unit.tasks.orders import UID

TASK = "work.run.1.1.1"


class FixedClock:
    """Tells the time it was told."""

    def __init__(self, now: int) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


async def store_with_task() -> MemoryStore:
    """Return a store in which the task is open."""
    store = MemoryStore()
    record = encode_record(OpenRecord())
    await store.commit(Commit(run=UID, revision=0, epoch=1, records={"a": b"{}"}, opens={TASK: record}))
    return store


async def inbox_of(store: MemoryStore) -> list[Event]:
    """Return what waits in the inbox."""
    snapshot = await store.load(UID)
    assert snapshot is not None
    return [decode_event(body) for _, body in snapshot.inbox]


async def close_task(store: MemoryStore) -> None:
    """Close the task, taking everything that waits."""
    snapshot = await store.load(UID)
    assert snapshot is not None
    position = max((position for position, _ in snapshot.inbox), default=0)
    await store.commit(
        Commit(run=UID, revision=snapshot.revision, epoch=1, inbox_position=position, closes=frozenset({TASK}))
    )
