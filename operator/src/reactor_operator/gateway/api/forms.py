"""What the payloads of interrupts must be, for whoever shows a form: of runs whose Reactor is still what they keep to.

In: what waits. Out: schemas; what was read of a Reactor is kept for half a minute. Never here: the schema of a step
inside another Reactor, which may have changed unnoticed, or a right to see one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.api.nodes import Node
from reactor_operator.api.templates import element_of, template_of
from reactor_operator.engine.plan import StepKind
from reactor_operator.gateway.api.pinned import NotSound, Reactors, is_as_of
from reactor_operator.gateway.api.ports import Objects
from reactor_operator.gateway.kept import Kept
from reactor_operator.kube.fields import int_at
from reactor_operator.mirror.summary import RunSummary

KEPT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """The schemas of one reactor by template path. `maps`: its maps, by which elements are told from bodies."""

    generation: int
    schemas: Mapping[str, object] = field(default_factory=dict)
    maps: frozenset[str] = frozenset()

    def of(self, step: str) -> object | None:
        """Return the schema of the step at an actual path, None where it has none."""
        if step in self.schemas:
            return self.schemas[step]
        template, _ = element_of(step, self.maps.__contains__) or template_of(step, self.maps.__contains__)
        return self.schemas.get(template)


class KnownForms:
    """Finds schemas."""

    def __init__(self, live: Objects, reactors: Reactors) -> None:
        self._live = live
        self._reactors = reactors
        self._kept = Kept[Forms](KEPT_SECONDS)

    async def of(self, run: RunSummary, step: str) -> object | None:
        """Return the schema of what waits in a run, None where it is not known. Raises Refusal (404), Unavailable."""
        where = (run.namespace, run.reactor, run.reactor_uid)
        kept = self._kept.get(where)
        if kept is None or kept.generation < run.reactor_generation:
            kept = await self._read(run)
            self._kept.keep(where, kept)
        return kept.of(step) if kept.generation == run.reactor_generation else None

    async def _read(self, run: RunSummary) -> Forms:
        reactor = await self._live.find_reactor(run.namespace, run.reactor)
        generation = int_at(reactor, "metadata", "generation") or 0
        if reactor is None or not is_as_of(reactor, run.reactor_uid, run.reactor_generation):
            return Forms(generation=max(generation, run.reactor_generation))
        found = await self._reactors.of_reactor(reactor)
        if isinstance(found, NotSound):
            return Forms(generation=generation)
        nodes = found.blueprint.nodes
        return Forms(
            generation=generation,
            schemas={path: schema for path, node in nodes.items() if (schema := _schema_of(node)) is not None},
            maps=frozenset(path for path, node in nodes.items() if node.kind is StepKind.MAP),
        )


def _schema_of(node: Node) -> object | None:
    if node.scope.name or node.step.interrupt is None:  # one of another Reactor is not known to be as it was
        return None
    return node.step.interrupt.payload_schema
