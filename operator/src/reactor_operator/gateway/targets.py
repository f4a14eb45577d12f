"""Which run a signal is for: the one of a name, or the one in which an interrupt is open under a correlation id.

In: names, ids. Out: a `Target`. Never here: a look into a run, or a run of another namespace than the one asked for.
"""

from dataclasses import dataclass
from typing import Protocol

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.reconciling.correlations import correlation_name, parse_holder
from reactor_operator.store.port import Closed, Correlations


class Runs(Protocol):
    """Runs by name."""

    async def find_run(self, namespace: str, name: str) -> str | None:
        """Return the uid of a run, None where there is none of the name. Raises Refusal, Unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A run by its uid. `step` is the interrupt that was found, in a round; `closed`: it takes nothing more under its
    id."""

    run: str
    step: str = ""
    round: int = 0
    closed: bool = False


class Targets:
    """Finds runs."""

    def __init__(self, runs: Runs, correlations: Correlations) -> None:
        self._runs = runs
        self._correlations = correlations

    async def by_name(self, namespace: str, name: str) -> Target:
        """Return the run of this name. Raises Refusal (404), Unavailable."""
        uid = await self._runs.find_run(namespace, name)
        if uid is None:
            raise Refusal(404, f"there is no run {name!r} in namespace {namespace}")
        return Target(run=uid)

    async def by_correlation(self, namespace: str, reactor: str, id_: str) -> Target:
        """Return the run in which an interrupt of a reactor waits under an id, or did not long ago.

        Raises Refusal (404), StoreUnavailable.
        """
        found = await target_under(self._correlations, namespace, reactor, id_)
        if found is None:
            raise Refusal(404, f"no interrupt of reactor {namespace}/{reactor} waits under the id {id_!r}")
        return found


async def target_under(correlations: Correlations, namespace: str, reactor: str, id_: str) -> Target | None:
    """Return the run in which an interrupt of a reactor waits under an id, or did not long ago; None where none did.

    Raises StoreUnavailable.
    """
    found = await correlations.find_correlation(correlation_name(namespace, reactor, id_))
    if found is None:
        return None
    step, round_ = parse_holder(found.path)
    return Target(run=found.run, step=step, round=round_, closed=isinstance(found, Closed))
