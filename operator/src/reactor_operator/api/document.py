"""Is a document JSON at all: what YAML can say and JSON cannot is found here, each with its path.

In: anything a parser gave. Out: problems. Never here: what the document means.
"""

import json
import math
from collections.abc import Mapping

import orjson

from reactor_operator.api.problems import Problem, path_to, render_found

MAX_DEPTH = 200
TOO_DEEP = "TooDeep"
"""The reason of the one problem after which nothing else about a document can be said."""
_PATH_SHOWN = 100
_VALUES = 400_000
_ONLY_JSON = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS


def document_problems(document: object, base: str = "") -> list[Problem]:
    """Return everything in `document` that JSON cannot carry: keys that are no text, dates, NaN, too deep nesting."""
    try:
        text = orjson.dumps(document, option=_ONLY_JSON)
        if b"null" in text:  # as orjson writes what is no number, too
            json.dumps(document, allow_nan=False, check_circular=False)
    except (TypeError, ValueError, RecursionError):
        return _walk(document, base)
    return []


def _walk(document: object, base: str) -> list[Problem]:
    """Find what the encoders refused. Depth and number are bounded, so a document that contains itself ends too."""
    problems: list[Problem] = []
    left = _VALUES
    level: list[tuple[str, object]] = [(base, document)]
    for _ in range(MAX_DEPTH):
        below: list[tuple[str, object]] = []
        for path, node in level:
            if isinstance(node, Mapping):
                problems += [_bad_key(path, key) for key in node if not isinstance(key, str) or not _is_unicode(key)]
                below += [(path_to(path, [key]), child) for key, child in node.items() if isinstance(key, str)]
            elif isinstance(node, list | tuple):
                below += [(path_to(path, [index]), child) for index, child in enumerate(node)]
            elif (problem := _bad_leaf(path, node)) is not None:
                problems.append(problem)
        level = below
        left -= len(level)
        if not level:
            return problems
        if left < 0:
            return [*problems, Problem(base, f"found itself inside, or more than {_VALUES} values", TOO_DEEP)]
    where = level[0][0]
    path = where if len(where) <= _PATH_SHOWN else where[:_PATH_SHOWN] + "…"
    return [*problems, Problem(path, f"nested more than {MAX_DEPTH} deep, expected less", TOO_DEEP)]


def _bad_key(path: str, key: object) -> Problem:
    if isinstance(key, str):
        return Problem(path, "found half of a surrogate pair in a key, expected Unicode", "InvalidKey")
    hint = "quote it: YAML reads on, off, yes and no as booleans" if isinstance(key, bool) else "quote it"
    return Problem(path, f"found the key {render_found(key)}, expected text: {hint}", "InvalidKey")


def _bad_leaf(path: str, node: object) -> Problem | None:
    match node:
        case None | bool():
            return None
        case str():
            if _is_unicode(node):
                return None
            return Problem(path, "found half of a surrogate pair in the text, expected Unicode", "InvalidValue")
        case int():
            if -(2**63) <= node < 2**64:
                return None
            return Problem(path, f"found {render_found(node)}, expected an integer of at most 64 bits", "InvalidValue")
        case float():
            if math.isfinite(node):
                return None
            return Problem(path, f"found {node}, expected a finite number", "InvalidValue")
        case _:
            hint = "quote it to make it text"
            return Problem(path, f"found {render_found(node)}, which JSON does not know: {hint}", "InvalidValue")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
