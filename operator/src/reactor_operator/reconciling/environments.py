"""What a step, its sources and its conditions may read: inputs, results and elements, from the documents of a run.

In: where a step stands. Out: an `Environment`. Never here: an evaluation; a document that nothing of it reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from reactor_operator.api.graph import sources_of
from reactor_operator.api.nodes import Located, Scope
from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine.elements import step_at
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.state import RunState, StepState
from reactor_operator.engine.values import ValueRef
from reactor_operator.evaluation.environment import NONE_READ, Element, Environment, ReadSensitive
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.mapped import place_of
from reactor_operator.reconciling.records import KnownRun


@dataclass(frozen=True, slots=True)
class Readable:
    """What can be read of a run. Raises StoreUnavailable, ValueLost and CannotDecrypt."""

    known: KnownRun
    state: RunState
    documents: Documents

    async def by_node(self, located: Located) -> Environment:
        """Return what a step reads before it starts. Of the many elements of a map none reads inputs for nothing."""
        node = located.node
        inputs = not located.indices or _reads_inputs(node.step)
        return await self._read(node.scope, located, node.reads(), node.elements(), inputs=inputs)

    async def by_sources(self, located: Located, sources: Iterable[Source]) -> Environment:
        """Return what sources read that are written in a step."""
        scope, written = located.node.scope, list(sources)
        return await self._read(scope, located, scope.results_of(written), scope.elements_of(written))

    async def by_returns(self, scope: Scope, located: Located | None) -> Environment:
        """Return what the result of a scope is told from; `located` is the step whose scope it is, None of the run."""
        assert scope.returns is not None
        return await self._read(scope, located, scope.results_of([scope.returns]), scope.elements_of([scope.returns]))

    def schema(self, scope: Scope) -> Mapping[str, object] | None:
        """Return the schema of the inputs that are read in a scope."""
        if scope.reactor.inputs_schema is not None:
            return scope.reactor.inputs_schema
        definition = self.known.definition
        return definition.shared_schema if not scope.name else definition.composed_schemas.get(scope.name)

    async def _read(
        self,
        scope: Scope,
        located: Located | None,
        reads: Mapping[str, str],
        maps: Mapping[str, str],
        *,
        inputs: bool = True,
    ) -> Environment:
        """Return what a scope lets its steps read; `reads` are steps and `maps` maps, template path by name."""
        refs = {name: self._step(path, located).result for name, path in reads.items()}
        given = self._inputs(scope, located) if inputs else None
        bodies = await self.documents.get([ref for ref in (given, *refs.values()) if ref is not None])
        parsed = {digest: orjson.loads(body) for digest, body in bodies.items()}
        run = self.known.definition.run
        return Environment(
            inputs=parsed[given.digest] if given is not None else {},
            results={name: None if ref is None else parsed[ref.digest] for name, ref in refs.items()},
            elements=await self._elements(maps, located) if maps and located is not None else {},
            inputs_schema=self.schema(scope),
            run={
                "name": run.name,
                "namespace": run.namespace,
                "uid": run.uid,
                "reactor": self.known.definition.reactor_name,
                **self._ending(),
            },
            sensitive=self._sensitive(scope, given, refs, maps),
        )

    def _step(self, template: str, located: Located | None) -> StepState:
        path = located.actual(template) if located is not None else template
        return step_at(self.known.plan, self.state, path)

    def _inputs(self, scope: Scope, located: Located | None) -> ValueRef | None:
        if scope.inputs_from == ROOT:
            return self.known.definition.inputs
        return self._step(scope.inputs_from, located).inputs

    async def _elements(self, maps: Mapping[str, str], located: Located) -> dict[str, Element]:
        """Return the elements that are read, by the name of their map, that of the innermost last."""
        found: dict[str, Element] = {}
        for name, template in sorted(maps.items(), key=lambda one: len(one[1])):
            path, index = located.actual(template), located.index_of(template)
            step = step_at(self.known.plan, self.state, path)
            number, place = place_of(path, step, index)
            value = await self.documents.pages.element(path, step.round, number, place)
            found[name] = Element(value, index, located.keys_of(name))
        return found

    def _sensitive(
        self, scope: Scope, inputs: ValueRef | None, refs: Mapping[str, ValueRef | None], maps: Mapping[str, str]
    ) -> ReadSensitive:
        assert self.known.blueprint is not None
        told = self.known.blueprint.sensitive
        results = frozenset(name for name, ref in refs.items() if ref is not None and ref.encrypted)
        elements = frozenset(name for name, template in maps.items() if template in told.elements)
        if not results and not elements and (inputs is None or not inputs.encrypted):
            return NONE_READ
        return ReadSensitive(inputs=told.inputs_of(scope.inputs_from), results=results, elements=elements)

    def _ending(self) -> Mapping[str, object]:
        """Return how the run ends, for its `finally` steps: the phase that is about to be told, and why it failed."""
        header = self.state.header
        if header.ending is None:
            return {}
        failure = header.failure
        told = None
        if failure is not None:
            told = {"step": failure.step, "kind": failure.failure.kind, "message": failure.failure.message}
        return {"phase": header.ending.phase, "failure": told}


def _reads_inputs(step: Step) -> bool:
    """Tell whether a step may read inputs before it starts; once too often does no harm."""
    conditions = [step.when or "", *(case.when for case in (step.switch.cases if step.switch is not None else ()))]
    expressions = [*conditions, *(source.expr or "" for _, source in sources_of(step))]
    return any("inputs" in one for one in expressions) or any(one.input is not None for _, one in sources_of(step))
