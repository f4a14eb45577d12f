"""Rule 9, suspend: nothing starts while a run holds still, what comes due meanwhile, and who says that it does.

The last word counts.
"""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.decide import recovering
from reactor_operator.engine.derive import restore
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan
from reactor_operator.engine.state import RunPhase, StepPhase, Suspension, suspended_in_spec
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
    assert (run.phase, run.header.generation, run.told[-1].reason) == (RunPhase.SUCCEEDED, 3, "Succeeded")


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


# on request


def test_a_run_that_is_asked_to_holds_still_until_it_is_asked_to_go_on() -> None:
    run = Run(*chain("a", "b")).start().is_held().succeeds("a")
    assert (run.answer, run.phase, run.open) == ((True, "wait"), RunPhase.SUSPENDED, {})
    run.is_held(False, "on", "mended")
    assert (run.answer, run.phase, list(run.open)) == ((True, "mended"), RunPhase.RUNNING, ["b"])


def test_a_rollback_holds_still_on_request_too() -> None:
    run = Run(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").is_held().fails("b")
    assert (run.phase, run.reversals) == (RunPhase.SUSPENDED, [])
    assert run.is_held(False, "on").reversals == ["a undo"]
    run = Run(*chain("a", "b", "c", undo=DONE_ONCE)).start().succeeds("a").succeeds("b").fails("c").is_held()
    assert run.answer[0]
    run.succeeds("b")
    assert (run.phase, run.reversals) == (RunPhase.SUSPENDED, ["b undo"])


def test_finally_steps_hold_still_and_go_on_by_request_though_nothing_else_is_asked_of_a_run_that_ends() -> None:
    run = Run(step("a"), finals=[step("tell"), step("clean", ["tell"])]).start().succeeds("a").is_held()
    assert run.answer[0]
    assert (run.succeeds("tell").phase, run.open) == (RunPhase.SUSPENDED, {})
    assert list(run.is_held(False, "on").open) == ["clean"]


@pytest.mark.parametrize("suspended", [True, False])
def test_asking_for_what_already_is_so_changes_nothing_and_is_answered_with_that(suspended: bool) -> None:
    run = Run(step("a")).start().is_suspended()
    run = run if suspended else run.is_suspended(False)
    before = run.header
    run.is_held(suspended)
    assert run.answer == (True, "the run is suspended already" if suspended else "the run is not suspended")
    assert (run.header.suspension, run.header.announcements) == (None, before.announcements)


@pytest.mark.parametrize("in_spec", [True, False])
def test_another_generation_that_says_the_same_of_it_does_not_take_a_request_back(in_spec: bool) -> None:
    run = Run(step("a")).start().is_suspended().is_suspended(in_spec).is_held(not in_spec)
    run.is_suspended(in_spec)
    assert (run.header.suspended, suspended_in_spec(run.header)) == (not in_spec, in_spec)
    assert run.header.generation == 3


@pytest.mark.parametrize("in_spec", [True, False])
def test_a_request_counts_until_the_spec_says_another_thing_than_before(in_spec: bool) -> None:
    """That the spec then says what was asked for makes it the last word all the same."""
    run = Run(step("a")).start().is_suspended().is_suspended(in_spec).is_held(not in_spec)
    run.is_suspended(not in_spec)
    assert (run.header.suspended, run.header.suspension) == (not in_spec, None)
    run.is_suspended(in_spec)
    assert run.header.suspended == in_spec


def test_a_request_comes_after_a_request() -> None:
    run = Run(step("a")).start().is_suspended().is_held(False, "1").is_held(request="2", by="bob")
    assert run.header.suspension == Suspension(in_spec=True, by="bob", reason="wait")
    assert run.is_suspended().phase is RunPhase.SUSPENDED
    assert run.is_suspended(False).phase is RunPhase.RUNNING


def test_what_was_requested_is_kept_by_a_run_that_is_read_again() -> None:
    run = Run(step("a")).start().is_held()
    run.state = restore(run.plan, run.header, dict(run.state.steps))
    assert run.is_suspended(False).phase is RunPhase.SUSPENDED


@pytest.mark.parametrize("doing", ["cancelled", "undone"])
def test_what_goes_on_while_suspended_is_not_suspended(doing: str) -> None:
    run = Run(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a")
    run = run.is_cancelled() if doing == "cancelled" else run.is_to_be_undone()
    said = f"the run is being {doing}, which goes on also where it is suspended: wait for its end"
    assert run.is_held().answer == (False, said)
    assert not run.header.suspended
    assert run.is_held(False, "on").answer == (True, "the run is not suspended")


def test_a_run_that_recovers_holds_still_once_it_is_taken_up_again() -> None:
    run = Run(*chain("a", "b")).start().succeeds("a")
    run.state = restore(run.plan, recovering(run.header, run.now), dict(run.state.steps))
    run.is_held()
    assert (run.answer[0], run.phase) == (True, RunPhase.RECOVERING)
    assert run.is_retried().phase is RunPhase.SUSPENDED
    assert list(run.is_held(False, "on").open) == ["b"]


def test_a_cancel_that_was_lost_keeps_no_run_from_being_held() -> None:
    run = Run(*chain("a", "b")).start().succeeds("a").is_cancelled()
    run.state = restore(run.plan, recovering(run.header, run.now), dict(run.state.steps))
    assert run.is_held().answer[0]
    assert run.is_retried().phase is RunPhase.SUSPENDED


def test_what_is_kept_of_who_asked_is_cut_and_made_printable() -> None:
    run = Run(step("a")).start().is_held(reason="a\x1b" + "c" * 2_000, by="w" * 300)
    kept = run.header.suspension
    assert kept is not None
    assert (kept.by, kept.reason) == ("w" * 256, run.header.signals[-1].reason)
    assert "\x1b" not in kept.reason


@pytest.mark.parametrize("suspended", [True, False])
def test_what_the_spec_says_after_the_end_counts_once_the_run_is_taken_up_again(suspended: bool) -> None:
    run = Run(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").is_suspended(not suspended)
    run.is_to_be_undone().fails("b").fails("a")
    assert run.phase is RunPhase.FAILED
    told = len(run.told)
    run.is_suspended(suspended)
    assert (run.phase, len(run.told)) == (RunPhase.FAILED, told)
    run.is_retried(undone=("a",))
    assert run.phase is (RunPhase.SUSPENDED if suspended else RunPhase.RUNNING)
