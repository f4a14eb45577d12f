"""Rule 9, retry: what failed or was reversed begins a new round, and the rest keeps its result."""

from reactor_operator.engine.decide import stillborn
from reactor_operator.engine.derive import restore
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, Run, chooses, compose, failure, step, switch, value
from tests.unit.engine.situations import failed_incomplete, lose, recovering_run, undoable

UNDO = DONE_ONCE


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
    run = lose(Run())
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
    lose(run)
    accepted, reason = run.is_retried().answer
    assert not accepted
    assert "was being rolled back when its state was lost" in reason
