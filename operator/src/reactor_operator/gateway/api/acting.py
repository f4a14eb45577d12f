"""What people ask of runs, handed in as every other way does (docs/signals-http.md): one function, one answer.

In: `POST …/requests`, and `GET …/requests/ID` to ask again. Out: what the run answers, or a `Refusal`. Never here: a
request that a page of another origin may have made, or one of somebody whose right was not reviewed.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.queries import NothingAsked, parse_names, parse_query
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.gateway.bodies import Refusal, read_body
from reactor_operator.gateway.origins import refuse_other_pages, require_ours
from reactor_operator.gateway.posted import BODY_LIMIT
from reactor_operator.gateway.signals import SignalService

_JSON = "application/json"
_OFF = "nothing is asked of runs by HTTP here: gateway.signals.enabled of the chart is false"


@dataclass(frozen=True, slots=True)
class RequestService:
    """Answers those who act. `signals`: None: nobody may send any here."""

    viewers: Viewers
    signals: SignalService | None

    async def post(self, http: Request) -> Answer:
        """Hand a request in and wait for its answer."""
        caller = await self.viewers.of(http)
        require_ours(http)
        refuse_other_pages(http)
        found = http.headers.get("content-type", "")
        if found.partition(";")[0].strip().lower() != _JSON:
            raise Refusal(415, f"header Content-Type: found {found[:64]!r}, expected {_JSON}")
        parse_query(http, NothingAsked)
        namespace, name = parse_names(http)
        body = await read_body(http, BODY_LIMIT)
        return await self._taken().ask(caller, namespace, name, body)

    async def look(self, http: Request) -> Answer:
        """Tell what became of a request."""
        caller = await self.viewers.of(http)
        parse_query(http, NothingAsked)
        namespace, name = parse_names(http)
        *_, before, id_ = http.scope["raw_path"].decode("ascii", "replace").split("/")
        if before != "requests" or not id_:
            raise Refusal(404, "no such address; expected …/requests/ID, the id percent-encoded")
        return await self._taken().tell(caller, namespace, name, unquote(id_))

    def _taken(self) -> SignalService:
        if self.signals is None:
            raise Refusal(404, _OFF)
        return self.signals
