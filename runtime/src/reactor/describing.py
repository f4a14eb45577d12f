"""What went wrong in a handler, for people: the exception, its traceback, and the lines around the place.

In: an exception. Out: the `failure` of an outcome document. Imported only when something did go wrong.
Never here: text without a limit, or the value of an argument.

The detail has at most 16 KiB: each part of it has a share, measured as the JSON that is sent.
"""

from json import dumps, loads
from typing import TYPE_CHECKING

from reactor.documents import clip, name_of_type, printable, readable
from reactor.frames import clip_line, lines_around, place_of, short_name
from reactor.outcomes import Failure
from reactor.tracebacks import origins_of, render_traceback, title_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from reactor.documents import FailureDocument

DETAIL_LIMIT = 16 * 1024
TRACEBACK_SHARE = 5 * 1024
SOURCE_SHARE = 2 * 1024
ORIGINS_SHARE = 2 * 1024
DETAILS_SHARE = 6 * 1024
NAME_LIMIT = 253
_MAY_RETRY = ("Error", "OutOfMemory")


def describe(kind: str, error: BaseException, message: str | None = None) -> "FailureDocument":
    """Describe `error` as a failure of this kind. Without `message`, its own is taken, else its type. Never raises."""
    detail: dict[str, object] = {}
    for explain in (_place, _origins, _traceback, _details):
        detail |= _attempt(explain, error)
    return {
        "kind": kind,
        "message": clip(message or title_of(error)),
        "retryable": kind in _MAY_RETRY and (not isinstance(error, Failure) or bool(error.retryable)),
        "exception": clip_line(name_of_type(type(error)), NAME_LIMIT),
        "detail": detail,
    }


def _attempt(explain: "Callable[[BaseException], dict[str, object]]", error: BaseException) -> dict[str, object]:
    """Return a part of the detail, none where the exception or its files do not let themselves be looked at."""
    try:
        return explain(error)
    except Exception:  # whatever it is, the failure itself is told
        return {}


def _place(error: BaseException) -> dict[str, object]:
    place = place_of(error)
    if place is None:
        return {}
    found: dict[str, object] = {"file": short_name(place.file), "line": place.line}
    if place.function:
        found["function"] = place.in_function
    source = lines_around(place)
    return found | ({"source": _fit(source, SOURCE_SHARE)} if source else {})


def _origins(error: BaseException) -> dict[str, object]:
    found = origins_of(error)
    while found and _size(found) > ORIGINS_SHARE:
        found.pop()
    return {"origins": found} if found else {}


def _traceback(error: BaseException) -> dict[str, object]:
    return {"traceback": _fit(render_traceback(error), TRACEBACK_SHARE, from_end=True)}


def _details(error: BaseException) -> dict[str, object]:
    if not isinstance(error, Failure) or error.details is None:
        return {}
    return {"details": _as_json(error.details)}


def _as_json(details: object) -> object:
    """Return `details` as JSON; what is not JSON in it is shown by its text, for a failure must not fail to be told."""
    try:
        text = readable(dumps(details, default=str, allow_nan=False, ensure_ascii=False)).encode()
        if len(text) <= DETAILS_SHARE:
            return loads(text)
    except (TypeError, ValueError, RecursionError):
        pass
    return clip(printable(repr(details)))


def _size(value: object) -> int:
    return len(dumps(value, ensure_ascii=False).encode())


def _fit(text: str, share: int, *, from_end: bool = False) -> str:
    """Cut whole lines, from the end on or from the start, until the JSON of `text` fits its share."""
    if _size(text) <= share:
        return text
    kept: list[str] = []
    room = share - _size("…\n")
    for line in reversed(text.split("\n")) if from_end else text.split("\n"):
        room -= _size(line) - 2 + len("\\n")  # its quotes go, a newline comes
        if room < 0:
            break
        kept.append(line)
    return "\n".join(["…", *reversed(kept)] if from_end else [*kept, "…"])
