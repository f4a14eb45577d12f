"""Rule 11: halt ends a run on purpose; nothing starts, tasks drain, all is kept, nothing is reversed."""

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import Goal, RollbackState, RunPhase, Stage, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, TERMINATE, Run, attempts, chain, compose, step

CLEAN = DONE_ONCE


def test_a_halt_ends_the_run_and_its_step_succeeds_with_result_null() -> None:
    run = Run(*chain("a", "b")).start().halts("a", "nothing to ship")
    assert run.phase is RunPhase.HALTED
    assert run.at("a") is StepPhase.SUCCEEDED
    assert run.step("a").result is None
    assert run.at("b") is StepPhase.PENDING
    assert run.header.halt_reason == "nothing to ship"
    assert (run.told[-1].reason, run.told[-1].message, run.told[-1].warning) == ("Halted", "nothing to ship", False)


def test_nothing_is_compensated_or_undone() -> None:
    run = Run(*chain("a", "b", undo=CLEAN, compensate=CLEAN)).start().succeeds("a").halts("b")
    assert run.phase is RunPhase.HALTED
    assert run.reversals == []
    assert run.rollback is RollbackState.NOT_NEEDED
    assert run.at("a") is StepPhase.SUCCEEDED


def test_tasks_in_flight_drain_even_where_a_failure_would_terminate_them() -> None:
    run = Run(step("a"), step("b"), on_failure=TERMINATE).start().begins("b").halts("a")
    assert run.stage is Stage.DRAINING
    assert set(run.open) == {"b"}
    assert run.succeeds("b").phase is RunPhase.HALTED


def test_nothing_new_starts_while_they_drain() -> None:
    run = Run(step("a"), step("b"), step("c", ["b"])).start().halts("a").succeeds("b")
    assert run.at("c") is StepPhase.PENDING
    assert run.phase is RunPhase.HALTED


def test_a_step_that_waits_for_its_next_attempt_is_given_up() -> None:
    run = Run(step("a"), step("b", run=attempts(2), compensate=CLEAN)).start().fails("b").halts("a")
    assert run.phase is RunPhase.HALTED
    assert run.at("b") is StepPhase.CANCELLED
    assert run.reversals == []


def test_a_sibling_that_fails_while_draining_changes_nothing_and_is_not_compensated() -> None:
    run = Run(step("a"), step("b", run=attempts(9), compensate=CLEAN)).start().halts("a").fails("b")
    assert run.phase is RunPhase.HALTED
    assert run.at("b") is StepPhase.FAILED
    assert run.reversals == []
    assert run.header.failure is None


def test_a_sibling_that_fails_uncertain_while_draining_is_kept_uncertain() -> None:
    run = Run(step("a"), step("b", compensate=CLEAN)).start().halts("a").fails("b", FailureKind.TIMEOUT)
    assert run.phase is RunPhase.HALTED
    assert run.step("b").uncertain


def test_a_sibling_that_is_lost_while_draining_is_not_replaced() -> None:
    run = Run(step("a"), step("b")).start().halts("a").begins("b").is_lost("b")
    assert run.phase is RunPhase.HALTED


def test_a_second_halt_while_draining_ends_in_the_same_way() -> None:
    run = Run(step("a"), step("b")).start().halts("a", "first").halts("b", "second")
    assert run.phase is RunPhase.HALTED
    assert run.at("b") is StepPhase.SUCCEEDED


def test_the_timeout_of_the_run_does_not_turn_a_halt_into_a_failure() -> None:
    run = Run(step("a"), step("b"), timeout_ms=MINUTE).start().halts("a").later(5 * MINUTE).succeeds("b")
    assert run.phase is RunPhase.HALTED


def test_a_halt_while_another_steps_compensate_runs_takes_effect_when_that_one_is_repaired() -> None:
    run = Run(step("a", compensate=CLEAN), step("b"), step("c", ["a"])).start().fails("a").halts("b", "enough")
    assert run.stage is Stage.HOLDING
    run.continues("a")
    assert run.phase is RunPhase.HALTED
    assert run.at("c") is StepPhase.PENDING


def test_a_halt_while_another_steps_compensate_runs_takes_effect_when_that_one_is_ignored() -> None:
    run = Run(step("a", compensate=CLEAN, continues_on_error=True), step("b")).start().fails("a").halts("b")
    assert run.succeeds("a").phase is RunPhase.HALTED
    assert run.at("a") is StepPhase.IGNORED


def test_a_failure_that_came_first_wins_over_a_halt_and_the_halted_step_is_undone() -> None:
    run = Run(step("a", compensate=CLEAN), step("b", undo=CLEAN)).start().fails("a").halts("b")
    run.succeeds("a")
    assert run.goal is Goal.ROLL_BACK
    assert run.reversals == ["a compensate", "b undo"]
    assert run.succeeds("b").phase is RunPhase.FAILED


def test_a_halt_while_a_failing_run_drains_is_a_success_that_is_undone() -> None:
    run = Run(step("a"), step("b", undo=CLEAN)).start().fails("a").halts("b")
    assert run.reversals == ["b undo"]
    assert run.succeeds("b").phase is RunPhase.FAILED


def test_a_halt_inside_a_compose_that_is_being_reversed_is_a_success_that_is_undone() -> None:
    inside = compose("s", step("x", undo=CLEAN), step("y"), run=attempts(2))
    run = Run(inside, step("z", ["s"])).start().fails("s/y").halts("s/x")
    assert list(run.open) == ["s/x"]
    run.succeeds("s/x").wakes()
    assert (run.phase, list(run.open)) == (RunPhase.RUNNING, ["s/x", "s/y"])
    assert run.succeeds("s/x").succeeds("s/y").succeeds("z").phase is RunPhase.SUCCEEDED


def test_a_halt_elsewhere_while_a_compose_is_being_reversed_takes_effect_after_that() -> None:
    inside = compose("s", step("x", undo=CLEAN), step("y", ["x"]), run=attempts(2))
    run = Run(inside, step("b")).start().succeeds("s/x").fails("s/y").halts("b").succeeds("s/x")
    assert run.phase is RunPhase.HALTED


def test_a_halt_of_the_last_step_halts() -> None:
    assert Run(step("a")).start().halts("a").phase is RunPhase.HALTED
