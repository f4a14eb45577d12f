"""Rule 9, suspend: nothing starts and nothing is reversed while a run holds still, and what comes due meanwhile."""

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, SECOND, Run, attempts, chain, step
from tests.unit.engine.situations import succeeded, undoable

QUICK = ActionPlan(timeout_ms=MINUTE)


def test_an_attempt_that_comes_due_meanwhile_starts_as_soon_as_the_run_goes_on() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a").is_suspended()
    assert run.last.wake_at == run.now + SECOND
    assert run.wakes().open == {}
    assert list(run.is_suspended(False).open) == ["a"]


def test_an_undo_in_flight_times_out_all_the_same() -> None:
    run = Run(*chain("a", "b", undo=QUICK)).start().succeeds("a").fails("b").begins("a").is_suspended()
    assert run.last.wake_at == run.now + MINUTE
    assert run.wakes().unreversed == [("a", FailureKind.TIMEOUT)]


def test_a_compensate_in_flight_that_cannot_start_waits_no_longer_than_any_other() -> None:
    run = Run(step("a", compensate=DONE_ONCE), pending_timeout_ms=MINUTE).start().fails("a").waits("a", "no room")
    assert run.is_suspended().wakes().unreversed == [("a", FailureKind.CANNOT_START)]


def test_a_suspended_run_starts_nothing_and_what_is_in_flight_ends() -> None:
    run = Run(*chain("a", "b")).start().is_suspended().succeeds("a")
    assert (run.phase, run.at("a"), run.open) == (RunPhase.SUSPENDED, StepPhase.SUCCEEDED, {})
    run.is_suspended(False)
    assert (run.phase, list(run.open)) == (RunPhase.RUNNING, ["b"])


def test_what_an_older_generation_said_comes_too_late() -> None:
    run = Run(step("a")).start().is_suspended().is_suspended(False)
    assert run.feed(ev.SpecChanged(suspended=True, generation=1)).phase is RunPhase.RUNNING


def test_a_run_that_is_over_takes_down_which_generation_it_has_seen() -> None:
    run = succeeded("a").feed(ev.SpecChanged(suspended=True, generation=3))
    assert (run.phase, run.header.generation, run.header.suspended) == (RunPhase.SUCCEEDED, 3, False)


def test_a_suspended_run_reverses_nothing_until_it_goes_on() -> None:
    run = Run(*undoable("a", "b")).start().succeeds("a").is_suspended().fails("b")
    assert (run.phase, run.reversals) == (RunPhase.SUSPENDED, [])
    run.is_suspended(False)
    assert (run.phase, run.reversals) == (RunPhase.ROLLING_BACK, ["a undo"])


def test_a_cleanup_that_is_to_be_attempted_again_waits_and_wakes_nobody_meanwhile() -> None:
    run = Run(step("a", undo=attempts(2)), step("b", ["a"])).start().succeeds("a").fails("b").fails("a").is_suspended()
    assert run.last.wake_at == run.header.rollback_deadline
    assert run.later(MINUTE).open == {}
    assert list(run.is_suspended(False).later(0).open) == ["a"]


def test_a_lost_undo_is_not_replaced_while_suspended() -> None:
    run = Run(*undoable("a", "b")).start().succeeds("a").fails("b").begins("a").is_suspended().is_lost("a")
    assert run.open == {}
    assert list(run.is_suspended(False).later(0).open) == ["a"]


def test_a_suspended_run_is_cancelled_or_undone_all_the_same() -> None:
    assert Run(*undoable("a")).start().is_suspended().is_cancelled().succeeds("a").phase is RunPhase.CANCELLED
    run = Run(*undoable("a", "b")).start().succeeds("a").is_suspended().is_to_be_undone().fails("b")
    assert run.succeeds("a").phase is RunPhase.UNDONE


def test_a_suspended_run_does_not_end_before_it_goes_on() -> None:
    run = Run(step("a")).start().is_suspended().succeeds("a")
    assert run.phase is RunPhase.SUSPENDED
    assert run.is_suspended(False).phase is RunPhase.SUCCEEDED


def test_the_timeout_of_the_run_counts_on_while_it_is_suspended() -> None:
    run = Run(*undoable("a", "b"), timeout_ms=MINUTE).start().succeeds("a").is_suspended().later(MINUTE)
    assert run.why_it_failed == ("", FailureKind.RUN_TIMEOUT)
