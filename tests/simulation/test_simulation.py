"""Whole-system runs over seeds: whatever crashes, dies or gets lost, the oracles hold once it stops.

`REACTOR_SEEDS` says how many seeds, `REACTOR_SEED` runs a single one, which does the same each time; `REACTOR_STORE`
(memory, sqlite, redis) runs them all over one store. A failure prints its seed. After many seeds, what never happened
in any of them is a failure too (`coverage.py`, `conftest.py`). Rows of FAULTS are injected so:

| row | here |
|---|---|
| F1 | a crash at every place before and after an effect (`Place`); a commit that is applied is answered to nobody |
| F3 | old news of a pod, old entries, runs that siblings show as they once were |
| F4 | any news lost: of a change, an end, a record in the inbox; found when all is listed again |
| F5 | news repeated, out of order, up to 30 s late |
| F9 | calls not applied; applied, and the answer lost; creates that come late, are found done (409), or refused (422) |
| F10 | the leader paused 30 s, replaced while it goes on, or cut off for 30 s from the API server or the store alone |
| F13 | a status emptied, as it once was, nonsense, or ahead; annotations of a run; labels, owner, seal of a pod |
| F14 | a foreign pod under a task's name |

In some worlds steps wait for people (`waiting.py`), who resume them in every way that there is, twice, with what is
refused, and at the moment of the timeout (`resuming.py`); in some the clock steps with each new operator (`clocks.py`).
"""

import os
from collections.abc import Callable

import pytest

from reactor_operator.engine.state import DONE, RunState, StepPhase
from reactor_operator.reconciling.records import KnownRun
from tests.simulation.coverage import Coverage
from tests.simulation.disks import Disk, StoreKind
from tests.simulation.mapped_oracles import compare_outcomes, lost_elements, outcomes_of
from tests.simulation.oracles import check, is_contained
from tests.simulation.world import World
from tests.simulation.worlds import Sketch, kind_of, sketch_of

SINGLE = os.environ.get("REACTOR_SEED")
SEEDS = [int(SINGLE)] if SINGLE else range(int(os.environ.get("REACTOR_SEEDS", "100")))


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_oracles_hold_after_the_faults_stop(
    seed: int, coverage: Coverage, make_disk: Callable[[StoreKind], Disk]
) -> None:
    sketch = sketch_of(seed)
    world = sketch.world(make_disk(kind_of(seed)))
    try:
        await world.run()
        await check(world)
        if sketch.comparable and not world.cluster.strayed:
            await compare_with_a_quiet_world(world, sketch)
    finally:
        await world.close()
    coverage.add_world(world.coverage, kind_of(seed))


def is_done(state: RunState, path: str) -> bool:
    return state.step(path).phase in DONE


def may_stand_inside(noisy: KnownRun, quiet: KnownRun) -> bool:
    """Tell whether a launch inside a compose was lost that may have acted, and could not be reversed.

    Then the compose is not attempted again (docs/decisions/0017), as it is where the same step has surely failed.
    """
    stands = {StepPhase.ROLLBACK_FAILED, StepPhase.IGNORED}
    return any(
        step.uncertain and step.phase in stands and not quiet.state.step(path).uncertain
        for path, step in noisy.state.steps.items()
        if is_contained(noisy, path)
    )


async def compare_elements(name: str, noisy: tuple[World, KnownRun], calm: tuple[World, KnownRun]) -> set[str]:
    """O3: the elements of maps end as they do when nothing goes wrong.

    Return the maps of which only elements stand that were skipped after a loss.
    """
    here, there = await outcomes_of(*noisy), await outcomes_of(*calm)
    assert here.keys() == there.keys(), f"O3: {name}: maps {here.keys() ^ there.keys()} were begun in one world only"
    lost = {path: lost_elements(*noisy, path) for path in here}
    return {path for path in here if compare_outcomes(f"{name}: {path}", here[path], there[path], lost[path])}


async def compare_with_a_quiet_world(world: World, sketch: Sketch) -> None:
    """O3: the end is the one that the same script has when nothing goes wrong."""
    quiet = sketch.quiet_world()
    try:
        await quiet.run()
        for uid, run in world.cluster.runs.items():
            noisy_run, quiet_run = await world.known(uid), await quiet.known(uid)
            assert noisy_run is not None
            assert quiet_run is not None
            noisy, calm = noisy_run.state, quiet_run.state
            if may_stand_inside(noisy_run, quiet_run):
                continue
            assert noisy.header.phase == calm.header.phase, f"O3: {run.ref.name} ends otherwise than without faults"
            # A skip after a loss is no skip: the lost launch may have acted, and is cleaned up.
            other = {p for p in noisy.steps.keys() | calm.steps.keys() if is_done(noisy, p) is not is_done(calm, p)}
            other -= {p for p in other if calm.step(p).phase is StepPhase.SKIPPED and noisy.step(p).uncertain}
            assert not other, f"O3: {other} of {run.ref.name} are done in one of the worlds only"
            stand = await compare_elements(run.ref.name, (world, noisy_run), (quiet, quiet_run))
            undone = {p for p, s in calm.steps.items() if s.phase is StepPhase.UNDONE} - stand
            assert undone <= set(noisy.header.undone), f"O3: less of {run.ref.name} is undone than without faults"
    finally:
        await quiet.close()
