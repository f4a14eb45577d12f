"""The gateway's HTTP application: what tasks and workers of pools speak to (docs/protocol.md), who resumes runs, and
who looks at them.

In: requests from pods, people and programs. Out: answers by the protocol's tables, a line of log for what is our fault.
Never here: anything about one route (`tasks`, `pools`, `signals`, `webhooks`, `api`), or trust in a request before
`requests`, `pool_requests`, `callers` or `proofs` has seen its token or signature.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.gateway import pool_requests, requests
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.routes import ApiAccess, api_routes
from reactor_operator.gateway.api.stored import ShownStore
from reactor_operator.gateway.metrics import GatewayMetrics
from reactor_operator.gateway.pools import LEASE_SECONDS, PoolService, PoolStore
from reactor_operator.gateway.printed import PrintedLogs
from reactor_operator.gateway.signals import SignalAccess, SignalService, SignalStore
from reactor_operator.gateway.static_files import StaticFiles
from reactor_operator.gateway.tasks import TaskService, TaskStore
from reactor_operator.gateway.troubles import answer_to
from reactor_operator.gateway.turns import HeldResponse, Turns
from reactor_operator.gateway.webhooks import WebhookAccess, WebhookService, WebhookStore
from reactor_operator.named_keys import SHORTEST_KEY
from reactor_operator.ports import Clock
from reactor_operator.store.kept_logs import LogSettings

_EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LARGE_BODIES_AT_ONCE = 2


class GatewayStore(TaskStore, PoolStore, SignalStore, WebhookStore, ShownStore, Protocol):
    """What the gateway needs of the store."""


Ask = Callable[[Request], Awaitable[Answer]]


def create_app(
    store: GatewayStore,
    token_key: bytes,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    keys: Keyring = NO_KEYS,
    lease_seconds: float = LEASE_SECONDS,
    *,
    signals: SignalAccess | None = None,
    webhooks: WebhookAccess | None = None,
    api: ApiAccess | None = None,
    dashboard: StaticFiles | None = None,
    task_logs: LogSettings | None = None,
) -> Starlette:
    """Return the application. `registry` is where its series go (see `operations`); `keys` open and encrypt values.

    lease_seconds: for how long a worker of a pool has a task before it says that it lives.
    signals, webhooks: None: nobody may send any here.  api: None: nobody may look at runs here.
    dashboard: the page that looks by that API; None: there is none here.
    task_logs: which logs of tasks are kept; None: none.
    """
    if len(token_key) < SHORTEST_KEY:
        raise ValueError(f"token key: found {len(token_key)} bytes, expected at least {SHORTEST_KEY}")
    turns, large_bodies = Turns(), asyncio.Semaphore(_LARGE_BODIES_AT_ONCE)
    tasks = TaskService(store, clock, keys, turns, large_bodies)
    printed = PrintedLogs(store, task_logs)
    pools = PoolService(store, clock, keys, turns, large_bodies, printed, lease_seconds)
    metrics = GatewayMetrics(registry or CollectorRegistry())

    async def ask_of_task(request: Request) -> Answer:
        return await tasks.answer(requests.parse_request(request, token_key))

    async def ask_of_pool(request: Request) -> Answer:
        return await pools.answer(pool_requests.parse_pool_request(request, token_key))

    def answering(ask: Ask, verb_of: Callable[[str], str]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            started = time.perf_counter()
            response, waited = await _answer(request, ask)
            verb = verb_of(request.scope["path"].rpartition("/")[2])
            metrics.observe(verb, response.status_code, time.perf_counter() - started - waited)
            return response

        return answer

    of_tasks = answering(ask_of_task, lambda word: word if word in requests.METHODS else "")
    of_pools = answering(ask_of_pool, lambda word: f"pool {word}" if word in pool_requests.METHODS else "")
    routes = [
        Route("/v1/tasks/{rest:path}", of_tasks, methods=_EVERY_METHOD),
        Route("/v1/pools/{rest:path}", of_pools, methods=_EVERY_METHOD),
    ]
    service = SignalService(store, keys, signals) if signals is not None else None
    if service is not None:
        posting, looking = answering(service.post, lambda _: "signal"), answering(service.look, lambda _: "signal look")
        routes += [
            Route("/v1/signals", posting, methods=_EVERY_METHOD),
            Route("/v1/signals/{rest:path}", looking, methods=_EVERY_METHOD),
        ]
    if webhooks is not None:
        delivering = answering(WebhookService(store, keys, clock, webhooks).post, lambda _: "webhook")
        routes.append(Route("/v1/webhooks/{rest:path}", delivering, methods=_EVERY_METHOD))
    if api is not None:
        routes += api_routes(api, store, metrics.observe, service, printed)
    if dashboard is not None:
        routes += dashboard.routes()
    return Starlette(routes=routes)


async def _answer(request: Request, ask: Ask) -> tuple[Response, float]:
    """Return what is answered, and for how long there was nothing to answer."""
    try:
        found = await ask(request)
    except Exception as problem:
        return answer_to(problem, request), 0.0
    return HeldResponse(found.body, found.content_type, found.held, found.code), found.waited_seconds
