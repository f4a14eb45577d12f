"""What the room of pools needs of the store.

In and out: as `store/port.py` says. Never here: an implementation.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from reactor_operator.store.port import Appended, Depth, Entry


class PoolStore(Protocol):
    """Queues and leases of pools as the operator sees them, and the way to tell runs. All raise StoreUnavailable."""

    async def depths(self) -> Mapping[str, Depth]:
        """Return how much waits in each pool (`NAMESPACE/NAME`) that has something queued or leased."""

    async def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        """End leases that have run out, and return their tasks (run, key) that are open and have no outcome."""

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        """Record entries in the inboxes of their runs."""


class WaitingStore(PoolStore, Protocol):
    """A store that also tells who waits."""

    async def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        """Return tasks (run, key) that wait in the queue of a pool, of each run those that have waited longest."""
