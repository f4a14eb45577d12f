"""Columns of text, aligned as kubectl does: two or three spaces between them, nothing at the end of a line.

In: rows of cells. Out: lines. Never here: colours, or a terminal's width.
"""

import unicodedata
from collections.abc import Sequence


def width_of(text: str) -> int:
    """Return how many columns of a terminal `text` takes: East Asian wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def render_columns(rows: Sequence[Sequence[str]], *, gap: int = 3, indent: str = "") -> list[str]:
    """Return one line for each row; a column is as wide as its widest cell."""
    count = max(map(len, rows), default=0)
    widths = [max((width_of(row[index]) for row in rows if index < len(row)), default=0) for index in range(count)]
    return [
        (
            indent
            + "".join(
                cell + " " * (widths[index] - width_of(cell) + gap) for index, cell in enumerate(row) if widths[index]
            )
        ).rstrip()
        for row in rows
    ]


def counted(number: int, word: str) -> str:
    """Return a number with its word: `1 step`, `3 steps`."""
    return f"{number} {word}" if number == 1 else f"{number:,} {word}s"
