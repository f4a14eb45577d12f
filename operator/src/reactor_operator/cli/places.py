"""Where things stand in a manifest, and what is wrong there: `reactor.yaml:12: spec.steps[2].undoo: unknown field`.

In: lines found while reading, field paths as the checks write them. Out: `Finding`s that print as one line each.
Never here: reading files.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_PART = re.compile(r"\[(\d+)\]|\['(.*?)'\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """One value of a document: the line it starts on (that of its key in a mapping) and the places inside it."""

    line: int
    inside: "Mapping[str, Place] | Sequence[Place] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or looks wrong (`warning`), in one file."""

    file: str
    line: int
    path: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        """Return it in one line: what is no letter in it (it may come from the manifest) is shown, not obeyed."""
        where = f"{self.file}:{self.line}: " + ("warning: " if self.warning else "")
        line = f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"
        return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def parse_path(path: str) -> tuple[str | int, ...]:
    """Return the parts of a field path: `spec.steps[2].run` is ("spec", "steps", 2, "run")."""
    parts: list[str | int] = []
    for index, quoted, name in _PART.findall(path):
        parts.append(int(index) if index else quoted or name)
    return tuple(parts)


def line_of(place: Place, path: str) -> int:
    """Return the line of the value at `path`, or of the nearest value around it that is written down."""
    for part in parse_path(path):
        inside = place.inside
        if isinstance(inside, Mapping):
            found = inside.get(str(part))
        elif inside is not None and isinstance(part, int) and part < len(inside):
            found = inside[part]
        else:
            found = None
        if found is None:
            return place.line
        place = found
    return place.line
