"""Whole-system runs over seeds: whatever crashes, dies or gets lost, the oracles hold once it stops.

`REACTOR_SEEDS` says how many seeds, `REACTOR_SEED` runs a single one. A failure prints its seed. After many seeds, what
never happened in any of them is a failure too (`conftest.py`).
"""

import os
from random import Random

import pytest

from reactor_operator.engine.state import DONE, RunState, StepPhase
from tests.simulation.coverage import Coverage, Fault
from tests.simulation.oracles import check
from tests.simulation.reactors import UNSOUND, random_reactor
from tests.simulation.world import Mischief, World

SINGLE = os.environ.get("REACTOR_SEED")
SEEDS = [int(SINGLE)] if SINGLE else range(int(os.environ.get("REACTOR_SEEDS", "100")))
_MOST = {
    Fault.CRASH: 4,
    Fault.TAKEOVER: 2,
    Fault.PAUSE: 1,
    Fault.LATE_CREATE: 2,
    Fault.ENTRY_REPEATED: 2,
    Fault.KILL: 2,
    Fault.VANISH: 2,
    Fault.CUT_OFF: 1,
}
"""How often each fault is tried at the most; these leave the end of a chain as it is."""
_SELDOM = {
    Fault.STALE_WAITING: 0.3,
    Fault.FOREIGN_POD: 0.2,
    Fault.CANCEL: 0.2,
    Fault.REQUEST: 0.25,
    Fault.DELETE_RUN: 0.15,
    Fault.STORE_EMPTIED: 0.08,
    Fault.STORE_ROLLED_BACK: 0.12,
}
"""In how many of the worlds each fault happens that may change how a run ends."""


def mischief_of(random: Random, *, comparable: bool) -> Mischief:
    """Return what goes wrong in one world."""
    faults = {fault: random.randint(0, most) for fault, most in _MOST.items()}
    if not comparable:
        faults |= {fault: 1 for fault, share in _SELDOM.items() if random.random() < share}
    return Mischief(faults=faults, fault_rate=random.choice([0.0, 0.02, 0.1]), slow=not comparable)


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_oracles_hold_after_the_faults_stop(seed: int, coverage: Coverage) -> None:
    random = Random(seed)
    comparable = random.random() < 0.4
    reactors = {f"r{n}": random_reactor(random, comparable=comparable) for n in range(random.randint(1, 3))}
    reactors["unsound"] = dict(UNSOUND)
    world = World(seed, reactors, mischief_of(random, comparable=comparable))
    try:
        await world.run()
        await check(world)
        if comparable and not world.cluster.strayed:
            await compare_with_a_quiet_world(world, reactors)
    finally:
        await world.close()
    coverage.add(world.coverage)


def is_done(state: RunState, path: str) -> bool:
    return state.step(path).phase in DONE


async def compare_with_a_quiet_world(world: World, reactors: dict[str, dict[str, object]]) -> None:
    """O3: the end is the one that the same script has when nothing goes wrong."""
    quiet = World(world.seed, reactors, Mischief())
    try:
        await quiet.run()
        for uid, run in world.cluster.runs.items():
            noisy_run, quiet_run = await world.known(uid), await quiet.known(uid)
            assert noisy_run is not None
            assert quiet_run is not None
            noisy, calm = noisy_run.state, quiet_run.state
            assert noisy.header.phase == calm.header.phase, f"O3: {run.ref.name} ends otherwise than without faults"
            # A skip after a loss is no skip: the lost launch may have acted, and is cleaned up.
            other = {p for p in noisy.steps.keys() | calm.steps.keys() if is_done(noisy, p) is not is_done(calm, p)}
            other -= {p for p in other if calm.step(p).phase is StepPhase.SKIPPED and noisy.step(p).uncertain}
            assert not other, f"O3: {other} of {run.ref.name} are done in one of the worlds only"
            undone = {p for p, s in calm.steps.items() if s.phase is StepPhase.UNDONE}
            assert undone <= set(noisy.header.undone), f"O3: less of {run.ref.name} is undone than without faults"
    finally:
        await quiet.close()
