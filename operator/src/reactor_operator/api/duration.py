"""Durations as users write them: `1h30m`, `72h`, `250ms`.

In: text. Out: int milliseconds, and back. Never here: floats, clocks, a meaning for zero.
"""

import re
from functools import lru_cache

PATTERN = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
MAX_LENGTH = 28

_WHOLE = re.compile(PATTERN.replace("$", r"\Z"), re.ASCII)
_PART = re.compile(r"([0-9]{1,5})(h|ms|m|s)", re.ASCII)
_UNITS_MS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


@lru_cache(maxsize=1_024)
def parse_duration(text: str) -> int:
    """Return the milliseconds that `text` stands for; parts add up. Raises ValueError naming what was expected."""
    if not _WHOLE.match(text):
        raise ValueError(
            f"{text!r} is not a duration: write one to four numbers with h, m, s or ms, such as 1h30m or 250ms"
        )
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))


def render_duration(ms: int) -> str:
    """Return the shortest text for `ms` (not negative): `1h30m`, `0s`. Hours are the largest unit."""
    parts = []
    for unit, size in _UNITS_MS.items():
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
