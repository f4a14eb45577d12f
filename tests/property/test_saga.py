"""The rules of a saga over random graphs, outcomes, losses, delays and cancels (DESIGN 4).

`REACTOR_EXAMPLES` says how many runs each rule is tried on.
"""

import os
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.decide import decide, recovering
from reactor_operator.engine.derive import restore
from reactor_operator.engine.failures import Certainty
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import Plan, StepKind
from reactor_operator.engine.state import DONE, ENDED, RollbackState, RunPhase, RunState, Stage, StepPhase
from tests.property.strategies import plans
from tests.property.world import World

worlds = settings(max_examples=int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)
randoms = st.integers(0, 2**32 - 1).map(Random)


def finished(plan: Plan, random: Random, *, cancels: bool = True) -> tuple[World, RunState]:
    world = World(plan, random, cancels=cancels)
    return world, world.run()


@worlds
@given(plans(), randoms)
def test_every_run_ends_in_a_phase_that_is_an_end(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    assert state.header.phase in ENDED
    assert not world.open


@worlds
@given(plans(), randoms)
def test_a_run_succeeds_only_when_every_step_is_done(plan: Plan, random: Random) -> None:
    _, state = finished(plan, random)
    if state.header.phase is RunPhase.SUCCEEDED:
        assert all(state.step(path).phase in DONE for path in plan.children)


@worlds
@given(plans(), randoms)
def test_undo_walks_completions_backwards(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    for episode, reversals in world.ledger.reversed.items():
        tasks = [t for t in reversals if t.action is Action.UNDO and t.attempt == t.launch == 1]
        # Of a compose that was attempted again the completions are gone; what is left is checked as it happened.
        order = [state.step(t.path).completion for t in tasks if state.step(t.path).round == t.round]
        completions = [number for number in order if number]
        assert completions == sorted(completions, reverse=True), episode


@worlds
@given(plans(), randoms)
def test_what_failed_is_cleaned_up_before_what_succeeded_is_undone(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    for reversals in world.ledger.reversed.values():
        first = [t for t in reversals if t.attempt == t.launch == 1 and plan.steps[t.path].kind is StepKind.TASK]
        now = [t for t in first if state.step(t.path).round == t.round]
        completed = [bool(state.step(t.path).completion) and t.action is Action.UNDO for t in now]
        assert completed == sorted(completed)


@worlds
@given(plans(), randoms)
def test_a_compose_cleans_up_after_itself_once_its_inside_is_reversed(plan: Plan, random: Random) -> None:
    world, _ = finished(plan, random)
    reversals = [t for t in world.ledger.started if t.action is not Action.RUN]
    for place, task in enumerate(reversals):
        if plan.steps[task.path].kind is StepKind.COMPOSE:
            later = [t for t in reversals[place:] if plan.is_inside(t.path, task.path)]
            assert not later, f"{later[0].key} after {task.key}"


@worlds
@given(plans(), randoms)
def test_a_step_that_ran_again_was_reversed_before(plan: Plan, random: Random) -> None:
    world, _ = finished(plan, random)
    for place, task in enumerate(world.ledger.started):
        if task.action is not Action.RUN or task.round == 1:
            continue
        before = world.ledger.started[:place]
        earlier = [t for t in world.ledger.succeeded if (t.path, t.round) == (task.path, task.round - 1)]
        undo = plan.steps[task.path].undo
        if earlier and undo is not None and earlier[0] in before:
            assert any(t.action is not Action.RUN and (t.path, t.round) == (task.path, task.round - 1) for t in before)


@worlds
@given(plans(), randoms)
def test_every_step_that_may_have_acted_is_reversed_or_listed_after_a_rollback(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random, cancels=False)
    if state.header.phase is not RunPhase.FAILED:
        return
    listed = {failure.step for failure in state.header.rollback_failures}
    for path, step_plan in plan.steps.items():
        if path in plan.finals:
            continue
        step = state.step(path)
        tasks = [t for t in world.ledger.acted if t.path == path and t.action is Action.RUN]
        if not tasks or path in listed or path in state.header.undone:
            continue
        if step.phase is StepPhase.SUCCEEDED:
            assert step_plan.undo is None
        elif step.phase is StepPhase.SKIPPED:
            assert not step.uncertain
        else:
            assert step_plan.compensate is None
            for task in tasks:
                outcome = world.ledger.outcomes[task]
                if task.round < step.round and isinstance(outcome, ev.TaskSucceeded):
                    continue  # it had no undo, and what is around it was attempted again
                misplaced = isinstance(outcome, ev.TaskContinued)  # a certain Error
                known = isinstance(outcome, ev.TaskFailed) and outcome.failure.certainty is not Certainty.UNCERTAIN
                assert misplaced or known, f"{task.key} ended with {outcome} and nobody was told"


@worlds
@given(plans(), randoms)
def test_the_rollback_state_tells_the_truth(plan: Plan, random: Random) -> None:
    _, state = finished(plan, random)
    header = state.header
    assert (header.rollback is RollbackState.INCOMPLETE) >= bool(header.rollback_failures)
    assert header.rollback is not RollbackState.IN_PROGRESS
    if header.rollback is RollbackState.COMPLETE:
        assert header.undone


@worlds
@given(plans(), randoms)
def test_attempts_and_replacements_stay_within_their_limits(plan: Plan, random: Random) -> None:
    world, _ = finished(plan, random)
    for task in world.ledger.started:
        step = plan.steps[task.path]
        action = {Action.RUN: step.run, Action.COMPENSATE: step.compensate, Action.UNDO: step.undo}[task.action]
        assert action is not None
        assert task.attempt <= action.retries.max_attempts


@worlds
@given(plans(), randoms)
def test_a_halted_run_keeps_everything(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random, cancels=False)
    if state.header.phase is RunPhase.HALTED and state.header.rollback is RollbackState.NOT_NEEDED:
        assert "the run" not in world.ledger.reversed  # a compose may have been reversed before, and attempted again


@worlds
@given(plans(), randoms)
def test_after_the_end_only_a_cancel_is_answered_and_nothing_else_changes(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    for task in world.closed[:3]:
        assert decide(plan, state, world.outcome(task), world.now + 1).state is state
    assert decide(plan, state, ev.TimePassed(), world.now + 10**9).state is state
    refused = decide(plan, state, ev.CancelRequested(id="late"), world.now)
    assert all(isinstance(ordered, Announce) for ordered in refused.actions)
    assert refused.state.header.signals[-1].accepted is False


@worlds
@given(plans(), randoms)
def test_a_run_whose_state_was_lost_starts_nothing_and_ends_at_once_with_a_cancel(plan: Plan, random: Random) -> None:
    world = World(plan, random, cancels=False)
    world.feed(ev.TimePassed())
    for _ in range(random.randrange(12)):
        if world.state.header.phase not in ENDED:
            world.move()
    if world.state.header.phase in ENDED:
        return
    header = recovering(world.state.header, world.now)
    world.state = restore(plan, header, dict(world.state.steps))
    world.retold.is_stopped(world.state)
    before = len(world.ledger.started)
    for task in list(world.open)[: random.randrange(4)]:
        world.feed(world.outcome(task))
        world.feed(ev.TimePassed())
    assert world.state.header.stage is Stage.RECOVERING
    world.feed(ev.CancelRequested(id="stop"))
    assert all(task.path in plan.finals for task in world.open)
    assert world.run().header.phase is RunPhase.CANCELLED
    assert all(task.path in plan.finals for task in world.ledger.started[before:])


@worlds
@given(plans(), randoms)
def test_a_cancelled_run_starts_nothing_after_the_cancel(plan: Plan, random: Random) -> None:
    world = World(plan, random, cancels=False)
    world.feed(ev.TimePassed())
    for _ in range(random.randrange(12)):
        if world.state.header.phase not in ENDED:
            world.move()
    before = len(world.ledger.started)
    over = world.state.header.phase in ENDED or world.state.header.ending is not None
    world.feed(ev.CancelRequested(id="stop"))
    state = world.run()
    assert all(task.path in plan.finals for task in world.ledger.started[before:])
    assert over or state.header.phase is RunPhase.CANCELLED


@worlds
@given(plans(), randoms)
def test_whatever_people_ask_for_the_run_ends_and_nothing_happens_twice(plan: Plan, random: Random) -> None:
    """The world itself checks each launch: predecessors, one reversal at a time, no second run of what succeeded."""
    world = World(plan, random, signals=random.randint(1, 8))
    state = world.run()
    assert state.header.phase in ENDED
    assert not world.open
    if state.header.phase is RunPhase.UNDONE:
        assert state.header.rollback is not RollbackState.INCOMPLETE
        assert all(state.step(path).phase is not StepPhase.SUCCEEDED for path, step in plan.steps.items() if step.undo)
    if state.header.phase is RunPhase.SUCCEEDED:
        assert all(state.step(path).phase in DONE for path in plan.children)


@worlds
@given(plans(), randoms)
def test_every_request_is_answered_and_one_that_is_refused_changes_nothing_else(plan: Plan, random: Random) -> None:
    world = World(plan, random, signals=4)
    state = world.run()
    for action, request in (
        ("cancel", ev.CancelRequested(id="last")),
        ("retry", ev.RetryRequested(id="last")),
        ("skip", ev.SkipRequested(id="last", step=random.choice(list(plan.steps)))),
        ("undo", ev.UndoRequested(id="last")),
        ("suspend", ev.SuspendRequested(id="last")),
        ("suspend", ev.SuspendRequested(id="last", suspended=False)),
    ):
        decided = decide(plan, state, request, world.now)
        answer = decided.state.header.signals[-1]
        assert (answer.id, answer.action) == ("last", action)
        if not answer.accepted:
            assert answer.reason
            assert all(isinstance(ordered, Announce) for ordered in decided.actions)
            assert decided.state.steps == state.steps


@worlds
@given(plans(), randoms)
def test_finally_steps_run_at_the_end_and_only_there(plan: Plan, random: Random) -> None:
    world, state = finished(plan, random)
    finals = [place for place, task in enumerate(world.ledger.started) if task.path in plan.finals]
    others = [place for place, task in enumerate(world.ledger.started) if task.path not in plan.finals]
    assert not finals or not others or min(finals) > max(others)
    assert all(task.action is Action.RUN for task in world.ledger.started if task.path in plan.finals)
    cancelled = any(one.action == "cancel" and one.accepted for one in state.header.signals)  # maybe those that wait
    for path in plan.finals:
        if not plan.steps[path].needs and not cancelled:
            assert state.step(path).phase not in {StepPhase.RUNNING, StepPhase.PENDING}
