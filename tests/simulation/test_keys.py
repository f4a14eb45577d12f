"""Business keys under faults: of several runs of one transaction one acts, and the others end as it did or not at all.

The ledger sees a second run that acts: it would hand out idempotency keys that another run's tasks have (rule 12).
`REACTOR_SEED` and `REACTOR_SEEDS` as in `test_simulation.py`; a quarter as many are enough. No state is lost here:
which keys a store has lost cannot be known.
"""

from dataclasses import replace
from random import Random

import pytest

from reactor_operator.ports import RunRef
from tests.simulation.coverage import Coverage, Fault, Seen
from tests.simulation.oracles import check
from tests.simulation.reactors import UNSOUND, random_reactor
from tests.simulation.test_simulation import SEEDS
from tests.simulation.world import World
from tests.simulation.worlds import mischief_of

_LOSSES = (Fault.STORE_EMPTIED, Fault.STORE_ROLLED_BACK)
_KEY = "order-o-1"


class KeyedWorld(World):
    """All runs of a reactor are one transaction; each has at least one that comes later."""

    def _apply(self, number: int, name: str, spec: dict[str, object]) -> None:
        super()._apply(number, name, spec)
        self._later.append((RunRef("shop", f"run-{name}-twin", f"uid-{number}-twin"), name))

    def _apply_run(self, ref: RunRef, reactor: str) -> None:
        super()._apply_run(ref, reactor)
        run = self.cluster.runs[ref.uid]
        self.cluster.runs[ref.uid] = replace(run, spec={**run.spec, "idempotencyKey": _KEY})


def check_keys(world: World, reactor: str) -> set[Seen]:
    """One run acted; of the others each ended as one that acted did, or was refused. Return how they ended."""
    uids = {uid for uid, name in world.ledger.reactor_of.items() if name == reactor}
    actors = {act.run for act in world.ledger.acts if act.run in uids}
    assert len(actors) <= 1, f"{actors} of {reactor} acted"
    ends: set[Seen] = set()
    for uid in uids & world.cluster.runs.keys() - actors:
        status = world.cluster.runs[uid].status
        taken, failure = status.get("takenFrom"), status.get("failure")
        if isinstance(taken, dict):
            ends.add(Seen.OUTCOME_TAKEN)
            source = world.cluster.runs.get(taken["uid"])
            again = world.ledger.asked | world.ledger.requests.excused  # asked for, or by a status that was forged
            if source is not None and source.ref.uid not in again:
                assert status["phase"] == source.status["phase"], (
                    f"{uid} took the outcome of {taken}, which ended otherwise"
                )
        elif isinstance(failure, dict) and failure["kind"] == "KeyConflict":
            ends.add(Seen.KEY_REFUSED)
    return ends


@pytest.mark.parametrize("seed", SEEDS[: (len(SEEDS) + 3) // 4])
async def test_of_runs_with_one_key_one_acts_whatever_crashes(seed: int, coverage: Coverage) -> None:
    random = Random(seed)
    reactors = {f"r{n}": random_reactor(random, comparable=False) for n in range(random.randint(1, 2))}
    reactors["unsound"] = dict(UNSOUND)
    mischief = mischief_of(random, comparable=False)
    faults = {fault: times for fault, times in mischief.faults.items() if fault not in _LOSSES}
    if random.random() < 0.3:
        faults[Fault.DELETE_RUN] = 1
    world = KeyedWorld(seed, reactors, replace(mischief, faults=faults))
    try:
        await world.run()
        await check(world)
        ends = set().union(*(check_keys(world, reactor) for reactor in reactors))
    finally:
        await world.close()
    coverage.add_keyed_world(ends)
