"""The engine ends every scripted run as the reference model says: DESIGN 4 told twice, by two ways of thinking.

`REACTOR_EXAMPLES` says how many runs each rule is tried on.
"""

import os
from dataclasses import fields

from hypothesis import example, given, settings

from tests.property.reference import Reference
from tests.property.scenarios import (
    Scenario,
    finally_scenarios,
    flat_scenarios,
    interrupted_scenarios,
    nested_scenarios,
    python,
    retries,
)
from tests.property.scripted import ScriptedWorld

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


def agree(scenario: Scenario) -> None:
    """Compare the two ends; what differs is told with the manifest and the script."""
    expected = Reference(scenario.spec, scenario.script, scenario.interruption).end(*scenario.signals)
    found = ScriptedWorld(scenario.spec, scenario.script, scenario.interruption).end(*scenario.signals)
    differs = [
        f"{field.name}:\n  model:  {getattr(expected, field.name)}\n  engine: {getattr(found, field.name)}"
        for field in fields(expected)
        if getattr(expected, field.name) != getattr(found, field.name)
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
def test_a_run_that_is_undone_or_retried_at_its_end_ends_again_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(nested_scenarios(asks=3))
def test_steps_inside_steps_that_are_undone_or_retried_end_again_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)


@tried
@given(interrupted_scenarios())
def test_a_run_that_is_cancelled_or_undone_while_it_goes_on_ends_as_the_rules_say(scenario: Scenario) -> None:
    agree(scenario)
