"""One expression and what it may read make a value. Runs in the worker process, because nothing can interrupt it.

In: CEL and documents. Out: JSON, or `ExpressionFault`. Never here: the process, the pipe, a deadline.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from reactor_operator.api.library import load_cel


class ExpressionFault(Exception):
    """The expression has no value, or one that JSON cannot carry; the message says why."""


def evaluate(expression: str, variables: Mapping[str, object]) -> object:
    """Return the value of `expression` as JSON. Raises ExpressionFault."""
    try:
        value = _program(expression).execute(dict(variables))
    except KeyError as error:
        raise ExpressionFault(f"no such key: {error.args[0]}") from error
    except Exception as error:  # whatever the library raises is the fault of the expression, here and nowhere else
        raise ExpressionFault(_first_line(error)) from error
    return _json(value)


def variables_of(
    inputs: object,
    results: Mapping[str, object],
    run: Mapping[str, object],
    arguments: object = None,
    beside: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return what expressions may read; the result of `book-courier` also is `results.book_courier`."""
    spoken = {name.replace("-", "_"): value for name, value in results.items() if "-" in name}
    return {"inputs": inputs, "results": {**spoken, **results}, "run": dict(run), "args": arguments, **(beside or {})}


@lru_cache(maxsize=1024)
def _program(expression: str) -> Any:
    return load_cel().compile(expression)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _json(value: object) -> object:
    """Return `value` if JSON can carry it, objects by the order of their keys: CEL has none.

    Raises ExpressionFault naming what it is instead.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if math.isfinite(value):
                return value
            raise ExpressionFault(f"gave {value}, expected a finite number")
        case list() | tuple():
            return [_json(one) for one in value]
        case dict():
            for key in value:
                if not isinstance(key, str):
                    raise ExpressionFault(f"gave an object with the key {key!r}, expected keys that are strings")
            return {key: _json(value[key]) for key in sorted(value)}
        case _:
            raise ExpressionFault(f"gave a {type(value).__name__}, which is not JSON: convert it with string(…)")
