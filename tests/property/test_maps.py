"""The rules of maps over random plans, outcomes, losses, delays and requests (DESIGN 5); what holds at every moment is
checked by the world itself (`maps_world.py`).

`REACTOR_EXAMPLES` says how many runs each rule is tried on.
"""

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_operator.engine import mapping, outcomes, unmapping
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import ENDED, RollbackState, RunPhase
from reactor_operator.store import outcome_pages
from tests.property.map_plans import plans_with_maps
from tests.property.maps_world import PAGE, SOURCE_PAGE, MapsWorld

worlds = settings(max_examples=int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)
randoms = st.integers(0, 2**32 - 1).map(Random)


@pytest.fixture(scope="module", autouse=True)
def small_pages() -> Iterator[None]:
    """A map of a few elements has several pages."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (outcomes, unmapping, outcome_pages):
            patch.setattr(module, "PAGE", PAGE)
        for module in (mapping, outcomes):
            patch.setattr(module, "SOURCE_PAGE", SOURCE_PAGE)
        yield


@worlds
@given(plans_with_maps(), randoms)
def test_every_run_with_maps_ends_and_leaves_nothing_behind(plan: Plan, random: Random) -> None:
    world = MapsWorld(plan, random)
    state = world.run()
    assert state.header.phase in ENDED
    assert not world.open
    world.check_end()


@worlds
@given(plans_with_maps(), randoms)
def test_whatever_people_ask_maps_keep_to_their_rules(plan: Plan, random: Random) -> None:
    world = MapsWorld(plan, random, signals=random.randint(1, 8))
    state = world.run()
    assert state.header.phase in ENDED
    assert not world.open
    world.check_end()
    if state.header.phase is RunPhase.UNDONE:
        assert state.header.rollback is not RollbackState.INCOMPLETE
