"""Pages of elements and of outcomes of maps: read when they are wanted, and remembered while there is room.

In: names of pages. Out: parsed elements, outcomes. Never here: a whole collection.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import orjson

from reactor_operator.encryption import Keyring
from reactor_operator.engine.state import OutcomePage
from reactor_operator.engine.values import is_encrypted
from reactor_operator.reconciling.lost import ValueLost
from reactor_operator.store.outcome_pages import decode_outcomes, outcome_page_name, source_page_name
from reactor_operator.store.port import Pages

_REMEMBERED_BYTES = 2 * 1024 * 1024
"""As JSON; parsed, small elements take twenty times as much."""


class ParsedPages:
    """Pages of elements, parsed, least recently used first to go; shared by all runs."""

    def __init__(self, limit_bytes: int = _REMEMBERED_BYTES) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Sequence[object], int]] = OrderedDict()
        self._bytes = 0
        self._limit = limit_bytes

    def get(self, run: str, name: str) -> Sequence[object] | None:
        """Return a page that is kept."""
        found = self._kept.get((run, name))
        if found is None:
            return None
        self._kept.move_to_end((run, name))
        return found[0]

    def put(self, run: str, name: str, elements: Sequence[object], size: int) -> None:
        """Keep a page; old ones go. The newest stays, however large."""
        gone = self._kept.pop((run, name), None)
        self._bytes += size - (gone[1] if gone is not None else 0)
        self._kept[run, name] = elements, size
        while self._bytes > self._limit and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed

    def drop(self, run: str, names: Iterable[str]) -> None:
        """Keep pages no longer, for nothing needs them."""
        for name in names:
            gone = self._kept.pop((run, name), None)
            self._bytes -= gone[1] if gone is not None else 0


class MapPages:
    """The pages of one run: new ones of this pass, then those remembered, then the store; sensitive ones encrypted."""

    def __init__(self, run: str, store: Pages, parsed: ParsedPages, keys: Keyring) -> None:
        self._run = run
        self._store = store
        self._parsed = parsed
        self._keys = keys
        self._fresh: dict[str, bytes] = {}
        self._filed: dict[str, OutcomePage] = {}

    def file(self, pages: Mapping[tuple[str, int, int], OutcomePage]) -> None:
        """Hold pages of outcomes that leave the hot state with the next commit."""
        self._filed.update({outcome_page_name(*place): page for place, page in pages.items()})

    def add(self, pages: Mapping[str, bytes]) -> None:
        """Hold pages of elements that are not committed yet."""
        self._fresh.update(pages)

    def take_fresh(self) -> Mapping[str, bytes]:
        """Return the pages that the next commit is to write."""
        taken, self._fresh = self._fresh, {}
        return taken

    def drop(self, pages: Iterable[tuple[str, int, int]]) -> None:
        """Remember pages of elements no longer: they were removed from the store."""
        self._parsed.drop(self._run, (source_page_name(*place) for place in pages))

    async def element(self, path: str, round_: int, number: int, place: int) -> object:
        """Return an element. Raises ValueLost, StoreUnavailable, CannotDecrypt."""
        return (await self.elements(path, round_, number))[place]

    async def elements(self, path: str, round_: int, number: int) -> Sequence[object]:
        """Return the elements of a page. Raises ValueLost, StoreUnavailable, CannotDecrypt."""
        name = source_page_name(path, round_, number)
        elements = self._parsed.get(self._run, name)
        if elements is None:
            body = self._fresh.get(name) or (await self._store.get_pages(self._run, frozenset({name}))).get(name)
            if body is None:
                raise ValueLost(f"run {self._run}: page {name} is gone from the store")
            if is_encrypted(body):
                body = self._keys.decrypt_all(self._run, {name: body})[name]
            elements = orjson.loads(body)
            assert isinstance(elements, list)
            self._parsed.put(self._run, name, elements, len(body))
        return elements

    async def outcomes(self, path: str, round_: int, number: int) -> OutcomePage:
        """Return a page of outcomes, empty where none was written. Raises StoreUnavailable, Unreadable."""
        name = outcome_page_name(path, round_, number)
        if name in self._filed:
            return self._filed[name]
        body = (await self._store.get_pages(self._run, frozenset({name}))).get(name)
        return {} if body is None else decode_outcomes(path, number, self._run, body)
