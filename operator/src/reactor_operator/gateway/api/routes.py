"""The addresses of the API for people: who looks at runs goes through here (docs/api.md).

In: what the API needs of the cluster and of the store. Out: routes, every answer of which says that nobody may keep it.
Never here: a route without a look at who asks; a header that lets pages of others read.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.acting import RequestService
from reactor_operator.gateway.api.changes import HEARTBEAT_SECONDS, STREAM_SECONDS, ChangeService
from reactor_operator.gateway.api.documents import DocumentService
from reactor_operator.gateway.api.elements import ElementService
from reactor_operator.gateway.api.forms import KnownForms
from reactor_operator.gateway.api.histories import HistoryService
from reactor_operator.gateway.api.logs import LiveLogs, LogService, NowhereLive
from reactor_operator.gateway.api.openapi import openapi_document
from reactor_operator.gateway.api.pinned import Reactors
from reactor_operator.gateway.api.ports import Mirror, Objects
from reactor_operator.gateway.api.queries import NothingAsked, parse_query
from reactor_operator.gateway.api.rendering import answer_of
from reactor_operator.gateway.api.services import InboxService, ReactorService, RunService, mirrored
from reactor_operator.gateway.api.session import SessionService
from reactor_operator.gateway.api.steps import StepService
from reactor_operator.gateway.api.stored import ShownStore, StoredRuns
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.gateway.api.worker_logs import WorkerLogs
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.printed import PrintedLogs
from reactor_operator.gateway.reviews import Reviews
from reactor_operator.gateway.signals import SignalService
from reactor_operator.gateway.troubles import answer_to
from reactor_operator.gateway.turns import HeldResponse

Ask = Callable[[Request], Awaitable[Answer | Response]]
_EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
Observe = Callable[[str, int, float], None]
"""Takes what was asked for, the code of the answer, and the seconds until it was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """What the API needs of the cluster, or of a laptop that stands for one.

    Seconds: how often a stream of changes gives a sign, and how long it lasts.
    """

    reviews: Reviews
    mirror: Mirror
    live: Objects
    laptop: bool = False
    logs: LiveLogs = field(default_factory=NowhereLive)
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    stream_seconds: float = STREAM_SECONDS


def api_routes(
    access: ApiAccess,
    store: ShownStore,
    observe: Observe,
    signals: SignalService | None = None,
    printed: PrintedLogs | None = None,
) -> list[Route]:
    """Return the routes. `signals`: what hands requests in; None: nobody may act here. `printed`: what tasks on workers
    print; None: nothing of it is kept."""
    mirror, live = access.mirror, access.live
    watched = mirror.namespaces
    viewers = Viewers(access.reviews, watched, lambda: frozenset(watched) or mirrored(mirror).index.namespaces())
    reactors = Reactors(store, live)
    runs = RunService(viewers, mirror, live, reactors)
    defined = ReactorService(viewers, mirror, live, reactors)
    inbox = InboxService(viewers, mirror, KnownForms(live, reactors))
    changes = ChangeService(viewers, mirror, access.heartbeat_seconds, access.stream_seconds)
    stored = StoredRuns(store, live)
    on_workers = None if access.laptop else WorkerLogs(store, stored, printed or PrintedLogs(store, None))
    histories, steps = HistoryService(viewers, stored), StepService(viewers, stored, on_workers)
    logs = LogService(viewers, stored, access.logs, on_workers, access.stream_seconds)
    documents, elements = DocumentService(viewers, stored), ElementService(viewers, stored)
    release = version("reactor-operator")
    session = SessionService(viewers=viewers, version=release, acts=signals is not None, laptop=access.laptop)
    acting = RequestService(viewers, signals)
    described = openapi_document(release)

    async def describe(http: Request) -> Answer:
        await viewers.of(http)
        parse_query(http, NothingAsked)
        return answer_of(described)

    async def nothing(http: Request) -> Answer:
        await viewers.of(http)
        raise Refusal(404, "no such address; /api/v1/openapi.json lists all there are")

    posted: dict[str, tuple[str, Ask]] = {
        "/api/v1/runs/{namespace}/{name}/requests": ("api request", acting.post),
    }
    table: dict[str, tuple[str, Ask]] = {
        "/api/v1/runs": ("api runs", runs.page),
        "/api/v1/runs/{namespace}/{name}": ("api run", runs.get),
        "/api/v1/runs/{namespace}/{name}/graph": ("api graph", runs.graph),
        "/api/v1/runs/{namespace}/{name}/history": ("api history", histories.page),
        "/api/v1/runs/{namespace}/{name}/step": ("api step", steps.get),
        "/api/v1/runs/{namespace}/{name}/value": ("api value", documents.get),
        "/api/v1/runs/{namespace}/{name}/elements": ("api elements", elements.page),
        "/api/v1/runs/{namespace}/{name}/logs": ("api logs", logs.get),
        "/api/v1/runs/{namespace}/{name}/requests/{id:path}": ("api request look", acting.look),
        "/api/v1/reactors": ("api reactors", defined.page),
        "/api/v1/reactors/{namespace}/{name}": ("api reactor", defined.get),
        "/api/v1/inbox": ("api inbox", inbox.page),
        "/api/v1/changes": ("api changes", changes.listen),
        "/api/v1/session": ("api session", session.tell),
        "/api/v1/openapi.json": ("api openapi", describe),
        "/api/v1": ("", nothing),
        "/api/v1/{rest:path}": ("", nothing),
    }
    addresses = [("POST", posted), ("GET", table)]
    return [
        Route(path, _answering(ask, method, verb, observe), methods=_EVERY_METHOD)
        for method, found in addresses
        for path, (verb, ask) in found.items()
    ]


def _answering(ask: Ask, method: str, verb: str, observe: Observe) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        found: Answer | Response | None = None
        try:
            if request.method != method:
                raise Refusal(405, f"found {request.method}, expected {method}", {"Allow": method})
            found = await ask(request)
            response = found if isinstance(found, Response) else _response(found)
        except Exception as problem:
            response = answer_to(problem, request)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        waited = found.waited_seconds if isinstance(found, Answer) else 0.0
        observe(verb, response.status_code, time.perf_counter() - started - waited)
        return response

    return answer


def _response(found: Answer) -> Response:
    return HeldResponse(found.body, found.content_type, found.held, found.code)
