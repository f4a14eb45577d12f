"""YAML and JSON as kubectl reads them, with the line of every value.

In: text. Out: `Document`s of plain JSON values. Raises `Unreadable` naming file and line.
Rules, each seen in kubectl: `y`, `yes`, `on`, `off` … are booleans (YAML 1.1), `012` is octal, dates and `1:30` stay
text, a number without a fraction is an integer whatever its spelling. Unlike kubectl, which turns a boolean key into
"true" and lets the last of two equal keys win, both are refused here: such a manifest does not say what it means.
Never here: what the documents mean.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import yaml

from reactor_operator.cli.errors import Unreadable
from reactor_operator.cli.places import Place

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

DEPTH_LIMIT = 100
VALUES_LIMIT = 2_000_000
INT64 = range(-(2**63), 2**63)
UINT64 = range(2**64)
_BASES = {"0b": 2, "0o": 8, "0x": 16}

_BOOLEANS = {
    spelling: value
    for value, words in ((True, ("y", "yes", "true", "on")), (False, ("n", "no", "false", "off")))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file, `file` being the name to show; never an empty one."""

    file: str
    value: object
    place: Place


def parse_documents(text: str, file: str) -> list[Document]:
    """Return the documents of `text`, empty ones left out. Linear in its length."""
    if text.lstrip()[:1] in ("{", "["):
        text = _SURROGATES.sub(_render_pair, text)  # JSON escapes astral characters as pairs, YAML has no such escape
    try:
        events = _Loader(text)
    except (yaml.YAMLError, ValueError) as error:  # characters that YAML does not allow
        raise Unreadable(file, 1, f"not readable as YAML: {_one_line(error)}") from None
    try:
        return list(_Builder(events, file).documents())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable(file, mark.line + 1 if mark else 1, f"not readable as YAML: {_one_line(error)}") from None
    finally:
        events.dispose()


def _one_line(error: Exception) -> str:
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    return ", ".join(part for part in parts if part) or " ".join(str(error).split())


def _render_pair(found: re.Match[str]) -> str:
    high, low = int(found[2], 16), int(found[3], 16)
    return found[1] + chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def parse_scalar(text: str) -> object:
    """Return what an unquoted scalar means to kubectl: null, a boolean, a number or the text itself.

    A number is as the API server keeps it: without a fraction an integer, beyond 64 bits a double, beyond that text.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] in "+-.0123456789":
        return _parse_number(text)
    return text


def _parse_number(text: str) -> object:
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(text):
        bare = digits.lstrip("+-")
        base = _BASES.get(bare[:2], 8 if bare[:1] == "0" else 10)
        try:
            whole = int(bare[2:] if bare[:2] in _BASES else bare, base)
        except ValueError:  # `08` is no octal number, kubectl takes it for a decimal one; or Python finds it too long
            whole = UINT64.stop
        if whole in UINT64:
            signed = -whole if text[0] == "-" else whole
            return signed if signed in INT64 else float(signed)
    if _FLOAT.fullmatch(text):
        number = float(digits)
        if not isfinite(number):
            return text
        return int(number) if number.is_integer() and int(number) in INT64 else number
    return text


class _Events(Protocol):
    """What is used of the YAML parser; its events have no useful types."""

    def get_event(self) -> Any:
        """Return the next event."""


class _Builder:
    """Turns the parser's events into values and places, side by side. Used once."""

    def __init__(self, events: _Events, file: str) -> None:
        self._events = events
        self._file = file
        self._anchors: dict[str, tuple[object, Place]] = {}
        self._values = 0

    def documents(self) -> Iterator[Document]:
        events = self._events
        while not isinstance(event := events.get_event(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                value, place = self._value(events.get_event(), 0)
                if value is not None:
                    yield Document(file=self._file, value=value, place=place)

    def _refuse(self, event: Any, message: str) -> Unreadable:
        return Unreadable(self._file, event.start_mark.line + 1, message)

    def _value(self, event: Any, depth: int) -> tuple[object, Place]:
        self._values += 1
        if depth > DEPTH_LIMIT:
            raise self._refuse(event, f"nested deeper than {DEPTH_LIMIT} levels")
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            value, place = self._scalar(event), Place(line)
        elif isinstance(event, yaml.MappingStartEvent):
            value, place = self._mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value, place = self._sequence(event, depth)
        else:
            return self._alias(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, place
        return value, place

    def _alias(self, event: Any) -> tuple[object, Place]:
        if event.anchor not in self._anchors:
            raise self._refuse(event, f"alias *{event.anchor} names no anchor before it, or one that contains it")
        value, place = self._anchors[event.anchor]
        self._values += _size(value)
        if self._values > VALUES_LIMIT:
            raise self._refuse(event, f"aliases expand the document to more than {VALUES_LIMIT:,} values")
        return value, Place(event.start_mark.line + 1, place.inside)

    def _scalar(self, event: Any) -> object:
        text: str = event.value
        tag: str | None = event.tag
        if tag is None or tag == "tag:yaml.org,2002:int" or tag == "tag:yaml.org,2002:float":
            if tag is None and not event.implicit[0]:
                return text
            if _NOT_JSON.fullmatch(text):
                raise self._refuse(event, f"found {text}, expected a value that JSON has; quote it to make it text")
            return parse_scalar(text)
        if tag == "tag:yaml.org,2002:binary":
            raise self._refuse(event, "found !!binary, expected text; write the text itself, or base64 as text")
        if tag in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"):
            return parse_scalar(text)
        return text

    def _sequence(self, event: Any, depth: int) -> tuple[list[object], Place]:
        values: list[object] = []
        places: list[Place] = []
        while not isinstance(item := self._events.get_event(), yaml.SequenceEndEvent):
            value, place = self._value(item, depth + 1)
            values.append(value)
            places.append(place)
        return values, Place(event.start_mark.line + 1, places)

    def _mapping(self, event: Any, depth: int) -> tuple[dict[str, object], Place]:
        values: dict[str, object] = {}
        places: dict[str, Place] = {}
        merged: list[tuple[object, Place]] = []
        while not isinstance(named := self._events.get_event(), yaml.MappingEndEvent):
            if isinstance(named, yaml.ScalarEvent) and named.value == "<<" and named.implicit[0]:
                merged.append(self._value(self._events.get_event(), depth + 1))
                continue
            key = self._key(named, values, places)
            value, place = self._value(self._events.get_event(), depth + 1)
            values[key] = value
            places[key] = Place(named.start_mark.line + 1, place.inside)
        for base, place in merged:
            self._merge(event, values, places, base, place)
        return values, Place(event.start_mark.line + 1, places)

    def _key(self, event: Any, values: dict[str, object], places: dict[str, Place]) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refuse(event, "found a list, mapping or alias as a key, expected text")
        plain = event.implicit[0]
        value = parse_scalar(event.value) if plain else event.value
        if isinstance(value, bool):
            raise self._refuse(
                event,
                f"key `{event.value}` is the boolean {str(value).lower()} in the YAML that Kubernetes reads; "
                f'expected text: write "{event.value}" in quotes',
            )
        if value is None:
            raise self._refuse(event, f"key `{event.value}` is null, expected text: write it in quotes")
        key = str(value)
        if key in values:
            raise self._refuse(event, f"key `{key}` is written twice in one mapping, first on line {places[key].line}")
        return key

    def _merge(
        self, event: Any, values: dict[str, object], places: dict[str, Place], base: object, place: Place
    ) -> None:
        """Fill in what `<<` brings: keys written beside it win, and of several bases the first one."""
        bases = base if isinstance(base, list) else [base]
        inside = place.inside if isinstance(base, list) and isinstance(place.inside, list) else [place]
        for one, where in zip(bases, inside, strict=True):
            if not isinstance(one, dict) or not isinstance(where.inside, dict):
                raise self._refuse(event, "`<<` found something else, expected a mapping or a list of mappings")
            for key, value in one.items():
                if key not in values:
                    values[key], places[key] = value, where.inside[key]


def _size(value: object) -> int:
    """Count the values inside one, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1
