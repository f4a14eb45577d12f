"""Rule 9, undo: a run that goes on or has ended is reversed, and what could not be undone is tried again."""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, TERMINATE, Run, attempts, compose, step
from tests.unit.engine.situations import failed_incomplete, succeeded, undoable

UNDO = COMPENSATE = DONE_ONCE


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
