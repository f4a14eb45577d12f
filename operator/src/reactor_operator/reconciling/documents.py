"""The documents of a run, read once and kept while there is room.

In: references. Out: bytes. Never here: the meaning of a document.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Protocol

from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine.values import ValueRef
from reactor_operator.reconciling.lost import ValueLost
from reactor_operator.reconciling.map_pages import MapPages, ParsedPages
from reactor_operator.store.port import Pages, Values

_CACHE_BYTES = 16 * 1024 * 1024


class DocumentCache:
    """Documents by digest, least recently used first to go; shared by all runs, since a digest names its content."""

    def __init__(self, limit_bytes: int = _CACHE_BYTES) -> None:
        self.parsed = ParsedPages()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._limit = limit_bytes

    def get(self, digest: str) -> bytes | None:
        """Return a document that is kept."""
        found = self._kept.get(digest)
        if found is not None:
            self._kept.move_to_end(digest)
        return found

    def put(self, values: Mapping[str, bytes]) -> None:
        """Keep documents; large ones push out old ones, and one larger than the whole cache is not kept."""
        for digest, body in values.items():
            if digest in self._kept or len(body) > self._limit:
                continue
            self._kept[digest] = body
            self._bytes += len(body)
            while self._bytes > self._limit:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone)

    def drop(self, digests: Iterable[str]) -> None:
        """Keep documents no longer, for nothing needs them."""
        for digest in digests:
            self._bytes -= len(self._kept.pop(digest, b""))


class KeptDocuments(Values, Pages, Protocol):
    """What documents are read from."""


class Documents:
    """The documents of one run: new ones of this fold, then the cache, then the store.

    All of these have sensitive ones encrypted; `get` decrypts what it returns.
    """

    def __init__(self, run: str, store: KeptDocuments, cache: DocumentCache, keys: Keyring = NO_KEYS) -> None:
        self.keys = keys
        self.pages = MapPages(run, store, cache.parsed, keys)
        self._run = run
        self._store = store
        self._cache = cache
        self._fresh: dict[str, bytes] = {}

    def add(self, values: Mapping[str, bytes]) -> None:
        """Hold documents that are not committed yet."""
        self._fresh.update(values)
        self._cache.put({self._key(digest): body for digest, body in values.items()})

    def drop(self, digests: Iterable[str]) -> None:
        """Remember documents no longer: they were removed from the store."""
        for digest in digests:
            self._fresh.pop(digest, None)
            self._cache.drop((self._key(digest),))

    async def get(self, refs: Iterable[ValueRef]) -> dict[str, bytes]:
        """Return every document asked for, opened, by digest. Raises ValueLost, StoreUnavailable, CannotDecrypt."""
        return self.keys.decrypt_all(self._run, await self.stored(refs))

    async def stored(self, refs: Iterable[ValueRef]) -> dict[str, bytes]:
        """Return every document asked for as it is stored, by digest. Raises ValueLost, StoreUnavailable."""
        found: dict[str, bytes] = {}
        missing: set[str] = set()
        for ref in refs:
            body = ref.inline or self._fresh.get(ref.digest) or self._cache.get(self._key(ref.digest))
            if body is None:
                missing.add(ref.digest)
            else:
                found[ref.digest] = body
        if missing:
            read = await self._store.get_values(self._run, frozenset(missing))
            if lost := missing - read.keys():
                raise ValueLost(f"run {self._run}: {len(lost)} documents are gone from the store, such as {min(lost)}")
            self._cache.put({self._key(digest): body for digest, body in read.items()})
            found.update(read)
        return found

    def _key(self, digest: str) -> str:
        """Return what a document is remembered by: one that has a name is another one in another run."""
        return f"{self._run}/{digest}" if "@" in digest else digest

    async def one(self, ref: ValueRef | None) -> bytes:
        """Return a document; JSON null for no reference."""
        return b"null" if ref is None else (await self.get([ref]))[ref.digest]
