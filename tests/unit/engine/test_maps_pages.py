"""Maps whose elements are fetched page by page: what ends them, what fails them, and what is forgotten (DESIGN 5)."""

from typing import Any

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import EvaluatePage
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.state import RunPhase, SourcePage, StepPhase
from reactor_operator.engine.values import ValueRef
from tests.unit.engine.driver import DONE_ONCE, SECOND, Run, attempts, elements, failure, mapped, step, value

UNDO = attempts(1)


def paged(*pages: tuple[int, str | None] | Failure, batch_size: int = 1, **how: Any) -> Run:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=batch_size, **how))
    run.pages["rows"] = list(pages)
    return run.start()


def test_a_page_says_how_far_a_map_has_come() -> None:
    run = paged((2, "a"), (0, "b"), (3, None), batch_size=2).succeeds("rows[page-0]", "page")
    assert run.fetched == [("rows", 0)]
    progress = run.progress("rows")
    assert (progress.known, progress.fetched, progress.exhausted, progress.total) == (2, 1, False, None)
    assert progress.sources == (SourcePage(number=0, first=0, size=2, left=2),)
    assert (progress.cursor, progress.mark) == (value("a"), "a")
    run.succeeds("rows[page-1]")
    progress = run.progress("rows")
    assert (progress.known, progress.fetched, len(progress.sources)) == (2, 2, 1), "a page of nothing is none"
    run.succeeds("rows[page-2]")
    progress = run.progress("rows")
    assert (progress.known, progress.exhausted, progress.total, progress.cursor) == (5, True, 5, None)
    assert progress.sources[1] == SourcePage(number=2, first=2, size=3, left=3)


def test_a_circle_of_cursors_is_found_soon_and_one_of_them_is_remembered() -> None:
    cursors = ("a", "b", "c", "d", "b", "c", "d", "b", "c")
    run = paged(*((0, cursor) for cursor in cursors))
    marks = []
    while run.open:
        run.succeeds(next(iter(run.open)))
        marks.append((run.progress("rows").mark, run.progress("rows").mark_at))
    assert marks[:6] == [("a", 1), ("b", 2), ("b", 2), ("d", 4), ("d", 4), ("d", 4)]
    message = "page 6: found a cursor that an earlier page returned too, expected another one, or null"
    assert run.why("rows") == Failure(kind=FailureKind.INVALID_RESULT, message=message, retryable=False)


def test_a_cursor_that_came_back_is_forgotten_and_so_is_the_one_before() -> None:
    run = paged((0, "@a"), (0, "@a")).succeeds("rows[page-0]").succeeds("rows[page-1]")
    assert run.phase is RunPhase.FAILED
    assert run.dropped == {"@a"}
    task = paged((0, "@a")).succeeds("rows[page-0]").open["rows[page-1]"]
    run = paged((0, "@a")).succeeds("rows[page-0]").asks(ev.TaskSucceeded(task=task))
    run.asks(ev.PageEvaluated(path="rows", round=1, page=1, size=0, cursor=ValueRef("@b", 300), mark="@a"))
    assert run.dropped == {"@a", "@b"}


def test_what_is_no_page_fails_the_map() -> None:
    broken = failure(FailureKind.INVALID_RESULT, "found 7, expected {items, next}")
    run = paged((2, "a"), broken, batch_size=2).succeeds("rows[page-0]").succeeds("rows[page-1]")
    assert run.in_flight("rows") == ["rows[0]", "rows[1]"]
    run.succeeds("rows[0]").succeeds("rows[1]")
    assert (run.phase, run.why("rows")) == (RunPhase.FAILED, broken)


def test_the_result_of_a_page_is_read_and_then_dropped() -> None:
    run = paged((2, "a"))
    result = ValueRef("@page", 300)
    run.asks(ev.TaskSucceeded(task=run.open["rows[page-0]"], result=result))
    assert run.last.actions[-1] == EvaluatePage(path="rows", round=1, page=0, result=result)
    assert run.dropped == {"@page"}


def test_the_result_of_a_page_that_nobody_will_read_is_dropped() -> None:
    run = paged((2, "a"), (1, None), batch_size=2).succeeds("rows[page-0]").fails("rows[0]")
    run.feed(ev.TaskSucceeded(task=run.open["rows[page-1]"], result=ValueRef("@page", 300)))
    assert (run.fetched, run.dropped) == ([("rows", 0)], {"@page"})


def test_what_collects_gives_the_map_its_result_which_stays() -> None:
    run = Run(mapped("rows", step("x"), collect=DONE_ONCE)).start({"rows": elements(1)}).succeeds("rows[0]")
    run.feed(ev.TaskSucceeded(task=run.open["rows[collect]"], result=ValueRef("@sum", 300)))
    assert (run.step("rows").result, run.dropped) == (ValueRef("@sum", 300), set())


def test_the_first_failure_of_a_map_is_the_one_that_is_told() -> None:
    run = paged((2, "a"), failure(FailureKind.INVALID_RESULT), batch_size=2).succeeds("rows[page-0]")
    run.fails("rows[0]", message="broken").succeeds("rows[page-1]").succeeds("rows[1]")
    assert run.fetched == [("rows", 0)], "nobody reads the page"
    assert run.why("rows").message == "element 0: broken"


def test_a_page_whose_task_was_skipped_is_none() -> None:
    run = paged((2, None)).skips("rows[page-0]")
    message = "rows[page-0] was skipped or halted, expected a result of it"
    assert run.why("rows") == Failure(kind=FailureKind.INVALID_RESULT, message=message, retryable=False)


def test_a_task_that_collects_and_was_skipped_is_none_either() -> None:
    run = Run(mapped("rows", step("x"), collect=DONE_ONCE)).start(
        {"rows": lambda path, round_: ev.StepEvaluated(path=path, round=round_, proceed=True, total=0)}
    )
    run.skips("rows[collect]")
    assert run.why("rows").message == "rows[collect] was skipped or halted, expected a result of it"


def test_a_task_of_a_page_that_halts_halts_the_run_and_fails_nothing() -> None:
    run = paged((2, None)).halts("rows[page-0]", "enough")
    assert (run.phase, run.header.halt_reason, run.at("rows")) == (RunPhase.HALTED, "enough", StepPhase.CANCELLED)


def test_of_an_unknown_number_of_elements_a_percentage_is_judged_of_a_hundred_at_least() -> None:
    run = paged((300, "a"), batch_size=1, fail_fast=False, max_failures_percent=1).succeeds("rows[page-0]")
    run.fails("rows[0]")
    assert run.at("rows") is StepPhase.RUNNING
    run.fails("rows[1]").succeeds("rows[page-1]")
    expected = "2 elements failed, more than maxFailuresPercent 1 of 100; the last one, 1: bad"
    assert run.why("rows").message == expected


def test_of_an_unknown_number_of_elements_a_percentage_is_judged_of_those_that_ended() -> None:
    run = paged((300, "a"), batch_size=1, fail_fast=False, max_failures_percent=10).succeeds("rows[page-0]")
    for index in range(60):
        run.succeeds(f"rows[{index}]")
    for index in range(60, 110):
        run.skips(f"rows[{index}]")
    for index in range(110, 122):
        run.fails(f"rows[{index}]")
        assert run.progress("rows").failure is None
    run.fails("rows[122]")
    found = run.progress("rows").failure
    assert found is not None
    assert found.message == "13 elements failed, more than maxFailuresPercent 10 of 123; the last one, 122: bad"


# what the shell tells late, or for nothing


def test_a_page_that_nobody_waits_for_changes_nothing() -> None:
    run = paged((2, "a"))
    page = ev.PageEvaluated(path="rows", round=1, page=0, size=2, cursor=value("a"), mark="a")
    before = run.state
    assert run.asks(page).state is before
    run.asks(ev.TaskSucceeded(task=run.open["rows[page-0]"]))
    before = run.state
    other = ev.PageEvaluated(path="rows", round=2, page=0, size=2, cursor=value("a"), mark="a")
    assert run.asks(other).state is before
    assert run.asks(page).progress("rows").known == 2
    assert run.state.evaluating == frozenset()


def test_a_page_that_is_being_read_when_the_run_is_cancelled_is_waited_for_no_longer() -> None:
    run = paged((2, "a"))
    run.asks(ev.TaskSucceeded(task=run.open["rows[page-0]"]))
    assert len(run.state.evaluating) == 1
    run.asks(ev.CancelRequested(id="stop"))
    assert (run.phase, run.at("rows"), run.state.evaluating) == (RunPhase.CANCELLED, StepPhase.CANCELLED, frozenset())


def test_results_that_are_being_told_when_the_run_is_cancelled_are_waited_for_no_longer() -> None:
    run = paged((1, None)).succeeds("rows[page-0]")
    run.asks(ev.TaskSucceeded(task=run.open["rows[0]"]))
    assert len(run.state.evaluating) == 1
    run.asks(ev.CancelRequested(id="stop"))
    assert (run.phase, run.at("rows"), run.state.evaluating) == (RunPhase.CANCELLED, StepPhase.CANCELLED, frozenset())


def test_what_a_map_that_fails_has_asked_is_waited_for_no_longer_though_its_run_goes_on() -> None:
    run = paged((2, "a"), batch_size=2, optional=True).succeeds("rows[page-0]")
    run.asks(ev.TaskSucceeded(task=run.open["rows[page-1]"]))
    run.asks(ev.TaskFailed(task=run.open["rows[0]"], failure=failure(FailureKind.ERROR)))
    assert (run.phase, run.at("rows"), run.state.evaluating) == (RunPhase.RUNNING, StepPhase.RUNNING, frozenset())

    run = Run(mapped("rows", step("x"), optional=True, timeout_ms=SECOND), step("other")).start({"rows": elements(1)})
    run.asks(ev.TaskSucceeded(task=run.open["rows[0]"]))
    run.now += SECOND
    run.asks(ev.TimePassed())
    assert (run.phase, run.at("rows"), run.state.evaluating) == (RunPhase.RUNNING, StepPhase.IGNORED, frozenset())


def test_no_page_is_asked_for_where_the_run_has_no_room_or_holds_still() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=2), step("other"), parallelism=2)
    run.pages["rows"] = [(2, "a"), (2, None)]
    run.start().succeeds("rows[page-0]")
    assert list(run.open) == ["other", "rows[0]"]
    run.succeeds("other")
    assert list(run.open) == ["rows[0]", "rows[1]"]
    run.is_suspended().succeeds("rows[0]")
    assert list(run.open) == ["rows[1]"]
    run.is_suspended(False)
    assert list(run.open) == ["rows[1]", "rows[page-1]"]
