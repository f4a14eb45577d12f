"""Which elements of maps are read, told from sources and expressions.

In: a source or a step. Out: names of maps; `INNERMOST` for what expressions call `element` and `index`.
Never here: whether there is such a map (see `map_rules`), an element.
"""

from collections.abc import Iterator

from reactor_operator.api.expressions import ELEMENT, INDEX, expression_references
from reactor_operator.api.graph import sources_of
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source

INNERMOST = ""
"""Stands for the innermost map. No map has such a name."""


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
    """Yield the maps around a map whose elements, or their places, it reads itself, before its first element."""
    if step.map is not None and step.map.source is not None:
        yield from elements_of_source(step.map.source)
    if step.when is not None and reads_element(step.when):
        yield INNERMOST


def reads_element(expression: str) -> bool:
    """Return whether an expression reads the element of the innermost map, or its place."""
    if ELEMENT not in expression and INDEX not in expression:  # most do not, and a look is cheaper than cutting words
        return False
    read = expression_references(expression, arguments=True, beside=(ELEMENT, INDEX)).members
    return any(variable in (ELEMENT, INDEX) for variable, _ in read)
