"""Where a page ended, as the next one is asked for: a text that nobody but this file has to understand.

In: the key of the last one that was shown. Out: text, and the key again, or a `Refusal`. Never here: anything secret
(it names what was shown), or trust in what comes back.
"""

import base64
import binascii

import orjson

from reactor_operator.gateway.bodies import Refusal

Key = tuple[int | str, ...]
RUNS = ("runs", int, str, str)
INBOX = ("inbox", int, str, str, str)
REACTORS = ("reactors", str, str)
HISTORY, VALUE, ELEMENTS = ("history", int), ("value", int), ("elements", int)
_MOST = 2**53
Shape = tuple[str | type, ...]


def render_cursor(shape: Shape, key: Key) -> str:
    """Return the text that stands for a key."""
    return base64.urlsafe_b64encode(orjson.dumps([shape[0], *key])).rstrip(b"=").decode()


def parse_cursor(shape: Shape, text: str | None) -> Key | None:
    """Return the key that a text stands for, None where there is none. Raises Refusal (400)."""
    if text is None:
        return None
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        word, *key = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError, TypeError, ValueError):
        word, key = None, []
    if word != shape[0] or [type(part) for part in key] != list(shape[1:]):
        line = "cursor: found one that no page of this list gave, expected the `next` of the page before, as it is"
        raise Refusal(400, "the query is not one that is known here", errors=(line,))
    return tuple(key)


def number_in(shape: Shape, text: str | None) -> int:
    """Return the number that a text stands for, 0 where there is none. Raises Refusal (400)."""
    key = parse_cursor(shape, text)
    number = key[0] if key is not None else 0
    return max(0, min(number, _MOST)) if isinstance(number, int) else 0
