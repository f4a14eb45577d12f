"""Sensitive values in words for people: wherever their exact text stands, `***` stands instead.

In: JSON values that are sensitive, and texts. Out: the texts without them. Imported only where something is sensitive.
Never here: what is sensitive. A text of fewer than `LEAST` characters is not looked for: it would be found everywhere.

A text is found as it is, as JSON, Python and URLs write it, line by line, and cut: its beginning before an ellipsis or
at the end of a line, for messages are cut wherever they are too long.
"""

import re
from json import dumps
from urllib.parse import quote, quote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "***"
LEAST = 4
_LONG_ENOUGH = 8
_LONGEST_CUT = 4096
_MOST_LINES = 1000
_MOST_FORMS = 50_000
"""Looking for more would take too long; then every text is masked whole."""


def texts_in(values: "Iterable[object]") -> set[str]:
    """Return the texts, and the numbers as text, in JSON values. Names of members are none."""
    found: set[str] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, str):
            found.add(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.add(dumps(value))
    return {text for text in found if len(text) >= LEAST}


class Masks:
    """Knows texts that must not be shown."""

    __slots__ = ("_forms", "_patterns")

    def __init__(self, texts: "Iterable[str]") -> None:
        forms: set[str] = set()
        self._patterns: list[re.Pattern[str]] = []
        for text in texts:
            self._patterns += _patterns_of(text)
            forms.update(form for form in _forms_of(text) if len(form) >= LEAST)
            if len(forms) > _MOST_FORMS:
                break
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        """Return `text` with every one of them masked."""
        if len(self._forms) > _MOST_FORMS:
            return MASK if text else text
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        beginnings = [form for form in self._forms if form[:LEAST] in text]
        if beginnings:
            text = _uncut(text, beginnings)
        for form in beginnings:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: object) -> object:
        """Return a JSON value with every text in it masked, names of members too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(member) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(member) for member in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and dumps(value) in self._forms:
            return MASK
        return value


def masked_outcome(document: bytes, masks: Masks) -> bytes:
    """Return an outcome document with what it says to people masked; a result stays what it is."""
    from json import loads

    if not masks or not document.startswith((b'{"type":"failed"', b'{"type":"halted"')):
        return document
    told = loads(document)
    if "reason" in told:
        told["reason"] = masks.text(told["reason"])
    failure = told.get("failure")
    if isinstance(failure, dict):
        said = {name: failure[name] for name in ("message", "exception", "detail") if name in failure}
        try:
            told["failure"] = {**failure, **{name: masks.value(part) for name, part in said.items()}}
        except RecursionError:  # details that are nested so deep explain nothing to anybody
            told["failure"] = {**failure, "message": masks.value(said.get("message")), "detail": {}}
    return dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def masks_of(given: "Mapping[str, object]") -> Masks:
    """Return the masks of a task, from what the gateway told it (docs/protocol.md)."""
    sensitive = given.get("sensitive")
    if not isinstance(sensitive, dict):
        return Masks(())
    arguments, request = given.get("arguments"), given.get("request")
    names = sensitive.get("arguments") or ()
    values = [value for name, value in arguments.items() if name in names] if isinstance(arguments, dict) else []
    if sensitive.get("result"):
        values.append(given.get("result"))
    if isinstance(request, dict):
        values.append(request.get("masks"))
    return Masks(texts_in(values))


def _forms_of(text: str) -> "Iterator[str]":
    """Yield a text as others may write it, its lines, and its long words."""
    flat = " ".join(text.split())
    pieces = {text, flat, *(line.strip() for line in text.splitlines())}
    pieces.update(word for word in text.split() if len(word) >= _LONG_ENOUGH)
    for piece in pieces:
        yield piece
        yield dumps(piece)[1:-1]
        yield dumps(piece, ensure_ascii=False)[1:-1]
        yield repr(piece)[1:-1]
        for keep in ("", "\t", "\n\t"):
            yield "".join(one if one.isprintable() or one in keep else "\ufffd" for one in piece)
        yield "".join(one if one.isprintable() else " " for one in piece)
        try:
            yield quote(piece)
            yield quote(piece, safe="")
            yield quote_plus(piece)
        except UnicodeError:
            continue  # half a surrogate pair has no form in a URL


def _patterns_of(text: str) -> "Iterator[re.Pattern[str]]":
    """Yield what finds the lines of a text whose spaces and control characters were shown as others."""
    for line in text.splitlines()[:_MOST_LINES]:
        piece = line.strip()
        if LEAST <= len(piece) <= _LONGEST_CUT and not (piece.isprintable() and "  " not in piece):
            parts = ["\\s+" if one.isspace() else re.escape(one) if one.isprintable() else "." for one in piece]
            yield re.compile("".join(part for at, part in enumerate(parts) if part != "\\s+" or parts[at - 1] != part))


def _uncut(text: str, forms: "list[str]") -> str:
    """Mask the beginnings of texts that were cut, and texts that end where one may have been."""
    kept: list[str] = []
    for line in text.split("\n"):
        parts = [_without_end(part, forms) for part in line.split("…")]
        kept.append("…".join(parts))
    return "\n".join(kept)


def _without_end(part: str, forms: "list[str]") -> str:
    """Return a part without the longest beginning of a text at its end."""
    longest = 0
    for form in forms:
        for size in range(min(len(form), len(part), _LONGEST_CUT), max(LEAST - 1, longest), -1):
            if part.endswith(form[:size]):
                longest = size
                break
    return part[:-longest] + MASK if longest else part
