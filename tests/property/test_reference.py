"""The engine ends every scripted run as the reference model says: DESIGN 4 told twice, by two ways of thinking.

`REACTOR_EXAMPLES` says how many runs each rule is tried on.
"""

import os
from dataclasses import fields

from hypothesis import example, given, settings

from tests.property.scenarios import (
    Scenario,
    finally_scenarios,
    flat_scenarios,
    interrupted_scenarios,
    nested_scenarios,
    python,
    retries,
    sibling_scenarios,
)
from tests.property.scripted import ScriptedWorld
from tests.property.scripted_siblings import ScriptedSiblings
from tests.property.words import RESUME, SUSPEND

tried = settings(max_examples=int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)

TRIES_TWICE = {"run": python(), "retries": retries(2), "compensate": python()}
TWO_WAIT = Scenario(
    {
        "parallelism": 1,
        "steps": [{"name": "a", **TRIES_TWICE}, {"name": "b", **TRIES_TWICE}, {"name": "c", "run": python()}],
    },
    {(name, "run"): ["Error"] for name in "abc"},
)
"""Two steps wait for their next attempt when a third one fails for good: rare, and the newest start comes first."""

X_THEN_Y = [{"name": "x", "run": python()}, {"name": "y", "waitFor": ["x"], "run": python()}]
GIVEN_INSIDE = Scenario(
    {
        "parallelism": 1,
        "steps": [
            {"name": "a", "run": python(), "retries": retries(2), "undo": python()},
            {"name": "s", "waitFor": ["a"], "compose": {"steps": X_THEN_Y}},
        ],
    },
    {("a", "run"): ["ok", "Error"], ("s/x", "run"): ["Error"]},
    signals=("skip s/x",),
)
"""A step is given a value while what is around it begins anew, and waits for `a` once more: so does what is inside."""


def world_of(scenario: Scenario) -> ScriptedWorld:
    """Return the world in which the engine runs the scenario."""
    if scenario.moves is None:
        return ScriptedWorld(scenario.spec, scenario.script, scenario.interruption)
    return ScriptedSiblings(scenario.spec, scenario.script, scenario.moves)


def agree(scenario: Scenario) -> None:
    """Compare the two ends; what differs is told with the manifest and the script."""
    expected = scenario.told()
    try:
        found = world_of(scenario).end(*scenario.signals)
    except AssertionError as wrong:
        wrong.add_note(f"the engine does what it never may{scenario!r}")
        raise
    differs = [  # while a run is held the model gives up a step's next attempt earlier than the engine: no ends differ
        f"{field.name}:\n  model:  {getattr(expected, field.name)}\n  engine: {getattr(found, field.name)}"
        for field in fields(expected)
        if getattr(expected, field.name) != getattr(found, field.name)
        and not (field.name == "moments" and scenario.moves is not None and SUSPEND in scenario.moves.asked.values())
    ]
    assert not differs, "\n".join(["the engine and the model disagree on", *differs, repr(scenario)])


@tried
@given(flat_scenarios())
@example(TWO_WAIT)
def test_a_run_of_independent_and_dependent_steps_ends_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(nested_scenarios())
def test_a_run_with_steps_inside_steps_ends_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(finally_scenarios())
def test_steps_at_every_end_run_as_the_rules_say_and_change_nothing(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(finally_scenarios(asks=3))
def test_a_run_that_is_taken_up_at_its_end_ends_again_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(nested_scenarios(asks=3))
@example(GIVEN_INSIDE)
def test_steps_inside_steps_that_are_taken_up_end_again_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(interrupted_scenarios("cancel", "undo"))
def test_a_run_that_is_cancelled_or_undone_while_it_goes_on_ends_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(sibling_scenarios())
def test_siblings_of_a_step_that_fails_drain_or_are_stopped_and_all_is_reversed_as_the_rules_say(
    scenario: Scenario,
) -> None:
    agree(scenario)


@tried
@given(sibling_scenarios(asks=2, meanwhile=("cancel", "undo")))
def test_what_is_asked_for_while_siblings_are_in_flight_is_done_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(interrupted_scenarios(SUSPEND))
def test_a_suspended_run_starts_nothing_and_once_it_goes_on_it_ends_as_if_it_had_not_been(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(sibling_scenarios(asks=1, meanwhile=(SUSPEND, RESUME, SUSPEND, "cancel", "undo")))
def test_a_run_that_is_suspended_while_siblings_are_in_flight_ends_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)
