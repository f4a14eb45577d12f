"""What went wrong in a handler, for people: the exception, its traceback, and the lines around the place.

In: an exception. Out: the `failure` of an outcome document. Imported only when something did go wrong.
Never here: frames of this package at the top of a traceback, or text without a limit.
"""

import linecache
import sysconfig
import traceback
from json import dumps, loads
from pathlib import PurePath
from types import TracebackType
from typing import TYPE_CHECKING

from reactor.documents import clip, name_of_type, readable
from reactor.outcomes import Failure

if TYPE_CHECKING:
    from reactor.documents import FailureDocument

TRACEBACK_LIMIT = 16 * 1024
DETAILS_LIMIT = 256 * 1024
LINES_AROUND = 3
_OURS = PurePath(__file__).parent
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def describe(kind: str, error: BaseException, message: str | None = None) -> "FailureDocument":
    """Describe `error` as a failure of this kind. Without `message`, its own is taken, else its type."""
    trace = _own_frames(error.__traceback__)
    detail: dict[str, object] = {"traceback": _render(error, trace)}
    detail |= _place(error, trace)
    retryable = kind == "Error"
    if isinstance(error, Failure):
        retryable = retryable and bool(error.retryable)
        if error.details is not None:
            detail["details"] = _as_json(error.details)
    return {
        "kind": kind,
        "message": clip(message or _message(error)),
        "retryable": retryable,
        "exception": name_of_type(type(error)),
        "detail": detail,
    }


def _message(error: BaseException) -> str:
    try:
        said = str(error.message if isinstance(error, Failure) else error)
    except Exception as unsaid:  # an exception whose own __str__ fails is described all the same
        return f"{name_of_type(type(error))} (its message cannot be shown: {name_of_type(type(unsaid))})"
    name = name_of_type(type(error))
    if isinstance(error, Failure):
        return said or name
    return f"{name}: {said}" if said else name


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    """Drop the frames at the top that called the handler: ours and, for a coroutine, asyncio's."""
    while trace is not None and trace.tb_next is not None:
        parts = PurePath(trace.tb_frame.f_code.co_filename)
        if parts.parent != _OURS and parts.parent.name != "asyncio" and not str(parts).startswith("<frozen "):
            break
        trace = trace.tb_next
    return trace


def _render(error: BaseException, trace: TracebackType | None) -> str:
    text = readable("".join(traceback.format_exception(type(error), error, trace)))
    return text if len(text) <= TRACEBACK_LIMIT else "…\n" + text[-TRACEBACK_LIMIT:]


def _place(error: BaseException, trace: TracebackType | None) -> dict[str, object]:
    """Return file, line and the lines around: of the innermost frame that is not in a library."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return _lines(error.filename, error.lineno)
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    if not frames:
        return {}
    written = [place for place in frames if not place[0].startswith((*_LIBRARIES, "<frozen "))]
    return _lines(*(written or frames)[-1])


def _lines(file: str, line: int) -> dict[str, object]:
    numbers = range(max(1, line - LINES_AROUND), line + LINES_AROUND + 1)
    texts = {number: linecache.getline(file, number).rstrip("\n") for number in numbers}
    last = max((number for number, text in texts.items() if text), default=0)
    shown = [
        f"{'>' if number == line else ' '} {number:4} {texts[number][:200]}" for number in numbers if number <= last
    ]
    return {"file": readable(file), "line": line, "source": readable("\n".join(shown))}


def _as_json(details: object) -> object:
    """Return `details` as JSON; what is not JSON in it is shown by its text, for a failure must not fail to be told."""
    try:
        text = dumps(details, default=str, allow_nan=False)
        text.encode()
        if len(text) <= DETAILS_LIMIT:
            return loads(text)
    except (TypeError, ValueError, RecursionError):
        pass
    return clip(repr(details))
