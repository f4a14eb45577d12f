"""Rule 4: what may have acted, and nobody knows how, is compensated, else undone, else listed."""

import pytest

from reactor_operator.engine.failures import RULES, Certainty, FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import CONTAINER, DONE_ONCE, TERMINATE, Run, attempts, step

CLEAN = DONE_ONCE
OF_TASKS = [kind for kind in FailureKind if kind is not FailureKind.UNCERTAIN]
UNCERTAIN = [kind for kind in OF_TASKS if RULES[kind].certainty is Certainty.UNCERTAIN]
CERTAIN = [kind for kind in OF_TASKS if RULES[kind].certainty is Certainty.CERTAIN]
NEVER = [kind for kind in OF_TASKS if RULES[kind].certainty is Certainty.NEVER_STARTED]


@pytest.mark.parametrize("kind", UNCERTAIN)
def test_an_uncertain_kind_makes_the_step_uncertain(kind: FailureKind) -> None:
    run = Run(step("a", compensate=CLEAN)).start().fails("a", kind)
    assert run.step("a").uncertain
    assert run.order("a").uncertain


@pytest.mark.parametrize("kind", CERTAIN)
def test_a_certain_kind_does_not_but_the_step_may_have_acted(kind: FailureKind) -> None:
    run = Run(step("a", compensate=CLEAN)).start().fails("a", kind)
    assert not run.step("a").uncertain
    assert run.reversals == ["a compensate"]
    assert not run.order("a").uncertain


@pytest.mark.parametrize("kind", NEVER)
def test_what_never_started_needs_no_cleanup(kind: FailureKind) -> None:
    run = Run(step("a", compensate=CLEAN, undo=CLEAN)).start().fails("a", kind)
    assert run.reversals == []
    assert run.phase is RunPhase.FAILED


def test_one_uncertain_attempt_is_enough_whatever_the_later_ones_were() -> None:
    run = Run(step("a", run=attempts(2), undo=CLEAN)).start().fails("a", FailureKind.TIMEOUT).wakes().fails("a")
    assert run.reversals == ["a undo"]
    assert run.order("a").uncertain


def test_an_attempt_that_never_started_clears_nothing() -> None:
    run = Run(step("a", run=attempts(2), compensate=CLEAN)).start().fails("a", FailureKind.NO_OUTCOME)
    run.wakes().fails("a", FailureKind.CANNOT_START)
    assert run.reversals == ["a compensate"]
    assert run.order("a").uncertain


def test_a_launch_that_was_lost_makes_the_step_uncertain_even_when_its_replacement_certainly_failed() -> None:
    run = Run(step("a", undo=CLEAN)).start().begins("a").is_lost("a").fails("a")
    assert run.reversals == ["a undo"]
    assert run.order("a").uncertain


def test_a_later_success_clears_it() -> None:
    run = Run(step("a", run=attempts(2), undo=CLEAN), step("b", ["a"])).start()
    run.fails("a", FailureKind.TIMEOUT).wakes().succeeds("a", "paid").fails("b")
    assert not run.step("a").uncertain
    assert not run.order("a").uncertain
    assert run.order("a").result is not None


def test_an_uncertain_step_runs_its_compensate_rather_than_its_undo() -> None:
    run = Run(step("a", compensate=CLEAN, undo=CLEAN)).start().fails("a", FailureKind.TIMEOUT).succeeds("a")
    assert run.reversals == ["a compensate"]
    assert run.at("a") is StepPhase.COMPENSATED


def test_without_compensate_its_undo_runs_with_no_result() -> None:
    run = Run(step("a", undo=CLEAN)).start().fails("a", FailureKind.TIMEOUT)
    order = run.order("a")
    assert run.reversals == ["a undo"]
    assert order.result is None
    assert order.uncertain
    assert run.succeeds("a").at("a") is StepPhase.UNDONE
    assert run.rollback is RollbackState.COMPLETE


def test_with_neither_it_is_listed_as_uncertain_and_the_rollback_is_incomplete() -> None:
    run = Run(step("a")).start().fails("a", FailureKind.TIMEOUT)
    assert run.unreversed == [("a", FailureKind.UNCERTAIN)]
    assert run.rollback is RollbackState.INCOMPLETE
    assert run.at("a") is StepPhase.ROLLBACK_FAILED
    assert run.phase is RunPhase.FAILED


def test_a_sibling_with_neither_is_listed_once_and_the_rollback_goes_on() -> None:
    run = Run(step("a", undo=CLEAN), step("b"), step("c")).start().succeeds("a").fails("c")
    run.fails("b", FailureKind.NO_OUTCOME)
    assert run.unreversed == [("b", FailureKind.UNCERTAIN)]
    assert run.reversals == ["a undo"]


def test_a_terminated_task_that_had_started_makes_its_step_uncertain() -> None:
    run = Run(step("a"), step("b"), on_failure=TERMINATE).start().begins("b").fails("a")
    assert run.unreversed == [("b", FailureKind.UNCERTAIN)]
    assert "stopped while it ran" in run.header.rollback_failures[0].message


def test_a_task_that_was_cancelled_after_its_start_makes_its_step_uncertain() -> None:
    run = Run(step("a"), on_failure=TERMINATE).start().begins("a").is_cancelled()
    assert run.step("a").uncertain
    assert run.at("a") is StepPhase.CANCELLED


def test_a_container_that_was_cancelled_unseen_makes_its_step_uncertain() -> None:
    assert Run(step("a", run=CONTAINER), on_failure=TERMINATE).start().is_cancelled().step("a").uncertain


def test_a_python_task_that_was_cancelled_before_its_start_does_not() -> None:
    run = Run(step("a"), on_failure=TERMINATE).start().is_cancelled()
    assert not run.step("a").uncertain
    assert not run.step("a").acted


def test_a_step_that_waits_for_its_next_attempt_when_the_run_fails_is_cleaned_up_for_its_earlier_ones() -> None:
    run = Run(step("a", run=attempts(2), undo=CLEAN), step("b")).start().fails("a", FailureKind.TIMEOUT).fails("b")
    assert run.reversals == ["a undo"]
    assert run.order("a").uncertain


def test_a_skip_after_an_uncertain_attempt_lets_dependents_start_but_is_cleaned_up_in_a_rollback() -> None:
    run = Run(step("a", run=attempts(2), compensate=CLEAN), step("b", ["a"])).start()
    run.fails("a", FailureKind.TIMEOUT).wakes().skips("a")
    assert set(run.open) == {"b"}
    run.fails("b")
    assert run.reversals == ["a compensate"]
    assert run.order("a").uncertain
    assert run.succeeds("a").at("a") is StepPhase.COMPENSATED


def test_what_a_skip_said_is_not_the_result_of_the_attempt_that_its_undo_reverses() -> None:
    run = Run(step("a", run=attempts(2), undo=CLEAN), step("b", ["a"])).start()
    run.fails("a", FailureKind.TIMEOUT).wakes().skips("a", "nothing to do").fails("b")
    assert run.reversals == ["a undo"]
    assert run.order("a").result is None
    assert run.order("a").uncertain


def test_a_skip_after_an_uncertain_attempt_is_listed_where_nothing_cleans_up() -> None:
    run = Run(step("a", run=attempts(2)), step("b", ["a"])).start()
    run.fails("a", FailureKind.TIMEOUT).wakes().skips("a").fails("b")
    assert run.unreversed == [("a", FailureKind.UNCERTAIN)]


def test_a_skip_after_a_certain_failure_needs_no_cleanup() -> None:
    run = Run(step("a", run=attempts(2), compensate=CLEAN, undo=CLEAN), step("b", ["a"])).start()
    run.fails("a").wakes().skips("a").fails("b")
    assert run.reversals == []


def test_a_success_without_the_output_it_promised_is_uncertain_and_not_retried() -> None:
    run = Run(step("a", run=attempts(3), undo=CLEAN)).start().succeeds("a", uploaded=True)
    assert run.why("a").kind is FailureKind.INVALID_RESULT
    assert run.reversals == ["a undo"]
