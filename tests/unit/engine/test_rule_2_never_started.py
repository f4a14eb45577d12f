"""Rule 2, launches: lost pods are replaced, what cannot start waits, and neither consumes an attempt."""

import pytest

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, idempotency_key
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import MINUTE, SECOND, START, Run, attempts, step


def test_a_lost_pod_is_launched_again_at_once_within_its_attempt_with_the_same_key() -> None:
    run = Run(step("a")).start().begins("a").is_lost("a")
    assert run.launches == ["a.run.1.1.1", "a.run.1.1.2"]
    keys = {idempotency_key("run-1", o.task.path, o.task.action, o.task.round) for o in run.orders}
    assert len(keys) == 1


def test_a_replacement_names_the_lost_task_whose_pod_must_be_dead_first() -> None:
    run = Run(step("a")).start().begins("a").is_lost("a")
    assert run.orders[1].after == run.orders[0].task


def test_a_lost_pod_consumes_no_attempt() -> None:
    run = Run(step("a", run=attempts(2))).start().is_lost("a").is_lost("a").wakes().fails("a").wakes()
    assert run.launches[-1] == "a.run.1.2.1"
    assert run.step("a").run_attempts == 2


def test_lost_pods_are_replaced_as_often_as_infrastructure_retries_says_then_the_step_fails_as_lost() -> None:
    run = Run(step("a", run=attempts(5)), infrastructure_retries=2).start().is_lost("a").is_lost("a").wakes()
    assert run.launches == ["a.run.1.1.1", "a.run.1.1.2", "a.run.1.1.3"]
    run.is_lost("a")
    assert run.phase is RunPhase.FAILED
    assert run.why_it_failed[1] is FailureKind.LOST


def test_no_lost_pod_is_replaced_when_infrastructure_retries_is_zero() -> None:
    run = Run(step("a"), infrastructure_retries=0).start().is_lost("a")
    assert run.launches == ["a.run.1.1.1"]
    assert run.phase is RunPhase.FAILED


def test_each_attempt_has_its_own_replacements() -> None:
    run = Run(step("a", run=attempts(2)), infrastructure_retries=1).start()
    run.is_lost("a").fails("a").wakes().is_lost("a")
    assert run.launches == ["a.run.1.1.1", "a.run.1.1.2", "a.run.1.2.1", "a.run.1.2.2"]


def test_replacements_after_the_first_come_after_a_growing_pause_of_at_most_a_minute() -> None:
    run = Run(step("a"), infrastructure_retries=20).start().is_lost("a")
    pauses = []
    for _ in range(9):
        run.is_lost("a")
        assert run.last.wake_at is not None
        pauses.append((run.last.wake_at - run.now) // SECOND)
        run.wakes()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_pod_that_was_lost_before_it_began_is_replaced_beyond_the_limit() -> None:
    run = Run(step("a"), infrastructure_retries=0).start()
    for _ in range(4):
        run.is_lost("a", may_have_started=False)
        if "a" not in run.open:
            run.wakes()
    assert run.step("a").losses == 0
    assert run.launches[-1] == "a.run.1.1.5"


def test_a_pod_that_was_lost_before_it_began_leaves_nothing_uncertain() -> None:
    run = Run(step("a", compensate=attempts(1))).start().is_lost("a", may_have_started=False)
    run.is_cancelled().fails("a", FailureKind.CANNOT_START)
    assert not run.step("a").acted
    assert not run.step("a").uncertain


def test_a_pod_whose_start_was_recorded_did_begin_whatever_is_said_of_its_loss() -> None:
    run = Run(step("a"), infrastructure_retries=0).start().begins("a").is_lost("a", may_have_started=False)
    assert run.step("a").uncertain
    assert run.why_it_failed[1] is FailureKind.LOST


def test_pods_that_never_begin_are_replaced_no_longer_than_pending_timeout() -> None:
    run = Run(step("a"), pending_timeout_ms=10 * MINUTE).start()
    for _ in range(60):
        if "a" in run.open:
            run.is_lost("a", may_have_started=False, message="node refused it")
            if "a" in run.open:
                run.waits("a", "")  # the new pod was created
        if run.last.wake_at is not None:
            run.wakes()
        if run.phase is RunPhase.FAILED:
            break
    assert run.phase is RunPhase.FAILED
    assert run.now - START <= 12 * MINUTE
    assert run.why_it_failed[1] is FailureKind.CANNOT_START


def test_a_pod_that_is_lost_as_the_pending_timeout_ends_is_not_replaced_any_more() -> None:
    run = Run(step("a"), pending_timeout_ms=MINUTE).start().is_lost("a", may_have_started=False)
    run.now += MINUTE
    assert run.is_lost("a", may_have_started=False, message="").why_it_failed == ("a", FailureKind.CANNOT_START)


def test_no_pending_timeout_runs_for_a_task_that_a_worker_gave_back() -> None:
    run = Run(step("a"), pending_timeout_ms=MINUTE).start().is_given_back("a")
    assert run.last.wake_at is None
    assert run.step("a").task is not None
    run.now += 2 * MINUTE
    assert run.succeeds("a").phase is RunPhase.SUCCEEDED


def test_a_task_that_waited_for_its_pool_and_was_then_taken_and_given_back_waits_for_another_worker() -> None:
    run = Run(step("a"), pending_timeout_ms=MINUTE).start().waits("a", "PoolNotReady").waits("a", "")
    run.now += 2 * MINUTE
    run.is_given_back("a")
    assert run.last.wake_at is None
    assert run.succeeds("a").phase is RunPhase.SUCCEEDED


def test_a_lost_launch_that_may_have_begun_has_started_and_its_step_is_cleaned_up_though_the_next_never_began() -> None:
    run = Run(step("a", compensate=attempts(1))).start().is_lost("a")
    assert run.step("a").start_order == 1
    assert run.fails("a", FailureKind.CANNOT_START).reversals == ["a compensate"]


def test_a_lost_cleanup_that_waits_to_be_replaced_is_listed_by_a_cancel() -> None:
    run = Run(step("a", undo=attempts(1)), step("b", ["a"])).start().succeeds("a").fails("b").is_lost("a").is_lost("a")
    assert run.open == {}
    assert run.is_cancelled().unreversed == [("a", FailureKind.LOST)]


def test_a_lost_cleanup_is_replaced_too() -> None:
    run = Run(step("a", undo=attempts(1)), step("b", ["a"])).start().succeeds("a").fails("b").begins("a").is_lost("a")
    assert run.launches[-2:] == ["a.undo.1.1.1", "a.undo.1.1.2"]
    assert run.succeeds("a").at("a") is StepPhase.UNDONE


@pytest.mark.parametrize("reason", ["Unschedulable: 0/3 nodes", "ImagePullBackOff: shop:2", "exceeded quota: pods"])
def test_a_task_that_cannot_start_waits_and_shows_why(reason: str) -> None:
    run = Run(step("a")).start().waits("a", reason)
    assert run.step("a").reason == reason
    assert run.at("a") is StepPhase.RUNNING
    assert not run.retired


def test_after_pending_timeout_it_fails_with_the_reason_and_is_not_retried() -> None:
    run = Run(step("a", run=attempts(5)), pending_timeout_ms=10 * MINUTE).start().waits("a", "Unschedulable: no room")
    assert run.last.wake_at == START + 10 * MINUTE
    assert run.later(10 * MINUTE - 1).open
    run.later(1)
    assert run.phase is RunPhase.FAILED
    assert run.header.failure is not None
    assert run.header.failure.failure.kind is FailureKind.CANNOT_START
    assert "no room" in run.header.failure.failure.message
    assert run.retired[0].stop


def test_pending_timeout_counts_from_the_first_reason_whatever_the_next_one_is() -> None:
    run = Run(step("a"), pending_timeout_ms=10 * MINUTE).start().later(MINUTE)
    run.waits("a", "quota").later(5 * MINUTE).waits("a", "Unschedulable")
    assert run.last.wake_at == START + 11 * MINUTE


def test_a_task_whose_reason_is_gone_has_the_time_it_needs_but_no_new_clock() -> None:
    run = Run(step("a"), pending_timeout_ms=10 * MINUTE).start().waits("a", "quota").later(9 * MINUTE).waits("a", "")
    assert run.last.wake_at is None
    assert run.later(5 * MINUTE).open
    run.waits("a", "ImagePullBackOff").later(0)
    assert run.phase is RunPhase.FAILED


def test_a_task_that_started_waits_for_nothing_any_more() -> None:
    run = Run(step("a"), pending_timeout_ms=MINUTE).start().waits("a", "quota").begins("a")
    assert run.step("a").reason == ""
    assert run.last.wake_at is None
    assert run.waits("a", "Unschedulable").later(2 * MINUTE).open


def test_each_attempt_may_wait_as_long() -> None:
    run = Run(step("a", run=attempts(2)), pending_timeout_ms=MINUTE).start().waits("a", "quota").begins("a")
    run.fails("a").wakes().waits("a", "quota")
    assert run.last.wake_at == run.now + MINUTE


def test_a_task_that_can_never_start_fails_at_once() -> None:
    run = Run(step("a", run=attempts(5), compensate=attempts(1))).start()
    run.fails("a", FailureKind.CANNOT_START, "InvalidImageName")
    assert run.phase is RunPhase.FAILED
    assert run.reversals == []
    assert run.retired[0].stop


def test_a_cleanup_that_cannot_start_is_listed_after_pending_timeout() -> None:
    run = Run(step("a", undo=attempts(5)), step("b", ["a"]), pending_timeout_ms=MINUTE).start()
    run.succeeds("a").fails("b").waits("a", "ImagePullBackOff").later(MINUTE)
    assert run.unreversed == [("a", FailureKind.CANNOT_START)]
    assert run.order("a").task.action is Action.UNDO


def test_a_cleanup_has_a_clock_of_its_own_whatever_its_step_waited_for() -> None:
    plan = step("a", run=attempts(2), compensate=attempts(1))
    run = Run(plan, step("b"), pending_timeout_ms=MINUTE).start().fails("a").wakes()
    run.is_lost("a", may_have_started=False).is_lost("a", may_have_started=False)
    assert run.at("a") is StepPhase.RETRYING
    run.fails("b")
    assert run.order("a").task.action is Action.COMPENSATE
    assert run.step("a").reason == ""
    assert run.later(2 * MINUTE).open


def test_what_no_longer_waits_shows_no_reason() -> None:
    run = Run(step("a")).start().is_lost("a", may_have_started=False).is_lost("a", may_have_started=False)
    assert run.step("a").reason == "node gone"
    run.is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.step("a").reason == ""


def test_a_reason_of_any_length_is_cut_and_telling_it_again_changes_nothing() -> None:
    run = Run(step("a")).start().waits("a", "x" * 10_000)
    assert len(run.step("a").reason) == 256
