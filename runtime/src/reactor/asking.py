"""An http action done: its request made, and what came of it as an outcome document.

In: a `Call`. Out: bytes. Never raises. Never here: the gateway, a second attempt (the operator makes those), the text
of a Secret in what is reported of a failure.

What is known of the effects decides the rest of the run, so it is told with each failure. Certain: no connection was
made; the service refused (4xx). Everything else may have acted: 5xx, a timeout, a reset, TLS, an answer too large.
"""

import os
from email.message import Message
from json import loads
from math import ceil

from reactor import documents
from reactor.exchange import LIMIT, Answer, Broken, NotConnected, TooLarge, exchange
from reactor.request import Refused, Request, without_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

    from reactor.calling import Call
ANSWER_SHOWN = 500
RETRY_AFTER_LIMIT_SECONDS = 3600
_LONG_ENOUGH_TO_MATCH = 8
_TOO_MANY = 429
_ABSENT = object()


def ask(call: "Call") -> bytes:
    """Make the request of a task and return its outcome document."""
    told, environment = call.request, call.environment
    if not isinstance(told, dict):
        return documents.plain_failure("CannotStart", "the gateway brought no request with the arguments")
    try:
        request = Request(told, environment, os.environ)
    except (Refused, UnicodeError) as problem:
        words = f"step {environment.step}: {environment.action}.http: {problem}"
        return documents.plain_failure("InvalidArguments", words)
    except (KeyError, TypeError, ValueError) as problem:
        words = f"the request that the gateway brought is not understood ({problem!r}): is the image an old one?"
        return documents.plain_failure("CannotStart", words)
    where = f"{request.method} {request.address.shown}"
    try:
        answer = exchange(request)
        if request.is_success(answer.status):
            return _succeeded(request, answer, where, shown=not call.has_sensitive_result)
        return _refused(request, answer)
    except NotConnected as problem:
        return _failed(request, f"{where}: cannot connect: {problem}", certain=True)
    except Broken as problem:
        return _failed(request, f"{where}: no whole answer: {problem}", certain=False)
    except TooLarge as problem:
        words = f"{where}: {problem}, expected at most {LIMIT} (1 MiB): let the service answer with a reference"
        return _failed(request, words, certain=False)
    except Exception as problem:  # a fault of ours still is an outcome, and the request may have been sent
        return _failed(request, f"{where}: {type(problem).__name__}: {problem}", certain=False)


def _succeeded(request: Request, answer: Answer, where: str, *, shown: bool) -> bytes:
    found = _parsed(answer)
    for place, key in enumerate(request.result_path):
        inside = _member(found, key)
        if inside is _ABSENT:
            way = ".".join(map(str, request.result_path[: place + 1]))
            words = f"{where}: answered {answer.status}, and resultPath leads nowhere in the answer at {way}"
            if shown:
                words += f": {_excerpt(request, answer.body)}"
            return documents.plain_failure("InvalidResult", words)
        found = inside
    try:
        return documents.succeeded(found)
    except documents.NotJson as problem:
        return documents.plain_failure("InvalidResult", f"{where}: {problem}")


def _parsed(answer: Answer) -> object:
    """Return the answer: JSON if it parses, else one string; null where it is empty."""
    if not answer.body.strip():
        return None
    try:
        value = loads(answer.body, parse_constant=_refuse)
        documents.succeeded(value)  # JSON of Python may hold what JSON of others cannot: 1e999, half a surrogate pair
        return value
    except (ValueError, RecursionError, documents.NotJson):
        return _text(answer)


def _text(answer: Answer) -> str:
    """Return the answer as text, in the charset that it names."""
    try:
        return answer.body.decode(answer.headers.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return answer.body.decode("utf-8", "replace")


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _member(found: object, key: str | int) -> object:
    if isinstance(key, int):
        return found[key] if isinstance(found, list) and key < len(found) else _ABSENT
    return found.get(key, _ABSENT) if isinstance(found, dict) else _ABSENT


def _refused(request: Request, answer: Answer) -> bytes:
    """Render what an answer that is no success means."""
    status, shown = answer.status, _excerpt(request, answer.body)
    words = f"{request.method} {request.address.shown} answered {status} {answer.reason}".rstrip()
    pointed = answer.headers.get("Location")
    if 300 <= status < 400 and pointed:
        place = _clean(request, without_secrets(str(pointed)))
        words += f" and points to {place}; redirects are not followed: write the address that it points to"
    certain = 400 <= status < 500
    return _failed(
        request,
        f"{words}: {shown}" if shown else words,
        certain=certain,
        retryable=not certain or status == _TOO_MANY,
        retry_after_ms=retry_after_ms(answer.headers) if status in (_TOO_MANY, 503) else 0,
        detail={"status": status, "answer": shown},
    )


def retry_after_ms(headers: Message) -> int:
    """Return how long the service wants to be left alone, at most an hour; 0 where it does not say (RFC 9110, 10.2.3).

    A date is measured by the clock of the service, where the answer tells it.
    """
    said = str(headers.get("Retry-After", "")).strip()
    if said.isascii() and said.isdigit():
        seconds = float(said[:10])
    else:
        from datetime import UTC, datetime

        until = _date(said)
        now = _date(str(headers.get("Date", ""))) or datetime.now(UTC)
        seconds = (until - now).total_seconds() if until is not None else 0.0
    return ceil(max(0.0, min(seconds, RETRY_AFTER_LIMIT_SECONDS)) * 1000)


def _date(text: str) -> "datetime | None":
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _failed(
    request: Request,
    message: str,
    *,
    certain: bool,
    retryable: bool = True,
    retry_after_ms: int = 0,
    detail: "dict[str, object] | None" = None,
) -> bytes:
    return documents.failed(
        {
            "kind": "Http",
            "message": documents.clip(message),
            "retryable": retryable,
            "exception": None,
            "detail": {"method": request.method, "url": request.address.shown, **(detail or {})},
            "certainty": "certain" if certain else "uncertain",
            "retryAfterMs": retry_after_ms,
        }
    )


def _excerpt(request: Request, body: bytes) -> str:
    return _clean(request, body.decode("utf-8", "replace"))[:ANSWER_SHOWN]


def _clean(request: Request, text: str) -> str:
    """Return the printable characters of a text on one line, without the text of a Secret that it may repeat."""
    for secret in request.secrets:
        for part in (secret, *(word for word in secret.split() if len(word) >= _LONG_ENOUGH_TO_MATCH)):
            text = text.replace(part, "***")
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
