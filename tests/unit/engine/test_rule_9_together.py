"""Rule 9: of requests that are read together each is judged by what those before it made of the run."""

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase
from tests.unit.engine.driver import DONE_ONCE, Run, chain

UNDO = ev.UndoRequested(id="undo")
RETRY = ev.RetryRequested(id="retry")
CANCEL = ev.CancelRequested(id="cancel")


def answers(run: Run) -> list[tuple[str, bool, str]]:
    return [(one.action, one.accepted, one.reason) for one in run.header.signals]


def test_a_retry_that_is_read_with_an_undo_does_not_forget_what_could_not_be_undone() -> None:
    run = Run(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").fails("b").fails("a").feed(UNDO, RETRY)
    assert answers(run) == [("undo", True, ""), ("retry", False, "the run is being rolled back: wait for its end")]
    assert list(run.open) == ["a"]
    run.fails("a")
    assert (run.phase, run.unreversed) == (RunPhase.FAILED, [("a", FailureKind.ERROR)])


def test_a_cancel_that_is_read_with_a_retry_ends_the_run() -> None:
    run = Run(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").fails("b").succeeds("a").feed(RETRY, CANCEL)
    assert answers(run) == [("retry", True, ""), ("cancel", True, "")]
    assert (run.phase, list(run.open)) == (RunPhase.CANCELLED, [])


def test_a_cancel_that_is_read_with_an_undo_ends_the_run() -> None:
    run = Run(*chain("a", "b", undo=DONE_ONCE)).start().succeeds("a").succeeds("b").feed(UNDO, CANCEL)
    assert answers(run) == [("undo", True, ""), ("cancel", True, "")]
    assert (run.phase, run.rollback, list(run.open)) == (RunPhase.CANCELLED, RollbackState.INCOMPLETE, [])


@pytest.mark.parametrize("second", [RETRY, UNDO])
def test_what_is_read_with_a_cancel_comes_too_late(second: ev.Signal) -> None:
    run = Run(*chain("a", "b")).start().succeeds("a").feed(CANCEL, second)
    assert [one.accepted for one in run.header.signals] == [True, False]
