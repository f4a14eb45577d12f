"""Pages of results of maps for tasks on a laptop, which ask over their worker's pipes.

In: a question of `reactor.worker`. Out: a page as JSON, or `{"error": …}`. Total: whatever is wrong is told to the
handler. Never here: a page of another run.
"""

import orjson

from reactor_operator.encryption import CannotDecrypt, Keyring
from reactor_operator.outcomes.results import FILTERS, ResultsQuery, ResultsStore, read_results
from reactor_operator.store.codec import Unreadable
from reactor_operator.store.port import StoreUnavailable


class LaptopResults:
    """Answers from a store, where there is one."""

    def __init__(self, store: ResultsStore | None, keys: Keyring) -> None:
        self._store = store
        self._keys = keys

    async def answer(self, run: str, question: bytes) -> bytes:
        """Return the page that a task of a run asks for."""
        try:
            asked = _query(question)
            if self._store is None:
                return _error("results are not kept here")
            return await read_results(self._store, run, asked, self._keys)
        except (StoreUnavailable, CannotDecrypt, Unreadable, ValueError, TypeError, KeyError) as problem:
            return _error(f"{type(problem).__name__}: {problem}")


def _query(question: bytes) -> ResultsQuery:
    told = orjson.loads(question)
    if told["filter"] not in FILTERS:
        raise ValueError(f"filter: found {told['filter']!r}, expected one of {', '.join(FILTERS)}")
    return ResultsQuery(step=str(told["step"]), round=int(told["round"]), page=int(told["page"]), filter=told["filter"])


def _error(message: str) -> bytes:
    return orjson.dumps({"error": message})
