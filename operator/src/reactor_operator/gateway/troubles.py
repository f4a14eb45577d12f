"""What is answered to a request that cannot be answered.

In: what a service raised. Out: an answer with an error, a line of log for what is our fault. Never here: an exception
that goes on, or a word of it to whoever asked but for what a `Refusal` says.
"""

from collections.abc import Mapping

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response

from reactor_operator.encryption import CannotDecrypt
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.lingering import LingeringResponse
from reactor_operator.ports import Unavailable
from reactor_operator.store.port import StoreUnavailable

_BODY_UNWANTED = 413
_RETRY_AFTER_SECONDS = "1"
_log = structlog.get_logger("reactor_operator.gateway")


def answer_to(problem: Exception, request: Request) -> Response:
    """Return what is answered instead. To be called where the problem is caught: the log has its traceback."""
    again = {"Retry-After": _RETRY_AFTER_SECONDS}
    match problem:
        case Refusal():
            return _error(problem.code, str(problem), problem.headers, problem.errors)
        case StoreUnavailable():
            _log.warning("the store is away; the request is to be repeated", problem=str(problem))
            return _error(503, "the store is away; repeat the request", again)
        case CannotDecrypt():
            _log.error("a key is missing; the request is to be repeated", problem=str(problem))
            return _error(503, "the gateway lacks a key; repeat the request", again)
        case Unavailable():
            _log.warning("the API server is away; the request is to be repeated", problem=str(problem))
            return _error(503, "the API server is away; repeat the request", again)
        case _:
            _log.exception("a request failed; this is a bug", method=request.method, path=request.url.path)
            return _error(500, "the gateway failed; repeat the request")


def _error(code: int, message: str, headers: Mapping[str, str] | None = None, errors: tuple[str, ...] = ()) -> Response:
    kind = LingeringResponse if code == _BODY_UNWANTED else Response
    return kind(
        orjson.dumps({"error": message} | ({"errors": errors} if errors else {})),
        code,
        headers=headers,
        media_type="application/json",
    )
