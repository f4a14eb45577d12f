"""Which elements of maps are read, told from sources and expressions.

In: a source or a step. Out: names of maps; `INNERMOST` for what expressions call `element` and `index`.
Never here: whether there is such a map (see `map_rules`), an element.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reactor_operator.api.expressions import ELEMENT, INDEX, expression_references
from reactor_operator.api.graph import sources_of
from reactor_operator.api.paths import parse_path
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source

INNERMOST = ""
"""Stands for the innermost map. No map has such a name."""


@dataclass(frozen=True, slots=True)
class IndexOf:
    """Stands among keys for the place of the element of a map, told by the template path of the map."""

    map_path: str


ElementKeys = tuple[str | int | IndexOf, ...]


def elements_of_source(source: Source) -> Iterator[str]:
    """Yield the maps whose elements, or their places, a source reads."""
    for named in (source.element, source.index):
        if named is not None:
            yield named
    if source.expr is not None and reads_element(source.expr):
        yield INNERMOST


def elements_of_step(step: Step) -> Iterator[str]:
    """Yield the maps whose elements, or their places, the sources and conditions of a step itself read."""
    for _, source in sources_of(step):
        yield from elements_of_source(source)
    conditions = [step.when, *(case.when for case in (step.switch.cases if step.switch is not None else ()))]
    if any(condition is not None and reads_element(condition) for condition in conditions):
        yield INNERMOST


def elements_of_map(step: Step) -> Iterator[str]:
    """Yield the maps around a map whose elements, or their places, it reads itself, before its first and after all."""
    mapped = step.map
    if mapped is not None and mapped.source is not None:
        yield from elements_of_source(mapped.source)
    collected = mapped.collect.expr if mapped is not None and mapped.collect is not None else None
    if any(expression is not None and reads_element(expression) for expression in (step.when, collected)):
        yield INNERMOST


def keys_of_elements(source: Source, around: Mapping[str, ElementKeys]) -> ElementKeys | None:
    """Return what leads from the inputs to the elements that a source gives; None where they stand elsewhere.

    `around` leads to the elements of the maps around, by name.
    """
    below = parse_path(source.path) if source.path is not None else ()
    if source.input is not None:
        return (*parse_path(source.input), *below)
    if source.element is not None and source.element in around:
        return (*around[source.element], *below)
    return None


def reads_element(expression: str) -> bool:
    """Return whether an expression reads the element of the innermost map, or its place."""
    if ELEMENT not in expression and INDEX not in expression:  # most do not, and a look is cheaper than cutting words
        return False
    read = expression_references(expression, arguments=True, beside=(ELEMENT, INDEX)).members
    return any(variable in (ELEMENT, INDEX) for variable, _ in read)
