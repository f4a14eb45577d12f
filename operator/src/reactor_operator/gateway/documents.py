"""The documents of tasks, as tasks get them: opened where they are encrypted.

In: references of an open task's record. Out: bytes by digest. Never here: one that is made up where the store lost it.
"""

from collections.abc import Iterable

from reactor_operator.encryption import Keyring
from reactor_operator.engine.values import ValueRef
from reactor_operator.store.port import StoreUnavailable, Values


class TaskDocuments:
    """Reads documents of runs."""

    def __init__(self, store: Values, keys: Keyring) -> None:
        self._store = store
        self._keys = keys

    async def get(self, run: str, *refs: ValueRef | None) -> dict[str, bytes]:
        """Return every document asked for. Raises StoreUnavailable where one is not there, CannotDecrypt."""
        wanted = [ref for ref in refs if ref is not None]
        found = await self.known(run, wanted)
        missing = sorted({ref.digest for ref in wanted} - found.keys())
        if missing:
            raise StoreUnavailable(
                f"run {run}: values {', '.join(missing)} are not in the store; it may have lost them"
            )
        return self._keys.decrypt_all(run, found)

    async def known(self, run: str, refs: Iterable[ValueRef]) -> dict[str, bytes]:
        """Return those that are there, as they are stored."""
        found: dict[str, bytes] = {}
        wanted: set[str] = set()
        for ref in refs:
            if (inline := ref.inline) is not None:
                found[ref.digest] = inline
            else:
                wanted.add(ref.digest)
        if wanted:
            found.update(await self._store.get_values(run, frozenset(wanted)))
        return found

    def opened(self, run: str, document: bytes) -> bytes:
        """Return a document that was read as it is stored. Raises CannotDecrypt."""
        return self._keys.decrypt(run, document)


def size_of(*refs: ValueRef | None) -> int:
    """Return how many bytes documents have together."""
    return sum(ref.size for ref in refs if ref is not None)
