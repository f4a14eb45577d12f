"""Where in the author's code something went wrong: the frames that are his, the place, and the lines around it.

In: an exception. Out: a `Place`; lines of source as text. Total: files may be missing, odd, or never have been files.
Never here: a frame of this package, or the value of a variable.
"""

import linecache
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from itertools import dropwhile
from pathlib import PurePath
from typing import NamedTuple, TypeVar

from reactor.documents import printable

LINES_AROUND = 3
LINE_LIMIT = 200
FILE_LIMIT = 200
FUNCTION_LIMIT = 100
Frame = TypeVar("Frame")
_OURS = os.path.dirname(__file__)
_LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})


class Place(NamedTuple):
    """A line of a file, as Python names it, and the function it is in (empty where there is none)."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """Return it as people write it: `shop/courier.py:17 in call`."""
        return f"{short_name(self.file)}:{self.line}" + (f" in {self.in_function}" if self.function else "")

    @property
    def in_function(self) -> str:
        """The function's name on one line."""
        return clip_line(self.function, FUNCTION_LIMIT)


def place_of(error: BaseException) -> Place | None:
    """Return where an exception comes from: the line that does not parse, else the author's innermost frame."""
    if isinstance(error, SyntaxError) and line_of(error.filename, error.lineno):
        return Place(str(error.filename), int(error.lineno or 0), "")
    frames = [
        Place(frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if line is not None
    ]
    return _authors(without_agent(frames, lambda place: place.file))


def _authors(frames: list[Place]) -> Place | None:
    """Return the innermost frame that is in no library; of a handler that is in one, the innermost in its folder."""
    if not frames:
        return None
    written = [place for place in frames if not place.file.startswith((*_LIBRARIES, "<frozen "))]
    beside = [place for place in frames if os.path.dirname(place.file) == os.path.dirname(frames[0].file)]
    return (written or beside)[-1]


def without_agent(frames: Iterable[Frame], file_of: Callable[[Frame], str]) -> list[Frame]:
    """Return the frames without ours and, at the top, without those of asyncio: they only called the handler."""
    others = [frame for frame in frames if os.path.dirname(file_of(frame)) != _OURS]
    return list(dropwhile(lambda frame: _is_machinery(file_of(frame)), others))


def _is_machinery(file: str) -> bool:
    return file.startswith("<frozen ") or PurePath(file).parent.name == "asyncio"


def short_name(file: str) -> str:
    """Return a file's name as seen from where it was imported: `shop/courier.py`."""
    folders = [entry for entry in sys.path if len(entry) > 1 and file.startswith(entry.rstrip(os.sep) + os.sep)]
    longest = max(folders, key=len, default="").rstrip(os.sep)
    name = clip_line(file[len(longest) :].lstrip(os.sep) if longest else file, 0)
    return name if len(name) <= FILE_LIMIT else "…" + name[1 - FILE_LIMIT :]


def lines_around(place: Place) -> str:
    """Return the lines around a place, each with its number, the place itself marked; empty where there are none."""
    numbers = range(max(1, place.line - LINES_AROUND), place.line + LINES_AROUND + 1)
    texts = {number: line_of(place.file, number).rstrip() for number in numbers}
    written = [number for number, text in texts.items() if text]
    if place.line not in written:
        return ""
    width = len(str(written[-1]))
    return "\n".join(
        f"{'>' if number == place.line else ' '} {number:{width}} | {clip_line(texts[number], LINE_LIMIT)}".rstrip()
        for number in range(written[0], written[-1] + 1)
    )


def line_of(file: object, line: object) -> str:
    """Return a line of a file; empty where it has none, where it cannot be read, and of text that was evaluated."""
    if not isinstance(file, str) or not isinstance(line, int):
        return ""
    try:
        return linecache.getline(file, line)
    except (OSError, ValueError):  # a name that no file can have
        return ""


def clip_line(text: str, limit: int) -> str:
    """Return text as one harmless line of at most `limit` characters; 0: as long as it is."""
    line = printable((text[: limit + 1] if limit else text).expandtabs(4), keep="")
    return line if not limit or len(line) <= limit else line[: limit - 1] + "…"
