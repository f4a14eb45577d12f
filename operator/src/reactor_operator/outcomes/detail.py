"""What explains a failure, as the document that the failure refers to.

In: what an agent sent, or the last words of a container: anything at all. Out: compact JSON of at most `DETAIL_LIMIT`
bytes that is harmless to show. Total and pure. Never here: a failure, or who reads the document.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from reactor_operator.engine.failures import printable
from reactor_operator.kube.fields import parse_object

DETAIL_LIMIT = 16 * 1024
LINE_LIMIT = 400
ORIGINS_LIMIT = 5
LOG_LINES = 10
_LOG_READ = 64 * 1024
_TOLD_WHOLE = 200
_ORIGIN_LIMIT = 400
_NAME_LIMIT = 253
_LARGEST_NUMBER = 2**31 - 1


def render_detail(found: Mapping[str, Any]) -> bytes | None:
    """Return what an agent tells, field by field within its share, the foremost first while there is room.

    None where nothing of it explains anything.
    """
    kept: dict[str, Any] = {}
    room = DETAIL_LIMIT
    for name, bounded in _FIELDS.items():
        told = bounded(found[name]) if name in found else None
        size = len(_encode({name: told}))
        if told is not None and size <= room:
            kept[name] = told
            room -= size
    return _dump({name: kept[name] for name in found if name in kept})


def explained(failure: bytes, detail: bytes | None) -> bytes:
    """Return the JSON of a failure with its `detail`, both as they were kept.

    Without a detail that is not JSON, as an operator of before may have kept it: what cleans up must run all the same.
    """
    fields = parse_object(failure)
    if not fields or not parse_object(detail or b""):
        return failure
    return orjson.dumps({**fields, "detail": orjson.Fragment(detail or b"")})


def render_log(text: str) -> bytes | None:
    """Return the last lines of a log as a detail, None where there are none."""
    lines = [line for line in text[-_LOG_READ:].split("\n") if line.strip()]
    log = fit_lines("\n".join(lines[-LOG_LINES:]), 4 * 1024, from_end=True)
    return _dump({"log": log} if log else {})


def last_words(words: str, text: str) -> tuple[str, bytes | None]:
    """Return how something ended with what it said: short text as it is, of longer text the last line and a detail.

    Programs say in their last line why they give up, and kubelet hands us the end of a log.
    """
    said = text.strip()
    if len(said) <= _TOLD_WHOLE:
        return (f"{words}: {said}" if said else words), None
    return f"{words}: {_summary(said)}", render_log(text)


def _summary(said: str) -> str:
    """Return the last line that says something; JSON over several lines is one thing, and told from its start."""
    if said[0] in "{[" and _parses(said):
        return " ".join(said.split())
    lines = said.split("\n")
    return next((line.strip() for line in reversed(lines) if any(map(str.isalnum, line))), lines[-1].strip())


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def fit_lines(text: str, limit: int, *, from_end: bool = False) -> str:
    """Cut `text` to lines of `LINE_LIMIT` and to `limit` bytes of JSON: whole lines, the first ones or the last."""
    clean = [printable(_clip(line, LINE_LIMIT), keep="\t") for line in _some_lines(text, limit, from_end=from_end)]
    kept: list[str] = []
    room = limit - len("…") * 3 - 4
    for line in reversed(clean) if from_end else clean:
        room -= len(_encode(line))
        if room < 0:
            return "\n".join(["…", *reversed(kept)] if from_end else [*kept, "…"])
        kept.append(line)
    return "\n".join(reversed(kept) if from_end else kept)


def _some_lines(text: str, limit: int, *, from_end: bool) -> list[str]:
    """Return as many lines as could ever fit: there may be millions."""
    if len(text) <= limit:
        return text.split("\n")
    return text.rsplit("\n", limit)[-limit:] if from_end else text.split("\n", limit)[:limit]


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _name(told: Any) -> str | None:
    return printable(_clip(told, _NAME_LIMIT), keep="") if isinstance(told, str) and told else None


def _text(told: Any, limit: int, *, from_end: bool = False) -> str | None:
    return fit_lines(told, limit, from_end=from_end) if isinstance(told, str) else None


def _number(told: Any) -> int | None:
    is_number = isinstance(told, int) and not isinstance(told, bool) and 0 < told <= _LARGEST_NUMBER
    return told if is_number else None


def _origins(told: Any) -> list[str] | None:
    texts = [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
    return [printable(_clip(one, _ORIGIN_LIMIT), keep="") for one in texts[:ORIGINS_LIMIT]] or None


def _details(told: Any) -> Any:
    """What the author of a handler adds has any form; where it has none, or too much of it, it is left out.

    Too much is also more depth than can be written again, and a number (`1e999`) that JSON does not have.
    """
    try:
        document = _encode(told)
        if len(document) > 6 * 1024:
            return None
        orjson.dumps(orjson.loads(document))
    except (RecursionError, TypeError, ValueError):
        return None
    return told


_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "file": _name,
    "line": _number,
    "function": _name,
    "method": _name,
    "status": _number,
    "url": lambda told: _text(told, 2 * 1024),
    "answer": lambda told: _text(told, 2 * 1024),
    "source": lambda told: _text(told, 2 * 1024),
    "details": _details,
    "origins": _origins,
    "traceback": lambda told: _text(told, 5 * 1024, from_end=True),
}


def _dump(fields: Mapping[str, Any]) -> bytes | None:
    return _encode(fields) if fields else None


def _encode(value: Any) -> bytes:
    """Return compact JSON. Numbers keep every digit; what UTF-8 cannot hold becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
