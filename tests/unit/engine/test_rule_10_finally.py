"""Rule 10: finally steps run at every end, after the rollback, in a round of their own, and change nothing."""

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase, Stage, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, Run, attempts, cannot_be_evaluated, chain, step

UNDO = DONE_ONCE
FINALS = (step("tell"), step("clean", ["tell"]))


def test_they_run_after_a_success_and_the_run_ends_with_them() -> None:
    run = Run(step("a"), finals=FINALS).start().succeeds("a")
    assert (run.phase, run.stage, list(run.open)) == (RunPhase.RUNNING, Stage.FINISHING, ["tell"])
    assert run.header.ending is not None
    assert run.header.ending.phase is RunPhase.SUCCEEDED
    run.succeeds("tell")
    assert list(run.open) == ["clean"]
    run.succeeds("clean")
    assert (run.phase, run.stage, run.header.result is not None) == (RunPhase.SUCCEEDED, Stage.OVER, True)


def test_they_run_after_the_rollback() -> None:
    run = Run(*chain("a", "b", undo=UNDO), finals=FINALS).start().succeeds("a").fails("b")
    assert list(run.open) == ["a"]
    run.succeeds("a")
    assert list(run.open) == ["tell"]
    run.succeeds("tell").succeeds("clean")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


def test_they_run_after_a_cancel_and_after_a_halt() -> None:
    cancelled = Run(step("a"), finals=FINALS).start().is_cancelled().succeeds("a")
    assert list(cancelled.open) == ["tell"]
    assert cancelled.succeeds("tell").succeeds("clean").phase is RunPhase.CANCELLED
    halted = Run(step("a"), finals=FINALS).start().halts("a")
    assert halted.succeeds("tell").succeeds("clean").phase is RunPhase.HALTED


def test_their_failure_is_told_and_changes_nothing() -> None:
    run = Run(step("a"), finals=FINALS).start().succeeds("a").fails("tell")
    assert (run.phase, run.at("tell"), run.at("clean")) == (RunPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.PENDING)
    assert "FinallyFailed" in run.reasons
    assert run.header.rollback_failures == ()


def test_those_that_do_not_wait_for_one_that_failed_run_all_the_same() -> None:
    run = Run(step("a"), finals=[*FINALS, step("close")], parallelism=1).start().succeeds("a").fails("tell")
    assert list(run.open) == ["close"]
    assert run.succeeds("close").phase is RunPhase.SUCCEEDED
    assert run.at("clean") is StepPhase.PENDING


def test_they_are_attempted_again_by_their_policy_and_replaced_when_lost() -> None:
    run = Run(step("a"), finals=[step("tell", run=attempts(2))]).start().succeeds("a").fails("tell").wakes()
    assert run.launches[-1] == "tell.run.1.2.1"
    run.begins("tell").is_lost("tell")
    assert run.launches[-1] == "tell.run.1.2.2"
    assert run.succeeds("tell").phase is RunPhase.SUCCEEDED


def test_they_begin_anew_at_every_end() -> None:
    run = Run(step("a", undo=UNDO), finals=[step("tell")]).start().succeeds("a").succeeds("tell")
    run.is_to_be_undone().succeeds("a")
    assert run.launches[-1] == "tell.run.2.1.1"
    assert run.succeeds("tell").phase is RunPhase.UNDONE


def test_after_a_retry_they_wait_for_the_next_end() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().fails("a").succeeds("tell").is_retried()
    assert list(run.open) == ["a"]
    run.succeeds("a")
    assert run.launches[-1] == "tell.run.2.1.1"
    assert run.succeeds("tell").phase is RunPhase.SUCCEEDED


def test_they_are_never_undone_nor_listed() -> None:
    run = Run(step("a", undo=UNDO), finals=[step("tell")]).start().succeeds("a").fails("tell", FailureKind.TIMEOUT)
    run.is_to_be_undone().succeeds("a").succeeds("tell")
    assert (run.phase, run.unreversed, run.reversals) == (RunPhase.UNDONE, [], ["a undo"])


def test_the_runs_timeout_does_not_count_for_them() -> None:
    run = Run(step("a"), timeout_ms=MINUTE, finals=[step("tell")]).start().succeeds("a").later(10 * MINUTE)
    assert run.succeeds("tell").phase is RunPhase.SUCCEEDED


def test_one_that_cannot_be_evaluated_has_failed() -> None:
    run = Run(step("a"), finals=[step("tell")]).start(tell=cannot_be_evaluated).succeeds("a")
    assert (run.phase, run.why("tell").kind) == (RunPhase.SUCCEEDED, FailureKind.EXPRESSION)


def test_they_wait_while_the_run_is_suspended() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().is_suspended()
    run.succeeds("a").is_suspended(False)
    run.is_suspended()
    assert list(run.open) == ["tell"]
    assert run.phase is RunPhase.SUSPENDED
    run = Run(*chain("a", "b"), finals=[step("tell")]).start().succeeds("a").is_cancelled().is_suspended().succeeds("b")
    assert list(run.open) == ["tell"], "a cancel goes on"


def test_while_they_run_nothing_but_a_cancel_is_asked_of_the_run() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().fails("a")
    for asked in (run.is_retried("2"), run.is_to_be_undone("3"), run.is_carried_over("a")):
        accepted, reason = asked.answer
        assert not accepted
        assert "its finally steps run: wait for its end" in reason
    assert run.succeeds("tell").phase is RunPhase.FAILED


def test_a_cancel_stops_them_and_the_run_ends_as_it_was_about_to_end() -> None:
    finals = (step("hangs"), step("waits", run=attempts(2)), step("next", ["hangs"]))
    run = Run(*chain("a", "b", undo=UNDO), finals=finals).start().succeeds("a").fails("b").succeeds("a")
    run.begins("hangs").fails("waits").is_cancelled()
    assert (run.answer[0], run.phase, run.rollback) == (True, RunPhase.FAILED, RollbackState.COMPLETE)
    assert (run.stage, list(run.open), run.last.wake_at) == (Stage.OVER, [], None)
    assert [run.at(name) for name in ("hangs", "waits", "next")] == [
        StepPhase.CANCELLED,
        StepPhase.CANCELLED,
        StepPhase.PENDING,
    ]
    assert (run.retired[-1].task.path, run.retired[-1].stop) == ("hangs", True)
    assert [(one.message, one.warning) for one in run.told if one.reason == "FinallyStopped"] == [
        ("The finally steps that had not ended are stopped: enough", True)
    ]
    assert run.step("waits").finished_at == run.now
    assert run.header.cancel_reason == ""


def test_a_cancel_stops_those_of_a_run_that_was_cancelled_or_is_suspended_too() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().is_cancelled("first", "no more").succeeds("a")
    assert list(run.open) == ["tell"]
    assert run.is_cancelled("second", "").answer == (True, "")
    assert run.told[-2].message == "The finally steps that had not ended are stopped"
    assert (run.phase, run.told[-1].message) == (RunPhase.CANCELLED, "no more")
    run = Run(step("a"), finals=FINALS).start().succeeds("a").is_suspended().is_cancelled()
    assert (run.phase, list(run.open)) == (RunPhase.SUCCEEDED, [])


def test_those_that_were_stopped_run_again_at_the_next_end() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().fails("a").is_cancelled()
    assert run.phase is RunPhase.FAILED
    assert run.is_retried().succeeds("a").launches[-1] == "tell.run.2.1.1"


def test_a_finally_step_is_not_skipped() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().fails("a").fails("tell").is_carried_over("tell")
    assert run.answer == (
        False,
        "step tell is a finally step: it runs at every end, and its failure changes nothing",
    )
