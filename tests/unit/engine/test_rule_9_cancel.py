"""Rule 9, cancel: stop, keep everything, roll nothing back; during a rollback end after the undo in flight."""

import pytest

from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import Goal, RollbackState, RunPhase, Stage, StepPhase
from tests.unit.engine.driver import CONTAINER, DONE_ONCE, MINUTE, TERMINATE, Run, attempts, chain, step

CLEAN = DONE_ONCE


def answers(run: Run) -> list[tuple[str, bool, str]]:
    return [(one.id, one.accepted, one.reason) for one in run.header.signals]


# While the run goes forward


def test_cancel_waits_for_tasks_in_flight_and_starts_nothing_more() -> None:
    run = Run(*chain("a", "b", undo=CLEAN)).start().begins("a").is_cancelled()
    assert run.stage is Stage.DRAINING
    assert run.header.finished_at is None
    run.succeeds("a")
    assert run.phase is RunPhase.CANCELLED
    assert run.at("a") is StepPhase.SUCCEEDED
    assert run.reversals == []
    assert run.rollback is RollbackState.NOT_NEEDED


def test_cancel_stops_tasks_in_flight_where_the_run_terminates() -> None:
    run = Run(step("a", compensate=CLEAN, undo=CLEAN), on_failure=TERMINATE).start().begins("a").is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.retired[0].stop
    assert run.at("a") is StepPhase.CANCELLED
    assert run.reversals == []


def test_what_was_done_is_kept() -> None:
    run = Run(*chain("a", "b", undo=CLEAN)).start().succeeds("a", "kept").is_cancelled().succeeds("b")
    assert [run.at(name) for name in "ab"] == [StepPhase.SUCCEEDED, StepPhase.SUCCEEDED]
    assert run.step("a").result is not None
    assert run.header.result is None


def test_a_step_that_fails_after_a_cancel_is_neither_retried_nor_compensated() -> None:
    run = Run(step("a", run=attempts(9), compensate=CLEAN)).start().is_cancelled().fails("a")
    assert run.phase is RunPhase.CANCELLED
    assert run.at("a") is StepPhase.FAILED
    assert run.reversals == []


def test_a_pod_lost_after_a_cancel_is_not_replaced() -> None:
    run = Run(step("a")).start().begins("a").is_cancelled().is_lost("a")
    assert run.phase is RunPhase.CANCELLED
    assert run.launches == ["a.run.1.1.1"]


def test_a_step_that_waits_for_its_next_attempt_is_cancelled_at_once() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a").later(1).is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert (run.at("a"), run.step("a").finished_at) == (StepPhase.CANCELLED, run.now)
    assert run.last.wake_at is None


def test_a_step_that_queued_for_a_place_stays_pending() -> None:
    run = Run(step("a"), step("b"), parallelism=1).start().is_cancelled().succeeds("a")
    assert run.phase is RunPhase.CANCELLED
    assert run.at("b") is StepPhase.PENDING


def test_people_are_told_why() -> None:
    run = Run(step("a")).start().is_cancelled(reason="wrong order").succeeds("a")
    assert run.header.cancel_reason == "wrong order"
    assert (run.told[-1].reason, run.told[-1].message) == ("Cancelled", "wrong order")


def test_cancel_during_a_halt_wins() -> None:
    run = Run(step("a"), step("b")).start().halts("a").is_cancelled().succeeds("b")
    assert run.phase is RunPhase.CANCELLED


def test_halt_after_a_cancel_changes_nothing() -> None:
    assert Run(step("a")).start().is_cancelled().halts("a").phase is RunPhase.CANCELLED


# While a failed step is cleaned up


def test_cancel_lets_a_compensate_in_flight_end() -> None:
    run = Run(step("a", undo=CLEAN), step("b", ["a"], compensate=CLEAN)).start().succeeds("a").fails("b").is_cancelled()
    assert run.stage is Stage.DRAINING
    run.succeeds("b")
    assert run.phase is RunPhase.CANCELLED
    assert run.at("b") is StepPhase.COMPENSATED
    assert run.reversals == ["b compensate"]
    assert run.rollback is RollbackState.NOT_NEEDED


def test_cancel_lets_a_compensate_in_flight_end_even_where_the_run_terminates() -> None:
    run = Run(step("a", compensate=CLEAN), on_failure=TERMINATE).start().fails("a").begins("a").is_cancelled()
    assert set(run.open) == {"a"}
    assert run.continues("a").phase is RunPhase.CANCELLED
    assert run.at("a") is StepPhase.SUCCEEDED


def test_a_compensate_that_fails_after_a_cancel_is_not_retried_but_listed() -> None:
    run = Run(step("a", compensate=attempts(9))).start().fails("a").is_cancelled().fails("a")
    assert run.phase is RunPhase.CANCELLED
    assert run.unreversed == [("a", FailureKind.ERROR)]
    assert run.rollback is RollbackState.INCOMPLETE


def test_a_compensate_that_waits_for_its_next_attempt_is_listed_at_once() -> None:
    run = Run(step("a", compensate=attempts(9))).start().fails("a").fails("a").is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.unreversed == [("a", FailureKind.ERROR)]


def test_a_compensate_that_waits_is_listed_though_a_task_before_it_is_in_flight() -> None:
    run = Run(step("a"), step("b", compensate=attempts(9))).start().fails("b").fails("b").is_cancelled()
    assert (run.unreversed, list(run.open), run.stage) == ([("b", FailureKind.ERROR)], ["a"], Stage.DRAINING)
    assert run.succeeds("a").phase is RunPhase.CANCELLED


def test_a_failed_step_that_queued_for_its_compensate_is_kept_as_it_is() -> None:
    run = Run(step("a", compensate=CLEAN), step("b", compensate=CLEAN)).start().fails("a").fails("b").is_cancelled()
    assert run.succeeds("a").phase is RunPhase.CANCELLED
    assert run.header.failing == ()
    assert run.at("b") is StepPhase.FAILED
    assert run.reversals == ["a compensate"]


# During a rollback


def rolling_back() -> Run:
    run = Run(*chain("a", "b", undo=attempts(3)), step("z", ["b"])).start().succeeds("a").succeeds("b").fails("z")
    assert run.stage is Stage.REVERTING
    return run


def test_cancel_during_a_rollback_ends_it_after_the_undo_in_flight() -> None:
    run = rolling_back().is_cancelled()
    assert set(run.open) == {"b"}
    run.succeeds("b")
    assert run.phase is RunPhase.CANCELLED
    assert run.rollback is RollbackState.INCOMPLETE
    assert run.header.undone == ("b",)
    assert run.at("a") is StepPhase.SUCCEEDED


def test_an_undo_that_fails_after_a_cancel_is_not_retried() -> None:
    run = rolling_back().is_cancelled().fails("b")
    assert run.phase is RunPhase.CANCELLED
    assert run.unreversed == [("b", FailureKind.ERROR)]


def test_an_undo_that_is_lost_after_a_cancel_is_not_replaced() -> None:
    run = rolling_back().is_cancelled().begins("b").is_lost("b")
    assert run.phase is RunPhase.CANCELLED
    assert run.unreversed == [("b", FailureKind.LOST)]


def test_an_undo_that_waits_for_its_next_attempt_ends_the_run_at_once() -> None:
    run = rolling_back().fails("b").is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.unreversed == [("b", FailureKind.ERROR)]
    assert run.last.wake_at is None


def test_an_attempt_to_undo_that_a_cancel_gave_up_is_not_counted_when_the_undo_is_repeated() -> None:
    run = Run(step("a", undo=attempts(2)), step("b", ["a"])).start().succeeds("a").fails("b").fails("a").is_cancelled()
    assert (run.phase, run.unreversed) == (RunPhase.CANCELLED, [("a", FailureKind.ERROR)])
    run.is_to_be_undone().fails("a").wakes()
    assert run.launches[-3:] == ["a.undo.1.1.1", "a.undo.1.2.1", "a.undo.1.3.1"]


def test_cancel_while_a_failing_run_drains_ends_it_without_a_rollback() -> None:
    run = Run(step("a", undo=CLEAN), step("b"), step("z")).start().succeeds("a").fails("z").is_cancelled()
    assert run.goal is Goal.CANCEL
    run.succeeds("b")
    assert run.phase is RunPhase.CANCELLED
    assert run.rollback is RollbackState.INCOMPLETE
    assert run.reversals == []


def test_cancel_while_a_timed_out_run_waits_to_compensate_again_ends_it_at_once() -> None:
    run = Run(step("a", compensate=attempts(9, base_delay_ms=5 * MINUTE)), timeout_ms=MINUTE)
    run.start().fails("a").fails("a").later(MINUTE)
    assert run.stage is Stage.DRAINING
    assert run.is_cancelled().phase is RunPhase.CANCELLED


# Answers


def test_each_cancel_is_answered() -> None:
    run = Run(step("a")).start().later(5).is_cancelled("one", "enough", "ann")
    answer = run.header.signals[0]
    assert (answer.id, answer.action, answer.accepted, answer.reason) == ("one", "cancel", True, "enough")
    assert (answer.by, answer.at) == ("ann", run.now)


def test_repeating_a_cancel_changes_nothing() -> None:
    run = Run(step("a")).start().is_cancelled("one")
    before = run.state
    assert run.is_cancelled("one").state is before


def test_repeating_a_cancel_with_a_very_long_id_changes_nothing() -> None:
    run = Run(step("a")).start().is_cancelled("i" * 5_000)
    before = run.state
    assert run.is_cancelled("i" * 5_000).state is before
    assert len(run.header.signals[0].id) == 256


def test_a_second_cancel_is_refused_with_the_reason() -> None:
    run = Run(step("a")).start().is_cancelled("one").is_cancelled("two")
    assert answers(run)[1] == ("two", False, "the run is being cancelled already")
    assert run.header.cancel_reason == "enough"


def test_a_second_cancel_during_a_rollback_is_refused() -> None:
    run = rolling_back().is_cancelled("one").is_cancelled("two")
    assert [accepted for _, accepted, _ in answers(run)] == [True, False]


def test_a_cancel_after_the_end_is_refused_with_how_it_ended() -> None:
    run = Run(step("a")).start().succeeds("a").is_cancelled()
    assert answers(run) == [("stop", False, "the run has ended: Succeeded")]
    assert run.phase is RunPhase.SUCCEEDED
    assert [one.reason for one in run.last.actions if isinstance(one, Announce)] == ["CancelRefused"]
    assert len(run.last.actions) == 1


def test_a_repeated_cancel_after_the_end_it_brought_changes_nothing() -> None:
    run = Run(step("a")).start().is_cancelled().succeeds("a")
    before = run.state
    assert run.is_cancelled().state is before


def test_the_newest_twenty_answers_are_kept() -> None:
    run = Run(step("a")).start()
    for number in range(30):
        run.is_cancelled(str(number))
    assert [one.id for one in run.header.signals] == [str(number) for number in range(10, 30)]


@pytest.mark.parametrize("plan", [DONE_ONCE, CONTAINER])
def test_nothing_is_launched_after_a_cancel_however_long_one_waits(plan: object) -> None:
    run = Run(*chain("a", "b", run=plan)).start().is_cancelled().later(MINUTE).succeeds("a").later(MINUTE)
    assert run.launches == ["a.run.1.1.1"]
