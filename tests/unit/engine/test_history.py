"""What moved, told as it happened: each transition once, with its own cause, in the order in which to read it."""

from typing import Any

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.causes import TEXT_LIMIT
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.history import Transition, is_told, transitions
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import ActionPlan
from reactor_operator.engine.state import RunPhase, RunState
from tests.retold import Retold
from tests.unit.engine.driver import (
    DONE_ONCE,
    SECOND,
    START,
    TERMINATE,
    Run,
    Written,
    attempts,
    cannot_be_evaluated,
    compose,
    declines,
    elements,
    failure,
    interrupt,
    mapped,
    step,
)


class Told(Run):
    """A run that writes its history."""

    def __init__(self, *steps: Written, **limits: Any) -> None:
        self.history: list[Transition] = []
        self.retold = Retold()
        super().__init__(*steps, **limits)

    def _check(self, before: RunState, events: tuple[ev.Event, ...]) -> None:
        super()._check(before, events)
        phase = None if self.retold.number else RunPhase.PENDING
        told = transitions(self.plan, before, self.last, events, phase=phase)
        self.retold.take(told)
        self.retold.check(self.state)
        self.history += told

    def since(self, number: int) -> list[str]:
        """Return what was told after so many entries: where, from what to what, and why."""
        return [line_of(one) for one in self.history[number:]]


def line_of(one: Transition) -> str:
    why = f"{one.cause} by {one.by}" if one.by else one.cause
    return f"{one.path or 'run'}: {one.before} → {one.after} ({why}{': ' if one.text else ''}{one.text})"


def test_a_run_begins_and_ends_and_its_steps_in_between() -> None:
    run = Told(step("a"), step("b", ["a"])).start()
    run.later(SECOND).succeeds("a").later(SECOND).succeeds("b")
    assert run.since(0) == [
        "run: Pending → Running (RunStarted)",
        "a: Pending → Running (StepEvaluated)",
        "a: Running → Succeeded (TaskSucceeded)",
        "b: Pending → Running (StepEvaluated)",
        "b: Running → Succeeded (TaskSucceeded)",
        "run: Running → Succeeded (ReturnsEvaluated)",
    ]
    assert [one.at - START for one in run.history] == [0, 0, 1_000, 1_000, 2_000, 2_000]


def test_tasks_are_opened_and_ended_with_the_transitions_that_they_cause() -> None:
    run = Told(step("a", run=attempts(2))).start().fails("a", message="bad luck").wakes().succeeds("a")
    found = [(one.after, one.attempt, one.opened, one.ended, one.outcome) for one in run.history if one.path]
    assert found == [
        ("Running", 1, "run.1.1.1", "", ""),
        ("Retrying", 1, "", "run.1.1.1", "Failed"),
        ("Running", 2, "run.1.2.1", "", ""),
        ("Succeeded", 2, "", "run.1.2.1", "Succeeded"),
    ]
    assert [one.text for one in run.history if one.path] == ["", "Error: bad luck", "Retry", ""]


def test_a_pod_that_is_lost_and_replaced_is_told_though_the_phase_stays() -> None:
    run = Told(step("a"), infrastructure_retries=1).start().is_lost("a", message="node gone")
    assert run.since(2) == ["a: Running → Running (TaskLost: node gone)"]
    assert (run.history[2].ended, run.history[2].outcome, run.history[2].opened) == ("run.1.1.1", "Lost", "run.1.1.2")


def test_a_step_that_fails_and_is_cleaned_up_at_once_was_failed_in_between() -> None:
    run = Told(step("a", compensate=DONE_ONCE, undo=DONE_ONCE)).start().begins("a").fails("a", message="no\nmore")
    assert run.since(2) == [
        "a: Running → Failed (TaskFailed: Error: no)",
        "a: Failed → Compensating (TaskFailed)",
    ]
    run.succeeds("a")
    assert "a: Compensating → Compensated (TaskSucceeded)" in run.since(4)
    assert run.history[-1].after == "Failed"
    assert run.history[-1].path == ""


def test_a_rollback_is_told_as_what_followed_from_the_failure() -> None:
    run = Told(step("a", undo=DONE_ONCE), step("b", ["a"])).start().succeeds("a").begins("b").fails("b")
    assert run.since(4) == [
        "b: Running → Failed (TaskFailed: Error: bad)",
        "run: Running → RollingBack (TaskFailed: b: Error: bad)",
        "a: Succeeded → Undoing (TaskFailed: b: Error: bad)",
    ]


def test_of_events_that_were_recorded_together_each_step_has_its_own() -> None:
    run = Told(step("a"), step("b"), step("c"), on_failure=TERMINATE).start().begins("a").begins("b").begins("c")
    told = len(run.history)
    run.feed(
        ev.TaskSucceeded(task=run.open["b"]),
        ev.TaskFailed(task=run.open["a"], failure=failure(FailureKind.ERROR, "broken")),
        ev.TimePassed(),
    )
    assert run.since(told) == [
        "b: Running → Succeeded (TaskSucceeded)",
        "a: Running → Failed (TaskFailed: Error: broken)",
        "c: Running → Cancelled (TaskFailed: a: Error: broken)",
        "c: Cancelled → RollbackFailed (TaskFailed)",
        "run: Running → Failed (TaskFailed: a: Error: broken)",
    ]
    stopped = next(one for one in run.history if one.path == "c" and one.ended)
    assert stopped.outcome == "Cancelled"


def test_a_timer_is_told_by_its_name() -> None:
    run = Told(step("a", run=ActionPlan(timeout_ms=SECOND))).start().begins("a").later(2 * SECOND)
    assert any(line.startswith("a: Running → Failed (TimePassed: Timeout:") for line in run.since(2))
    assert next(one for one in run.history if one.ended).outcome == "Failed"


def test_the_deadline_of_the_run_is_the_cause_of_what_follows_from_it() -> None:
    run = Told(step("a"), timeout_ms=SECOND).start().begins("a").later(SECOND)
    turned = next(one for one in run.history if one.path == "" and one.before == "Running")
    assert turned.cause == "TimePassed"
    assert "RunTimeout" in turned.text


def test_whoever_asked_is_named_and_what_they_said() -> None:
    run = Told(interrupt("a")).start().is_cancelled(reason="enough", by="ann")
    assert run.since(3) == [
        "a: Waiting → Cancelled (CancelRequested by ann: enough)",
        "run: Paused → Cancelled (CancelRequested by ann: enough)",
    ]
    retried = Told(step("a")).start().fails("a")
    told = len(retried.history)
    retried.is_retried()
    assert any(line.startswith("a: ") and "RetryRequested by ann" in line for line in retried.since(told))


def test_a_request_that_is_refused_moves_nothing() -> None:
    run = Told(step("a")).start()
    told = len(run.history)
    run.is_resumed("a").is_to_be_undone("u").is_to_be_undone("u")
    assert all("ResumeRequested" not in line for line in run.since(told))


def test_an_interrupt_waits_and_is_resumed_by_somebody() -> None:
    run = Told(interrupt("a")).start()
    assert run.since(1) == ["a: Pending → Waiting (StepEvaluated)", "run: Running → Paused (StepEvaluated)"]
    told = len(run.history)
    run.is_resumed("a", by="bob", reason="looks fine")
    assert run.since(told)[0] == "a: Waiting → Succeeded (ResumeRequested by bob: looks fine)"


def test_a_run_that_is_held_is_suspended_by_somebody_or_by_its_spec() -> None:
    run = Told(step("a")).start()
    told = len(run.history)
    run.is_held(by="ann", reason="wait").is_held(suspended=False, request="on", by="bob", reason="now")
    run.is_suspended()
    assert run.since(told) == [
        "run: Running → Suspended (SuspendRequested by ann: wait)",
        "run: Suspended → Running (SuspendRequested by bob: now)",
        "run: Running → Suspended (SpecChanged: spec.suspend is true)",
    ]


def test_what_never_started_says_why() -> None:
    run = Told(step("a"), step("b", ["a"])).start(a=declines, b=cannot_be_evaluated)
    assert "a: Pending → Skipped (StepEvaluated: when is false)" in run.since(0)
    assert "b: Pending → Failed (StepEvaluationFailed: Expression: no such key)" in run.since(0)


def test_a_compose_fails_with_what_is_inside_it() -> None:
    run = Told(compose("c", step("x"), run=attempts(1))).start().begins("c/x").fails("c/x")
    causes = {(one.path, one.after): line_of(one) for one in run.history}
    assert causes["c/x", "Failed"] == "c/x: Running → Failed (TaskFailed: Error: bad)"
    assert any(path == "c" and phase == "Failed" for path, phase in causes)


def test_a_step_that_begins_anew_is_told_in_its_next_round() -> None:
    run = Told(step("a")).start().begins("a").fails("a").is_retried()
    again = [one for one in run.history if one.path == "a" and one.round == 2]
    assert again[0].before == "Failed"
    assert again[-1].opened == "run.2.1.1"


def test_what_a_person_says_of_a_step_is_told_without_a_phase_that_it_never_was_in() -> None:
    run = Told(step("a"), step("b", ["a"])).start().begins("a").fails("a")
    told = len(run.history)
    run.is_carried_over("a", "given")
    assert [one.after for one in run.history[told:] if one.path == "a"] == ["Skipped"]


class TestElements:
    def test_the_first_elements_of_a_map_are_told_one_by_one(self) -> None:
        run = Told(mapped("rows", step("x"), batch_size=2)).start(rows=elements(2))
        run.succeeds("rows[0]").begins("rows[1]").fails("rows[1]")
        assert [line_of(one) for one in run.history if one.path == "rows[0]"] == [
            "rows[0]: Pending → Running (StepEvaluated)",
            "rows[0]: Running → Succeeded (TaskSucceeded)",
        ]
        assert [line_of(one) for one in run.history if one.path == "rows[1]"] == [
            "rows[1]: Pending → Running (StepEvaluated)",
            "rows[1]: Running → Failed (TaskFailed: Error: bad)",
        ]

    def test_those_beyond_are_not(self) -> None:
        run = Told(mapped("rows", step("x"), batch_size=200), parallelism=200).start(rows=elements(150))
        for index in range(150):
            run.succeeds(f"rows[{index}]")
        told = {one.path for one in run.history if "[" in one.path}
        assert told == {f"rows[{index}]" for index in range(100)}

    def test_an_element_that_is_reversed_goes_on_from_where_it_was(self) -> None:
        run = Told(mapped("rows", step("x", undo=DONE_ONCE)), step("b", ["rows"])).start(rows=elements(1))
        run.succeeds("rows[0]").begins("b").fails("b").succeeds("rows[0]")
        assert [one.after for one in run.history if one.path == "rows[0]"] == [
            "Running",
            "Succeeded",
            "Undoing",
            "Undone",
        ]

    def test_steps_inside_an_element_are_told_too(self) -> None:
        run = Told(mapped("rows", step("x"), step("y", ["x"]))).start(rows=elements(1))
        run.succeeds("rows[0]/x").succeeds("rows[0]/y")
        assert [line_of(one) for one in run.history if one.path == "rows[0]/y"][-1] == (
            "rows[0]/y: Running → Succeeded (TaskSucceeded)"
        )

    def test_elements_that_end_as_they_begin_are_told_to_have_done_both(self) -> None:
        run = Told(mapped("rows", step("x"))).start({"rows": elements(1), "rows[0]": declines})
        assert [line_of(one) for one in run.history if one.path == "rows[0]"] == [
            "rows[0]: Pending → Skipped (StepEvaluated: when is false)"
        ]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("a/b", True),
        ("rows[0]", True),
        ("rows[99]/x", True),
        ("rows[100]", False),
        ("rows[1000]", False),
        ("rows[collect]", True),
        ("rows[page-3]", False),
        ("rows[99]/lines[9]", True),
        ("rows[99]/lines[10]", False),
        ("rows[100]/lines[0]", False),
        ("a[0]/b[0]/c[0]", False),
    ],
)
def test_which_steps_are_told_one_by_one(path: str, told: bool) -> None:
    assert is_told(path) is told


def test_words_are_one_short_line() -> None:
    run = Told(step("a")).start().begins("a").fails("a", message="\x1b[31m" + "x" * 1_000 + "\nmore")
    text = next(one.text for one in run.history if one.path == "a" and one.after == "Failed")
    assert len(text) == TEXT_LIMIT
    assert text.isprintable()


def test_a_task_of_a_stale_round_is_nobodys_cause() -> None:
    run = Told(step("a"), step("b")).start().begins("a")
    told = len(run.history)
    run.feed(ev.TaskSucceeded(task=Task("a", Action.RUN, 7, 1, 1)))
    assert run.since(told) == []


def test_a_task_inside_an_element_that_is_gone_was_cancelled_with_it() -> None:
    run = Told(mapped("rows", step("x"), step("y"), batch_size=2)).start(rows=elements(1))
    run.is_cancelled()
    run.is_lost("rows[0]/x").is_lost("rows[0]/y")
    assert not run.retold.open
    gone = [one for one in run.history if one.path.startswith("rows[0]") and one.after in ("Running", "Pending")]
    assert {one.path for one in run.history if one.ended} >= {one.path for one in gone if one.opened}
