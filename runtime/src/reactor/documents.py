"""What a task reports, as bytes: the outcome documents of docs/protocol.md and the termination message.

In: a result, a reason or a described failure. Out: compact JSON in UTF-8, at most `LIMIT` bytes, the same bytes for the
same outcome. Never here: sending them, or Python exceptions (see `describing`).
"""

from json import JSONEncoder

LIMIT = 32 * 1024 * 1024
TERMINATION_LIMIT = 3 * 1024
MESSAGE_LIMIT = 1024
_NOTHING = b'{"type":"succeeded","result":null}'
_written = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NotRequired, TypedDict

    class FailureDocument(TypedDict):
        """The `failure` of an outcome document; the last two fields only of kind Http."""

        kind: str
        message: str
        retryable: bool
        exception: str | None
        detail: dict[str, object]
        certainty: NotRequired[str]
        retryAfterMs: NotRequired[int]


class NotJson(Exception):
    """A value that a handler gave is not JSON, or too large; the message says where and what it is."""


def succeeded(result: object) -> bytes:
    """Render the outcome of a handler that returned `result`. Raises NotJson."""
    if result is None:
        return _NOTHING
    return _with_value("succeeded", result)


def skipped(result: object) -> bytes:
    """Render the outcome of `raise Skipped(result)`. Raises NotJson."""
    return _with_value("skipped", result)


def continued(result: object) -> bytes:
    """Render the outcome of `raise Continue(result)`. Raises NotJson."""
    return _with_value("continued", result)


def halted(reason: object) -> bytes:
    """Render the outcome of `raise Halt(reason)`."""
    return _encode({"type": "halted", "reason": clip(str(reason))})


def failed(failure: "FailureDocument") -> bytes:
    """Render the outcome of a failure."""
    return _encode({"type": "failed", "failure": failure})


def plain_failure(kind: str, message: str) -> bytes:
    """Render the outcome of a failure without an exception; such failures are never retryable."""
    return failed({"kind": kind, "message": clip(message), "retryable": False, "exception": None, "detail": {}})


def termination_message(document: bytes, *, sensitive: bool = False) -> bytes:
    """Return what goes to the pod's termination message: the document, or its digest where it is above 3 KiB.

    In place of a sensitive result stands a random number: from its digest it could be guessed.
    """
    if sensitive and not document.startswith((b'{"type":"failed"', b'{"type":"halted"')):
        from os import urandom

        return b'{"digest":"%s"}' % urandom(32).hex().encode()
    if len(document) <= TERMINATION_LIMIT:
        return document
    from hashlib import sha256  # 3 ms, and most outcomes are small

    return b'{"digest":"%s"}' % sha256(document).hexdigest().encode()


def clip(text: str) -> str:
    """Cut a message to `MESSAGE_LIMIT` characters; lone surrogates (they have no form in UTF-8) become U+FFFD."""
    cut = text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"
    return readable(cut)


def readable(text: str) -> str:
    """Return `text` with lone surrogates replaced, so that it has a form in UTF-8."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def printable(text: str, keep: str = "\n\t") -> str:
    """Return `text` without what could move a cursor or has no form in UTF-8: each such letter becomes U+FFFD."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in keep else "\ufffd" for letter in text)


def _encode(document: object) -> bytes:
    return _written(document).encode()


def _with_value(outcome: str, value: object) -> bytes:
    try:
        document = _encode({"type": outcome, "result": value})
    except (TypeError, ValueError, RecursionError) as problem:
        raise NotJson(
            f"the result is not JSON: {_found(value, 'result', set()) or problem}; "
            "expected only dict, list, tuple, str, int, finite float, bool and None"
        ) from problem
    if len(document) > LIMIT:
        raise NotJson(
            f"the result is {len(document)} bytes of JSON, expected at most {LIMIT} (32 MiB); "
            "store it elsewhere and return a reference to it"
        )
    return document


def _found(value: object, path: str, above: set[int]) -> str | None:
    """Return what makes `value` no JSON and where, as `result.items[2] is a decimal.Decimal`; None: nothing does."""
    if value is None or isinstance(value, bool | int):
        return None
    if isinstance(value, str):
        return None if value.isascii() or readable(value) == value else f"{path} is text with a lone surrogate"
    if isinstance(value, float):
        return None if value - value == 0 else f"{path} is {value}"
    if not isinstance(value, dict | list | tuple):
        return f"{path} is a {name_of_type(type(value))}"
    if id(value) in above:
        return f"{path} contains itself"
    if len(above) > 400:
        return f"{path[:60]}… is nested more than 400 deep"
    return _found_inside(value, path, above | {id(value)})


def _found_inside(
    value: "dict[object, object] | list[object] | tuple[object, ...]", path: str, above: set[int]
) -> str | None:
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str | int | float | bool | None):
                return f"{path} has a key that is a {name_of_type(type(key))}"
            found = _found(key, f"a key of {path}", above) or _found(member, f"{path}.{key}", above)
            if found:
                return found
        return None
    for index, member in enumerate(value):
        found = _found(member, f"{path}[{index}]", above)
        if found:
            return found
    return None


def name_of_type(found: type) -> str:
    """Return the name of a type as people write it: `KeyError`, `decimal.Decimal`."""
    return found.__qualname__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__qualname__}"
