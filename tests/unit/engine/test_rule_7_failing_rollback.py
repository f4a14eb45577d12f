"""Rule 7: a reversal that fails is retried by its policy, then listed, and the rollback goes on."""

import pytest

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan, RetryPolicy
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, SECOND, Run, attempts, chain, step

UNDO = DONE_ONCE


def failing(undo: ActionPlan) -> Run:
    """A run of two steps whose second failed, so that the first is being undone."""
    return Run(step("a", undo=undo), step("z", ["a"])).start().succeeds("a").fails("z")


def test_an_undo_is_retried_by_its_own_policy() -> None:
    run = failing(attempts(3, base_delay_ms=5 * SECOND)).fails("a")
    assert run.at("a") is StepPhase.UNDOING
    assert run.last.wake_at is not None
    assert run.last.wake_at - run.now == 5 * SECOND
    run.wakes().fails("a").wakes().succeeds("a")
    assert run.launches[-3:] == ["a.undo.1.1.1", "a.undo.1.2.1", "a.undo.1.3.1"]
    assert run.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.COMPLETE
    assert run.unreversed == []
    assert run.step("a").cleanup_failure is None


def test_a_retried_undo_gets_the_same_result_and_waits_for_its_previous_pod() -> None:
    run = failing(attempts(2)).fails("a").wakes()
    first, second = run.orders[-2:]
    assert (second.result, second.arguments) == (first.result, first.arguments)
    assert second.after == first.task


def test_a_compensate_is_retried_by_its_own_policy() -> None:
    run = Run(step("a", run=attempts(1), compensate=attempts(2))).start().fails("a").fails("a").wakes().succeeds("a")
    assert run.launches == ["a.run.1.1.1", "a.compensate.1.1.1", "a.compensate.1.2.1"]
    assert run.at("a") is StepPhase.COMPENSATED


def test_a_retried_compensate_still_gets_the_failure_of_the_step() -> None:
    run = Run(step("a", compensate=attempts(2))).start().fails("a", message="declined").fails("a", message="no route")
    order = run.wakes().order("a")
    assert order.failure is not None
    assert order.failure.message == "declined"


def test_an_undo_that_has_finally_failed_is_listed_and_the_rollback_goes_on() -> None:
    run = Run(*chain("a", "b", undo=UNDO), step("z", ["b"])).start().succeeds("a").succeeds("b").fails("z")
    run.fails("b", message="no route").succeeds("a")
    assert run.unreversed == [("b", FailureKind.ERROR)]
    assert run.header.rollback_failures[0].message == "no route"
    assert run.header.undone == ("a",)
    assert run.at("b") is StepPhase.ROLLBACK_FAILED
    assert run.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.INCOMPLETE
    assert "UndoFailed" in run.reasons


def test_the_failure_of_the_run_stays_the_one_that_began_it() -> None:
    run = failing(UNDO).fails("a", message="no route")
    assert run.why_it_failed[0] == "z"


def test_a_compensate_that_has_finally_failed_is_listed_and_the_run_fails() -> None:
    run = Run(step("a", undo=UNDO), step("b", ["a"], compensate=UNDO)).start().succeeds("a").fails("b").fails("b")
    assert run.unreversed == [("b", FailureKind.ERROR)]
    assert run.reversals == ["b compensate", "a undo"]
    assert run.succeeds("a").rollback is RollbackState.INCOMPLETE


def test_a_failed_compensate_is_not_followed_by_the_undo_of_its_step() -> None:
    run = Run(step("a", compensate=UNDO, undo=UNDO)).start().fails("a", FailureKind.TIMEOUT).fails("a")
    assert run.reversals == ["a compensate"]
    assert run.phase is RunPhase.FAILED


@pytest.mark.parametrize("kind", [FailureKind.FATAL, FailureKind.INVALID_RESULT, FailureKind.CANNOT_START])
def test_a_kind_that_is_not_retryable_is_not_retried_in_a_rollback_either(kind: FailureKind) -> None:
    run = failing(attempts(5)).fails("a", kind)
    assert run.unreversed == [("a", kind)]


def test_a_kind_that_its_list_leaves_out_is_not_retried() -> None:
    listed = ActionPlan(retries=RetryPolicy(max_attempts=5), retry_on=frozenset({FailureKind.TIMEOUT}))
    assert failing(listed).fails("a").unreversed == [("a", FailureKind.ERROR)]


def test_a_lost_undo_is_replaced_up_to_infrastructure_retries_then_listed_as_lost() -> None:
    run = Run(step("a", undo=attempts(5)), step("z", ["a"]), infrastructure_retries=1).start().succeeds("a").fails("z")
    run.is_lost("a")
    assert run.launches[-1] == "a.undo.1.1.2"
    assert run.is_lost("a").unreversed == [("a", FailureKind.LOST)]


def test_a_compensate_that_repairs_its_step_at_last_leaves_no_failure_of_a_cleanup_behind() -> None:
    run = Run(step("a", compensate=attempts(2))).start().fails("a").fails("a").wakes().continues("a")
    assert (run.phase, run.step("a").cleanup_failure) == (RunPhase.SUCCEEDED, None)


def test_losses_of_the_step_itself_are_not_counted_against_its_undo() -> None:
    run = Run(step("a", undo=UNDO), step("z", ["a"]), infrastructure_retries=1).start()
    run.is_lost("a").succeeds("a").fails("z").is_lost("a")
    assert run.launches[-1] == "a.undo.1.1.2"


def test_losses_of_the_step_itself_are_not_counted_against_its_compensate() -> None:
    run = Run(step("a", compensate=UNDO), infrastructure_retries=1).start().is_lost("a").fails("a").is_lost("a")
    assert run.launches[-1] == "a.compensate.1.1.2"


def test_halt_means_nothing_in_a_reversal() -> None:
    run = failing(attempts(5)).halts("a", "enough")
    assert run.unreversed == [("a", FailureKind.ERROR)]
    assert "Halt" in run.header.rollback_failures[0].message
    assert run.phase is RunPhase.FAILED
