"""Whole-system runs over seeds: whatever crashes, dies or gets lost, the oracles hold once it stops.

`REACTOR_SEEDS` says how many seeds, `REACTOR_SEED` runs a single one. A failure prints its seed.
"""

import os
from random import Random

import pytest

from reactor_operator.engine.state import DONE, StepPhase
from tests.simulation.oracles import check
from tests.simulation.reactors import random_reactor
from tests.simulation.world import Mischief, World

SINGLE = os.environ.get("REACTOR_SEED")
SEEDS = [int(SINGLE)] if SINGLE else range(int(os.environ.get("REACTOR_SEEDS", "100")))


def mischief_of(random: Random) -> Mischief:
    return Mischief(
        crashes=random.randint(0, 4),
        takeovers=random.randint(0, 2),
        kills=random.randint(0, 3),
        fault_rate=random.choice([0.0, 0.02, 0.1]),
        cancels=random.random() < 0.2,
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_oracles_hold_after_the_faults_stop(seed: int) -> None:
    random = Random(seed)
    chain = random.random() < 0.5
    reactors = {f"r{n}": random_reactor(random, chain=chain) for n in range(random.randint(1, 3))}
    reactors["unsound"] = {"steps": [{"name": "a", "run": {"python": {"handler": "m:f"}}, "waitFor": ["a"]}]}
    mischief = mischief_of(random)
    world = World(seed, reactors, mischief)
    try:
        await world.run()
        await check(world)
        if chain and not mischief.cancels:
            await compare_with_a_quiet_world(world, reactors)
    finally:
        await world.close()


async def compare_with_a_quiet_world(world: World, reactors: dict[str, dict[str, object]]) -> None:
    """O3: the end is the one that the same script has when nothing goes wrong."""
    quiet = World(world.seed, reactors, Mischief())
    try:
        await quiet.run()
        for uid in world.cluster.runs:
            noisy_run, quiet_run = await world.known(uid), await quiet.known(uid)
            assert noisy_run is not None
            assert quiet_run is not None
            noisy, calm = noisy_run.state, quiet_run.state
            assert noisy.header.phase == calm.header.phase
            assert {p for p, s in noisy.steps.items() if s.phase in DONE} == {
                p for p, s in calm.steps.items() if s.phase in DONE
            }
            undone = {p for p, s in calm.steps.items() if s.phase is StepPhase.UNDONE}
            assert undone <= set(noisy.header.undone)
    finally:
        await quiet.close()
