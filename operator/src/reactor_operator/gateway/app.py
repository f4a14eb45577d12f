"""The gateway's HTTP application: what tasks speak to (docs/protocol.md).

In: requests from pods. Out: answers by the protocol's table, one line of log for what is our fault.
Never here: anything about one route (`tasks`), or trust in a request before `requests` has seen its token.
"""

import time
from collections.abc import Mapping

import orjson
import structlog
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reactor_operator.encryption import NO_KEYS, CannotDecrypt, Keyring
from reactor_operator.gateway.lingering import LingeringResponse
from reactor_operator.gateway.metrics import GatewayMetrics
from reactor_operator.gateway.requests import METHODS, Refusal, parse_request
from reactor_operator.gateway.tasks import GatewayStore, TaskService
from reactor_operator.gateway.tokens import SHORTEST_KEY
from reactor_operator.gateway.turns import HeldResponse
from reactor_operator.ports import Clock
from reactor_operator.store.port import StoreUnavailable

_BODY_UNWANTED = 413
_RETRY_AFTER_SECONDS = "1"
_EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_log = structlog.get_logger("reactor_operator.gateway")


def create_app(
    store: GatewayStore,
    token_key: bytes,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    keys: Keyring = NO_KEYS,
) -> Starlette:
    """Return the application. `registry` is where its series go (see `operations`); `keys` open and encrypt values."""
    if len(token_key) < SHORTEST_KEY:
        raise ValueError(f"token key: found {len(token_key)} bytes, expected at least {SHORTEST_KEY}")
    service = TaskService(store, clock, keys)
    metrics = GatewayMetrics(registry or CollectorRegistry())

    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        response = await _answer(request, service, token_key)
        verb = request.scope["path"].rpartition("/")[2]
        metrics.observe(verb if verb in METHODS else "", response.status_code, time.perf_counter() - started)
        return response

    return Starlette(routes=[Route("/v1/tasks/{rest:path}", answer, methods=_EVERY_METHOD)])


async def _answer(request: Request, service: TaskService, token_key: bytes) -> Response:
    try:
        found = await service.answer(parse_request(request, token_key))
    except Refusal as refusal:
        return _error(refusal.code, str(refusal), refusal.headers)
    except StoreUnavailable as problem:
        _log.warning("the store is away; the task is asked to try again", problem=str(problem))
        return _error(503, "the store is away; repeat the request", {"Retry-After": _RETRY_AFTER_SECONDS})
    except CannotDecrypt as problem:
        _log.error("a key is missing; the task is asked to try again", problem=str(problem))
        return _error(503, "the gateway lacks a key; repeat the request", {"Retry-After": _RETRY_AFTER_SECONDS})
    except Exception:
        _log.exception("a request failed; this is a bug", method=request.method, path=request.url.path)
        return _error(500, "the gateway failed; repeat the request")
    return HeldResponse(found.body, found.content_type, found.held)


def _error(code: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    kind = LingeringResponse if code == _BODY_UNWANTED else Response
    return kind(orjson.dumps({"error": message}), code, headers=headers, media_type="application/json")
