"""Pages of the results of a map, for a task that has them as an argument.

In: the open record of a task, the query of its request. Out: a page as JSON, or the part of it that is not too large to
be sent at once. Never here: results that the task was not given; it may be one that must not see them.
"""

import orjson
from starlette.datastructures import QueryParams

from reactor_operator.encryption import Keyring
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.bodies import BODY_LIMIT, Refusal
from reactor_operator.gateway.documents import TaskDocuments
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.gateway.turns import Turns
from reactor_operator.outcomes.results import (
    FILTERS,
    RESULTS_KEY,
    ResultsQuery,
    ResultsStore,
    find_results,
    last_page,
    render_results,
)
from reactor_operator.store.codec import Unreadable
from reactor_operator.store.port import StoreUnavailable

_PATH_LIMIT = 1024
_LARGEST = 10**9


class ResultPages:
    """Hands out pages of results."""

    def __init__(self, store: ResultsStore, keys: Keyring, turns: Turns) -> None:
        self._store = store
        self._keys = keys
        self._documents = TaskDocuments(store, keys)
        self._turns = turns

    async def answer(self, run: str, record: OpenRecord, query: QueryParams) -> Answer:
        """Return the page that is asked for. Raises Refusal, StoreUnavailable, CannotDecrypt."""
        asked = parse_results_query(query)
        total = await self._total(run, record, asked)
        if total is None:
            raise Refusal(404, f"the results of {asked.step!r} in round {asked.round} are no argument of this task")
        try:
            found = await find_results(self._store, run, asked, BODY_LIMIT)
        except Unreadable as problem:
            raise StoreUnavailable(str(problem)) from problem
        async with self._turns.turn(found.size) as turn:
            page = await render_results(self._store, run, found, self._keys)
            return Answer(b'%b,"pages":%d}' % (page.removesuffix(b"}"), last_page(total)), held=turn.pop_all())

    async def _total(self, run: str, record: OpenRecord, asked: ResultsQuery) -> int | None:
        """Return how many elements the map had, None where its results are no argument of the task."""
        if record.arguments is None:
            return None
        arguments = orjson.loads((await self._documents.get(run, record.arguments))[record.arguments.digest])
        for value in arguments.values() if isinstance(arguments, dict) else ():
            told = value.get(RESULTS_KEY) if isinstance(value, dict) else None
            if not isinstance(told, dict) or (told.get("step"), told.get("round")) != (asked.step, asked.round):
                continue
            if self._keys.is_sealed(told.get("seal"), run, asked.step, str(asked.round)):
                total = told.get("total")
                return total if isinstance(total, int) else 0
        return None


def parse_results_query(query: QueryParams) -> ResultsQuery:
    """Return what is asked for. Raises Refusal."""
    which = query.get("filter", "all")
    if which not in FILTERS:
        raise Refusal(400, f"filter: found {which[:40]!r}, expected one of {', '.join(FILTERS)}")
    step = query.get("step", "")
    if not 0 < len(step) <= _PATH_LIMIT:
        raise Refusal(400, "step: expected the path of a map")
    return ResultsQuery(
        step=step,
        round=_number(query, "round", 1),
        page=_number(query, "page", 0),
        filter=which,
        after=_number(query, "after", 0) if "after" in query else -1,
    )


def _number(query: QueryParams, name: str, default: int) -> int:
    found = query.get(name, str(default))
    if not (found.isascii() and found.isdecimal() and len(found) <= 9) or int(found) > _LARGEST:
        raise Refusal(400, f"{name}: found {found[:40]!r}, expected a number")
    return int(found)
