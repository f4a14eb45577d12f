"""How far what is sensitive reaches: from where it is declared, along sources and expressions, to all that reads it.

In: a blueprint and the schemas of inputs that it reads. Out: `Sensitivity`, and the problems of values that would leave
by a way that shows them. Never here: a value: what may be sensitive is told from the text of the reactor alone.
Linear in the number of sources.

Places are marked, and a mark goes on to every place that reads one. What a task gives back is sensitive only where its
step says so, for nobody knows what a handler makes of its arguments. Conditions are not marked: they say yes or no.
"""

from collections.abc import Iterable, Iterator, Mapping

from reactor_operator.api.actions import EnvVar
from reactor_operator.api.blueprint import Blueprint
from reactor_operator.api.effective import effective
from reactor_operator.api.expressions import ELEMENT, INDEX, expression_references
from reactor_operator.api.maps import RESULTS, Map
from reactor_operator.api.nodes import Node, Scope
from reactor_operator.api.paths import parse_path
from reactor_operator.api.problems import Problem
from reactor_operator.api.sensitivity import ALL, NOTHING, Sensitivity, sensitive_inputs
from reactor_operator.api.sources import Source
from reactor_operator.api.templates import ANY, COLLECT, PAGE
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import ROOT, StepKind

Schemas = Mapping[str, Mapping[str, object] | None]
"""Schemas of inputs that ConfigMaps hold, by the name of the reactor; the run's own has none."""

_INPUT, _ARGUMENT, _RESULT, _REQUEST, _ELEMENT = "input", "argument", "result", "request", "element"
_CORRELATION = "correlation"
_DECLARED = "declared"
"""A result that is called sensitive, by its step or by one around whose result it is: they are one document."""
_BESIDE = ("result", "failure", ELEMENT, INDEX)
_WHOLE = ""

Place = tuple[str, str, str]
"""What is marked: an input, argument, result, request, correlation id, or the elements of a map; the path of its step;
and its name, the whole of it: empty. Inside maps paths are templates: what holds for one element holds for all."""


def sensitivity_of(blueprint: Blueprint, schemas: Schemas | None = None) -> Sensitivity:
    """Return what of a run is sensitive."""
    marks = _Marks(blueprint, schemas or {})
    return marks.sensitivity() if marks.spread() else NOTHING


def sensitive_problems(blueprint: Blueprint, sensitive: Sensitivity) -> Iterator[Problem]:
    """Yield sensitive values that would be seen: in a pod (its manifest, or what kubelet tells of its end), or in the
    status of a run.
    """
    for path, node in blueprint.nodes.items() if sensitive is not NOTHING else ():
        if path in sensitive.correlations:
            message = (
                "reads what is sensitive, and an id is seen in the status: expected one that is made of other values"
            )
            yield Problem(f"{node.field_path}.interrupt.correlationId", message, "SensitiveValue")
        if node.kind is not StepKind.TASK:
            continue
        for action in Action:
            yield from _shown_arguments(node, action, sensitive.arguments.get(path, frozenset()))
        container = node.step.run.container if node.step.run is not None else None
        told = container is not None and (container.output is None or container.output.path is None)
        if path in sensitive.results and told:
            message = "found none, expected output.path: else the sensitive result stands in the status of the pod"
            yield Problem(f"{node.field_path}.run.container.output", message, "SensitiveValue")


def _shown_arguments(node: Node, action: Action, names: frozenset[str]) -> Iterator[Problem]:
    spec = node.step.action(action)
    if spec is None or not names:
        return
    for place, variable in enumerate(effective(node.scope.reactor, node.step, spec).env):
        if variable.argument in names and not node.step.arguments[variable.argument].by_reference:
            where = f"{_written_in(node, action)}[{place}].argument"
            yield Problem(where, _words(variable, node.step.name), "SensitiveValue")


def _written_in(node: Node, action: Action) -> str:
    """Return the field of the `env` that holds for a task."""
    spec = node.step.action(action)
    if spec is not None and spec.container is not None and spec.container.env is not None:
        return f"{_field_of(node, action)}.container.env"
    return f"{node.step_field}.env" if node.step.env is not None else "spec.defaults.env"


def _field_of(node: Node, action: Action) -> str:
    """Return where an action is written: what cleans up beside the body whose task it cleans up after."""
    return f"{node.field_path if action is Action.RUN else node.step_field}.{action.value}"


def _words(variable: EnvVar, step: str) -> str:
    return (
        f"found the argument {variable.argument} of step {step}, which is sensitive and would be seen "
        "in the pod: read it from /reactor/arguments.json, or pass a secretKeyRef"
    )


class _Marks:
    """What is marked, and who reads what."""

    def __init__(self, blueprint: Blueprint, schemas: Schemas) -> None:
        self._blueprint = blueprint
        self._schemas = schemas
        self._readers: dict[Place, list[Place]] = {}
        self._marked: dict[Place, None] = {}

    def spread(self) -> bool:
        """Mark what is declared, then all that reads it. False where nothing is declared."""
        for scope in self._blueprint.scopes.values():
            if scope.inputs_from == scope.path:
                schema = scope.reactor.inputs_schema or self._schemas.get(scope.name)
                self._mark((_INPUT, scope.path, name) for name in sensitive_inputs(schema))
        for node in self._blueprint.nodes.values():
            self._read(node)
        root = self._blueprint.scopes[ROOT]
        self._returned(root, (_RESULT, ROOT, _WHOLE))
        waiting = list(self._marked)
        while waiting:
            at = waiting.pop()
            new = [place for place in self._reached_from(at) if place not in self._marked]
            self._mark(new)
            waiting += new
        return bool(self._marked)

    def sensitivity(self) -> Sensitivity:
        """Return what is marked."""
        names: dict[str, dict[str, set[str]]] = {_INPUT: {}, _ARGUMENT: {}}
        for kind, path, name in self._marked:
            if kind in names and name != _WHOLE:
                names[kind].setdefault(path, set()).add(name)
        return Sensitivity(
            inputs={path: frozenset(found) for path, found in names[_INPUT].items()},
            arguments={path: frozenset(found) for path, found in names[_ARGUMENT].items()},
            results=frozenset(path for kind, path, _ in self._marked if kind == _RESULT),
            requests=frozenset((path, Action(name)) for kind, path, name in self._marked if kind == _REQUEST),
            elements=frozenset(path for kind, path, _ in self._marked if kind == _ELEMENT),
            correlations=frozenset(path for kind, path, _ in self._marked if kind == _CORRELATION),
            maps=frozenset(path for path, node in self._blueprint.nodes.items() if node.kind is StepKind.MAP),
        )

    def _mark(self, places: Iterable[Place]) -> None:
        self._marked.update(dict.fromkeys(places))

    def _reached_from(self, place: Place) -> Iterator[Place]:
        yield from self._readers.get(place, ())
        kind, path, name = place
        if kind in (_INPUT, _ARGUMENT) and name != _WHOLE:
            yield kind, path, _WHOLE

    def _read(self, node: Node) -> None:
        """Take down what a step declares and what it reads."""
        step, own = node.step, (_RESULT, node.path, _WHOLE)
        self._reads((_DECLARED, node.path, _WHOLE), own)
        if step.sensitive:
            self._mark([(_DECLARED, node.path, _WHOLE)])
        is_collect = node.path == node.scope.map_path + COLLECT
        for name, source in step.arguments.items() if not is_collect else ():
            if not source.by_reference:
                self._source(source, node.scope, node.path, (_ARGUMENT, node.path, name))
        for action in Action if node.kind is StepKind.TASK else ():
            spec = step.action(action)
            for _, source in spec.http.sources() if spec is not None and spec.http is not None else ():
                self._source(source, node.scope, node.path, (_REQUEST, node.path, action.value))
        if node.kind is StepKind.INTERRUPT and step.interrupt is not None and step.interrupt.correlation is not None:
            self._source(step.interrupt.correlation, node.scope, node.path, (_CORRELATION, node.path, _WHOLE))
        if step.transform is not None and node.kind is StepKind.TRANSFORM:
            self._source(step.transform, node.scope, node.path, own)
        for _, body in node.bodies:
            self._reads((_RESULT, body, _WHOLE), own)
            self._reads((_DECLARED, node.path, _WHOLE), (_DECLARED, body, _WHOLE))
        if node.kind is StepKind.MAP and step.map is not None:
            self._map(node, step.map)
        if node.kind is StepKind.COMPOSE and node.path in self._blueprint.scopes:
            self._returned(self._blueprint.scopes[node.path], own)
            inputs = step.compose.inputs if step.compose is not None else None
            for name, source in (inputs or {}).items():
                self._source(source, node.scope, node.path, (_INPUT, node.path, name))

    def _map(self, node: Node, mapped: Map) -> None:
        """Take down where the elements of a map come from, and what its result is made of."""
        path, elements = node.path, (_ELEMENT, node.path, _WHOLE)
        own, of_elements, collected = ((_RESULT, at, _WHOLE) for at in (path, path + ANY, path + COLLECT))
        if mapped.source is not None:
            self._source(mapped.source, node.scope, path, elements)
        self._reads((_RESULT, path + PAGE, _WHOLE), elements)
        if mapped.collect is None:
            self._reads(of_elements, own)
        elif mapped.collect.expr is not None:
            self._source(mapped.collect.source, node.scope, path, own)
        else:
            self._reads(of_elements, (_ARGUMENT, path + COLLECT, RESULTS))
            self._reads(collected, own)

    def _returned(self, scope: Scope, to: Place) -> None:
        if scope.returns is None:
            self._reads((_RESULT, scope.last, _WHOLE), to)
            self._reads((_DECLARED, to[1], _WHOLE), (_DECLARED, scope.last, _WHOLE))
        else:
            self._source(scope.returns, scope, scope.path, to)
            for returned in scope.results_of([scope.returns]).values():
                self._reads((_DECLARED, to[1], _WHOLE), (_DECLARED, returned, _WHOLE))

    def _source(self, source: Source, scope: Scope, path: str, to: Place) -> None:
        if source.sensitive:
            self._mark([to])
        for place in _places_of(source, scope, path):
            self._reads(place, to)

    def _reads(self, place: Place, to: Place) -> None:
        self._readers.setdefault(place, []).append(to)
        kind, path, name = place
        if kind == _INPUT and name != _WHOLE:
            self._readers.setdefault((kind, path, ALL), []).append(to)


def _places_of(source: Source, scope: Scope, path: str) -> Iterator[Place]:
    """Yield the places that a source of a step reads."""
    if source.input is not None:
        first = parse_path(source.input)[0]
        yield _INPUT, scope.inputs_from, first if isinstance(first, str) else _WHOLE
    for other in scope.results_of([source]).values():
        yield _RESULT, other, _WHOLE
    if source.element is not None and source.element in scope.maps:
        yield _ELEMENT, scope.maps[source.element], _WHOLE
    if source.expr is None:
        return
    for variable, name in expression_references(source.expr, arguments=True, beside=_BESIDE).members:
        if variable == "inputs":
            yield _INPUT, scope.inputs_from, name or _WHOLE
        elif variable == "args":
            yield _ARGUMENT, path, name or _WHOLE
        elif variable == "result":
            yield _RESULT, path, _WHOLE
        elif variable == ELEMENT and scope.innermost:
            yield _ELEMENT, scope.innermost, _WHOLE
