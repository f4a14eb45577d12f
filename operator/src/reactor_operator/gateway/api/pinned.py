"""The reactors behind graphs: as a run pinned them, from the store, or as they are now.

In: objects of the API server. Out: reactors that are laid out, in a thread: one of 10,000 steps takes a second.
Never here: a right to see them, or a guess; what a run keeps to is what the store says, or a Reactor of that very uid
and generation.
"""

import asyncio
from dataclasses import dataclass

from reactor_operator.api.blueprint import Blueprint, CannotLayOut, blueprint_of, composed_names
from reactor_operator.api.check import check_spec
from reactor_operator.api.planning import plan_of
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.gateway.api.graphs import LaidOut, laid_out
from reactor_operator.gateway.api.ports import Objects
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.kube.fields import JsonObject, int_at, map_at, text_at
from reactor_operator.reconciling.composing import MAX_COMPOSED
from reactor_operator.reconciling.definition import RECORD, Definition, decode_definition
from reactor_operator.store.port import RunStore

_AT_ONCE = 2
_ANY_TIMEOUT = 600_000
"""No graph shows it."""


@dataclass(frozen=True, slots=True)
class PinnedGraph:
    """The reactor of a run, None where it has no steps. `pinned`: it is what the run keeps to."""

    reactor: LaidOut | None
    pinned: bool


@dataclass(frozen=True, slots=True)
class NotSound:
    """A reactor that cannot be laid out, and why."""

    problems: tuple[str, ...]


class Reactors:
    """Lays out reactors, few at once: tasks of others are answered by the same process."""

    def __init__(self, store: RunStore, live: Objects) -> None:
        self._store = store
        self._live = live
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def of_run(self, run: JsonObject) -> PinnedGraph:
        """Return the reactor of a run. Raises Refusal (404), StoreUnavailable, Unavailable."""
        namespace, uid = text_at(run, "metadata", "namespace"), text_at(run, "metadata", "uid")
        async with self._turns:
            snapshot = await self._store.load(uid)
            record = snapshot.records.get(RECORD) if snapshot is not None and snapshot.records is not None else None
            if record is not None:
                definition = decode_definition(record)
                if not definition.lost:
                    found = await asyncio.to_thread(_of_definition, definition)
                    return PinnedGraph(_sound(found), pinned=True)
        pinned = map_at(run, "status", "reactor")
        reactor = await self._live.reactor(namespace, text_at(run, "spec", "reactorRef", "name"))
        if pinned and not is_as_of(reactor, text_at(pinned, "uid"), int_at(pinned, "generation")):
            name = text_at(run, "metadata", "name")
            raise Refusal(404, f"the store has nothing of run {name!r} any more, and its Reactor is another one by now")
        found = _sound(await self.of_reactor(reactor))
        return PinnedGraph(found, pinned=bool(pinned) and not _composes_others(found))

    async def of_reactor(self, reactor: JsonObject) -> LaidOut | NotSound:
        """Return a reactor as it is now, with those that it composes. Raises Refusal (404), Unavailable."""
        async with self._turns:
            checked = await asyncio.to_thread(check_spec, map_at(reactor, "spec"))
            if checked.spec is None:
                return NotSound(tuple(map(str, checked.problems)))
            composed = await self._composed(checked.spec, text_at(reactor, "metadata", "namespace"))
            if isinstance(composed, NotSound):
                return composed
            return await asyncio.to_thread(_laid_out, checked.spec, composed)

    async def _composed(self, spec: ReactorSpec, namespace: str) -> dict[str, ReactorSpec] | NotSound:
        composed: dict[str, ReactorSpec] = {}
        waiting = list(composed_names(spec))
        while waiting:
            name = waiting.pop(0)
            if name in composed:
                continue
            if len(composed) == MAX_COMPOSED:
                return NotSound((f"found more than {MAX_COMPOSED} Reactors in one, expected fewer",))
            found = await self._live.find_reactor(namespace, name)
            if found is None:
                return NotSound((f"compose.reactorRef.name: found no Reactor {name!r} in namespace {namespace!r}",))
            checked = await asyncio.to_thread(check_spec, map_at(found, "spec"))
            if checked.spec is None:
                return NotSound(tuple(f"Reactor {name!r}: {problem}" for problem in checked.problems))
            composed[name] = checked.spec
            waiting += composed_names(checked.spec)
        return composed


def is_as_of(reactor: JsonObject, uid: str, generation: int | None) -> bool:
    """Tell whether a reactor is the one that a run was pinned to, unchanged."""
    return (text_at(reactor, "metadata", "uid"), int_at(reactor, "metadata", "generation")) == (uid, generation)


def _composes_others(found: LaidOut | None) -> bool:
    """Tell whether other reactors are inside this one: those may have changed since a run began."""
    return found is not None and any(node.scope.name for node in found.blueprint.nodes.values())


def _sound(found: LaidOut | NotSound | None) -> LaidOut | None:
    if isinstance(found, NotSound):
        raise Refusal(404, "the Reactor of the run is not sound: it has no graph", errors=found.problems)
    return found


def _of_definition(definition: Definition) -> LaidOut | NotSound | None:
    """Return what a run keeps to, None where it has no steps. Nothing is kept: there are many, and some are large."""
    if definition.spec is None:
        return None
    checked = {name: check_spec(spec) for name, spec in {"": definition.spec, **definition.composed}.items()}
    specs = {name: one.spec for name, one in checked.items() if one.spec is not None}
    if len(specs) < len(checked):
        return NotSound(tuple(str(problem) for one in checked.values() for problem in one.problems))
    return _laid_out(specs.pop(""), specs)


def _laid_out(spec: ReactorSpec, composed: dict[str, ReactorSpec]) -> LaidOut | NotSound:
    try:
        blueprint: Blueprint = blueprint_of(spec, composed)
    except CannotLayOut as problem:
        return NotSound(tuple(map(str, problem.problems)))
    return laid_out(blueprint, plan_of(blueprint, pending_timeout_ms=_ANY_TIMEOUT))
