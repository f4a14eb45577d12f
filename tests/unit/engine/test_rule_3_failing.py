"""Rule 3: a finally failed step is cleaned up while nothing new starts; then the run goes on, or all goes back."""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import Goal, RollbackState, RunPhase, Stage, StepPhase
from tests.unit.engine.driver import (
    CONTAINER,
    DONE_ONCE,
    MINUTE,
    TERMINATE,
    Run,
    attempts,
    chain,
    failure,
    proceeds,
    step,
    value,
)

CLEAN = DONE_ONCE


# The step's own compensate


def test_when_a_step_has_finally_failed_its_compensate_runs_with_its_failure() -> None:
    run = Run(step("a", run=attempts(2), compensate=CLEAN)).start().fails("a")
    assert run.reversals == []
    run.wakes().fails("a", message="declined")
    assert run.reversals == ["a compensate"]
    order = run.order("a")
    assert order.failure is not None
    assert order.failure.message == "declined"
    assert order.result is None
    assert order.after == Task("a", Action.RUN, 1, 2, 1)


def test_while_it_runs_nothing_new_starts_and_siblings_are_left_alone() -> None:
    run = Run(step("a", compensate=CLEAN), step("b"), step("c", ["b"]), on_failure=TERMINATE).start()
    run.begins("b").fails("a")
    assert run.stage is Stage.HOLDING
    assert set(run.open) == {"a", "b"}
    assert "c" not in run.succeeds("b").open


def test_while_it_runs_a_sibling_that_fails_may_still_be_attempted_again_but_only_afterwards() -> None:
    run = Run(step("a", compensate=CLEAN), step("b", run=attempts(2))).start().fails("a").fails("b").later(MINUTE)
    assert run.at("b") is StepPhase.RETRYING
    assert set(run.open) == {"a"}
    assert set(run.continues("a").open) == {"b"}


def test_while_it_runs_a_lost_sibling_is_replaced_only_afterwards() -> None:
    run = Run(step("a", compensate=CLEAN), step("b")).start().fails("a").is_lost("b")
    assert set(run.open) == {"a"}
    assert run.continues("a").launches[-1] == "b.run.1.1.2"


def test_a_step_whose_evaluation_is_answered_meanwhile_is_evaluated_again_afterwards() -> None:
    run = Run(step("a", compensate=CLEAN), step("b")).start(b=lambda path, _: proceeds(path, 99))
    assert run.state.evaluating == {"b"}
    del run.answers["b"]
    run.fails("a").feed(proceeds("b", 1))
    assert set(run.open) == {"a"}
    assert set(run.continues("a").open) == {"b"}
    assert run.evaluated == ["a", "b", "b"]


def test_a_step_without_compensate_turns_the_run_back_at_once() -> None:
    run = Run(step("a", undo=CLEAN), step("b", ["a"])).start().succeeds("a").fails("b")
    assert run.phase is RunPhase.ROLLING_BACK
    assert run.stage is Stage.REVERTING
    assert run.reversals == ["a undo"]


def test_two_steps_that_failed_together_are_cleaned_up_one_after_the_other() -> None:
    steps = [step(name, compensate=CLEAN, continues_on_error=True) for name in "ab"]
    run = Run(*steps).start().fails("a").fails("b")
    assert set(run.open) == {"a"}
    assert set(run.succeeds("a").open) == {"b"}
    assert run.succeeds("b").phase is RunPhase.SUCCEEDED


# Continue


def test_continue_makes_the_step_succeed_with_its_value_and_the_run_goes_on() -> None:
    run = Run(step("a", compensate=CLEAN), step("b", ["a"])).start().fails("a").continues("a", "repaired")
    assert run.at("a") is StepPhase.SUCCEEDED
    assert run.step("a").result == value("repaired")
    assert set(run.open) == {"b"}
    assert run.succeeds("b").phase is RunPhase.SUCCEEDED
    assert run.rollback is RollbackState.NOT_NEEDED


def test_a_step_that_was_repaired_is_undone_like_any_other_success() -> None:
    run = Run(step("a", compensate=CLEAN, undo=CLEAN), step("b", ["a"])).start().fails("a").continues("a", "repaired")
    run.fails("b")
    assert run.reversals == ["a compensate", "a undo"]
    assert run.order("a").result == value("repaired")
    assert not run.order("a").uncertain


def test_a_repaired_step_completes_when_it_is_repaired() -> None:
    run = Run(step("a", compensate=CLEAN, undo=CLEAN), step("b", undo=CLEAN), step("c", ["a"])).start()
    run.fails("a").succeeds("b").continues("a").fails("c")
    assert (run.step("b").completion, run.step("a").completion) == (1, 2)
    assert run.succeeds("a").reversals == ["a compensate", "a undo", "b undo"]


def test_continue_during_the_rollback_makes_a_success_that_is_undone_next() -> None:
    run = Run(step("a", undo=CLEAN), step("b", compensate=CLEAN, undo=CLEAN), step("c")).start()
    run.succeeds("a").fails("c").fails("b").continues("b", "repaired")
    assert run.reversals == ["b compensate", "b undo"]
    assert run.order("b").result == value("repaired")
    assert run.succeeds("b").succeeds("a").reversals[-1] == "a undo"
    assert run.phase is RunPhase.FAILED


@pytest.mark.parametrize("action", [Action.RUN, Action.UNDO])
def test_continue_anywhere_else_is_an_error_of_its_author(action: Action) -> None:
    run = Run(step("a", run=attempts(3), undo=attempts(3)), step("b", ["a"])).start()
    if action is Action.UNDO:
        run.succeeds("a").fails("b")
    run.continues("a")
    found = run.step("a").failure if action is Action.RUN else run.step("a").cleanup_failure
    assert found is not None
    assert found.kind is FailureKind.ERROR
    assert "Continue" in found.message
    assert run.phase is RunPhase.FAILED


# The run is failing


def test_the_run_fails_with_the_step_its_failure_and_its_attempts() -> None:
    run = Run(step("a", run=attempts(2), compensate=CLEAN)).start().fails("a").wakes().fails("a").succeeds("a")
    assert run.phase is RunPhase.FAILED
    assert run.header.failure is not None
    assert (run.header.failure.step, run.header.failure.attempts) == ("a", 2)
    assert run.at("a") is StepPhase.COMPENSATED
    assert run.header.undone == ("a",)
    assert run.rollback is RollbackState.COMPLETE


def test_a_failed_run_with_nothing_to_reverse_needed_no_rollback() -> None:
    run = Run(step("a")).start().fails("a")
    assert run.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.NOT_NEEDED


def test_people_are_told_of_the_failure_the_rollback_and_the_end() -> None:
    run = Run(step("a", undo=CLEAN), step("b", ["a"])).start().succeeds("a").fails("b").succeeds("a")
    assert run.reasons == ["StepFailed", "RollingBack", "Failed"]
    assert [one.ordinal for one in run.told] == [1, 2, 3]
    assert all(one.warning for one in run.told)


def test_draining_waits_for_tasks_in_flight_before_anything_is_reversed() -> None:
    run = Run(step("a", undo=CLEAN), step("b"), step("c")).start().succeeds("a").begins("b").fails("c")
    assert run.stage is Stage.DRAINING
    assert set(run.open) == {"b"}
    assert run.reversals == []
    run.succeeds("b")
    assert run.reversals == ["a undo"]


def test_what_succeeds_while_draining_is_undone_too() -> None:
    run = Run(step("a"), step("b", undo=CLEAN)).start().fails("a").succeeds("b")
    assert run.reversals == ["b undo"]


def test_what_fails_while_draining_is_not_retried_and_is_compensated() -> None:
    run = Run(step("a"), step("b", run=attempts(9), compensate=CLEAN)).start().fails("a").fails("b")
    assert run.at("b") is StepPhase.COMPENSATING
    assert run.reversals == ["b compensate"]
    assert run.why_it_failed[0] == "a"


def test_what_is_lost_while_draining_is_not_replaced() -> None:
    run = Run(step("a"), step("b", compensate=CLEAN)).start().fails("a").begins("b").is_lost("b")
    assert run.reversals == ["b compensate"]
    assert "b.run.1.1.2" not in run.launches


def test_what_is_lost_before_it_began_while_draining_needs_no_compensate() -> None:
    run = Run(step("a"), step("b", compensate=CLEAN)).start().fails("a").is_lost("b", may_have_started=False)
    assert run.phase is RunPhase.FAILED
    assert run.reversals == []


def test_an_optional_step_that_fails_while_draining_is_compensated_like_any_other() -> None:
    run = Run(step("a"), step("b", compensate=CLEAN, continues_on_error=True)).start().fails("a").fails("b")
    assert run.reversals == ["b compensate"]
    assert run.succeeds("b").at("b") is StepPhase.COMPENSATED


def test_no_retry_starts_once_the_run_is_failing() -> None:
    run = Run(step("a"), step("b", run=attempts(2), compensate=CLEAN)).start().fails("b").fails("a")
    assert run.at("b") is StepPhase.COMPENSATING
    assert "b.run.1.2.1" not in run.launches


def test_nothing_that_became_free_while_draining_starts() -> None:
    run = Run(step("a"), step("b"), step("c", ["b"])).start().fails("a").succeeds("b")
    assert run.phase is RunPhase.FAILED
    assert run.at("c") is StepPhase.PENDING


def test_terminating_stops_tasks_in_flight_and_takes_them_for_uncertain() -> None:
    run = Run(step("a"), step("b", compensate=CLEAN), on_failure=TERMINATE).start().begins("b").fails("a")
    assert [(r.task.key, r.stop) for r in run.retired] == [("a.run.1.1.1", False), ("b.run.1.1.1", True)]
    assert run.step("b").uncertain
    assert run.at("b") is StepPhase.COMPENSATING
    assert run.order("b").uncertain
    assert run.order("b").failure is None
    assert run.order("b").after == Task("b", Action.RUN, 1, 1, 1)


def test_terminating_a_task_that_checks_in_and_has_not_leaves_nothing_to_clean_up() -> None:
    run = Run(step("a"), step("b", compensate=CLEAN), on_failure=TERMINATE).start().fails("a")
    assert run.phase is RunPhase.FAILED
    assert run.at("b") is StepPhase.CANCELLED
    assert run.reversals == []


def test_terminating_a_container_that_nobody_saw_start_takes_it_for_uncertain() -> None:
    run = Run(step("a"), step("b", run=CONTAINER, compensate=CLEAN), on_failure=TERMINATE).start().fails("a")
    assert run.reversals == ["b compensate"]
    assert run.step("b").start_order == 2


def test_terminating_leaves_a_compensate_in_flight_alone() -> None:
    run = Run(step("a", compensate=CLEAN), step("b"), on_failure=TERMINATE, timeout_ms=MINUTE).start().fails("a")
    run.begins("a").later(MINUTE)
    assert set(run.open) == {"a"}
    assert run.goal is Goal.ROLL_BACK
    assert run.succeeds("a").phase is RunPhase.FAILED


# The others


def test_every_other_step_that_started_and_did_not_succeed_is_compensated_newest_start_first() -> None:
    run = Run(*(step(name, compensate=CLEAN) for name in "abc"), step("d"), on_failure=TERMINATE).start()
    run.begins("b").begins("c").begins("a").fails("d")
    run.succeeds("a").succeeds("c").succeeds("b")
    assert run.reversals == ["a compensate", "c compensate", "b compensate"]


def test_the_first_start_of_a_step_counts_not_its_latest_attempt() -> None:
    run = Run(step("a", run=attempts(2), compensate=CLEAN), step("b", compensate=CLEAN), step("c")).start()
    run.begins("a").begins("b").fails("a").wakes().begins("a").fails("c").fails("a").fails("b")
    run.succeeds("b").succeeds("a")
    assert run.reversals == ["b compensate", "a compensate"]


def test_what_failed_is_compensated_before_what_succeeded_is_undone() -> None:
    run = Run(step("a", undo=CLEAN), step("b", compensate=CLEAN), step("c")).start()
    run.begins("b").succeeds("a").fails("c").fails("b").succeeds("b")
    assert run.reversals == ["b compensate", "a undo"]


def test_the_failed_step_is_not_compensated_twice() -> None:
    run = Run(step("a", compensate=CLEAN), step("b", compensate=CLEAN)).start().fails("a").succeeds("a").fails("b")
    run.succeeds("b")
    assert run.reversals == ["a compensate", "b compensate"]


def test_a_step_that_never_started_is_not_compensated() -> None:
    run = Run(step("a"), step("b", ["a"], compensate=CLEAN)).start().fails("a")
    assert run.reversals == []
    assert run.at("b") is StepPhase.PENDING


def test_a_step_that_certainly_failed_is_not_undone() -> None:
    run = Run(step("a", undo=CLEAN)).start().fails("a")
    assert run.reversals == []
    assert run.rollback is RollbackState.NOT_NEEDED
    assert run.unreversed == []


# Optional steps (`onError: Continue`)


def test_an_optional_step_is_compensated_and_ignored_and_nothing_is_rolled_back() -> None:
    run = Run(step("a", undo=CLEAN), step("b", ["a"], compensate=CLEAN, continues_on_error=True)).start()
    run.succeeds("a").fails("b").succeeds("b")
    assert run.phase is RunPhase.SUCCEEDED
    assert run.at("b") is StepPhase.IGNORED
    assert run.step("b").result == value("b fallback")
    assert run.step("b").failure is not None
    assert run.reversals == ["b compensate"]
    assert run.header.undone == ("b",)
    assert run.rollback is RollbackState.NOT_NEEDED


def test_an_optional_step_is_retried_first() -> None:
    run = Run(step("a", run=attempts(2), continues_on_error=True)).start().fails("a").wakes().fails("a")
    assert run.launches == ["a.run.1.1.1", "a.run.1.2.1"]
    assert run.at("a") is StepPhase.IGNORED


def test_an_optional_step_whose_cleanup_fails_is_ignored_and_listed() -> None:
    optional = step("a", compensate=CLEAN, continues_on_error=True)
    run = Run(optional, step("b", ["a"])).start().fails("a").fails("a", message="no route")
    assert run.at("a") is StepPhase.IGNORED
    assert run.succeeds("b").phase is RunPhase.SUCCEEDED
    assert run.unreversed == [("a", FailureKind.ERROR)]
    assert run.rollback is RollbackState.INCOMPLETE


def test_an_optional_step_that_is_uncertain_is_undone_and_ignored() -> None:
    run = Run(step("a", undo=CLEAN, continues_on_error=True)).start().fails("a", FailureKind.TIMEOUT).succeeds("a")
    assert run.reversals == ["a undo"]
    assert run.at("a") is StepPhase.IGNORED
    assert run.phase is RunPhase.SUCCEEDED


def test_an_optional_step_that_is_uncertain_and_has_no_cleanup_is_ignored_and_listed() -> None:
    run = Run(step("a", continues_on_error=True)).start().fails("a", FailureKind.TIMEOUT)
    assert run.phase is RunPhase.SUCCEEDED
    assert run.unreversed == [("a", FailureKind.UNCERTAIN)]
    assert run.rollback is RollbackState.INCOMPLETE


def test_an_ignored_step_is_not_reversed_again_when_the_run_fails_later() -> None:
    optional = step("a", compensate=CLEAN, undo=CLEAN, continues_on_error=True)
    run = Run(optional, step("b", ["a"])).start().fails("a").succeeds("a").fails("b")
    assert run.phase is RunPhase.FAILED
    assert run.reversals == ["a compensate"]
    assert run.at("a") is StepPhase.IGNORED


def test_continue_of_an_optional_steps_compensate_is_a_success_not_an_ignored_failure() -> None:
    run = Run(step("a", compensate=CLEAN, continues_on_error=True)).start().fails("a").continues("a", "repaired")
    assert run.at("a") is StepPhase.SUCCEEDED
    assert run.step("a").result == value("repaired")


def test_a_result_that_cannot_be_evaluated_rolls_the_run_back() -> None:
    run = Run(*chain("a", "b", undo=CLEAN))
    run.returns = ev.ReturnsEvaluationFailed(failure=failure(FailureKind.EXPRESSION, "no such key"))
    run.start().succeeds("a").succeeds("b").succeeds("b").succeeds("a")
    assert run.reversals == ["b undo", "a undo"]
    assert run.phase is RunPhase.FAILED
    assert run.why_it_failed == ("", FailureKind.EXPRESSION)
