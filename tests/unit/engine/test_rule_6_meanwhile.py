"""Rule 6: what else was under way inside a compose when something inside it failed."""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, Run, attempts, cannot_be_evaluated, compose, failure, step, value

UNDO = DONE_ONCE


def test_a_step_inside_that_waits_for_its_next_attempt_is_given_up_at_once() -> None:
    ship = compose("ship", step("a", run=attempts(3)), step("b"), step("c"), run=attempts(2))
    run = Run(ship).start().fails("ship/a").later(1).fails("ship/b")
    assert (run.at("ship/a"), run.step("ship/a").finished_at, list(run.open)) == (
        StepPhase.CANCELLED,
        run.now,
        ["ship/c"],
    )
    assert run.last.wake_at is None
    run.succeeds("ship/c").wakes()
    assert run.launches[-3:] == ["ship/a.run.2.1.1", "ship/b.run.2.1.1", "ship/c.run.2.1.1"]


def test_the_result_of_a_scope_inside_that_is_told_too_late_changes_nothing() -> None:
    ship = compose("ship", compose("in", step("x")), step("y"), continues_on_error=True)
    run = Run(ship, step("z", ["ship"]), parallelism=1).start({"ship/y": cannot_be_evaluated}).succeeds("ship/in/x")
    assert (run.at("ship"), run.step("ship").result, run.at("ship/in")) == (
        StepPhase.IGNORED,
        value("ship fallback"),
        StepPhase.CANCELLED,
    )
    assert run.succeeds("z").phase is RunPhase.SUCCEEDED


def test_a_step_inside_that_queued_for_a_place_does_not_start_before_the_next_attempt_of_the_compose() -> None:
    ship = compose("ship", step("a"), step("b"), step("c"), run=attempts(2))
    run = Run(ship, parallelism=2).start().fails("ship/a")
    assert (list(run.open), run.state.ready) == (["ship/b"], ())
    run.succeeds("ship/b").wakes()
    assert run.launches[2:] == ["ship/a.run.2.1.1", "ship/b.run.2.1.1"]


@pytest.mark.parametrize("contains", [True, False])
def test_a_compose_whose_result_cannot_be_told_is_cleaned_up_only_once_there_is_a_place(contains: bool) -> None:
    pack = step("pack", undo=UNDO)
    ship = compose("ship", pack, compensate=UNDO) if contains else compose("ship", pack)
    run = Run(ship, step("z"), parallelism=1)
    run.results["ship"] = ev.ReturnsEvaluationFailed(scope="ship", failure=failure(FailureKind.EXPRESSION))
    run.start().succeeds("ship/pack")
    assert list(run.open) == ["z"]
    assert list(run.succeeds("z").open) == ["ship/pack"]
