"""The steps of a run as a blueprint has them, and the scopes that they are in.

In: what was laid out (see `blueprint`). Out: frozen values to ask: what a step reads, where an element is.
Never here: laying out, documents.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reactor_operator.api.elements import (
    INNERMOST,
    ElementKeys,
    IndexOf,
    elements_of_map,
    elements_of_source,
    elements_of_step,
)
from reactor_operator.api.graph import Names, mentions_of, mentions_of_map, mentions_of_source
from reactor_operator.api.paths import Keys
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.api.sources import Source
from reactor_operator.api.templates import ANY, actual_path
from reactor_operator.engine.plan import OUTERMOST, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Steps that see each other, and what their sources and expressions read.

    reactor:      the reactor they are written in, whose defaults hold for them.
    name:         its name; empty for the run's own.
    inputs_from:  the path of the compose whose inputs they read; empty: the run's.
    around:       the scope whose steps they see too.
    maps:         the maps whose elements they see: path by name, the innermost last.
    element_keys: what leads to these elements from the inputs, where they stand in them.
    map_path:     the innermost map they are inside of, though they may not see its element; empty: none.
    """

    path: str
    reactor: ReactorSpec
    name: str
    inputs_from: str
    names: Names
    around: "Scope | None"
    returns: Source | None
    maps: Mapping[str, str] = field(default_factory=dict)
    element_keys: Mapping[str, ElementKeys] = field(default_factory=dict)
    map_path: str = ""

    def path_of(self, name: str) -> str:
        """Return the path of the step that is called `name` here. Raises KeyError."""
        if name in self.names.places:
            return step_path(self.path, name)
        if self.around is None:
            raise KeyError(name)
        return self.around.path_of(name)

    def results_of(self, sources: Iterable[Source]) -> dict[str, str]:
        """Return the steps whose results the sources read: path by name."""
        found = (self.names.resolve(mention) for source in sources for mention in mentions_of_source(source))
        return {name: self.path_of(name) for name in found if name is not None}

    def elements_of(self, sources: Iterable[Source]) -> dict[str, str]:
        """Return the maps whose elements, or their places, the sources read: path by name."""
        return self.maps_called(name for source in sources for name in elements_of_source(source))

    def maps_called(self, names: Iterable[str]) -> dict[str, str]:
        """Return the maps of these names that are seen here: path by name."""
        innermost = list(self.maps)[-1] if self.maps else ""
        called = (innermost if name == INNERMOST else name for name in names)
        return {name: self.maps[name] for name in called if name in self.maps}

    @property
    def innermost(self) -> str:
        """The path of the map whose element expressions call `element`; empty where they see none."""
        return list(self.maps.values())[-1] if self.maps else ""

    @property
    def last(self) -> str:
        """The path of the step written last."""
        return step_path(self.path, list(self.names.places)[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step of a run.

    step:    what it does, as if it were written by itself: a body of a switch has the policies of the switch.
    scope:   where it is; `inside` is the scope of its own steps, None where it has none, or they are nested too deeply.
    needs:   paths of the steps of its scope that it waits for.
    bodies:  of a switch: the condition (None: default) and the path of each body, whose `chosen_when` it is.
    field_path: where it is written, for messages; `step_field` is where the step is written whose body it is.
    """

    path: str
    kind: StepKind
    step: Step
    scope: Scope
    needs: tuple[str, ...] = ()
    bodies: tuple[tuple[str | None, str], ...] = ()
    chosen_when: str | None = None
    too_deep: bool = False
    field_path: str = ""
    step_field: str = ""

    def reads(self) -> dict[str, str]:
        """Return the steps whose results its own sources and conditions read: path by name.

        What elements of a map read, their own nodes tell.
        """
        mentions = mentions_of_map(self.step) if self.kind is StepKind.MAP else mentions_of(self.step)
        found = (self.scope.names.resolve(mention) for mention in mentions)
        return {name: self.scope.path_of(name) for name in found if name is not None}

    def elements(self) -> dict[str, str]:
        """Return the maps whose elements, or their places, its own sources and conditions read: path by name."""
        return self.scope.maps_called(
            elements_of_map(self.step) if self.kind is StepKind.MAP else elements_of_step(self.step)
        )


@dataclass(frozen=True, slots=True)
class Located:
    """What stands at an actual path, and the places of the elements that it is inside of, outermost first."""

    node: Node
    indices: tuple[int, ...] = ()

    def actual(self, template: str) -> str:
        """Return the actual path of a step that this one sees. Raises ValueError for one inside another map."""
        return actual_path(template, self.indices) if self.indices else template

    def index_of(self, map_path: str) -> int:
        """Return the place of the element of a map around this, told by the template path of the map."""
        return self.indices[map_path.count(ANY)]

    def keys_of(self, name: str) -> Keys | None:
        """Return what leads from the inputs to the element of a map around this; None where it stands elsewhere."""
        keys = self.node.scope.element_keys.get(name)
        if keys is None:
            return None
        return tuple(self.index_of(key.map_path) if isinstance(key, IndexOf) else key for key in keys)


def step_path(scope: str, name: str) -> str:
    """Return the path of a step inside a scope."""
    return f"{scope}/{name}" if scope not in OUTERMOST else name
