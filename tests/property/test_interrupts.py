"""The rules of interrupts over random plans, payloads, timeouts and requests (DESIGN 6); what holds at every moment is
checked by the worlds themselves (`interrupts_world.py`, `waits.py`).

`REACTOR_EXAMPLES` says how many runs each rule is tried on.
"""

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_operator.engine import history, mapping, outcomes, unmapping
from reactor_operator.engine.decide import decide
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import DONE, ENDED, RunPhase
from reactor_operator.store import outcome_pages
from tests.property.interrupt_plans import maps_with_interrupts, plans_with_interrupts
from tests.property.interrupts_world import WaitingMaps, WaitingWorld
from tests.property.maps_world import PAGE, SOURCE_PAGE
from tests.property.waits import open_interrupts

worlds = settings(max_examples=int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)
randoms = st.integers(0, 2**32 - 1).map(Random)


@pytest.fixture(scope="module", autouse=True)
def small_pages() -> Iterator[None]:
    """A map of a few elements has several pages."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (history, outcomes, unmapping, outcome_pages):
            patch.setattr(module, "PAGE", PAGE)
        for module in (mapping, outcomes):
            patch.setattr(module, "SOURCE_PAGE", SOURCE_PAGE)
        yield


@worlds
@given(plans_with_interrupts(), randoms)
def test_a_run_with_interrupts_ends_whatever_people_send(plan: Plan, random: Random) -> None:
    world = WaitingWorld(plan, random)
    state = world.run()
    assert state.header.phase in ENDED
    assert not open_interrupts(plan, state)
    if state.header.phase is RunPhase.SUCCEEDED:
        assert all(state.step(path).phase in DONE for path in plan.children)


@worlds
@given(plans_with_interrupts(), randoms)
def test_whatever_else_they_ask_for_a_payload_counts_once(plan: Plan, random: Random) -> None:
    world = WaitingWorld(plan, random, signals=random.randint(1, 8))
    assert world.run().header.phase in ENDED
    assert not world.open


@worlds
@given(maps_with_interrupts(), randoms)
def test_elements_of_maps_wait_like_any_step_and_leave_nothing_behind(plan: Plan, random: Random) -> None:
    world = WaitingMaps(plan, random, signals=random.choice([0, 4]))
    assert world.run().header.phase in ENDED
    assert not world.open
    world.check_end()


@worlds
@given(plans_with_interrupts(), randoms)
def test_after_the_end_every_request_is_told_so_and_one_that_was_consumed_hears_nothing(
    plan: Plan, random: Random
) -> None:
    world = WaitingWorld(plan, random)
    state = world.run()
    for request in world.sent:
        after = decide(plan, state, request, world.now).state
        assert after.steps == state.steps
        if request.id in world.waits.consumed:
            assert after is state
        elif after is not state:
            assert not after.header.signals[-1].accepted
