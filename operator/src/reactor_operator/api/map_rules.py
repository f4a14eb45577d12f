"""Rules of maps: where elements may come from, what may be said beside what, and who sees an element.

In: a sound `Step` with a map, or a source and the maps around it. Out: problems. Never here: an element, and rules that
hold for every body (see `body_rules`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reactor_operator.api.expressions import ELEMENT, INDEX
from reactor_operator.api.maps import Map
from reactor_operator.api.problems import Problem, nearest, render_found
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source


@dataclass(frozen=True, slots=True)
class Inside:
    """The maps that a place is inside of, the innermost last, and `every` map of the reactor.

    places_only: what is cleaned up later knows the place of its element, and its arguments, but not the element.
    """

    around: tuple[str, ...] = ()
    every: frozenset[str] = frozenset()
    places_only: bool = False

    def of(self, step: Step) -> "Inside":
        """Return what is inside a step, and in its arguments."""
        return replace(self, around=(*self.around, step.name)) if step.map is not None else self

    def later(self) -> "Inside":
        """Return what an action sees that comes when its element may be gone."""
        return replace(self, places_only=True)

    @property
    def variables(self) -> tuple[str, ...]:
        """What expressions may read beside."""
        if not self.around:
            return ()
        return (INDEX,) if self.places_only else (ELEMENT, INDEX)


NOWHERE: Inside = Inside()


def element_problems(source: Source, path: str, inside: Inside) -> Iterator[Problem]:
    """Yield what is wrong with the map that a source names."""
    for form, name in ((ELEMENT, source.element), (INDEX, source.index)):
        if name is None:
            continue
        if name not in inside.around:
            yield Problem(f"{path}.{form}", _not_around(name, inside), "UnknownReference")
        elif form == ELEMENT and inside.places_only:
            message = (
                "found it in what cleans up, expected args: the element may be gone by then, its arguments are kept"
            )
            yield Problem(f"{path}.{form}", message, "InvalidValue")
    if source.index is not None and source.path is not None:
        yield Problem(f"{path}.path", "found it beside index, expected none: a place is a number", "InvalidValue")


def _not_around(name: str, inside: Inside) -> str:
    if name in inside.every:
        return f"found {name}, which this is not inside of: its elements are seen in its arguments and inside its body"
    near = nearest(name, inside.around or inside.every)
    hint = f"did you mean {near}?" if near is not None else "expected the name of a map around this"
    return f"unknown map {name}: {hint}"


def bounds_problems(step: Step, mapped: Map, path: str) -> Iterator[Problem]:
    """Yield what is said of a map at `path` and does not go together."""
    given = [("maxFailures", mapped.max_failures), ("maxFailuresPercent", mapped.max_failures_percent)]
    for name, value in given:
        if value is not None and mapped.fail_fast:
            message = "found it without failFast: false, expected both: else the first failure fails the map"
            yield Problem(f"{path}.{name}", message, "InvalidValue")
    if all(value is not None for _, value in given):
        yield Problem(path, "found maxFailures and maxFailuresPercent, expected only one of them", "InvalidValue")
    if mapped.source is not None:
        yield from _literal_elements(mapped.source, f"{path}.source")
    if mapped.elements_per_task > 1:
        yield from _chunk_problems(step, mapped, path)


def _literal_elements(source: Source, path: str) -> Iterator[Problem]:
    if source.by_reference:
        message = "found a key of a Secret or ConfigMap, expected another source: elements are read and stored here"
        yield Problem(path, message, "InvalidValue")
    if source.index is not None:
        yield Problem(f"{path}.index", "found a number, expected a list: the elements", "InvalidValue")
    if source.has_value and source.path is None and not isinstance(source.value, list):
        message = f"found {render_found(source.value)}, expected a list: the elements"
        yield Problem(f"{path}.value", message, "InvalidValue")


def _chunk_problems(step: Step, mapped: Map, path: str) -> Iterator[Problem]:
    field, chunk = f"{path}.elementsPerTask", mapped.elements_per_task
    if mapped.run is None or mapped.run.python is None:
        message = f"found {chunk}, expected it beside run.python only: nothing else takes more than one element"
        yield Problem(field, message, "InvalidValue")
    elif step.undo is not None and step.undo.python is None:
        message = f"found {chunk} beside an undo that is not python, expected undo.python: it takes as many elements"
        yield Problem(field, message, "InvalidValue")
    if chunk > mapped.batch_size:
        message = f"found {chunk}, expected at most {mapped.batch_size}: batchSize, the elements in flight"
        yield Problem(field, message, "InvalidValue")
