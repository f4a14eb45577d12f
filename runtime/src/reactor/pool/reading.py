"""What a task in a pool reads of the gateway itself: documents too large to be sent along, pages of results.

In: the pool's token, a task with its proof. Out: JSON. Never here: leases and outcomes, which are the parent's.
"""

from _thread import allocate_lock
from json import dumps, loads

from reactor.connection import Connection
from reactor.gateway import GatewayAway, ask_patiently, quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from reactor.connection import Answer


class PoolReader:
    """Reads for the tasks of one child, over a connection that is opened when it is first used."""

    def __init__(self, gateway: str, pool: str, token: str, worker: str) -> None:
        self._connection = Connection(gateway, token)
        self._worker = worker
        namespace, _, name = pool.partition("/")
        self._path = f"/v1/pools/{quote(namespace)}/{quote(name)}/"
        self._turn = allocate_lock()

    def fetch(self, run: str, given: "Mapping[str, Any]") -> "dict[str, Any] | None":
        """Return a task with its documents; None where it is closed, or no answer comes while it is leased."""
        body = dumps({"worker": self._worker, "run": run, "task": given["task"], "proof": given["proof"]}).encode()
        try:
            answer = self._ask("POST", "task", body)
        except GatewayAway:
            return None
        found = loads(answer.body) if answer.status == 200 else None
        return found if isinstance(found, dict) else None

    def read_page(
        self, run: str, given: "Mapping[str, Any]", step: str, round_: int, page: int, which: str, after: int
    ) -> "Mapping[str, object]":
        """Return a page of the results of a map. Raises ResultsUnavailable, GatewayAway."""
        from reactor.results import page_of, query_of

        task = f"run={quote(run)}&task={quote(given['task'])}&proof={given['proof']}&worker={quote(self._worker)}"
        return page_of(self._ask("GET", f"results?{task}&{query_of(step, round_, page, which, after)}", None), step)

    def _ask(self, method: str, verb: str, body: bytes | None) -> "Answer":
        with self._turn:
            return ask_patiently(
                self._connection,
                lambda: self._connection.send(method, self._path + verb, "", body),
                f"{method} {verb.partition('?')[0]}",
            )
