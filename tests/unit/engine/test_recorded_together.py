"""Events that were recorded before any of them was decided on: none is lost to what follows from another."""

from reactor_operator.engine import events as ev
from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import RunPhase, RunState, StepPhase
from tests.unit.engine.driver import DONE_ONCE, TERMINATE, Run, failure, step


def together(run: Run, *events: ev.Event) -> RunState:
    return decide_together(run.plan, run.state, events, run.now).state


def task_of(path: str) -> Task:
    return Task(path, Action.RUN, 1, 1, 1)


def failed(path: str) -> ev.Event:
    return ev.TaskFailed(task=task_of(path), failure=failure(FailureKind.ERROR))


def test_an_outcome_recorded_behind_the_failure_that_stops_its_siblings_counts() -> None:
    run = Run(step("a"), step("b", undo=DONE_ONCE), on_failure=TERMINATE).start().begins("a").begins("b")
    state = together(run, failed("a"), ev.TaskSucceeded(task=task_of("b")))
    assert state.step("b").completion == 1
    assert state.step("b").phase is StepPhase.UNDOING


def test_a_sibling_that_told_its_start_behind_the_failure_is_cleaned_up() -> None:
    run = Run(step("a"), step("b", compensate=DONE_ONCE), on_failure=TERMINATE).start().begins("a")
    state = together(run, failed("a"), ev.TaskStarted(task=task_of("b"), at=run.now))
    assert state.step("b").uncertain
    assert state.step("b").phase is StepPhase.COMPENSATING


def test_two_failures_are_both_taken_down() -> None:
    run = Run(step("a"), step("b"), on_failure=TERMINATE).start().begins("a").begins("b")
    state = together(run, failed("a"), failed("b"))
    assert [state.step(path).phase for path in "ab"] == [StepPhase.FAILED, StepPhase.FAILED]
    assert not any(state.step(path).uncertain for path in "ab")


def test_a_success_beside_a_cancel_sets_nothing_free_any_more() -> None:
    run = Run(step("a"), step("b", ["a"])).start().begins("a")
    decision = decide_together(
        run.plan, run.state, (ev.TaskSucceeded(task=task_of("a")), ev.CancelRequested(id="c1")), run.now
    )
    assert decision.state.header.phase is RunPhase.CANCELLED
    assert decision.state.step("a").phase is StepPhase.SUCCEEDED
    assert decision.state.step("b").phase is StepPhase.PENDING
