"""Rule 5: successes are undone in reverse order of completion, one at a time."""

from itertools import permutations

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, Run, chain, declines, step, value

UNDO = DONE_ONCE


def test_completions_are_numbered_as_they_are_met() -> None:
    run = Run(step("a"), step("b"), step("c")).start().succeeds("c").succeeds("a")
    assert [run.step(name).completion for name in "abc"] == [2, 0, 1]


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_undo_walks_completions_backwards_whatever_the_manifest_says(order: tuple[str, ...]) -> None:
    run = Run(*(step(name, undo=UNDO) for name in "abc"), step("z")).start()
    for name in order:
        run.succeeds(name)
    run.fails("z")
    for name in reversed(order):
        run.succeeds(name)
    assert run.reversals == [f"{name} undo" for name in reversed(order)]
    assert run.header.undone == tuple(reversed(order))
    assert run.rollback is RollbackState.COMPLETE


def test_one_at_a_time() -> None:
    run = Run(*chain("a", "b", "c", undo=UNDO), step("z", ["c"])).start()
    run.succeeds("a").succeeds("b").succeeds("c").fails("z")
    assert set(run.open) == {"c"}
    assert set(run.succeeds("c").open) == {"b"}
    assert set(run.succeeds("b").open) == {"a"}


def test_a_task_in_flight_completes_after_those_before_it_even_when_it_was_started_first() -> None:
    run = Run(step("a", undo=UNDO), step("b", undo=UNDO), step("z")).start()
    run.begins("a").begins("b").succeeds("b").fails("z").succeeds("a").succeeds("a").succeeds("b")
    assert run.reversals == ["a undo", "b undo"]


def test_an_undo_gets_the_result_and_the_arguments_of_the_step_and_waits_for_its_pod() -> None:
    run = Run(step("a", undo=UNDO), step("z", ["a"])).start().succeeds("a", "reservation 7").fails("z")
    order = run.order("a")
    assert order.result == value("reservation 7")
    assert order.arguments == value("a arguments")
    assert order.failure is None
    assert order.after == Task("a", Action.RUN, 1, 1, 1)


def test_skipped_steps_are_never_undone() -> None:
    run = Run(*chain("a", "b", undo=UNDO), step("z", ["b"])).start(a=declines).skips("b", "nothing").fails("z")
    assert run.phase is RunPhase.FAILED
    assert run.reversals == []
    assert run.at("b") is StepPhase.SKIPPED


def test_steps_without_undo_are_passed_over() -> None:
    run = Run(step("a", undo=UNDO), step("b", ["a"]), step("c", ["b"], undo=UNDO), step("z", ["c"])).start()
    run.succeeds("a").succeeds("b").succeeds("c").fails("z").succeeds("c").succeeds("a")
    assert run.reversals == ["c undo", "a undo"]
    assert run.at("b") is StepPhase.SUCCEEDED
    assert run.rollback is RollbackState.COMPLETE


def test_a_compensate_is_no_undo() -> None:
    run = Run(step("a", compensate=UNDO), step("z", ["a"])).start().succeeds("a").fails("z")
    assert run.reversals == []


def test_an_undo_that_finds_nothing_to_do_has_done_its_work() -> None:
    run = Run(step("a", undo=UNDO), step("z", ["a"])).start().succeeds("a").fails("z").skips("a")
    assert run.at("a") is StepPhase.UNDONE
    assert run.rollback is RollbackState.COMPLETE


def test_a_compensate_that_finds_nothing_to_do_has_done_its_work() -> None:
    run = Run(step("a", compensate=UNDO)).start().fails("a").skips("a")
    assert run.at("a") is StepPhase.COMPENSATED


def test_a_result_that_was_uploaded_is_the_result() -> None:
    run = Run(step("a", undo=UNDO), step("z", ["a"])).start()
    run.uploads("a", value("report")).succeeds("a", uploaded=True).fails("z")
    assert run.step("a").result == value("report")
    assert run.order("a").result == value("report")


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("json_only", [True, False])
def test_an_upload_of_text_is_no_result_where_json_was_promised(text: bool, json_only: bool) -> None:
    counts = not (text and json_only)
    run = Run(step("a")).start()
    task = run.open["a"]
    run.feed(ev.TaskUploaded(task=task, result=value("report"), text=text))
    run.feed(ev.TaskSucceeded(task=task, uploaded=True, json_only=json_only))
    assert (run.step("a").result == value("report")) is counts
    assert (run.step("a").failure is None) is counts
    assert counts or run.why("a").kind is FailureKind.INVALID_RESULT


def test_an_upload_of_an_earlier_launch_is_not_the_result_of_a_later_one() -> None:
    run = Run(step("a")).start().uploads("a", value("old")).begins("a").is_lost("a").succeeds("a", uploaded=True)
    assert run.why("a").kind is FailureKind.INVALID_RESULT


def test_an_upload_is_not_the_result_of_a_task_that_did_not_promise_one() -> None:
    run = Run(step("a")).start().uploads("a", value("log")).succeeds("a", "said")
    assert run.step("a").result == value("said")
