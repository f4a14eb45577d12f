"""Why a run failed, on part of a screen: what, where, the lines around, what it came from, what was reversed.

In: a view of a run. Out: lines of text. Total: a status may hold anything, and none of it moves the cursor.
Never here: values of arguments (nobody told them to us), or where the run came from.
"""

from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.tables import width_of
from reactor_operator.engine.failures import printable
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at

WIDTH = 77
"""Of a terminal of 80 columns, two of which indent what is explained."""

MESSAGE_LIMIT = 400
LINES_LIMIT = 12
NAMED = 12
EXPLAINED = 3


def is_explained(run: RunView) -> bool:
    """Return whether the status has more to say about the failure of a run than its message."""
    failure = map_at(run.status, "failure")
    detail = map_at(failure, "detail")
    return bool(text_at(failure, "file") or any(name in detail for name in ("source", "origins", "log")))


def render_explanation(run: RunView) -> list[str]:
    """Return why a run failed and what became of the rest; nothing where there is nothing to explain."""
    why = render_why(run)
    if not why:
        return []
    more = f", and {len(run.undone) - NAMED} more" if len(run.undone) > NAMED else ""
    undone = [f"  then reversed, newest first: {', '.join(run.undone[:NAMED])}{more}"] if run.undone else []
    return [*why, *map(_fit, undone), *_indented(render_unreversed(run))]


def render_why(run: RunView, *, verbose: bool = False) -> list[str]:
    """Return what failed, where and why; `verbose` with the traceback in place of the lines around, and nothing cut."""
    if not is_explained(run):
        return []
    explained = _indented(render_failure(map_at(run.status, "failure"), verbose=verbose))
    return [render_headline(run), *(explained if verbose else map(_fit, explained))]


def render_headline(run: RunView) -> str:
    """Return what failed and why in one line: `ship failed after 2 attempts: ConnectionError: no answer`."""
    failure = map_at(run.status, "failure")
    attempts = int_at(failure, "attempts") or 0
    again = f" after {attempts} attempts" if attempts > 1 else ""
    return _cut(f"{_line(text_at(failure, 'step')) or 'the run'} failed{again}: {_words(failure)}")


def render_failure(failure: JsonObject, *, verbose: bool = False) -> list[str]:
    """Return where a failure happened and what explains it, its message left out."""
    detail = map_at(failure, "detail")
    lines = []
    if place := _place(failure, detail):
        lines.append(place)
    traceback = _lines(text_at(detail, "traceback"))
    lines += traceback if verbose and traceback else _lines(text_at(detail, "source"))[:LINES_LIMIT]
    origins = detail.get("origins")
    lines += [_line(one) for one in (origins if isinstance(origins, list) else [])[:5] if isinstance(one, str)]
    if log := _lines(text_at(detail, "log"))[-LINES_LIMIT:]:
        lines += ["the last that it printed:", *(f"  | {line}" for line in log)]
    return lines


def render_unreversed(run: RunView, *, verbose: bool = False) -> list[str]:
    """Return what was not reversed, the first with their places and the line there."""
    failures = maps_at(run.status, "rollback", "failures")
    lines: list[str] = []
    for index, failure in enumerate(failures if verbose else failures[:NAMED]):
        lines.append(_cut(f"not reversed: {_line(text_at(failure, 'step'))}: {_words(failure)}"))
        if verbose:
            lines += _indented(render_failure(failure, verbose=True))
        elif index < EXPLAINED:
            lines += _indented([_fit(line) for line in _briefly(failure)])
    if len(failures) > NAMED and not verbose:
        lines.append(f"not reversed: {len(failures) - NAMED} more")
    return lines


def _briefly(failure: JsonObject) -> list[str]:
    detail = map_at(failure, "detail")
    marked = [line for line in _lines(text_at(detail, "source")) if line.startswith(">")][:1]
    return [*filter(None, [_place(failure, detail)]), *marked]


def _place(failure: JsonObject, detail: JsonObject) -> str:
    file, line, function = text_at(failure, "file"), int_at(failure, "line"), text_at(detail, "function")
    if not file:
        return ""
    where = f"{_line(file)}:{line}" if line is not None else _line(file)
    return f"{where} in {_line(function)}" if function else where


def _words(failure: JsonObject) -> str:
    kind, message = _line(text_at(failure, "kind")), _line(text_at(failure, "message"))
    if kind in ("", "Error") or message.startswith(kind):
        return message or kind
    return f"{kind}: {message}" if message else kind


def _line(text: str) -> str:
    """Return text as one harmless line."""
    return printable(" ".join(text.split()), keep="")


def _lines(text: str) -> list[str]:
    return [printable(line.expandtabs(4), keep="").rstrip() for line in text.split("\n")] if text else []


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _cut(line: str) -> str:
    """Cut a sentence: it may take several lines of a terminal, but not all of them."""
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"


def _fit(line: str) -> str:
    """Cut a line to the columns of a terminal."""
    if width_of(line) <= WIDTH:
        return line
    taken = 0
    for index, letter in enumerate(line):
        taken += width_of(letter)
        if taken >= WIDTH:
            return f"{line[:index]}…"
    return line
