"""A run whose stored state was lost or is older than what people were told: it starts nothing; a cancel ends it."""

from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.decide import begin, recovering, stillborn
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan, RetryPolicy
from reactor_operator.engine.state import Header, RollbackState, RunFailure, RunPhase, RunState, Stage, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, START, Run, attempts, chain, failure, plan_of, step

CLEAN = DONE_ONCE


def lose(run: Run) -> Run:
    """The state turns out to be an old one."""
    run.state = replace(run.state, header=recovering(run.header, run.now), ready=(), revert=())
    assert run.phase is RunPhase.RECOVERING
    return run


def test_it_starts_nothing_whatever_happens_and_waits_for_no_time() -> None:
    quick = ActionPlan(timeout_ms=MINUTE, retries=RetryPolicy(max_attempts=2))
    run = lose(Run(*chain("a", "b", run=quick), timeout_ms=MINUTE).start().begins("a")).later(9 * MINUTE)
    assert run.phase is RunPhase.RECOVERING
    assert run.last.wake_at is None
    run.fails("a").later(9 * MINUTE)
    assert run.launches == ["a.run.1.1.1"]
    assert run.phase is RunPhase.RECOVERING


def test_what_its_tasks_report_is_recorded_all_the_same() -> None:
    run = lose(Run(*chain("a", "b")).start()).succeeds("a", "paid")
    assert run.at("a") is StepPhase.SUCCEEDED
    assert run.step("a").result is not None
    assert "b" not in run.open


def test_a_lost_pod_is_not_replaced() -> None:
    run = lose(Run(step("a", undo=CLEAN), step("b", ["a"])).start().succeeds("a").fails("b")).begins("a").is_lost("a")
    assert run.launches[-1] == "a.undo.1.1.1"
    assert run.unreversed == [("a", FailureKind.LOST)]


def test_a_failed_undo_is_not_repeated() -> None:
    run = lose(Run(step("a", undo=attempts(9)), step("b", ["a"])).start().succeeds("a").fails("b")).fails("a")
    assert run.later(9 * MINUTE).launches[-1] == "a.undo.1.1.1"
    assert run.is_cancelled().phase is RunPhase.CANCELLED


def test_a_cancel_runs_no_finally_steps_for_they_may_have_run_already() -> None:
    run = lose(Run(step("a"), finals=[step("tell")]).start()).is_cancelled()
    assert (run.phase, run.launches) == (RunPhase.CANCELLED, ["a.run.1.1.1"])


def test_a_cancel_ends_it_at_once_and_stops_what_may_still_run() -> None:
    run = lose(Run(step("a"), step("b", run=attempts(2))).start().begins("a").fails("b")).is_cancelled(reason="")
    assert run.phase is RunPhase.CANCELLED
    assert run.stage is Stage.OVER
    assert [(r.task.path, r.stop) for r in run.retired] == [("b", False), ("a", True)]
    assert run.step("a").uncertain
    assert not run.open
    assert (run.told[-1].reason, run.told[-1].message) == ("Cancelled", "cancelled while recovering")


def test_a_cancel_stops_an_undo_in_flight_too_and_lists_it() -> None:
    run = lose(Run(step("a", undo=CLEAN), step("b", ["a"])).start().succeeds("a").fails("b")).is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.retired[-1].stop
    assert run.unreversed == [("a", FailureKind.LOST)]
    assert run.rollback is RollbackState.INCOMPLETE


def test_a_cancel_ends_an_undo_that_waits_for_its_next_attempt() -> None:
    run = lose(Run(step("a", undo=attempts(9)), step("b", ["a"])).start().succeeds("a").fails("b").fails("a"))
    assert run.is_cancelled().unreversed == [("a", FailureKind.ERROR)]


def test_a_run_of_which_nothing_is_left_is_cancelled_as_well() -> None:
    run = Run()
    run.state = replace(begin(plan_of(), "uid", START), header=recovering(Header(uid="uid"), START))
    assert run.later(MINUTE).phase is RunPhase.RECOVERING
    assert run.is_cancelled().phase is RunPhase.CANCELLED


def test_what_a_cancel_stops_has_failed_and_the_list_says_that_nobody_knows_what_it_did() -> None:
    run = lose(Run(step("a", undo=CLEAN), step("b", ["a"])).start().succeeds("a").fails("b")).is_cancelled()
    assert (run.retired[-1].task.path, run.retired[-1].failed) == ("a", True)
    assert run.header.rollback_failures[-1].message == (
        "stopped by a cancel after the state of the run was lost; what it did is not known"
    )


def test_the_time_it_has_seen_is_that_of_the_loss_and_never_goes_back() -> None:
    assert recovering(Header(now=START), START + MINUTE).now == START + MINUTE
    assert recovering(Header(now=START), START - MINUTE).now == START


def test_a_run_that_can_never_start_has_ended_before_it_began() -> None:
    why = failure(FailureKind.INVALID_INPUTS, "inputs.total: found a string")
    decision = stillborn("uid", why, START)
    assert decision.state == RunState(
        header=Header(
            uid="uid",
            stage=Stage.OVER,
            phase=RunPhase.FAILED,
            rollback=RollbackState.NOT_NEEDED,
            now=START,
            started_at=START,
            finished_at=START,
            failure=RunFailure(step="", failure=why),
            announcements=1,
        ),
        remaining={"": 0},
    )
    told = Announce(ordinal=1, reason="Failed", message="InvalidInputs: inputs.total: found a string", warning=True)
    assert (decision.actions, decision.wake_at) == ((told,), None)
    run = Run()
    run.state = decision.state
    assert run.feed(ev.TimePassed()).state is decision.state


@pytest.mark.parametrize("ending", ["cancelled", "rolled back", "undone"])
@pytest.mark.parametrize("request_", ["cancel", "undo"])
def test_what_it_was_doing_before_the_loss_keeps_nobody_from_ending_it(ending: str, request_: str) -> None:
    steps = (step("a", undo=CLEAN), step("b", ["a"]))
    run = Run(*steps).start().succeeds("a")
    match ending:
        case "cancelled":
            run.is_cancelled("before")
        case "rolled back":
            run.fails("b")
        case _:
            run.is_to_be_undone("before")
    lose(run)
    if request_ == "cancel":
        run.is_cancelled("again")
        assert (run.answer[0], run.phase) == (True, RunPhase.CANCELLED)
        return
    run.is_to_be_undone("again")
    assert (run.answer[0], run.phase) == (True, RunPhase.ROLLING_BACK)
    assert list(run.open) == ["a"]
    run.succeeds("a")
    assert (run.phase, run.unreversed) == (RunPhase.UNDONE, [])
