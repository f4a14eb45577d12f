"""Sensitive values in words for people: wherever their exact text stands, `***` stands instead.

In: JSON values that are sensitive, and texts. Out: the texts without them. Imported only where something is sensitive.
Never here: what is sensitive. A text of fewer than `LEAST` characters is not looked for: it would be found everywhere.

A text is found as it is, as JSON, Python and URLs write it, line by line, and cut: its beginning before an ellipsis or
at the end of a line, for messages are cut wherever they are too long.
"""

from json import dumps
from urllib.parse import quote, quote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "***"
LEAST = 4
_LONG_ENOUGH = 8
_LONGEST_CUT = 4096
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

    __slots__ = ("_forms",)

    def __init__(self, texts: "Iterable[str]") -> None:
        forms: set[str] = set()
        for text in texts:
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
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        beginnings = [form for form in self._forms if form[:LEAST] in text]
        return _uncut(text, beginnings) if beginnings else text

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
        told["failure"] = {**failure, **{name: masks.value(part) for name, part in said.items()}}
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
    pieces = {text, *(line.strip() for line in text.splitlines()), *text.split()}
    for piece in pieces:
        if piece == text or len(piece) >= _LONG_ENOUGH:
            yield piece
            yield dumps(piece)[1:-1]
            yield dumps(piece, ensure_ascii=False)[1:-1]
            yield repr(piece)[1:-1]
            yield "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in piece)
            try:
                yield quote(piece, safe="")
                yield quote_plus(piece)
            except UnicodeError:
                continue  # half a surrogate pair has no form in a URL


def _uncut(text: str, forms: "list[str]") -> str:
    """Mask the beginnings of texts that were cut."""
    kept: list[str] = []
    for line in text.split("\n"):
        parts = [_without_end(part, forms) for part in line.split("…")]
        kept.append("…".join(parts))
    return "\n".join(kept)


def _without_end(part: str, forms: "list[str]") -> str:
    """Return a part without the beginning of a text at its end."""
    for form in forms:
        for size in range(min(len(form) - 1, len(part), _LONGEST_CUT), LEAST - 1, -1):
            if part.endswith(form[:size]):
                return part[:-size] + MASK
    return part
