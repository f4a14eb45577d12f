"""Maps (DESIGN 5): which elements are begun when, what becomes of them, and how they are taken back."""

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import ElementPhase, RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    TERMINATE,
    Run,
    attempts,
    elements,
    mapped,
    step,
)

UNDO = attempts(1)


def begun(run: Run, count: int, path: str = "rows") -> Run:
    return run.start({path: elements(count)})


def succeed(run: Run, *indices: int, path: str = "rows") -> Run:
    for index in indices:
        run.succeeds(f"{path}[{index}]", f'"{index}"')
    return run


def phases(run: Run, path: str = "rows") -> dict[int, str]:
    return {index: one.phase.value for index, one in run.outcomes(path).items()}


def test_no_more_elements_are_in_flight_than_the_window_has_room_for_and_the_next_comes_in_when_one_has_ended() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=2)), 4)
    assert run.in_flight("rows") == ["rows[0]", "rows[1]"]
    succeed(run, 1)
    assert run.in_flight("rows") == ["rows[0]", "rows[2]"]
    succeed(run, 0, 2, 3)
    assert run.phase is RunPhase.SUCCEEDED
    assert {index: one.result for index, one in run.outcomes("rows").items()}.keys() == {0, 1, 2, 3}
    assert run.progress("rows").succeeded == 4


def test_an_empty_collection_is_a_map_that_succeeds_at_once() -> None:
    run = begun(Run(mapped("rows", step("x"))), 0)
    assert run.phase is RunPhase.SUCCEEDED
    assert run.launches == []


def test_a_batch_begins_when_the_one_before_has_ended() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=2, barrier=True)), 4)
    succeed(run, 0)
    assert run.in_flight("rows") == ["rows[1]"]
    succeed(run, 1)
    assert run.in_flight("rows") == ["rows[2]", "rows[3]"]


def test_what_the_run_has_room_for_holds_for_elements_too() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=5), step("other"), parallelism=3), 5)
    assert len(run.open) == 3
    succeed(run, 0)
    assert len(run.open) == 3


def test_an_element_is_attempted_again_by_the_policy_of_the_step() -> None:
    run = begun(Run(mapped("rows", step("x", run=attempts(2)), batch_size=1)), 2)
    run.fails("rows[0]")
    assert run.in_flight("rows") == ["rows[0]"]
    assert run.open == {}
    run.wakes().succeeds("rows[0]")
    assert run.launches == ["rows[0].run.1.1.1", "rows[0].run.1.2.1", "rows[1].run.1.1.1"]


def test_the_first_failure_fails_the_map_and_nothing_is_begun_after_it() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=2)), 9)
    run.fails("rows[0]", message="broken")
    assert run.in_flight("rows") == ["rows[1]"]
    succeed(run, 1)
    assert run.why_it_failed == ("rows", FailureKind.ERROR)
    assert run.why("rows").message == "element 0: broken"
    assert run.phase is RunPhase.FAILED
    assert phases(run) == {0: "Failed", 1: "Succeeded"}
    assert run.launches == ["rows[0].run.1.1.1", "rows[1].run.1.1.1"]


def test_while_an_element_cleans_up_after_its_failure_nothing_is_begun_and_it_may_be_repaired() -> None:
    run = begun(Run(mapped("rows", step("x", compensate=DONE_ONCE), batch_size=2)), 4)
    run.fails("rows[0]").succeeds("rows[1]")
    assert run.in_flight("rows") == ["rows[0]"]
    run.continues("rows[0]", "1")
    assert run.in_flight("rows") == ["rows[2]", "rows[3]"]


def test_tasks_in_flight_are_stopped_where_the_reactor_says_so() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=2, on_failure=TERMINATE), on_failure=TERMINATE), 9)
    run.begins("rows[1]").fails("rows[0]")
    assert run.phase is RunPhase.FAILED
    assert phases(run) == {0: "Failed", 1: "Stopped"}
    assert [one.stop for one in run.retired] == [False, True]
    assert run.unreversed == [("rows", FailureKind.UNCERTAIN)]


def test_an_element_that_halts_stops_no_other_whatever_is_said_of_failures() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=2, on_failure=TERMINATE), on_failure=TERMINATE), 3)
    run.begins("rows[0]").begins("rows[1]").halts("rows[0]", "enough")
    assert list(run.open) == ["rows[1]"]
    run.succeeds("rows[1]")
    assert run.phase is RunPhase.HALTED
    assert phases(run) == {0: "Succeeded", 1: "Succeeded"}


def test_a_failure_stops_elements_of_maps_in_maps_too() -> None:
    lines = mapped("lines", step("x"), batch_size=2, on_failure=TERMINATE)
    rows = mapped("rows", step("first"), lines, batch_size=2, on_failure=TERMINATE)
    run = Run(rows, step("other"), on_failure=TERMINATE, parallelism=9)
    run.start({"rows": elements(1), "rows[0]/lines": elements(2)})
    run.succeeds("rows[0]/first")
    run.begins("rows[0]/lines[0]").fails("other")
    assert run.open == {}


def test_without_fail_fast_failures_are_collected() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=2, fail_fast=False)), 3)
    run.fails("rows[0]").succeeds("rows[1]").fails("rows[2]")
    assert run.phase is RunPhase.SUCCEEDED
    assert (run.progress("rows").succeeded, run.progress("rows").failed) == (1, 2)


def test_more_failures_than_are_allowed_fail_the_map() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1, fail_fast=False, max_failures=1)), 9)
    run.fails("rows[0]").fails("rows[1]")
    assert run.phase is RunPhase.FAILED
    assert "2 elements failed, more than maxFailures 1" in run.why("rows").message


def test_a_percentage_is_judged_of_all_elements_once_they_are_known() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1, fail_fast=False, max_failures_percent=50)), 4)
    run.fails("rows[0]").fails("rows[1]")
    assert run.header.phase is RunPhase.RUNNING
    run.fails("rows[2]")
    assert run.phase is RunPhase.FAILED


def test_a_percentage_is_judged_when_the_number_of_elements_becomes_known() -> None:
    rows = mapped("rows", step("x"), page=DONE_ONCE, batch_size=4, fail_fast=False, max_failures_percent=50)
    run = Run(rows)
    run.pages["rows"] = [(2, "a"), (1, None)]
    run.start().succeeds("rows[page-0]").fails("rows[0]").fails("rows[1]")
    assert run.header.phase is RunPhase.RUNNING
    run.succeeds("rows[page-1]")
    assert run.phase is RunPhase.FAILED
    assert "2 elements failed, more than maxFailuresPercent 50 of 3; the last one, 1: bad" in run.why("rows").message
    assert run.launches[-1] == "rows[page-1].run.1.1.1"


def test_elements_are_undone_from_the_highest_index_down_when_a_later_step_fails() -> None:
    run = begun(Run(mapped("rows", step("x", undo=UNDO), batch_size=3, reverses=True), step("later", ["rows"])), 3)
    succeed(run, 2, 0, 1)
    run.fails("later")
    for index in (2, 1, 0):
        assert list(run.open) == [f"rows[{index}]"]
        run.succeeds(f"rows[{index}]")
    assert run.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.COMPLETE
    assert run.at("rows") is StepPhase.UNDONE
    assert phases(run) == {0: "Undone", 1: "Undone", 2: "Undone"}


def test_a_wider_undo_window_undoes_several_at_once() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=3, undo_window=2, reverses=True)
    run = succeed(begun(Run(rows, step("later", ["rows"])), 3), 0, 1, 2)
    run.fails("later")
    assert list(run.open) == ["rows[2]", "rows[1]"]


def test_a_map_that_stopped_half_way_is_undone_before_what_completed_earlier() -> None:
    first = step("first", undo=UNDO)
    rows = mapped("rows", step("x", undo=UNDO, compensate=UNDO), needs=["first"], batch_size=2, reverses=True)
    run = Run(first, rows)
    run.start({"rows": elements(5)}).succeeds("first")
    succeed(run, 0)
    run.fails("rows[1]")
    run.succeeds("rows[1]")  # its compensate
    succeed(run, 2)
    for path in ("rows[2]", "rows[0]", "first"):
        assert list(run.open) == [path]
        run.succeeds(path)
    assert run.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.COMPLETE
    assert run.at("rows") is StepPhase.COMPENSATED


def test_elements_of_several_steps_are_undone_in_reverse_completion_each() -> None:
    body = (step("a", undo=UNDO), step("b", ["a"], undo=UNDO))
    run = begun(Run(mapped("rows", *body, batch_size=1, reverses=True), step("later", ["rows"])), 2)
    for index in (0, 1):
        run.succeeds(f"rows[{index}]/a").succeeds(f"rows[{index}]/b")
    run.fails("later")
    for path in ("rows[1]/b", "rows[1]/a", "rows[0]/b", "rows[0]/a"):
        assert list(run.open) == [path]
        run.succeeds(path)
    assert run.rollback is RollbackState.COMPLETE


def test_an_element_of_several_steps_that_fails_is_reversed_by_itself() -> None:
    body = (step("a", undo=UNDO), step("b", ["a"]))
    run = begun(Run(mapped("rows", *body, batch_size=1, fail_fast=False, reverses=True)), 2)
    run.succeeds("rows[0]/a").fails("rows[0]/b")
    assert run.reversals == ["rows[0]/a undo"]
    run.succeeds("rows[0]/a")
    assert run.in_flight("rows") == ["rows[1]"]
    run.succeeds("rows[1]/a").succeeds("rows[1]/b")
    assert run.phase is RunPhase.SUCCEEDED
    assert phases(run) == {0: "Failed", 1: "Succeeded"}


def test_an_undo_that_fails_is_listed_and_the_others_go_on_and_undo_repeats_what_is_missing() -> None:
    run = begun(Run(mapped("rows", step("x", undo=UNDO), batch_size=3, reverses=True), step("later", ["rows"])), 3)
    succeed(run, 0, 1, 2)
    run.fails("later")
    run.succeeds("rows[2]").fails("rows[1]", message="stuck").succeeds("rows[0]")
    assert run.header.phase is RunPhase.FAILED
    assert run.rollback is RollbackState.INCOMPLETE
    assert ("rows", FailureKind.ERROR) in run.unreversed
    run.is_to_be_undone()
    assert list(run.open) == ["rows[1]"]
    run.succeeds("rows[1]")
    assert run.phase is RunPhase.UNDONE


def test_pages_are_fetched_as_the_window_drains_and_at_most_one_ahead() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, page_size=2, batch_size=2))
    run.pages["rows"] = [(2, "a"), (2, "b"), (1, None)]
    run.start()
    assert list(run.open) == ["rows[page-0]"]
    run.succeeds("rows[page-0]")
    assert list(run.open) == ["rows[0]", "rows[1]", "rows[page-1]"]
    run.succeeds("rows[page-1]")
    assert list(run.open) == ["rows[0]", "rows[1]"], "two pages are there, and none of the second is begun"
    succeed(run, 0)
    assert list(run.open) == ["rows[1]", "rows[2]", "rows[page-2]"]
    run.succeeds("rows[page-2]")
    succeed(run, 1, 2, 3)
    assert run.header.phase is RunPhase.RUNNING
    assert run.progress("rows").total == 5
    succeed(run, 4)
    assert run.phase is RunPhase.SUCCEEDED


def test_a_cursor_that_comes_back_fails_the_map() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=1))
    run.pages["rows"] = [(0, "a"), (0, "b"), (0, "a"), (0, "b"), (0, "a"), (0, "b")]
    run.start()
    while "rows[page-0]" not in run.open and run.open:
        run.succeeds(next(iter(run.open)))
    while run.open:
        run.succeeds(next(iter(run.open)))
    assert run.phase is RunPhase.FAILED
    assert run.why_it_failed == ("rows", FailureKind.INVALID_RESULT)
    assert "found a cursor that an earlier page returned too" in run.why("rows").message


def test_the_results_may_be_reduced_by_a_task() -> None:
    run = begun(Run(mapped("rows", step("x"), collect=DONE_ONCE)), 1)
    succeed(run, 0)
    assert list(run.open) == ["rows[collect]"]
    assert list(run.cold) == [("rows", 1, 0)], "it reads the results, so all of them are filed"
    run.succeeds("rows[collect]", "7")
    assert run.phase is RunPhase.SUCCEEDED
    assert run.step("rows").result is not None


def test_a_map_that_takes_too_long_fails() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1, timeout_ms=5_000)), 3)
    run.later(5_000)
    assert run.in_flight("rows") == ["rows[0]"]
    succeed(run, 0)
    assert run.why_it_failed == ("rows", FailureKind.TIMEOUT)


def test_an_optional_map_that_fails_takes_its_elements_back_and_the_run_goes_on() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=1, optional=True, reverses=True)
    run = begun(Run(rows, step("later", ["rows"])), 3)
    succeed(run, 0)
    run.fails("rows[1]")
    assert run.reversals == ["rows[0] undo"]
    run.succeeds("rows[0]")
    assert run.at("rows") is StepPhase.IGNORED
    assert list(run.open) == ["later"]


def test_a_cancel_stops_the_map_and_keeps_what_was_done() -> None:
    run = begun(Run(mapped("rows", step("x", undo=UNDO), batch_size=2, reverses=True)), 5)
    succeed(run, 0)
    run.is_cancelled()
    succeed(run, 1, 2)
    assert run.header.phase is RunPhase.CANCELLED
    assert run.at("rows") is StepPhase.CANCELLED
    run.is_to_be_undone()
    for index in (2, 1, 0):
        run.succeeds(f"rows[{index}]")
    assert run.phase is RunPhase.UNDONE


def test_a_suspended_run_begins_no_element_and_goes_on_when_it_is_told_to() -> None:
    run = begun(Run(mapped("rows", step("x", run=attempts(2)), batch_size=2)), 4)
    run.is_suspended().fails("rows[0]").succeeds("rows[1]")
    run.later(60_000)
    assert run.open == {}
    run.is_suspended(False)
    assert list(run.open) == ["rows[0]", "rows[2]"]


def test_a_retry_begins_the_map_anew_with_other_keys() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1)), 2)
    run.fails("rows[0]").is_retried()
    assert run.launches == ["rows[0].run.1.1.1", "rows[0].run.1000001.1.1"]
    succeed(run, 0, 1)
    assert run.phase is RunPhase.SUCCEEDED


def test_what_a_task_of_an_earlier_round_says_changes_nothing() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1)), 2)
    early = run.open["rows[0]"]
    run.fails("rows[0]").is_retried()
    before = run.state
    run.feed(ev.TaskSucceeded(task=early))
    assert run.state is before


def test_a_lost_element_is_launched_again() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1)), 1)
    run.is_lost("rows[0]")
    assert run.launches == ["rows[0].run.1.1.1", "rows[0].run.1.1.2"]


def test_a_map_inside_an_element_is_a_map_like_any_other() -> None:
    inner = mapped("lines", step("x", undo=UNDO), batch_size=2, reverses=True)
    run = Run(mapped("rows", inner, step("after", ["lines"]), batch_size=1, reverses=True), step("later", ["rows"]))
    lines = {f"rows[{index}]/lines": elements(2) for index in (0, 1)}
    run.start({"rows": elements(2), **lines})
    for index in (0, 1):
        assert list(run.open) == [f"rows[{index}]/lines[0]", f"rows[{index}]/lines[1]"]
        run.succeeds(f"rows[{index}]/lines[1]").succeeds(f"rows[{index}]/lines[0]").succeeds(f"rows[{index}]/after")
    run.fails("later")
    for path in ("rows[1]/lines[1]", "rows[1]/lines[0]", "rows[0]/lines[1]", "rows[0]/lines[0]"):
        assert list(run.open) == [path]
        run.succeeds(path)
    assert run.rollback is RollbackState.COMPLETE


def test_pages_of_outcomes_leave_the_hot_state_when_they_are_whole() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1)), 250)
    for index in range(150):
        run.succeeds(f"rows[{index}]")
    assert list(run.state.pages["rows"]) == [1]
    assert ("rows", 1, 0) in run.cold
    for index in range(150, 250):
        run.succeeds(f"rows[{index}]")
    assert run.state.pages == {}
    assert set(phases(run).values()) == {ElementPhase.SUCCEEDED.value}


def test_what_an_element_has_of_its_own_is_dropped_when_it_has_ended() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=1)), 1)
    run.succeeds("rows[0]")
    assert run.state.elements == {}


def test_elements_are_begun_as_many_at_once_as_one_task_takes() -> None:
    run = begun(Run(mapped("rows", step("x"), batch_size=5, chunk=2)), 6)
    assert run.in_flight("rows") == [f"rows[{index}]" for index in range(4)]
    succeed(run, 0)
    assert run.in_flight("rows") == ["rows[1]", "rows[2]", "rows[3]", "rows[4]", "rows[5]"]


def test_elements_are_undone_as_many_at_once_as_one_task_takes() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=4, chunk=2, reverses=True)
    run = succeed(begun(Run(rows, step("later", ["rows"])), 4), 0, 1, 2, 3)
    run.fails("later")
    assert list(run.open) == ["rows[3]", "rows[2]"]
    run.succeeds("rows[3]")
    assert list(run.open) == ["rows[2]"]
    run.succeeds("rows[2]")
    assert list(run.open) == ["rows[1]", "rows[0]"]
