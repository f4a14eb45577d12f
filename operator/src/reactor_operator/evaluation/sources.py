"""A source and an environment make a value: inputs, results, elements and literals by their paths. No expressions here.

In: a `Source`, an `Environment`, and the value of its expression where it is one. Out: JSON, or a `Fault`.
Never here: CEL (see `cel`), Secrets and ConfigMaps (they reach the task by reference), the world.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from reactor_operator.api.paths import Keys, parse_path, render_path
from reactor_operator.api.problems import nearest, render_found
from reactor_operator.api.sources import Source
from reactor_operator.evaluation.environment import Environment

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a source has no value, in words that follow the name of the argument."""

    message: str


def resolve(source: Source, environment: Environment, expressed: Callable[[str], object]) -> object | Fault:
    """Return the value of `source`. `expressed` gives the value of an expression that was evaluated before."""
    found: object
    if source.input is not None:
        found = _follow(environment.inputs, source.input, "the inputs")
    elif source.result is not None:
        if source.result not in environment.results:
            return Fault(f"the result of step {source.result} is not known")
        known = environment.results if source.path is None else environment.told
        found = known[source.result]
    elif (name := source.element or source.index) is not None:
        if name not in environment.elements:
            return Fault(f"the element of map {name} is not known")
        at = environment.elements[name]
        found = at.value if source.element is not None else at.index
    elif source.expr is not None:
        found = expressed(source.expr)
    elif source.has_value:
        found = source.value
    else:
        return Fault("found a key of a Secret or ConfigMap, whose text is not read here")
    if source.path is not None and not isinstance(found, Fault):
        found = _follow(found, source.path, _origin(source))
    if isinstance(found, Fault) and source.has_default:
        return source.default
    return found


def _origin(source: Source) -> str:
    if source.result is not None:
        return f"the result of step {source.result}"
    if source.element is not None:
        return f"the element of {source.element}"
    return f"input {source.input}" if source.input is not None else "the value"


@lru_cache(maxsize=4096)
def _keys(path: str) -> Keys:
    return parse_path(path)


def _follow(document: object, path: str, origin: str) -> object | Fault:
    """Return what stands at `path` in `document`; a Fault names the first key that leads nowhere and what was there."""
    at, keys = document, _keys(path)
    for place, key in enumerate(keys):
        below = _member(at, key)
        if below is _ABSENT:
            where = f"at {render_path(keys[:place])} in {origin}" if place else f"in {origin}"
            return Fault(f"path {path} leads nowhere: found {_what(at, key)} {where}{_near(at, key)}")
        at = below
    return at


def _member(at: object, key: str | int) -> object:
    if isinstance(key, int):
        return at[key] if isinstance(at, list) and key < len(at) else _ABSENT
    return at.get(key, _ABSENT) if isinstance(at, dict) else _ABSENT


def _what(at: object, key: str | int) -> str:
    if isinstance(at, dict) and isinstance(key, str):
        return f"an object without {render_found(key)}"
    return render_found(at)


def _near(at: object, key: str | int) -> str:
    near = nearest(key, list(at)[:1000]) if isinstance(at, dict) and isinstance(key, str) else None
    return f"; did you mean {near}?" if near is not None else "; name a default to allow for that"
