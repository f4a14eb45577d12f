"""Correlation ids of open interrupts: under what name the store has them, who holds one, and what a commit changes.

In: a run before and after a pass, the store. Out: names taken and let go; who else holds a name.
Never here: an interrupt opened or failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.engine.interrupting import open_interrupts
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.port import Closed, Correlations


def correlation_name(namespace: str, reactor: str, correlation: str) -> str:
    """Return the name under which the store has the id of an interrupt that `reactor` declares."""
    return f"{namespace}/{reactor}/{correlation}"


def parse_correlation_name(name: str) -> tuple[str, str, str]:
    """Return the namespace, the reactor and the id that `correlation_name` was told; only the id may have a slash."""
    namespace, reactor, correlation = name.split("/", 2)
    return namespace, reactor, correlation


def holder_name(path: str, round_: int) -> str:
    """Return what the store has for whoever holds an id: the interrupt, in one round."""
    return f"{path}.{round_}"


def parse_holder(holder: str) -> tuple[str, int]:
    """Return the path and the round that `holder_name` was told."""
    path, _, round_ = holder.rpartition(".")
    return path, int(round_)


@dataclass(slots=True)
class OpenIds:
    """The ids that interrupts of one run ask for in one pass, before any of them is committed."""

    store: Correlations
    run: str
    _asked: dict[str, str] = field(default_factory=dict)

    async def other_holder(self, name: str, holder: str, open_here: Mapping[str, str]) -> str:
        """Return who else holds an id, in words, empty where nobody does: then it is asked for. Raises
        StoreUnavailable.

        `open_here` are the ids of the run as it is now: what the store has of it may be let go by the next commit.
        """
        here = {**open_here, **self._asked}.get(name, holder)
        if here != holder:
            return f"step {parse_holder(here)[0]} of this run"
        found = await self.store.find_correlation(name)
        if found is not None and not isinstance(found, Closed) and found.run != self.run:
            return f"step {parse_holder(found.path)[0]} of run {found.run}"
        self._asked[name] = holder
        return ""


def ids_of(known: KnownRun, plan: Plan, state: RunState) -> dict[str, str]:
    """Return the ids that are open in a state: holder by name."""
    blueprint = known.blueprint
    if blueprint is None:
        return {}
    found = {}
    for path, _, step in open_interrupts(plan, state):
        if step.interrupt is not None and step.interrupt.correlation:
            reactor = blueprint.at(path).node.scope.name or known.definition.reactor_name
            name = correlation_name(known.definition.run.namespace, reactor, step.interrupt.correlation)
            found[name] = holder_name(path, step.round)
    return found


def changed_ids(known: KnownRun, after: RunState) -> tuple[dict[str, str | None], frozenset[str]]:
    """Return what a commit takes and lets go, and the names among them that one step passes on to another."""
    if after is known.state:
        return {}, frozenset()
    before, now = ids_of(known, known.plan, known.state), ids_of(known, known.plan, after)
    taken: dict[str, str | None] = {name: holder for name, holder in now.items() if before.get(name) != holder}
    return taken | dict.fromkeys(before.keys() - now.keys()), frozenset(taken.keys() & before.keys())
