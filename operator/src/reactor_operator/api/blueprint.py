"""A reactor with everything inside it laid out flat: each step of a run by its path, and the scope it is in.

In: a checked `ReactorSpec`, and the checked specs of the reactors it composes. Out: `Blueprint`, or why there is none.
Never here: policies as the engine knows them (see `planning`), and a reactor that is not sound (see `check`).

A step inside `ship` is `ship/pack`; the bodies of a switch are steps too, `route[0]` and `route[default]`, and what is
inside one of them is `route[0]/pack`. Of a map `rows` all elements are one template, `rows[]`, and so is what is inside
it, `rows[]/store`; beside that it may have `rows[page]`, which fetches a page, and `rows[collect]`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from reactor_operator.api.bodies import Body
from reactor_operator.api.building import building
from reactor_operator.api.elements import IndexOf, keys_of_elements
from reactor_operator.api.graph import Names, bodies_of, finals_graph, graph_of
from reactor_operator.api.map_steps import collect_step, map_itself, page_step, step_of_body
from reactor_operator.api.maps import MAX_ELEMENTS, Map
from reactor_operator.api.nodes import Located, Node, Scope, step_path
from reactor_operator.api.problems import Problem
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.api.sensitivity import NOTHING, Sensitivity
from reactor_operator.api.templates import ANY, COLLECT, PAGE, element_of, is_template, template_of
from reactor_operator.engine.plan import FINALLY, ROOT, StepKind

MAX_NODES = 50_000
MAX_RECURSION = 10
"""How often a reactor may be inside itself."""
MAX_AROUND = 50
"""How many steps a step may be inside of, those of other reactors counted."""
MAX_PATH = 1_024
"""Characters of a path: what the status and the keys of tasks have room for."""


class CannotLayOut(Exception):
    """The reactor cannot be laid out; `problems` say why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(str(problems[0]))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All steps by path, a scope before the steps inside it, and all scopes that have a result of their own.

    `sensitive` is told by `taint`, once the schemas of inputs are known.
    """

    spec: ReactorSpec
    nodes: Mapping[str, Node]
    scopes: Mapping[str, Scope]
    sensitive: Sensitivity = NOTHING

    def at(self, path: str) -> Located:
        """Return what stands at an actual path (`rows[7]/store`). Raises KeyError, also for a template."""
        if is_template(path):
            raise KeyError(f"{path}: found what all elements have in common, expected the place of one, as in [7]")
        node = self.nodes.get(path)
        if node is not None:
            return Located(node)
        template, indices = element_of(path, self._is_map) or template_of(path, self._is_map)
        if template not in self.nodes:
            raise KeyError(path)
        return Located(self.nodes[template], indices)

    def step(self, path: str) -> Step:
        """Return what stands at an actual path does. Raises KeyError."""
        return self.at(path).node.step

    def _is_map(self, template: str) -> bool:
        node = self.nodes.get(template)
        return node is not None and node.kind is StepKind.MAP


def composed_names(spec: ReactorSpec) -> tuple[str, ...]:
    """Return the names of the reactors that a reactor refers to, wherever in it."""
    found: dict[str, None] = {}
    steps = list(spec.steps)
    for step in steps:  # and those that are found on the way
        for _, body in bodies_of(step):
            steps += body.steps or ()
            if body.reactor_ref is not None:
                found[body.reactor_ref.name] = None
    return tuple(found)


@building()
def blueprint_of(spec: ReactorSpec, others: Mapping[str, ReactorSpec] | None = None) -> Blueprint:
    """Lay out a reactor; `others` are the sound ones that it composes, by name. Raises CannotLayOut."""
    builder = _Builder(others or {})
    builder.reactor(None, spec, "")
    builder.finals(spec)
    return Blueprint(spec=spec, nodes=builder.nodes, scopes=builder.scopes)


@dataclass(frozen=True, slots=True)
class _Link:
    """A reactor on the way down, and whether a condition decides that the way is taken."""

    name: str
    guarded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a step is: path, scope, what it waits for, the reactors around it and the field it is written in.

    `body_of` is the field of the step whose body it is; empty where it is a step by itself.
    """

    path: str
    scope: Scope
    chain: tuple[_Link, ...]
    field_path: str
    needs: tuple[str, ...] = ()
    body_of: str = ""

    @property
    def body_field(self) -> str:
        """The field of the body of a compose that is here."""
        return self.field_path if self.body_of else f"{self.field_path}.compose"

    def guarded(self) -> "_Place":
        """Return the place behind a condition."""
        return replace(self, chain=tuple(_Link(link.name, True) for link in self.chain))


class _Builder:
    """Lays out scope after scope."""

    def __init__(self, others: Mapping[str, ReactorSpec]) -> None:
        self._others = others
        self.nodes: dict[str, Node] = {}
        self.scopes: dict[str, Scope] = {}

    def reactor(self, place: _Place | None, reactor: ReactorSpec, name: str) -> None:
        """Lay out a whole reactor: the run's own, or what a compose at a place refers to."""
        path = place.path if place is not None else ROOT
        scope = Scope(
            path=path,
            reactor=reactor,
            name=name,
            inputs_from=path,
            names=Names(step.name for step in reactor.steps),
            around=None,
            returns=reactor.returns,
            map_path=place.scope.map_path if place is not None else "",
        )
        chain = (*place.chain, _Link(name, False)) if place is not None else ()
        self._lay_out(scope, reactor.steps, chain, f"Reactor {name}: spec" if place is not None else "spec")

    def finals(self, spec: ReactorSpec) -> None:
        """Add the steps that run at every end. Those of a composed reactor do not: its end is not that of the run."""
        root, steps = self.scopes[ROOT], spec.finally_
        names = [step.name for step in steps]
        scope = replace(root, path=FINALLY, names=Names(names, root.names), around=root, returns=None)
        graph = finals_graph(names, dict(enumerate(steps)), root.names)
        if graph.problems:
            raise CannotLayOut(graph.problems)
        for number, step in enumerate(steps):
            needs = tuple(names[other] for other in graph.needs[number])
            place = _Place(path=step.name, scope=scope, chain=(), field_path=f"spec.finally[{number}]", needs=needs)
            self._add(place, step)

    def _lay_out(self, scope: Scope, steps: tuple[Step, ...], chain: tuple[_Link, ...], field_path: str) -> None:
        """Add the steps of a scope and all inside them."""
        self.scopes[scope.path] = scope
        around = scope.around.names if scope.around is not None else None
        names = [step.name for step in steps]
        graph = graph_of(names, dict(enumerate(steps)), scope.returns, base=field_path, around=around)
        if graph.problems:
            raise CannotLayOut(graph.problems)
        for number, step in enumerate(steps):
            place = _Place(
                path=step_path(scope.path, step.name),
                scope=scope,
                chain=chain,
                field_path=f"{field_path}.steps[{number}]",
                needs=tuple(step_path(scope.path, names[other]) for other in graph.needs[number]),
            )
            self._add(place, step)

    def _add(self, place: _Place, step: Step) -> None:
        if len(self.nodes) >= MAX_NODES:
            message = f"found more than {MAX_NODES} steps, those inside composes counted, expected fewer"
            raise CannotLayOut((Problem("spec.steps", message, "TooMany"),))
        _check_room(place)
        body = step.compose
        if step.switch is not None:
            self._switch(place, step)
        elif step.map is not None:
            self._map(place, step, step.map)
        elif step.interrupt is not None:
            self._put(place, StepKind.INTERRUPT, step)
        elif body is None or body.run is not None or body.transform is not None:
            plain = step if body is None else step_of_body(step, body)
            self._put(place, StepKind.TASK if plain.run is not None else StepKind.TRANSFORM, plain)
        elif body.reactor_ref is not None:
            self._refer(place if step.when is None else place.guarded(), step, body.reactor_ref.name)
        else:
            self._put(place, StepKind.COMPOSE, step)
            steps = body.steps or ()
            inside = replace(
                place.scope,
                path=place.path,
                names=Names((one.name for one in steps), place.scope.names),
                around=place.scope,
                returns=body.returns,
            )
            self._lay_out(inside, steps, place.chain, place.body_field)

    def _put(self, place: _Place, kind: StepKind, step: Step) -> Node:
        node = Node(
            path=place.path,
            kind=kind,
            step=step,
            scope=place.scope,
            needs=place.needs,
            field_path=place.field_path,
            step_field=place.body_of or place.field_path,
        )
        self.nodes[place.path] = node
        return node

    def _switch(self, place: _Place, step: Step) -> None:
        bodies = list(_bodies(place.path, step))
        node = self._put(place, StepKind.SWITCH, step)
        self.nodes[place.path] = replace(node, bodies=tuple((condition, path) for condition, path, _, _ in bodies))
        for condition, path, body, name in bodies:
            field_path = f"{place.field_path}.{name}"
            inside = replace(place.guarded(), path=path, field_path=field_path, needs=(), body_of=place.field_path)
            self._add(inside, step_of_body(step, body))
            self.nodes[path] = replace(self.nodes[path], chosen_when=condition)

    def _map(self, place: _Place, step: Step, mapped: Map) -> None:
        """Lay out a map, then its elements, which see what they are, then what it does by itself, which does not."""
        self._put(place, StepKind.MAP, map_itself(step))
        around, field_path = place.scope, f"{place.field_path}.map"
        own = replace(around, map_path=place.path)
        keys = keys_of_elements(mapped.source, around.element_keys) if mapped.source is not None else None
        seen = replace(own, maps={**around.maps, step.name: place.path})
        if keys is not None:
            seen = replace(seen, element_keys={**around.element_keys, step.name: (*keys, IndexOf(place.path))})
        inside = replace(place.guarded(), needs=(), body_of=place.field_path)
        element = replace(inside, path=f"{place.path}{ANY}", scope=seen, field_path=field_path)
        self._add(element, step_of_body(step, mapped))
        defaults = around.reactor.defaults
        if mapped.pages is not None:
            page = replace(inside, path=f"{place.path}{PAGE}", scope=own, field_path=f"{field_path}.pages")
            self._put(page, StepKind.TASK, page_step(step, mapped, defaults))
        if mapped.collect is not None and mapped.collect.run is not None:
            collect = replace(inside, path=f"{place.path}{COLLECT}", scope=own, field_path=f"{field_path}.collect")
            self._put(collect, StepKind.TASK, collect_step(step, mapped, defaults))

    def _refer(self, place: _Place, step: Step, name: str) -> None:
        """Lay out another reactor inside a step. Raises CannotLayOut where it is missing, or inside itself for ever."""
        where = f"{place.body_field}.reactorRef.name"
        other = self._others.get(name)
        if other is None:
            raise CannotLayOut((Problem(where, f"found no Reactor {name!r}; apply it first", "UnknownReference"),))
        again = [number for number, link in enumerate(place.chain) if link.name == name]
        since = place.chain[again[-1] :] if again else ()
        if since and not any(link.guarded for link in since):
            way = " -> ".join([*(link.name for link in since), name])
            message = f"reactors compose each other without an end: {way}; put a switch or a when between"
            raise CannotLayOut((Problem(where, message, "Cycle"),))
        node = self._put(place, StepKind.COMPOSE, step)
        if len(again) < MAX_RECURSION:
            self.reactor(place, other, name)
        else:
            self.nodes[place.path] = replace(node, kind=StepKind.TRANSFORM, too_deep=True)


def _check_room(place: _Place) -> None:
    """Raise CannotLayOut for a step that is too deep inside others, before what is inside it is laid out."""
    around = place.path.count("/")
    length = len(place.path) + place.path.count(ANY) * len(str(MAX_ELEMENTS))
    if around > MAX_AROUND:
        message = f"found a step inside of {around} others, expected at most {MAX_AROUND}: compose fewer in each other"
        raise CannotLayOut((Problem(place.field_path, message, "TooDeep"),))
    if length > MAX_PATH:
        message = f"found a step whose path, {place.path[:60]}…, has {length} characters, expected at most {MAX_PATH}"
        raise CannotLayOut((Problem(place.field_path, f"{message}: give shorter names", "TooDeep"),))


def _bodies(path: str, step: Step) -> Iterator[tuple[str | None, str, Body, str]]:
    """Yield condition, path, body and field of each body of a switch."""
    assert step.switch is not None
    for place, case in enumerate(step.switch.cases):
        yield case.when, f"{path}[{place}]", case, f"switch.cases[{place}]"
    if step.switch.default is not None:
        yield None, f"{path}[default]", step.switch.default, "switch.default"
