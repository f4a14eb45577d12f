"""The results of a map, page by page, for those who read them: handlers, people.

In: which page of which map, a store. Out: JSON: `{"items":[{"index":7,"ok":true,"value":…},{"index":9,"ok":false,
"failure":{"kind","message"}}]}`, with `"after": INDEX` where what comes after that element is to be asked for again.
Never here: more than one page, more of it in memory than `limit_bytes` and one element, who may read it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import orjson

from reactor_operator.encryption import Keyring
from reactor_operator.engine.state import PAGE, ElementOutcome, ElementPhase
from reactor_operator.store.outcome_pages import decode_outcomes, outcome_page_name
from reactor_operator.store.port import Pages, StoreUnavailable, Values

FILTERS = ("all", "ok", "failed")
RESULTS_KEY = "reactor.run/results"
_OK = (ElementPhase.SUCCEEDED, ElementPhase.SKIPPED)


class ResultsStore(Values, Pages, Protocol):
    """What results are read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsQuery:
    """Which page (from 0) of which map (its path), in which round; `filter` is one of `FILTERS`.

    after: leave out the elements up to this one.
    """

    step: str
    round: int = 1
    page: int = 0
    filter: str = "all"
    after: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundResults:
    """What became of elements, by index, without their results, which have `size` bytes together.

    is_cut: there are more in the page, which would be too much at once.
    """

    outcomes: Mapping[int, ElementOutcome]
    size: int
    is_cut: bool


async def read_results(store: ResultsStore, run: str, asked: ResultsQuery, keys: Keyring) -> bytes:
    """Return a whole page of results. Raises StoreUnavailable, CannotDecrypt, Unreadable."""
    return await render_results(store, run, await find_results(store, run, asked), keys)


async def find_results(
    store: ResultsStore, run: str, asked: ResultsQuery, limit_bytes: int | None = None
) -> FoundResults:
    """Return what became of the elements of a page: as many as fit, and one at least. Raises StoreUnavailable,
    Unreadable."""
    name = outcome_page_name(asked.step, asked.round, asked.page)
    body = (await store.get_pages(run, frozenset({name}))).get(name)
    page = {} if body is None else decode_outcomes(asked.step, asked.page, run, body, kept=False)
    chosen: dict[int, ElementOutcome] = {}
    size = 0
    for index, outcome in sorted(page.items()):
        if index <= asked.after or not _is_chosen(outcome, asked.filter):
            continue
        more = outcome.result.size if outcome.result is not None else 0
        if chosen and limit_bytes is not None and size + more > limit_bytes:
            return FoundResults(outcomes=chosen, size=size, is_cut=True)
        chosen[index] = outcome
        size += more
    return FoundResults(outcomes=chosen, size=size, is_cut=False)


async def render_results(store: ResultsStore, run: str, found: FoundResults, keys: Keyring) -> bytes:
    """Return results with their documents. Raises StoreUnavailable, CannotDecrypt."""
    values = await _values(store, run, found.outcomes.values(), keys)
    items = [_item(index, outcome, values) for index, outcome in found.outcomes.items()]
    rest = b',"after":%d' % max(found.outcomes) if found.is_cut else b""
    return b'{"items":[%b]%b}' % (b",".join(items), rest)


def last_page(total: int) -> int:
    """Return how many pages so many elements take."""
    return -(-total // PAGE)


def _is_chosen(outcome: ElementOutcome, which: str) -> bool:
    return which == "all" or (which == "ok") == (outcome.phase in _OK)


async def _values(store: ResultsStore, run: str, outcomes: Iterable[ElementOutcome], keys: Keyring) -> dict[str, bytes]:
    refs = [one.result for one in outcomes if one.result is not None]
    inline = {ref.digest: ref.inline for ref in refs if ref.inline is not None}
    wanted = frozenset(ref.digest for ref in refs) - inline.keys()
    found = dict(await store.get_values(run, wanted)) if wanted else {}
    if missing := wanted - found.keys():
        raise StoreUnavailable(f"run {run}: {len(missing)} results are not in the store, such as {min(missing)}")
    return {**inline, **keys.decrypt_all(run, found)}


def _item(index: int, outcome: ElementOutcome, values: dict[str, bytes]) -> bytes:
    if outcome.phase in _OK:
        value = b"null" if outcome.result is None else values[outcome.result.digest]
        return b'{"index":%d,"ok":true,"value":%b}' % (index, value)
    failure = outcome.failure
    told = (
        {"kind": outcome.phase, "message": f"the element is {outcome.phase}"}
        if failure is None
        else {"kind": failure.kind, "message": failure.message}
    )
    return b'{"index":%d,"ok":false,"failure":%b}' % (index, orjson.dumps(told))
