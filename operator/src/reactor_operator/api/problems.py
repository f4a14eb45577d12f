"""What is wrong with an object a user wrote: a path to the field, a reason for machines, a message for people.

In: what a check found. Out: frozen problems. Never here: how one is shown, or how many are shown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

_TEXT_SHOWN = 80
_KEY_SHOWN = 253
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` leads to the field (`spec.steps[2].run`), `reason` is CamelCase, `message` says what to do."""

    path: str
    message: str
    reason: str

    def __str__(self) -> str:
        """Return the problem in one line."""
        return f"{self.path}: {self.message}" if self.path else self.message


def path_to(base: str, keys: Iterable[object]) -> str:
    """Return the path that leads from `base` through `keys`: names with dots, places and odd names in brackets."""
    path = base
    for key in keys:
        if isinstance(key, int) and not isinstance(key, bool):
            path += f"[{key}]"
        elif isinstance(key, str) and len(key) <= _KEY_SHOWN and _PLAIN_KEY.match(key):
            path = f"{path}.{key}" if path else key
        else:
            path += f"[{render_found(key)}]"
    return path


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `name` was most likely meant to be, if any comes near."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def render_found(value: object) -> str:
    """Return what was found, in YAML's words and short enough for a message."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case str():
            shown = _printable(value if len(value) <= _TEXT_SHOWN else value[: _TEXT_SHOWN - 3])
            return f"'{shown}'" if len(value) <= _TEXT_SHOWN else f"'{shown}…' ({len(value)} characters)"
        case int() | float():
            return str(value) if not isinstance(value, int) or value.bit_length() < 256 else "a very large number"
        case dict():
            return "an object"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return f"a {type(value).__name__}"


def _printable(text: str) -> str:
    """Return `text` with what no terminal, log or API server accepts as it is written in source code."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def duplicate_names(names: Mapping[int, str], path: str) -> Iterator[Problem]:
    """Yield the names that stand more than once in the list at `path`, by their place in it."""
    first: dict[str, int] = {}
    for index, name in names.items():
        place = first.setdefault(name, index)
        if place != index:
            message = f"found {name!r} again, expected another name: {path}[{place}] has it"
            yield Problem(f"{path}[{index}].name", message, "DuplicateName")
