"""What the API server can answer that is no success.

    ApiError                      the server answered, and said no
    ├── Conflict                  409: the name is taken, or a precondition (uid, resourceVersion) does not hold
    ├── NotFound                  404 of the API server itself, about this object; any other 404 is a plain ApiError
    ├── Gone                      410: the resourceVersion or continue token is too old; list again
    ├── Invalid                   400, 413, 422: this object will never be accepted as it is
    └── Forbidden                 401, 403: RBAC or an admission rule
        └── QuotaExceeded         403 of a ResourceQuota: it may be accepted later
    ports.Unavailable
    └── ApiUnavailable            429, 5xx, timeouts, broken connections: whether a write took effect is open

In: a status code and the body of a `Status`. Out: one of these. Never here: a retry.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reactor_operator.kube.fields import JsonObject, map_at, maps_at, parse_object, text_at
from reactor_operator.ports import Unavailable

MESSAGE_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a refusal: the field it is about (`spec.containers[0].image`), a code and a sentence."""

    field: str
    reason: str
    message: str


class ApiError(Exception):
    """The API server refused a request. `reason` is its code (`AlreadyExists`), `causes` are by field."""

    def __init__(self, status: int, reason: str, message: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(f"{status} {reason}: {message}" if reason else f"{status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes


class Conflict(ApiError):
    """The name is taken, or the object is not the one, or not in the version, that the request was about."""


class NotFound(ApiError):
    """The object is not there. A 404 page of a proxy, or of a path that nobody serves, is not this."""


class Gone(ApiError):
    """The version asked for is no longer kept: list again."""


class Invalid(ApiError):
    """The object is malformed or breaks a rule; the same request will be refused again."""


class Forbidden(ApiError):
    """RBAC or an admission rule refuses the request."""


class QuotaExceeded(Forbidden):
    """A ResourceQuota refuses the request; it may fit later."""


class ApiUnavailable(Unavailable):
    """No answer, or none that settles anything. `retry_after_seconds` is what the server asked for, 0 if nothing."""

    def __init__(self, message: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


def error_of(status: int, body: bytes, retry_after: str | None = None) -> ApiError | ApiUnavailable:
    """Return the error that an answer of `status` (400 and above) with `body` stands for. Total: any bytes will do."""
    answer = parse_object(body)
    message = (text_at(answer, "message") or body[:MESSAGE_LIMIT].decode("utf-8", "replace"))[:MESSAGE_LIMIT]
    reason = text_at(answer, "reason")
    if status == 429 or status >= 500:
        return ApiUnavailable(f"API server answered {status}: {message}", _seconds(retry_after))
    if status == 404 and reason != "NotFound":
        message = f"nothing is served at this path ({message.strip()}); are the CRDs of reactor.run installed?"
    return _refusal(status, reason)(status, reason, message, _causes(answer))


def _refusal(status: int, reason: str) -> type[ApiError]:
    if status == 404 and reason == "NotFound":
        return NotFound
    if status == 409:
        return Conflict
    if status == 410 or reason == "Expired":
        return Gone
    if status in (400, 413, 422):
        return Invalid
    if status in (401, 403):
        return Forbidden
    return ApiError


def as_quota(error: Forbidden) -> Forbidden:
    """Return the error as `QuotaExceeded` where a ResourceQuota is what refuses (the server tells it in words only)."""
    if "exceeded quota" not in error.message:
        return error
    return QuotaExceeded(error.status, error.reason, error.message, error.causes)


@contextmanager
def refusals_as_unavailable(doing: str) -> Iterator[None]:
    """Turn a refusal that nobody here can do anything about (missing RBAC, mostly) into `ApiUnavailable`: try later."""
    try:
        yield
    except ApiError as error:
        raise ApiUnavailable(f"{doing}: {error}") from error


def _causes(answer: JsonObject) -> tuple[Cause, ...]:
    return tuple(
        Cause(text_at(cause, "field"), text_at(cause, "reason"), text_at(cause, "message")[:MESSAGE_LIMIT])
        for cause in maps_at(map_at(answer, "details"), "causes")[:16]
    )


def _seconds(retry_after: str | None) -> float:
    if retry_after is None or not retry_after.isdecimal():
        return 0.0
    return min(float(retry_after[:4]), 60.0)
