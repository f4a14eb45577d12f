"""A mapping for many entries of which few change at a time: a draft of it costs its recent changes, not its size.

In: a mapping that nobody changes any more. Out: a draft that may be changed until it becomes the next such mapping.
Never here: a change that another holder of the same layers would see.

A run of 10,000 steps is decided on 30,000 times; copying all its steps each time would make that quadratic.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class Layered(Mapping[str, Value]):
    """A large layer that is shared and a small one of recent changes, which hide what is below them."""

    __slots__ = ("_recent", "_settled")

    def __init__(self, settled: Mapping[str, Value], recent: dict[str, Value]) -> None:
        self._settled = settled
        self._recent = recent

    @classmethod
    def draft_of(cls, source: Mapping[str, Value]) -> "Layered[Value]":
        """Return a draft of `source`. Changes are settled before they outgrow the square root of the rest."""
        if not isinstance(source, Layered):
            return cls(source, {})
        if len(source._recent) ** 2 <= len(source._settled):
            return cls(source._settled, source._recent.copy())
        return cls({**source._settled, **source._recent}, {})

    def put(self, key: str, value: Value) -> None:
        """Change one entry of a draft."""
        self._recent[key] = value

    def __getitem__(self, key: str) -> Value:
        return self._recent[key] if key in self._recent else self._settled[key]

    def __contains__(self, key: object) -> bool:
        return key in self._recent or key in self._settled

    def __iter__(self) -> Iterator[str]:
        yield from self._settled
        yield from (key for key in self._recent if key not in self._settled)

    def __len__(self) -> int:
        return len(self._settled) + sum(1 for key in self._recent if key not in self._settled)
