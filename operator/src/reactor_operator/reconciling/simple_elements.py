"""Arguments of elements that are one task and read nothing but themselves: answered without what others may read.

In: a known run, its state in one fold, and what the engine asks of elements. Out: the same events as any evaluation
gives, for a fraction of what that costs; None where an element, or its map, needs more than is here.
Never here: an expression, a sensitive value, a failure to be told: the way of all evaluations says those.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import orjson

from reactor_operator.api.nodes import Node
from reactor_operator.api.sources import Source
from reactor_operator.api.templates import ANY
from reactor_operator.engine.actions import EvaluateStep
from reactor_operator.engine.elements import index_of, step_at
from reactor_operator.engine.events import StepEvaluated
from reactor_operator.engine.plan import StepKind
from reactor_operator.engine.state import RunState, SourcePage
from reactor_operator.engine.values import reference_to
from reactor_operator.evaluation.environment import Element, Environment
from reactor_operator.evaluation.evaluator import ARGUMENTS_BYTES
from reactor_operator.evaluation.sources import Fault, resolve
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.mapped import place_of
from reactor_operator.reconciling.pooled import PoolBook, refuse_task
from reactor_operator.reconciling.records import KnownRun

_NO_PAGE = SourcePage(number=0, first=0, size=0, left=0)


@dataclass(slots=True)
class _Map:
    """A map of such elements: its name, what its arguments are made of, and the page that was read last."""

    path: str
    name: str
    sources: Mapping[str, Source]
    reads_element: bool
    page: SourcePage = _NO_PAGE
    elements: Sequence[object] = ()


@dataclass(slots=True)
class SimpleElements:
    """Answers within one decision. `values` gathers new documents."""

    known: KnownRun
    state: RunState
    documents: Documents
    pools: PoolBook | None
    values: dict[str, bytes] = field(default_factory=dict)
    _maps: dict[str, _Map | None] = field(default_factory=dict)

    async def answer(self, asked: EvaluateStep) -> StepEvaluated | None:
        """Answer what an element needs before it starts. Raises ValueLost, StoreUnavailable, CannotDecrypt."""
        path = asked.path
        if not path.endswith("]"):
            return None
        of = path[: path.rfind("[")]
        if of not in self._maps:
            self._maps[of] = self._map(of, path)
        found, index = self._maps[of], index_of(of, path)
        if found is None or index is None:
            return None
        element: object = None
        if found.reads_element:
            if not found.page.first <= index < found.page.first + found.page.size:
                await self._turn_to(found, index)
            element = found.elements[index - found.page.first]
        arguments = _arguments(found, element, index)
        if arguments is None:
            return None
        ref = reference_to(arguments, f"{path}.arguments.{asked.round}")
        if ref.inline is None:
            self.values[ref.digest] = arguments
        return StepEvaluated(path=path, round=asked.round, proceed=True, arguments=ref)

    def _map(self, of: str, path: str) -> _Map | None:
        """Return the map around an element, None where its elements need more than themselves."""
        blueprint = self.known.blueprint
        assert blueprint is not None
        node = blueprint.at(path).node
        name = node.path.removesuffix(ANY).rpartition("/")[2]
        if not node.path.endswith(ANY) or not _is_simple(node, name):
            return None
        told = blueprint.sensitive
        if told.has_elements(of) or told.arguments_of(path):
            return None
        namespace = self.known.definition.run.namespace
        if self.pools is not None and refuse_task(self.pools, blueprint, self.known.plan, namespace, path) is not None:
            return None
        sources = {name: one for name, one in node.step.arguments.items() if not one.by_reference}
        return _Map(of, name, sources, any(one.element is not None for one in sources.values()))

    async def _turn_to(self, found: _Map, index: int) -> None:
        step = step_at(self.known.plan, self.state, found.path)
        number, _ = place_of(found.path, step, index)
        assert step.map is not None
        (found.page,) = (page for page in step.map.sources if page.number == number)
        found.elements = await self.documents.pages.elements(found.path, step.round, number)


def _is_simple(node: Node, name: str) -> bool:
    step = node.step
    return (
        node.kind is StepKind.TASK
        and step.when is None
        and step.on_error is None
        and all(
            one.by_reference or one.has_value or (one.element or one.index) == name for one in step.arguments.values()
        )
    )


def _arguments(found: _Map, element: object, index: int) -> bytes | None:
    """Return the arguments of an element, None where they are not there or are too large."""
    values: dict[str, object] = {}
    for name, source in found.sources.items():
        if source.path is not None:
            environment = Environment(inputs={}, elements={found.name: Element(element, index)})
            value = resolve(source, environment, _no_expression)
            if isinstance(value, Fault):
                return None
            values[name] = value
        else:
            values[name] = source.value if source.has_value else element if source.element is not None else index
    try:
        document = orjson.dumps(values)
    except TypeError:
        return None
    return document if len(document) <= ARGUMENTS_BYTES else None


def _no_expression(_: str) -> NoReturn:
    raise AssertionError("an element that is simple has no expression")
