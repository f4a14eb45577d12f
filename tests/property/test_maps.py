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

from reactor_operator.engine import events as ev
from reactor_operator.engine import history, mapping, outcomes, unmapping
from reactor_operator.engine.decide import decide
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import ActionPlan, MapPlan, Plan, StepKind, StepPlan
from reactor_operator.engine.state import ENDED, RollbackState, RunPhase, RunState, Stage, StepPhase
from reactor_operator.store import outcome_pages
from tests.property.map_plans import plans_with_maps
from tests.property.maps_world import PAGE, SOURCE_PAGE, MapsWorld

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


def finished(plan: Plan, random: Random) -> tuple[MapsWorld, RunState]:
    world = MapsWorld(plan, random)
    return world, world.run()


def under_way(plan: Plan, random: Random) -> MapsWorld:
    """A world in which most likely elements are in flight."""
    world = MapsWorld(plan, random, cancels=False)
    world.feed(ev.TimePassed())
    while world.state.header.stage is not Stage.OVER:
        if any(world.state.elements.values()) and random.random() < 0.1:
            break
        world.move()
    return world


@worlds
@given(plans_with_maps(), randoms)
def test_every_run_with_maps_ends_and_leaves_nothing_behind(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
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


@worlds
@given(plans_with_maps(), randoms)
def test_a_map_succeeds_only_when_every_element_of_it_has_ended(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    for path, step in state.steps.items():
        if step.map is not None and step.phase is StepPhase.SUCCEEDED:
            assert sorted(world.recorded[path, step.round]) == list(range(step.map.total or 0))


@worlds
@given(plans_with_maps(), randoms)
def test_after_a_rollback_that_is_complete_whatever_an_element_did_is_undone(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    if state.header.phase is not RunPhase.FAILED or state.header.rollback is RollbackState.INCOMPLETE:
        return
    undone = {
        (task.path, task.round)
        for task, outcome in world.ledger.outcomes.items()
        if task.action is Action.UNDO and isinstance(outcome, ev.TaskSucceeded | ev.TaskSkipped)
    }
    for task in world.ledger.succeeded:
        if world.is_inside_map(task.path) and world.planned(task.path).undo is not None:
            assert (task.path, task.round) in undone, f"{task.key} succeeded, and was not undone"


@worlds
@given(plans_with_maps(), randoms)
def test_after_a_cancel_no_element_starts_anything(plan: Plan, random: Random) -> None:
    world = under_way(plan, random)
    before = len(world.ledger.started)
    over = world.state.header.stage is Stage.OVER
    world.feed(ev.CancelRequested(id="stop"))
    state = world.run()
    assert world.ledger.started[before:] == []
    assert over or state.header.phase is RunPhase.CANCELLED


@pytest.mark.parametrize("asked", ["cancel", "undo", "retry"])
@worlds
@given(plan=plans_with_maps(), random=randoms)
def test_a_run_with_maps_that_lost_its_state_starts_nothing_and_ends_after_what_is_asked_of_it(
    asked: str, plan: Plan, random: Random
) -> None:
    world = under_way(plan, random)
    if world.state.header.stage is Stage.OVER:
        return
    world.lose()
    before = len(world.ledger.started)
    for task in list(world.open)[: random.randrange(4)]:
        world.feed(world.outcome(task))
        world.feed(ev.TimePassed())
    assert world.state.header.stage is Stage.RECOVERING
    assert world.ledger.started[before:] == []
    requests: dict[str, ev.Event] = {"cancel": ev.CancelRequested(id="ask"), "retry": ev.RetryRequested(id="ask")}
    world.feed(requests.get(asked, ev.UndoRequested(id="ask")))
    if not world.state.header.signals[-1].accepted:
        world.feed(ev.UndoRequested(id="undo"))
    assert world.run().header.phase in ENDED
    assert not world.open


@worlds
@given(plans_with_maps(), randoms)
def test_after_the_end_nothing_that_elements_tell_changes_anything(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    for task in world.closed[:5]:
        assert decide(plan, state, world.outcome(task), world.now + 1).state is state
    assert decide(plan, state, ev.TimePassed(), world.now + 10**9).state is state


@pytest.mark.parametrize("undo_window", [1, 2])
def test_what_an_operator_loads_of_a_map_is_as_much_for_many_elements_as_for_few(undo_window: int) -> None:
    def most_records(count: int) -> tuple[int, int]:
        element = {"s0[]": StepPlan(path="s0[]", index=0, run=ActionPlan(), undo=ActionPlan())}
        rows = MapPlan(element=Plan(steps=element), batch_size=4, undo_window=undo_window, reverses=True)
        later = StepPlan(path="s1", index=1, needs=("s0",), run=ActionPlan())
        first = StepPlan(path="s0", index=0, kind=StepKind.MAP, map=rows, dependents=("s1",))
        world = MapsWorld(Plan(steps={"s0": first, "s1": later}), Random(7))
        world.totals["s0", 1] = count
        world.feed(ev.TimePassed())
        records, bytes_ = 0, 0
        while world.open:
            task = world.random.choice(list(world.open))
            bad = Failure(kind=FailureKind.ERROR, message="bad", retryable=False)
            outcome = ev.TaskFailed(task=task, failure=bad) if task.path == "s1" else ev.TaskSucceeded(task=task)
            world.feed(outcome)
            while world.wake_at is not None and world.wake_at <= world.now:
                world.feed(ev.TimePassed())
            records, bytes_ = max(records, world.store.records()), max(bytes_, world.store.size())
        assert world.state.header.rollback is RollbackState.COMPLETE
        return records, bytes_

    (few, bytes_of_few), (many, bytes_of_many) = most_records(60), most_records(300)
    assert max(few, many) <= 4 + (4 + 1), "the window, a page of outcomes for each element in it, and the newest"
    assert bytes_of_many < 1.2 * bytes_of_few
