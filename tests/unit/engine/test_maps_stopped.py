"""Maps that begin, and maps that stop before all is done: what drains, what is stopped, where they stand (DESIGN 5)."""

from dataclasses import replace

from reactor_operator.engine import events as ev
from reactor_operator.engine.draft import open_tasks
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.state import (
    ElementPhase,
    Goal,
    MapState,
    RollbackFailure,
    RunPhase,
    SourcePage,
    Stage,
    StepPhase,
    Timer,
)
from tests.unit.engine.driver import DONE_ONCE, MINUTE, START, TERMINATE, Run, attempts, elements, mapped, step, value

UNDO = attempts(1)


def test_a_map_begins_like_a_step_that_runs() -> None:
    run = Run(step("first"), mapped("rows", step("x"), needs=["first"], batch_size=1, timeout_ms=MINUTE))
    run.start({"rows": elements(2)}).begins("first").later(5).succeeds("first")
    rows = run.step("rows")
    assert (rows.phase, rows.attempt, rows.run_attempts, rows.start_order) == (StepPhase.RUNNING, 1, 1, 2)
    assert (rows.started_at, rows.due_at, rows.timer) == (START + 5, START + 5 + MINUTE, Timer.TIMEOUT)
    assert (rows.arguments, rows.fallback) == (None, value("fallback"))
    page = SourcePage(number=0, first=0, size=2, left=2)
    assert rows.map == MapState(total=2, known=2, opened=1, exhausted=True, sources=(page,))
    assert run.header.starts == 2


def test_a_map_that_is_over_waits_for_nothing() -> None:
    run = Run(mapped("rows", step("x"), timeout_ms=MINUTE)).start({"rows": elements(1)}).succeeds("rows[0]")
    rows = run.step("rows")
    assert (rows.phase, rows.due_at, rows.timer, rows.result) == (StepPhase.SUCCEEDED, None, None, value("rows"))
    assert run.last.wake_at is None


def test_a_map_that_failed_stands_where_it_stopped_and_waits_for_nothing() -> None:
    stops = mapped("rows", step("x", undo=UNDO), batch_size=1, timeout_ms=MINUTE)
    run = (
        Run(step("first", undo=UNDO), stops, step("last", undo=UNDO))
        .start({"rows": elements(3)})
        .succeeds("first")
        .succeeds("rows[0]")
    )
    run.succeeds("last").fails("rows[1]")
    rows = run.step("rows")
    assert (rows.completion, run.header.completions) == (3, 3)
    assert (rows.due_at, rows.timer, rows.finished_at) == (None, None, START)
    for path in ("rows[0]", "last", "first"):
        assert list(run.open) == [path]
        run.succeeds(path)


def test_a_map_that_was_cancelled_stands_where_it_stopped() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=1, timeout_ms=MINUTE)).start({"rows": elements(3)})
    run.succeeds("rows[0]").is_cancelled()
    header = run.state.elements["rows"]["rows[1]"].header
    assert (header.goal, header.cancel_reason) == (Goal.CANCEL, ""), "the run has the reason"
    run.later(7).succeeds("rows[1]")
    rows = run.step("rows")
    assert (rows.phase, rows.completion, rows.finished_at) == (StepPhase.CANCELLED, 1, START + 7)
    assert (rows.due_at, rows.timer, run.state.pages) == (None, None, {})


def test_an_element_that_drains_goes_no_further_than_the_step_in_flight() -> None:
    run = Run(mapped("rows", step("a", undo=UNDO), step("b", ["a"]), batch_size=2)).start({"rows": elements(2)})
    run.fails("rows[0]/a")
    header = run.state.elements["rows"]["rows[1]"].header
    assert (header.stage, header.goal) == (Stage.DRAINING, Goal.HALT)
    run.succeeds("rows[1]/a")
    assert run.reversals == ["rows[1]/a undo"]
    assert run.outcomes("rows")[1].phase is ElementPhase.STOPPED


def test_an_element_that_is_reversing_itself_keeps_no_other_from_being_stopped() -> None:
    body = (step("a", undo=attempts(2)), step("b", ["a"]))
    run = Run(mapped("rows", *body, batch_size=3, fail_fast=False, max_failures=0)).start({"rows": elements(3)})
    run.succeeds("rows[0]/a").fails("rows[0]/b").fails("rows[2]/a").succeeds("rows[1]/a")
    assert list(run.open) == ["rows[0]/a"]
    run.fails("rows[0]/a").wakes()
    assert list(run.open) == ["rows[0]/a"], "a failure of the map leaves an element the attempts of its undo"


def test_an_element_that_is_told_something_together_with_a_cancel_begins_nothing() -> None:
    run = Run(mapped("rows", step("a"), step("b", ["a"]))).start({"rows": elements(1)})
    run.feed(ev.TaskSucceeded(task=run.open["rows[0]/a"]), ev.CancelRequested(id="stop"))
    assert (run.phase, run.launches) == (RunPhase.CANCELLED, ["rows[0]/a.run.1.1.1"])
    assert run.evaluated == ["rows", "rows[0]", "rows[0]/a"]


def test_an_element_that_halts_keeps_no_other_from_being_stopped() -> None:
    rows = mapped("rows", step("a"), step("b"), step("c", ["a"]), batch_size=2)
    run = Run(rows, step("other")).start({"rows": elements(2)})
    run.halts("rows[0]/a", "enough").fails("other").succeeds("rows[1]/a")
    assert list(run.open) == ["rows[0]/b", "rows[1]/b"]


def test_a_cancel_reaches_what_is_draining_already() -> None:
    run = Run(mapped("rows", step("x"), batch_size=2)).start({"rows": elements(4)}).fails("rows[0]").is_cancelled()
    assert run.state.elements["rows"]["rows[1]"].header.goal is Goal.CANCEL


def test_a_cancel_leaves_an_element_that_is_reversing_itself_no_other_attempt() -> None:
    body = (step("a", undo=attempts(2)), step("b", ["a"]))
    run = Run(mapped("rows", *body, batch_size=2, fail_fast=False)).start({"rows": elements(2)})
    run.succeeds("rows[0]/a").fails("rows[0]/b").is_cancelled()
    assert list(run.open) == ["rows[1]/a", "rows[0]/a"]
    run.fails("rows[0]/a", message="stuck").succeeds("rows[1]/a")
    assert (run.phase, run.open) == (RunPhase.CANCELLED, {})
    (listed,) = run.header.rollback_failures
    assert listed == RollbackFailure(step="rows", kind=FailureKind.ERROR, message="element 0: stuck")


def test_a_cancel_leaves_an_element_that_is_being_stopped_no_other_attempt() -> None:
    run = Run(mapped("rows", step("x", run=attempts(2)), batch_size=2)).start({"rows": elements(4)})
    run.is_cancelled().fails("rows[0]").succeeds("rows[1]")
    assert (run.phase, run.open) == (RunPhase.CANCELLED, {})
    assert [one.phase for one in run.outcomes("rows").values()] == [ElementPhase.STOPPED, ElementPhase.SUCCEEDED]


def test_a_cancel_after_a_failure_stops_the_cleanup_of_an_element_from_being_attempted_again() -> None:
    run = Run(mapped("rows", step("x", compensate=attempts(2)), batch_size=2)).start({"rows": elements(4)})
    run.fails("rows[0]").fails("rows[0]", message="stuck").is_cancelled().succeeds("rows[1]")
    assert (run.phase, run.open) == (RunPhase.CANCELLED, {})


def test_a_halt_drains_a_map_though_failures_would_stop_what_is_in_flight() -> None:
    rows = mapped("rows", step("x"), batch_size=2, on_failure=TERMINATE)
    run = Run(rows, step("other"), on_failure=TERMINATE).start({"rows": elements(4)}).halts("other", "enough")
    assert list(run.open) == ["rows[0]", "rows[1]"]
    run.succeeds("rows[0]").succeeds("rows[1]")
    assert (run.phase, run.launches) == (RunPhase.HALTED, ["rows[0].run.1.1.1", "rows[1].run.1.1.1", "other.run.1.1.1"])


def test_a_failure_elsewhere_stops_what_is_in_flight_of_a_map_where_the_reactor_says_so() -> None:
    rows = mapped("rows", step("x"), batch_size=2, on_failure=TERMINATE)
    run = Run(rows, step("other"), on_failure=TERMINATE).start({"rows": elements(4)}).fails("other")
    assert (run.phase, run.open) == (RunPhase.FAILED, {})
    assert {one.phase for one in run.outcomes("rows").values()} == {ElementPhase.STOPPED}


def test_an_element_that_halts_the_run_ends_the_map_with_it() -> None:
    run = Run(mapped("rows", step("x"), batch_size=2)).start({"rows": elements(4)}).halts("rows[0]", "enough")
    assert (run.in_flight("rows"), run.header.halting or run.header.goal is Goal.HALT) == (["rows[1]"], True)
    run.succeeds("rows[1]")
    assert (run.phase, run.header.halt_reason, run.at("rows")) == (RunPhase.HALTED, "enough", StepPhase.CANCELLED)
    assert run.progress("rows").opened == 2


def test_skipped_elements_are_counted_and_take_no_part_in_an_undo() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO))).start({"rows": elements(3)})
    run.skips("rows[0]", "1").succeeds("rows[1]").skips("rows[2]")
    progress = run.progress("rows")
    assert (progress.succeeded, progress.skipped, progress.failed, progress.kept) == (1, 2, 0, 1)
    found = run.outcomes("rows")
    assert (found[0].phase, found[0].result, found[0].kept) == (ElementPhase.SKIPPED, value("1"), None)


def test_what_is_kept_of_an_element_is_a_saga_that_has_ended() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=2)).start({"rows": elements(3)}).begins("rows[0]")
    run.later(5).succeeds("rows[0]").succeeds("rows[1]")
    first, second = (run.state.pages["rows"][0][index].kept for index in (0, 1))
    assert first is not None
    assert second is not None
    assert (first.remaining, first.header.stage) == ({ROOT: 0}, Stage.OVER)
    times = [(one.started_at, one.finished_at) for one in (first.step("rows[0]"), second.step("rows[1]"))]
    assert times == [(START, START + 5), (START + 5, START + 5)]


def test_bounds_of_failures_say_what_went_beyond_them() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1, fail_fast=False, max_failures=1)).start({"rows": elements(9)})
    run.fails("rows[0]").succeeds("rows[1]").fails("rows[2]", message="broken")
    assert run.why("rows").message == "2 elements failed, more than maxFailures 1; the last one, 2: broken"

    rows = mapped("rows", step("x"), batch_size=1, fail_fast=False, max_failures_percent=50)
    run = Run(rows).start({"rows": elements(4)}).fails("rows[0]").fails("rows[1]").fails("rows[2]", message="broken")
    expected = "3 elements failed, more than maxFailuresPercent 50 of 4; the last one, 2: broken"
    assert run.why("rows").message == expected


def test_elements_that_fail_while_the_map_stops_count_as_stopped() -> None:
    rows = mapped("rows", step("x"), batch_size=3, fail_fast=False, max_failures=0)
    run = Run(rows).start({"rows": elements(9)}).fails("rows[0]", message="first").fails("rows[1]").fails("rows[2]")
    assert [one.phase.value for one in run.outcomes("rows").values()] == ["Failed", "Stopped", "Stopped"]
    assert (run.progress("rows").failed, run.progress("rows").opened) == (1, 3)
    assert run.why("rows").message == "1 elements failed, more than maxFailures 0; the last one, 0: first"


def test_batches_are_whole_though_the_run_has_little_room() -> None:
    rows = mapped("rows", step("x"), batch_size=3, barrier=True)
    run = Run(rows, parallelism=2).start({"rows": elements(7)})
    assert run.in_flight("rows") == ["rows[0]", "rows[1]"]
    run.succeeds("rows[0]")
    assert run.in_flight("rows") == ["rows[1]", "rows[2]"]
    run.succeeds("rows[1]")
    assert run.in_flight("rows") == ["rows[2]"]
    run.succeeds("rows[2]")
    assert run.in_flight("rows") == ["rows[3]", "rows[4]"]
    assert run.progress("rows").batch_end == 6


def test_room_that_comes_at_once_is_used_for_the_rest_of_a_batch_alone() -> None:
    rows = mapped("rows", step("x"), batch_size=3, barrier=True)
    run = Run(step("other"), rows, parallelism=3).start({"rows": elements(7)})
    assert list(run.open) == ["other", "rows[0]", "rows[1]"]
    run.feed(*(ev.TaskSucceeded(task=task) for task in run.open.values()))
    assert run.in_flight("rows") == ["rows[2]"]


def test_a_chunk_is_no_larger_than_the_window() -> None:
    run = Run(mapped("rows", step("x"), batch_size=2, chunk=5)).start({"rows": elements(7)})
    assert run.in_flight("rows") == ["rows[0]", "rows[1]"]
    run.succeeds("rows[0]")
    assert run.in_flight("rows") == ["rows[1]"], "a task takes two"
    run.succeeds("rows[1]")
    assert run.in_flight("rows") == ["rows[2]", "rows[3]"]


def test_a_page_in_flight_takes_no_place_of_an_element_in_the_window_and_keeps_no_batch_waiting() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=2, barrier=True))
    run.pages["rows"] = [(4, "a"), (1, None)]
    run.start().succeeds("rows[page-0]")
    assert list(run.open) == ["rows[0]", "rows[1]", "rows[page-1]"]
    run.succeeds("rows[0]").succeeds("rows[1]")
    assert list(run.open) == ["rows[page-1]", "rows[2]", "rows[3]"]


def test_the_rest_of_a_page_is_begun_though_it_fills_no_chunk() -> None:
    run = Run(mapped("rows", step("x"), batch_size=4, chunk=3)).start({"rows": elements(5)})
    assert run.in_flight("rows") == ["rows[0]", "rows[1]", "rows[2]"]
    run.succeeds("rows[0]")
    assert run.in_flight("rows") == ["rows[1]", "rows[2]", "rows[3]", "rows[4]"]


def test_an_array_is_turned_to_page_by_page() -> None:
    run = Run(mapped("rows", step("x"), batch_size=400), parallelism=1_000)
    run.asks(ev.TimePassed()).asks(ev.StepEvaluated(path="rows", round=1, proceed=True, total=1_100))
    run.asks(*(ev.StepEvaluated(path=path, round=1, proceed=True) for path in run.in_flight("rows")))
    done = [ev.TaskSucceeded(task=task) for task in list(open_tasks(run.state))[:100]]
    first = SourcePage(number=0, first=0, size=500, left=500)
    assert (run.progress("rows").opened, run.progress("rows").sources) == (400, (first,))
    run.asks(*done[:99])
    assert (run.progress("rows").opened, run.progress("rows").known) == (499, 500)
    run.asks(done[99])
    assert (run.progress("rows").opened, run.progress("rows").known) == (500, 1_000)
    assert run.progress("rows").sources == (
        replace(first, left=400),
        SourcePage(number=1, first=500, size=500, left=500),
    )


def test_results_that_cannot_be_told_fail_the_map() -> None:
    broken = Failure(kind=FailureKind.EXPRESSION, message="no such key")
    run = Run(mapped("rows", step("x", undo=UNDO)))
    run.results["rows"] = ev.ReturnsEvaluationFailed(scope="rows", failure=broken)
    run.start({"rows": elements(1)}).succeeds("rows[0]")
    assert (run.why("rows"), run.reversals) == (broken, ["rows[0] undo"])


def test_a_map_whose_run_fails_elsewhere_while_its_results_are_told_is_cancelled() -> None:
    run = Run(mapped("rows", step("x")), step("other")).start({"rows": elements(1)})
    run.asks(ev.TaskSucceeded(task=run.open["rows[0]"]))
    run.asks(ev.TaskFailed(task=run.open["other"], failure=Failure(kind=FailureKind.ERROR, message="bad")))
    told = ev.ReturnsEvaluated(scope="rows", result=value("told"))
    before = run.state
    assert run.asks(told).state is before
    assert (run.phase, run.at("rows"), run.step("rows").result) == (RunPhase.FAILED, StepPhase.CANCELLED, None)
