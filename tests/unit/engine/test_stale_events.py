"""A repeated, stale or impossible event is legal and changes nothing (the driver repeats every event by itself)."""

from collections.abc import Callable

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import RunPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    START,
    TERMINATE,
    Run,
    attempts,
    declines,
    failure,
    proceeds,
    step,
    value,
)

OF_A_TASK: dict[str, Callable[[Task], ev.Event]] = {
    "started": lambda task: ev.TaskStarted(task=task, at=START),
    "waiting": lambda task: ev.TaskWaiting(task=task, reason="Unschedulable"),
    "uploaded": lambda task: ev.TaskUploaded(task=task, result=value("late")),
    "succeeded": lambda task: ev.TaskSucceeded(task=task, result=value("late")),
    "skipped": lambda task: ev.TaskSkipped(task=task),
    "halted": lambda task: ev.TaskHalted(task=task),
    "continued": lambda task: ev.TaskContinued(task=task),
    "failed": lambda task: ev.TaskFailed(task=task, failure=failure(FailureKind.ERROR)),
    "lost": lambda task: ev.TaskLost(task=task, message="gone"),
}
events = pytest.mark.parametrize("event", OF_A_TASK.values(), ids=OF_A_TASK)


def unchanged(run: Run, event: ev.Event) -> None:
    before, launched, retired = run.state, len(run.launches), len(run.retired)
    run.feed(event)
    assert run.state is before
    assert (len(run.launches), len(run.retired)) == (launched, retired)
    assert not run.last.touched


@events
def test_nothing_that_a_closed_task_says_counts(event: Callable[[Task], ev.Event]) -> None:
    run = Run(step("a"), step("b")).start()
    task = run.open["a"]
    unchanged(run.succeeds("a", "early"), event(task))


@events
def test_nothing_that_a_superseded_launch_says_counts(event: Callable[[Task], ev.Event]) -> None:
    run = Run(step("a")).start()
    task = run.open["a"]
    unchanged(run.begins("a").is_lost("a"), event(task))


@events
def test_nothing_that_an_earlier_attempt_says_counts(event: Callable[[Task], ev.Event]) -> None:
    run = Run(step("a", run=attempts(2))).start()
    task = run.open["a"]
    unchanged(run.fails("a", FailureKind.TIMEOUT), event(task))
    unchanged(run.wakes(), event(task))


@events
def test_nothing_that_a_terminated_task_says_counts(event: Callable[[Task], ev.Event]) -> None:
    run = Run(step("a"), step("b", compensate=DONE_ONCE), on_failure=TERMINATE).start().begins("b")
    task = run.open["b"]
    unchanged(run.fails("a"), event(task))


@events
def test_nothing_that_the_forward_task_says_counts_once_it_is_being_undone(event: Callable[[Task], ev.Event]) -> None:
    run = Run(step("a", undo=DONE_ONCE), step("b", ["a"])).start()
    task = run.open["a"]
    unchanged(run.succeeds("a").fails("b"), event(task))


@events
@pytest.mark.parametrize("path", ["a", "b", "nowhere", ""])
def test_nothing_counts_that_is_said_of_a_task_that_was_never_launched(
    event: Callable[[Task], ev.Event], path: str
) -> None:
    run = Run(step("a"), step("b", ["a"])).start()
    unchanged(run, event(Task(path, Action.RUN, 1, 7, 1)))
    unchanged(run, event(Task(path, Action.UNDO, 1, 1, 1)))


@events
def test_nothing_counts_after_the_end(event: Callable[[Task], ev.Event]) -> None:
    run = Run(step("a")).start()
    task = run.open["a"]
    unchanged(run.succeeds("a"), event(task))
    assert run.phase is RunPhase.SUCCEEDED
    assert run.last.wake_at is None


@pytest.mark.parametrize("answer", [proceeds, declines])
def test_an_evaluation_that_nobody_asked_for_changes_nothing(answer: Callable[[str, int], ev.Event]) -> None:
    run = Run(step("a"), step("b", ["a"]), step("c")).start().succeeds("c")
    for path in ("a", "b", "c", "nowhere", ""):
        unchanged(run, answer(path, 1))


def test_an_evaluation_of_another_round_changes_nothing() -> None:
    run = Run(step("a"))
    run.start(a=lambda path, _: proceeds(path, 2))
    assert run.launches == []
    assert run.state.evaluating == {"a"}


@pytest.mark.parametrize(
    "event",
    [ev.ReturnsEvaluated(result=None), ev.ReturnsEvaluationFailed(failure=failure(FailureKind.EXPRESSION))],
    ids=["evaluated", "failed"],
)
def test_a_result_of_the_run_that_nobody_asked_for_changes_nothing(event: ev.Event) -> None:
    unchanged(Run(step("a")).start(), event)
    unchanged(Run(step("a")).start().succeeds("a"), event)


def test_time_that_passes_without_a_timer_changes_nothing() -> None:
    run = Run(step("a")).start()
    run.now += 10**9
    unchanged(run, ev.TimePassed())


def test_an_uploaded_file_is_the_first_one() -> None:
    run = Run(step("a")).start().uploads("a", value("first"))
    unchanged(run, ev.TaskUploaded(task=run.open["a"], result=value("second")))
    assert run.succeeds("a", uploaded=True).step("a").result == value("first")


def test_the_start_of_a_task_is_the_first_one_told() -> None:
    run = Run(step("a")).start().begins("a")
    unchanged(run, ev.TaskStarted(task=run.open["a"], at=run.now - 500))


def test_the_clock_of_a_run_never_goes_back() -> None:
    run = Run(step("a", run=attempts(2))).start().later(60_000)
    run.begins("a")
    seen = run.header.now
    run.now -= 30_000
    run.fails("a")
    assert run.header.now == seen
    assert run.last.wake_at == seen + 1_000
