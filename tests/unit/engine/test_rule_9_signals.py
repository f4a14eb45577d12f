"""Rule 9: undo, retry, skip and suspend, in every phase where they make sense and in every one where they do not."""

from collections.abc import Callable

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.decide import recovering, stillborn
from reactor_operator.engine.derive import restore
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import StepPlan
from reactor_operator.engine.signals import TABLE
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    MINUTE,
    TERMINATE,
    Run,
    attempts,
    chain,
    chooses,
    compose,
    failure,
    step,
    switch,
    value,
)

UNDO = COMPENSATE = DONE_ONCE


def undoable(*names: str) -> list[StepPlan]:
    return chain(*names, undo=UNDO)


def succeeded(*names: str) -> Run:
    run = Run(*undoable(*names)).start()
    for name in names:
        run.succeeds(name, name)
    assert run.phase is RunPhase.SUCCEEDED
    return run


def failed_incomplete() -> Run:
    """A run whose step b failed, and the undo of whose step a failed."""
    run = Run(*undoable("a", "b")).start().succeeds("a", "1").fails("b").fails("a")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.INCOMPLETE)
    return run


@pytest.mark.parametrize(
    "asked",
    [
        lambda run: run.is_retried("one"),
        lambda run: run.is_carried_over("a", request="one"),
        lambda run: run.is_to_be_undone("one"),
        lambda run: run.is_held(request="one"),
    ],
)
def test_repeating_an_undo_a_retry_or_a_skip_changes_nothing(asked: Callable[[Run], Run]) -> None:
    run = Run(step("a"), step("b", ["a"])).start().fails("a")
    asked(run)
    while run.open:
        run.fails(next(iter(run.open)))
    before = run.state
    assert run.phase is RunPhase.FAILED
    assert asked(run).state is before


# undo


def test_a_run_that_succeeded_can_be_undone_newest_first() -> None:
    run = succeeded("a", "b").is_to_be_undone()
    assert (run.answer[0], run.phase) == (True, RunPhase.ROLLING_BACK)
    run.succeeds("b").succeeds("a")
    assert run.reversals == ["b undo", "a undo"]
    assert (run.phase, run.rollback, run.header.undone) == (RunPhase.UNDONE, RollbackState.COMPLETE, ("b", "a"))


def test_a_run_that_goes_on_is_drained_and_then_undone() -> None:
    run = Run(*undoable("a", "b", "c")).start().succeeds("a").is_to_be_undone()
    assert list(run.open) == ["b"]
    run.succeeds("b").succeeds("b").succeeds("a")
    assert (run.reversals, run.phase) == (["b undo", "a undo"], RunPhase.UNDONE)


def test_with_terminate_what_is_in_flight_is_stopped_and_cleaned_up() -> None:
    run = Run(step("a", compensate=COMPENSATE), on_failure=TERMINATE).start().begins("a").is_to_be_undone()
    assert run.reversals == ["a compensate"]
    assert run.succeeds("a").phase is RunPhase.UNDONE


@pytest.mark.parametrize("end", ["cancelled", "halted"])
def test_a_run_that_was_cancelled_or_halted_can_be_undone(end: str) -> None:
    run = Run(*undoable("a", "b")).start().succeeds("a")
    run = run.is_cancelled().succeeds("b") if end == "cancelled" else run.halts("b")
    assert run.is_to_be_undone().succeeds("b").succeeds("a").phase is RunPhase.UNDONE


def test_undo_repeats_what_could_not_be_undone_and_nothing_else() -> None:
    run = failed_incomplete().is_to_be_undone()
    assert run.launches[-1] == "a.undo.1.2.1"
    run.succeeds("a")
    assert (run.phase, run.unreversed, run.rollback) == (RunPhase.UNDONE, [], RollbackState.COMPLETE)


def test_a_repeated_undo_has_all_the_attempts_of_its_policy_again() -> None:
    run = Run(step("a", undo=attempts(2)), step("z", ["a"])).start().succeeds("a").fails("z")
    run.fails("a").wakes().fails("a")
    assert run.phase is RunPhase.FAILED
    run.is_to_be_undone().fails("a").wakes()
    assert run.launches[-2:] == ["a.undo.1.3.1", "a.undo.1.4.1"]
    run.fails("a")
    assert (run.phase, run.unreversed) == (RunPhase.FAILED, [("a", FailureKind.ERROR)])


def test_a_run_that_was_rolled_back_completely_has_nothing_to_undo() -> None:
    run = Run(*undoable("a", "b")).start().succeeds("a").fails("b").succeeds("a").is_to_be_undone()
    assert run.answer == (False, "the run was rolled back already: nothing is left to undo")


def test_who_asks_for_the_undo_may_want_the_run_gone_once_it_is_undone() -> None:
    run = failed_incomplete().feed(ev.UndoRequested(id="undo", delete=True))
    assert run.header.delete_undone
    run.fails("a").is_to_be_undone("the last word counts")
    assert not run.header.delete_undone


def test_an_undo_has_the_whole_deadline_of_a_rollback() -> None:
    run = Run(*undoable("a"), rollback_deadline_ms=MINUTE).start().succeeds("a").later(10 * MINUTE).is_to_be_undone()
    assert list(run.open) == ["a"]
    assert run.succeeds("a").phase is RunPhase.UNDONE


def test_what_is_inside_a_compose_is_undone_with_the_rest() -> None:
    run = Run(compose("s", step("x", undo=UNDO)), step("y", ["s"], undo=UNDO)).start().succeeds("s/x").succeeds("y")
    run.is_to_be_undone().succeeds("y").succeeds("s/x")
    assert (run.reversals, run.phase) == (["y undo", "s/x undo"], RunPhase.UNDONE)


# retry


def test_what_failed_or_was_reversed_begins_a_new_round_and_the_rest_keeps_its_result() -> None:
    run = Run(step("kept"), *undoable("a", "b"), step("c", ["b", "kept"])).start()
    run.succeeds("kept", "k").succeeds("a").succeeds("b").fails("c").succeeds("b").succeeds("a")
    run.is_retried()
    assert run.answer[0]
    assert (run.phase, list(run.open)) == (RunPhase.RUNNING, ["a"])
    assert run.launches[-1] == "a.run.2.1.1"
    run.succeeds("a").succeeds("b").succeeds("c")
    assert (run.phase, run.step("kept").round, run.step("kept").result) == (RunPhase.SUCCEEDED, 1, value("k"))
    assert run.header.failure is None


def test_a_step_that_depends_on_one_that_begins_anew_does_so_too_though_it_stands() -> None:
    run = Run(step("a", undo=UNDO), step("b", ["a"]), step("c", ["b"])).start()
    run.succeeds("a").succeeds("b").fails("c").succeeds("a").is_retried()
    assert list(run.open) == ["a"]
    run.succeeds("a")
    assert run.launches[-1] == "b.run.2.1.1"


def test_a_retry_may_bring_other_arguments_for_the_failed_step() -> None:
    run = Run(step("a")).start().fails("a").is_retried(step="a", arguments=value("other"))
    assert run.order("a").arguments == value("other")


def test_other_arguments_for_a_step_that_stands_are_refused() -> None:
    run = Run(step("a"), step("b", ["a"])).start().succeeds("a").fails("b")
    accepted, reason = run.is_retried(step="a", arguments=value("other")).answer
    assert not accepted
    assert "step a has not failed" in reason


def test_the_timeout_of_the_run_begins_anew() -> None:
    run = Run(step("a"), timeout_ms=MINUTE).start().fails("a").later(10 * MINUTE).is_retried()
    assert run.later(MINUTE - 1).phase is RunPhase.RUNNING
    assert run.later(1).why_it_failed == ("", FailureKind.RUN_TIMEOUT)


def test_while_something_could_not_be_undone_a_retry_is_refused() -> None:
    accepted, reason = failed_incomplete().is_retried().answer
    assert not accepted
    assert "a could not be reversed: undo the run again, or say assume: {a: standing} or {a: undone}" in reason


def test_assumed_standing_it_keeps_its_result() -> None:
    run = failed_incomplete().is_retried(standing=("a",))
    assert (run.at("a"), run.step("a").result, list(run.open)) == (StepPhase.SUCCEEDED, value("1"), ["b"])
    run.fails("b")
    assert run.reversals[-1] == "a undo"


def test_assumed_undone_it_begins_anew() -> None:
    run = failed_incomplete().is_retried(undone=("a",))
    assert run.launches[-1] == "a.run.2.1.1"


def test_undo_and_then_retry_goes_too() -> None:
    run = failed_incomplete().is_to_be_undone().fails("a").is_to_be_undone("again").succeeds("a")
    assert run.is_retried().answer == (
        False,
        "only a run that Failed can be retried, and this one is Undone: start another run",
    )


def test_a_scope_is_entered_where_it_was_left() -> None:
    inside = [step("x"), step("y", ["x"]), step("z", ["y"])]
    run = Run(compose("s", *inside), step("t", ["s"])).start().succeeds("s/x", "1").fails("s/y")
    assert run.at("s") is StepPhase.FAILED
    run.is_retried()
    assert (run.at("s"), run.at("s/x"), list(run.open)) == (StepPhase.RUNNING, StepPhase.SUCCEEDED, ["s/y"])
    assert run.step("s").inputs == value("s inputs")
    run.succeeds("s/y").succeeds("s/z").succeeds("t")
    assert run.phase is RunPhase.SUCCEEDED


def test_a_scope_that_depends_on_what_begins_anew_begins_anew_with_all_that_is_inside() -> None:
    run = Run(step("a", undo=UNDO), compose("s", step("x"), step("y", ["x"]), needs=["a"])).start()
    run.succeeds("a").succeeds("s/x").fails("s/y").succeeds("a").is_retried()
    assert (run.at("s"), run.at("s/x")) == (StepPhase.PENDING, StepPhase.PENDING)
    run.succeeds("a")
    assert run.launches[-1] == "s/x.run.2.1.1"


def test_a_switch_keeps_its_choice() -> None:
    run = Run(switch("r", step("[0]"), step("[default]"))).start(r=chooses("[default]")).fails("r[default]")
    run.is_retried()
    assert list(run.open) == ["r[default]"]
    assert run.at("r[0]") is StepPhase.SKIPPED
    assert run.succeeds("r[default]").phase is RunPhase.SUCCEEDED


def test_a_run_that_could_never_start_is_not_retried() -> None:
    run = Run(step("a"))
    header = stillborn("uid", failure(FailureKind.INVALID_INPUTS), run.now).state.header
    run.state = restore(run.plan, header, {})
    assert run.is_retried().answer == (False, "the run could never start, or its definition is lost: start another run")


def test_a_run_of_which_nothing_is_left_is_neither_retried_nor_undone() -> None:
    run = Run()
    run.state = restore(run.plan, recovering(run.header, run.now), {})
    assert run.is_retried().answer == (False, "the run could never start, or its definition is lost: start another run")
    accepted, reason = run.is_to_be_undone().answer
    assert not accepted
    assert "its state was lost" in reason
    assert run.phase is RunPhase.RECOVERING


def test_a_run_that_lost_state_goes_on_with_a_new_round_of_what_was_in_flight() -> None:
    run = recovering_run().is_retried()
    assert (run.phase, run.at("a"), list(run.open)) == (RunPhase.RUNNING, StepPhase.SUCCEEDED, ["b"])
    assert run.launches[-1] == "b.run.2.1.1"
    assert [retired.stop for retired in run.retired][-1:] == [True]


def test_a_run_that_lost_state_while_it_was_rolled_back_is_not_retried() -> None:
    run = Run(*undoable("a", "b")).start().succeeds("a").fails("b")
    run.state = restore(run.plan, recovering(run.header, run.now), dict(run.state.steps))
    accepted, reason = run.is_retried().answer
    assert not accepted
    assert "was being rolled back when its state was lost" in reason


# skip


def test_a_failed_step_is_given_a_value_and_the_run_goes_on() -> None:
    run = Run(*undoable("a", "b"), step("c", ["b"])).start().succeeds("a").fails("b").succeeds("a")
    run.is_carried_over("b", "by hand")
    assert (run.at("b"), run.step("b").result) == (StepPhase.SKIPPED, value("by hand"))
    assert set(run.open) == {"a", "c"}
    run.succeeds("a").succeeds("c")
    assert run.phase is RunPhase.SUCCEEDED


def test_a_step_inside_a_scope_is_given_a_value() -> None:
    run = Run(compose("s", step("x"), step("y", ["x"]))).start().fails("s/x").is_carried_over("s/x", "v")
    assert list(run.open) == ["s/y"]
    assert run.succeeds("s/y").phase is RunPhase.SUCCEEDED


def test_a_step_that_waits_for_its_next_attempt_is_given_a_value() -> None:
    run = Run(step("a", run=attempts(3)), step("b", ["a"])).start().fails("a").is_carried_over("a", "v")
    assert (run.at("a"), list(run.open)) == (StepPhase.SKIPPED, ["b"])


@pytest.mark.parametrize(
    ("run", "path", "told"),
    [
        (Run(step("a")).start(), "a", "step a is Running: while a run goes on only a step that is Retrying"),
        (Run(step("a")).start(), "b", "the run has no step b"),
        (Run(step("a"), step("b", ["a"])).start().succeeds("a").fails("b"), "a", "step a is Succeeded: only one that"),
    ],
)
def test_other_steps_are_not_skipped(run: Run, path: str, told: str) -> None:
    accepted, reason = run.is_carried_over(path).answer
    assert not accepted
    assert told in reason


# suspend


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


# every pair


def in_phase(phase: RunPhase) -> Run:
    """Return a run in this phase."""
    match phase:
        case RunPhase.RUNNING:
            return Run(step("a")).start()
        case RunPhase.SUSPENDED:
            return Run(step("a")).start().is_suspended()
        case RunPhase.ROLLING_BACK:
            return Run(*undoable("a", "b")).start().succeeds("a").fails("b")
        case RunPhase.RECOVERING:
            return recovering_run()
        case RunPhase.SUCCEEDED:
            return succeeded("a")
        case RunPhase.FAILED:
            return failed_incomplete()
        case RunPhase.CANCELLED:
            return Run(step("a")).start().is_cancelled("first").succeeds("a")
        case RunPhase.HALTED:
            return Run(step("a")).start().halts("a")
        case RunPhase.UNDONE:
            return succeeded("a").is_to_be_undone("first").succeeds("a")
        case RunPhase.PENDING:
            raise AssertionError("the engine knows no run that has not started")


def recovering_run() -> Run:
    run = Run(*undoable("a", "b")).start().succeeds("a")
    run.state = restore(run.plan, recovering(run.header, run.now), dict(run.state.steps))
    return run


def ask(run: Run, action: str) -> Run:
    match action:
        case "cancel":
            return run.is_cancelled("asked")
        case "undo":
            return run.is_to_be_undone("asked")
        case "retry":
            return run.is_retried("asked", undone=("a",) if run.phase is RunPhase.FAILED else ())
        case "suspend":
            return run.is_held(request="asked")
        case "go on":
            return run.is_held(False, request="asked")
        case _:
            return run.is_carried_over("b" if run.phase is RunPhase.FAILED else "a", request="asked")


@pytest.mark.parametrize("action", ["cancel", "undo", "retry", "skip", "suspend", "go on"])
@pytest.mark.parametrize("phase", [phase for phase in RunPhase if phase is not RunPhase.PENDING])
def test_every_pair_of_phase_and_request_is_answered_as_the_table_says(phase: RunPhase, action: str) -> None:
    run = in_phase(phase)
    assert run.phase is phase
    refused = TABLE[phase][action].format(phase=phase)
    accepted, reason = ask(run, action).answer
    if refused:
        assert (accepted, reason) == (False, refused)
    elif action == "skip":
        # What else speaks against it is told by tests of its own; a person reads the reason.
        assert accepted or reason
    else:
        assert accepted, reason


def test_the_table_has_every_phase() -> None:
    assert set(TABLE) == set(RunPhase)
    assert all(set(row) == {"cancel", "undo", "retry", "skip", "suspend", "go on"} for row in TABLE.values())
