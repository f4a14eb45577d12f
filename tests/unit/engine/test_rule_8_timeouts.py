"""Rule 8: timeouts of launches, of the run, and of the rollback."""

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.engine.plan import ActionPlan, RetryPolicy
from reactor_operator.engine.state import RollbackState, RunPhase, Stage, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, SECOND, START, TERMINATE, Run, attempts, step

UNDO = DONE_ONCE
QUICK = ActionPlan(timeout_ms=30 * SECOND)
QUICK_TWICE = ActionPlan(timeout_ms=30 * SECOND, retries=RetryPolicy(max_attempts=2, jitter_percent=0))


# Of a launch


def test_a_launch_times_out_counted_from_its_start() -> None:
    run = Run(step("a", run=QUICK, compensate=UNDO)).start().later(10 * SECOND).begins("a")
    assert run.last.wake_at == START + 40 * SECOND
    assert run.later(30 * SECOND - 1).open
    run.later(1)
    assert run.why("a").kind is FailureKind.TIMEOUT
    assert run.why("a").message == "run took longer than its timeout of 30s"
    assert run.retired[0].stop
    assert run.reversals == ["a compensate"]


def test_a_launch_that_has_not_started_does_not_time_out() -> None:
    run = Run(step("a", run=QUICK)).start()
    assert run.last.wake_at is None
    assert run.later(MINUTE).open


def test_a_start_that_was_told_late_counts_from_when_it_was() -> None:
    run = Run(step("a", run=QUICK)).start().later(20 * SECOND).begins("a", at=START + 5 * SECOND)
    assert run.last.wake_at == START + 35 * SECOND
    assert run.step("a").started_at == START + 5 * SECOND


def test_a_start_in_the_future_of_another_clock_counts_from_now() -> None:
    run = Run(step("a", run=QUICK)).start().begins("a", at=START + MINUTE)
    assert run.last.wake_at == START + 30 * SECOND


def test_each_launch_has_the_whole_timeout() -> None:
    run = Run(step("a", run=QUICK_TWICE)).start().begins("a").later(30 * SECOND).wakes()
    run.begins("a").later(29 * SECOND)
    assert run.open["a"].attempt == 2
    run.is_lost("a").begins("a").later(29 * SECOND)
    assert run.open["a"].launch == 2
    assert run.later(SECOND).phase is RunPhase.FAILED


def test_without_a_timeout_a_launch_runs_as_long_as_it_likes() -> None:
    run = Run(step("a")).start().begins("a")
    assert run.last.wake_at is None
    assert run.later(10_000 * MINUTE).succeeds("a").phase is RunPhase.SUCCEEDED


def test_an_outcome_that_is_told_before_the_clock_wins_over_the_timeout() -> None:
    run = Run(step("a", run=QUICK)).start().begins("a")
    run.now += MINUTE
    assert run.succeeds("a").phase is RunPhase.SUCCEEDED


def test_a_compensate_and_an_undo_time_out_by_their_own_timeouts() -> None:
    run = Run(step("a", undo=QUICK), step("b", ["a"], compensate=QUICK)).start().succeeds("a").fails("b")
    run.begins("b").later(30 * SECOND).begins("a").later(30 * SECOND)
    assert run.unreversed == [("b", FailureKind.TIMEOUT), ("a", FailureKind.TIMEOUT)]


def test_timers_that_are_due_together_take_effect_in_the_order_of_the_manifest() -> None:
    names = ["pay", "book", "ship", "bill", "audit", "mail", "alert"]
    run = Run(*(step(name, run=QUICK) for name in names)).start()
    for name in sorted(names):
        run.begins(name)
    run.later(MINUTE)
    assert [r.task.path for r in run.retired] == names


# Of the run


def test_a_run_that_takes_too_long_is_rolled_back_with_run_timeout() -> None:
    run = Run(step("a", undo=UNDO), step("b", ["a"]), timeout_ms=MINUTE).start().succeeds("a").begins("b")
    assert run.last.wake_at == START + MINUTE
    assert run.later(MINUTE - 1).phase is RunPhase.RUNNING
    run.later(1)
    assert run.stage is Stage.DRAINING
    run.succeeds("b").succeeds("a")
    assert run.reversals == ["a undo"]
    assert run.phase is RunPhase.FAILED
    assert run.why_it_failed == ("", FailureKind.RUN_TIMEOUT)
    assert run.header.failure is not None
    assert run.header.failure.failure.message == "the run took longer than its timeout of 60s"


def test_the_timeout_of_the_run_terminates_tasks_where_the_run_says_so() -> None:
    run = Run(step("a", compensate=UNDO), timeout_ms=MINUTE, on_failure=TERMINATE).start().begins("a").later(MINUTE)
    assert run.reversals == ["a compensate"]


def test_the_timeout_of_the_run_catches_a_step_that_waits_for_its_next_attempt() -> None:
    run = Run(step("a", run=attempts(2, base_delay_ms=5 * MINUTE)), timeout_ms=MINUTE).start().fails("a").later(MINUTE)
    assert run.at("a") is StepPhase.CANCELLED
    assert run.phase is RunPhase.FAILED


def test_the_timeout_of_the_run_catches_a_run_that_holds_for_a_compensate_which_may_end() -> None:
    run = Run(step("a", compensate=UNDO), step("b"), timeout_ms=MINUTE).start().fails("a").succeeds("b").later(MINUTE)
    assert run.stage is Stage.DRAINING
    assert set(run.open) == {"a"}
    run.succeeds("a")
    assert run.at("a") is StepPhase.COMPENSATED
    assert run.why_it_failed[1] is FailureKind.RUN_TIMEOUT


def test_failed_steps_that_queued_for_their_compensate_when_the_run_timed_out_are_compensated() -> None:
    run = Run(*(step(name, compensate=UNDO) for name in "ab"), timeout_ms=MINUTE).start().fails("a").fails("b")
    run.later(MINUTE).succeeds("a").succeeds("b")
    assert run.reversals == ["a compensate", "b compensate"]
    assert run.header.undone == ("a", "b")


def test_a_step_repaired_after_the_run_timed_out_is_undone() -> None:
    run = Run(step("a", compensate=UNDO, undo=UNDO), timeout_ms=MINUTE).start().fails("a").later(MINUTE)
    run.continues("a", "repaired")
    assert run.reversals == ["a compensate", "a undo"]


def test_the_timeout_of_the_run_excludes_the_rollback() -> None:
    run = Run(step("a", undo=UNDO), step("b", ["a"]), timeout_ms=MINUTE).start().succeeds("a").fails("b")
    run.later(5 * MINUTE)
    assert run.why_it_failed[0] == "b"
    assert run.succeeds("a").phase is RunPhase.FAILED


def test_a_run_without_a_timeout_has_no_deadline() -> None:
    assert Run(step("a")).start().last.wake_at is None


# Of the rollback


def rolling_back() -> Run:
    steps = [step("a", undo=UNDO), step("b", ["a"], undo=attempts(9)), step("z", ["b"])]
    return Run(*steps, rollback_deadline_ms=MINUTE).start().succeeds("a").succeeds("b").fails("z")


def test_the_deadline_of_the_rollback_counts_from_its_beginning() -> None:
    run = rolling_back()
    assert run.header.rollback_deadline == START + MINUTE
    assert run.last.wake_at == START + MINUTE


def test_after_the_deadline_nothing_further_starts_and_what_is_left_is_listed() -> None:
    run = rolling_back().later(MINUTE)
    assert set(run.open) == {"b"}
    run.succeeds("b")
    assert run.reversals == ["b undo"]
    assert run.header.undone == ("b",)
    assert run.unreversed == [("a", FailureKind.TIMEOUT)]
    assert run.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.INCOMPLETE


def test_after_the_deadline_a_failed_undo_is_not_retried() -> None:
    run = rolling_back().later(MINUTE).fails("b", message="no route")
    assert run.unreversed == [("b", FailureKind.ERROR), ("a", FailureKind.TIMEOUT)]
    assert run.phase is RunPhase.FAILED


def test_after_the_deadline_a_lost_undo_is_not_replaced() -> None:
    run = rolling_back().later(MINUTE).begins("b").is_lost("b")
    assert run.unreversed == [("b", FailureKind.LOST), ("a", FailureKind.TIMEOUT)]


def test_the_deadline_ends_an_undo_that_waits_for_its_next_attempt() -> None:
    run = rolling_back()
    run.later(MINUTE - 500).fails("b", message="no route")
    assert not run.open
    assert run.last.wake_at == START + MINUTE
    run.wakes()
    assert run.unreversed == [("b", FailureKind.ERROR), ("a", FailureKind.TIMEOUT)]
    assert run.phase is RunPhase.FAILED


def test_the_deadline_ends_an_undo_whose_next_attempt_is_due_at_the_same_moment() -> None:
    run = rolling_back()
    run.later(MINUTE - SECOND).fails("b").wakes()
    assert run.order("b").task.attempt == 1
    assert run.phase is RunPhase.FAILED


def test_the_deadline_also_ends_a_compensate_that_waits_while_others_drain() -> None:
    run = Run(
        step("a", compensate=attempts(9, base_delay_ms=5 * MINUTE)),
        step("b"),
        timeout_ms=MINUTE,
        rollback_deadline_ms=MINUTE,
    )
    run.start().fails("a").fails("a").later(MINUTE)
    assert run.stage is Stage.DRAINING
    run.later(MINUTE)
    assert run.unreversed == [("a", FailureKind.ERROR)]
    assert run.succeeds("b").phase is RunPhase.FAILED


def test_what_is_still_to_compensate_at_the_deadline_is_listed_too() -> None:
    run = Run(step("a", compensate=UNDO), step("b"), rollback_deadline_ms=MINUTE).start().fails("b").later(MINUTE)
    run.fails("a")
    assert run.unreversed == [("a", FailureKind.TIMEOUT)]
    assert run.reversals == []


def test_an_undo_is_launched_before_the_deadline_but_not_at_it() -> None:
    run = rolling_back()
    run.now = START + MINUTE - 1
    assert run.succeeds("b").order("a").task.action is Action.UNDO
    run = rolling_back()
    run.now = START + MINUTE
    assert run.succeeds("b").order("a").task.action is Action.RUN
