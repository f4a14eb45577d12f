"""The log of a task as the store has it: the end of what it printed, compressed.

In: bytes that a task printed, any of them. Out: bytes to keep, and a `KeptLog` again. Never here: where it is kept.
"""

import codecs
import zlib
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError

LOG_BYTES = 256 * 1024
"""Bytes that are kept of what a task printed: the last ones."""
RUN_BYTES = 8 * 1024 * 1024
"""Bytes, compressed, that the logs of one run take where nothing else is said."""
_WHOLE, _CUT, _COUNTED = b"\x01", b"\x02", b"\x03"
_COUNT = Struct(">?Q")
_LINE = 4 * 1024


@dataclass(frozen=True, slots=True)
class KeptLog:
    """What is kept of a log, as UTF-8. `cut`: it began earlier.

    lines: how many the task had printed by then, of those of which it is told while they run; None of the others.
    """

    text: bytes
    cut: bool = False
    lines: int | None = None


def end_of(text: bytes, *, cut: bool = False, most: int = LOG_BYTES) -> KeptLog:
    """Return the end of what was printed: from the beginning of a line on, or else of a letter."""
    cut = cut or len(text) > most
    first = max(len(text) - most, 0)
    end = text[first:]
    if cut:
        line = text.find(b"\n", max(first - 1, 0), first + _LINE) + 1
        end = text[line:] if line else end.lstrip(bytes(range(0x80, 0xC0)))
    return KeptLog(end.decode("utf-8", "replace").encode(), cut)


def encode_log(log: KeptLog) -> bytes:
    """Return what is kept."""
    head = (_CUT if log.cut else _WHOLE) if log.lines is None else _COUNTED + _COUNT.pack(log.cut, log.lines)
    return head + zlib.compress(log.text, 3)


def decode_log(body: bytes) -> KeptLog | None:
    """Return what `encode_log` was given, None where it is of a form that this version does not know."""
    try:
        if body[:1] == _COUNTED:
            cut, lines = _COUNT.unpack_from(body, 1)
            return KeptLog(zlib.decompress(body[1 + _COUNT.size :]), cut, lines)
        return KeptLog(zlib.decompress(body[1:]), body[:1] == _CUT) if body[:1] in (_WHOLE, _CUT) else None
    except (zlib.error, StructError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Which logs are kept.

    run_bytes: of one run, compressed.    sensitive: also of tasks whose values are sensitive.
    seconds:   for how long one is read.
    """

    run_bytes: int = RUN_BYTES
    sensitive: bool = False
    seconds: float = 2.0


class TextStream:
    """Makes UTF-8 of bytes that come in parts, cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def more(self, part: bytes, *, last: bool = False) -> bytes:
        """Return what is whole by now."""
        return self._decoder.decode(part, last).encode()
