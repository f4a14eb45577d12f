"""An exception and what it came from, as Python tells it, cut to what a person reads.

In: an exception. Out: text; one line for each exception it came from. Never here: the value of a variable, a frame of
this package, or text that was evaluated (an argument, say) shown as if it were a line of source.
"""

from collections import deque
from collections.abc import Iterator
from traceback import StackSummary, TracebackException

from reactor.documents import name_of_type, printable
from reactor.frames import clip_line, line_of, place_of, without_agent
from reactor.outcomes import Failure

FRAMES = 30
CHAIN = 5
LINE_LIMIT = 200
TITLE_LIMIT = 160
_OUR_FRAMES = 12
_LINES = 200
_PART = 4096
_PART_LINES = 12


def title_of(error: BaseException) -> str:
    """Return type and message of an exception, whatever its `__str__` does."""
    name = name_of_type(type(error))
    try:
        said = str(error.message if isinstance(error, Failure) else error)
    except BaseException as unsaid:
        return f"{name} (its message cannot be shown: {name_of_type(type(unsaid))})"
    if isinstance(error, Failure):
        return said or name
    return f"{name}: {said}" if said else name


def origins_of(error: BaseException) -> list[str]:
    """Return what an exception came from, nearest first: `caused by KeyError: 'cup' (shop/stock.py:9 in take)`."""
    return [f"{word} {_told(one)}" for word, one in _origins(error)]


def _origins(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    if isinstance(error, BaseExceptionGroup):
        yield from (("among them", one) for one in error.exceptions[: CHAIN - 1])
        return
    seen = {id(error)}
    for _ in range(CHAIN - 1):
        if error.__cause__ is not None:
            word, error = "caused by", error.__cause__
        elif error.__context__ is not None and not error.__suppress_context__:
            word, error = "while handling", error.__context__
        if id(error) in seen:
            return
        seen.add(id(error))
        yield word, error


def _told(error: BaseException) -> str:
    place = place_of(error)
    title = clip_line(title_of(error)[:_PART].partition("\n")[0], TITLE_LIMIT)
    return f"{title} ({place})" if place is not None else title


def render_traceback(error: BaseException) -> str:
    """Return the traceback with those of the exceptions it came from; the newest frames of the newest exceptions."""
    shown = TracebackException(
        type(error), error, error.__traceback__, limit=-(FRAMES + _OUR_FRAMES), lookup_lines=False, compact=True,
        max_group_width=CHAIN - 1, max_group_depth=2,
    )  # fmt: skip
    _cut(shown)
    lines: deque[str] = deque(maxlen=_LINES)
    for part in shown.format():
        lines.extend(_clip(line) for line in part[:_PART].splitlines()[:_PART_LINES])
    return "\n".join(lines)


def _cut(shown: TracebackException) -> None:
    """Leave the author's frames, `FRAMES` in all, and `CHAIN` exceptions, from the newest on."""
    room, waiting, count = FRAMES, deque([shown]), 0
    while waiting:
        one = waiting.popleft()
        count += 1
        frames = without_agent(one.stack, lambda frame: frame.filename)[-room:] if room else []
        room -= len(frames)
        one.stack = StackSummary.from_list(frames)
        if hasattr(one, "text") and not _is_source(one):
            one.text = None  # type: ignore[assignment]  # as where there is none
        if count + len(waiting) >= CHAIN:
            one.__cause__ = one.__context__ = None
        waiting.extend(part for part in (one.__cause__, one.__context__, *(one.exceptions or ())) if part is not None)


def _is_source(shown: TracebackException) -> bool:
    """Return whether the text of a SyntaxError is a line of a file, not something that was evaluated."""
    line = int(shown.lineno) if shown.lineno is not None and shown.lineno.isdecimal() else 0
    return line_of(shown.filename, line).strip() == (shown.text or "").strip()


def _clip(line: str) -> str:
    clean = printable(line, keep="\t")
    return clean if len(clean) <= LINE_LIMIT else clean[: LINE_LIMIT - 1] + "…"
