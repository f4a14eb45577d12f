"""Recorded histories: what ran yesterday comes out the same today, and today's code can take it up at any moment."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.history import transitions
from reactor_operator.engine.state import Stage
from tests.replay.filed import event_from
from tests.replay.history import (
    History,
    HistoryStep,
    histories,
    parse_history,
    plan_from,
    read_history,
    render_history,
)
from tests.replay.record import SCENARIOS, record
from tests.replay.replaying import REMEDY, Parted, replay, resume, stored_after, stored_prefixes
from tests.retold import Retold, open_in, phases_in

every_history = pytest.mark.parametrize("name", histories())


@every_history
def test_a_recorded_history_comes_out_the_same_today(name: str) -> None:
    replay(read_history(name))


@every_history
def test_a_run_that_was_stored_at_any_moment_is_taken_up_and_comes_to_the_same_end(name: str) -> None:
    history = read_history(name)
    states = replay(history)
    for done in stored_prefixes(history):
        assert resume(history, done) == states[done - 1 :]


@every_history
def test_a_run_that_was_stored_before_it_had_a_history_is_told_from_where_it_is_on(name: str) -> None:
    """Its first entries go on from what is stored; those of its steps that never move again tell nothing."""
    history = read_history(name)
    plan = plan_from(history.spec)
    for done in stored_prefixes(history):
        state = stored_after(history, done)
        retold = Retold(phases={"": state.header.phase} | dict(phases_in(state)), open=dict(open_in(state)), late=True)
        maps = [step.maps for step in history.steps]
        for number, recorded in enumerate(history.steps[done:], done + 1):
            events = [event_from(body, history.uid, maps[: number - 1]) for body in recorded.events]
            decision = decide_together(plan, state, events, recorded.now)
            retold.take(transitions(plan, state, decision, events))
            state = decision.state
            retold.check(state)


@every_history
def test_every_history_ends_with_a_state_that_is_stored(name: str) -> None:
    history = read_history(name)
    assert stored_prefixes(history)[-1] == len(history.steps)
    assert stored_after(history, len(history.steps)).header.stage is Stage.OVER


@every_history
def test_a_history_is_rendered_as_it_was_read(name: str) -> None:
    history = read_history(name)
    assert parse_history(name, render_history(history)) == history


def test_every_scenario_is_recorded() -> None:
    missing = sorted(SCENARIOS.keys() - set(histories()))
    assert not missing, f"no history of {', '.join(missing)}: run `make histories`"


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_history_is_that_of_its_scenario(name: str) -> None:
    """A scenario that was changed is recorded anew; recording twice gives the same bytes."""
    assert render_history(record(name)) == render_history(read_history(name)), f"{name} is another now; {REMEDY}"


# what a mismatch says


def tampered(number: int, change: Callable[[HistoryStep], HistoryStep]) -> History:
    """The history of a success, in which one step is another."""
    history = read_history("success")
    steps = [change(step) if place == number else step for place, step in enumerate(history.steps, 1)]
    return replace(history, steps=steps)


def message_of(history: History, play: Callable[[History], object] = replay) -> str:
    with pytest.raises(Parted) as raised:
        play(history)
    return str(raised.value)


def test_a_mismatch_names_the_file_the_step_the_first_field_that_differs_and_what_to_do() -> None:
    number = len(read_history("success").steps)
    history = tampered(number, lambda step: replace(step, header={**step.header, "phase": "Failed"}))
    assert message_of(history).startswith(
        f"tests/replay/histories/success.json, step {number} (ReturnsEvaluated): "
        'header.phase: recorded "Failed", today "Succeeded"\n'
    )
    assert "docs/decisions/" in message_of(history)
    assert "`make histories`" in message_of(history)


def test_an_outcome_of_an_element_that_is_another_one_is_a_mismatch() -> None:
    history = read_history("map-collect")
    number = next(place for place, step in enumerate(history.steps, 1) if step.maps.outcomes)
    step = history.steps[number - 1]
    changed = replace(step, maps=replace(step.maps, outcomes={"rows|0": [None, 1]}))
    steps = [*history.steps[: number - 1], changed, *history.steps[number:]]
    told = message_of(replace(history, steps=steps))
    assert f"step {number} (TaskSucceeded rows[1].run.1.1.1): maps.outcomes.rows|0[1]: recorded 1, today {{" in told


def test_an_order_that_is_not_given_any_more_is_a_mismatch() -> None:
    order = {"type": "Announce", "ordinal": 9, "reason": "Odd", "message": "odd"}
    history = tampered(1, lambda step: replace(step, orders=[order]))
    assert "step 1 (TimePassed): orders[0]: recorded {" in message_of(history)
    assert ", today nothing\n" in message_of(history)


def test_an_event_that_is_not_known_any_more_is_a_mismatch() -> None:
    history = tampered(2, lambda step: replace(step, events=[{"type": "TaskTeleported"}]))
    assert "step 2 (TaskTeleported): today's code refuses it: Unreadable(" in message_of(history)


def test_a_stored_document_that_cannot_be_read_any_more_is_a_mismatch() -> None:
    done = stored_prefixes(read_history("success"))[0]
    history = tampered(done, lambda step: replace(step, header={"phase": "Bored"}))
    told = message_of(history, lambda history: resume(history, done))
    assert f"step {done} (" in told
    assert "what was stored by then cannot be taken up: Unreadable(" in told


def test_a_stored_state_that_is_not_the_folded_one_goes_another_way() -> None:
    done = stored_prefixes(read_history("success"))[0]
    path = next(iter(read_history("success").steps[done - 1].steps))
    history = tampered(done, lambda step: replace(step, steps={**step.steps, path: {"phase": "Skipped"}}))
    told = message_of(history, lambda history: resume(history, done))
    assert told.startswith(f"taken up as it was stored after step {done}: tests/replay/histories/success.json, step ")
