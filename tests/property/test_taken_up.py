"""Rules over random runs that are asked for several things at once, or lost their state in the midst of a cleanup.

The world itself checks each launch, and that a run is never stuck.
"""

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_operator.engine import events as ev
from reactor_operator.engine.decide import recovering
from reactor_operator.engine.derive import restore
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import CLEANUP, ENDED, Stage, StepPhase
from tests.property.strategies import plans
from tests.property.world import World

worlds = settings(max_examples=int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)
randoms = st.integers(0, 2**32 - 1).map(Random)
MAY_FOLLOW = {"cancel": set[str](), "undo": {"cancel"}, "retry": {"cancel", "undo", "skip"}, "skip": {"cancel", "undo"}}
"""What may be accepted behind what was accepted, of requests that are read together."""


def request(world: World, name: str) -> ev.Signal:
    """Make up what a person asks for."""
    listed = tuple(one.step for one in world.state.header.rollback_failures)
    stands = world.random.random() < 0.5
    match world.random.randrange(4):
        case 0:
            return ev.CancelRequested(id=name)
        case 1:
            return ev.UndoRequested(id=name)
        case 2:
            return ev.RetryRequested(id=name, standing=listed if stands else (), undone=() if stands else listed)
        case _:
            return ev.SkipRequested(id=name, step=world.random.choice(list(world.plan.steps)), value=world.value())


def is_between_cleanups(world: World) -> bool:
    """Tell whether something is about to be reversed, and no task does so now."""
    header, steps = world.state.header, world.state.steps.values()
    waits = any(step.phase in CLEANUP for step in steps) or bool(header.failing or header.containing)
    return waits and not any(step.phase in CLEANUP and step.task is not None for step in steps)


def move(world: World) -> None:
    """Let one thing happen; that a run holds still is one of them."""
    if world.random.random() < 0.1:
        header = world.state.header
        world.feed(ev.SpecChanged(suspended=not header.suspended, generation=header.generation + 1))
    else:
        world.move()


@worlds
@given(plans(), randoms)
def test_requests_that_are_read_together_are_judged_one_after_the_other(plan: Plan, random: Random) -> None:
    world = World(plan, random, cancels=False)
    world.feed(ev.TimePassed())
    for number in range(random.randrange(80)):
        if random.random() < 0.85 and world.state.header.stage is not Stage.OVER:
            world.move()
            continue
        stopped_finals = world.state.header.ending is not None
        world.feed(*(request(world, f"{number} {place}") for place in range(2)))
        first, second = world.state.header.signals[-2:]
        if first.accepted and not stopped_finals:
            assert not second.accepted or second.action in MAY_FOLLOW[first.action]
            assert second.accepted or second.action != "cancel" or first.action == "cancel"
    assert world.run().header.phase in ENDED
    assert not world.open


@pytest.mark.parametrize("asked", ["retry", "undo"])
@worlds
@given(plan=plans(), random=randoms)
def test_a_run_that_lost_its_state_in_the_midst_of_a_cleanup_ends_after_what_is_asked_of_it(
    asked: str, plan: Plan, random: Random
) -> None:
    world = World(plan, random, cancels=False)
    world.feed(ev.TimePassed())
    for _ in range(80):
        if world.state.header.stage is Stage.OVER or (is_between_cleanups(world) and random.random() < 0.7):
            break
        move(world)
    if world.state.header.stage is Stage.OVER:
        return
    world.state = restore(plan, recovering(world.state.header, world.now), dict(world.state.steps))
    world.retold.is_stopped(world.state)
    if asked == "retry":
        world.feed(ev.RetryRequested(id="retry"))
    if asked == "undo" or not world.state.header.signals[-1].accepted:
        world.feed(ev.UndoRequested(id="undo"))
        assert world.state.header.signals[-1].accepted
    state = world.run()
    assert state.header.phase in ENDED
    assert not world.open
    listed = {one.step for one in state.header.rollback_failures}
    assert all(path in listed for path, step in state.steps.items() if step.phase is StepPhase.ROLLBACK_FAILED)
