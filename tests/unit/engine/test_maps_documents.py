"""What belongs to elements is dropped when nothing refers to it any more, so that a store stays small."""

from typing import Any

from reactor_operator.engine import events as ev
from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.state import RunPhase
from reactor_operator.engine.values import ValueRef
from tests.unit.engine.driver import (
    DONE_ONCE,
    REQUEST,
    Evaluation,
    Run,
    attempts,
    cannot_be_evaluated,
    elements,
    mapped,
    step,
)

UNDO = attempts(1)


def named(name: str) -> ValueRef:
    """Return the reference of a document that is too large to be its own."""
    return ValueRef(f"@{name}", 300)


def telling(**changes: Any) -> Evaluation:
    """Evaluate an element to: go, with documents of its own."""

    def tell(path: str, round_: int) -> ev.Event:
        return ev.StepEvaluated(path=path, round=round_, proceed=True, **changes)

    return tell


def says_nothing(path: str, round_: int) -> ev.Event:
    """Do not evaluate a step yet."""
    return ev.ReturnsEvaluated(scope=f"nothing about {path} {round_}", result=None)


def fails_with(run: Run, path: str, detail: str, **more: Any) -> Run:
    task = run.open[path]
    bad = Failure(kind=FailureKind.ERROR, message="bad", detail=named(detail), **more)
    return run.feed(ev.TaskFailed(task=task, failure=bad))


def succeeds_with(run: Run, path: str, result: str) -> Run:
    return run.feed(ev.TaskSucceeded(task=run.open[path], result=named(result)))


def test_an_element_that_succeeds_leaves_its_result_alone() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1))
    run.start({"rows": elements(1), "rows[0]": telling(arguments=named("arguments"))})
    succeeds_with(run, "rows[0]", "result")
    assert run.dropped == {"@arguments"}


def test_an_output_file_that_something_else_was_given_instead_of_is_dropped() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1)).start({"rows": elements(1)})
    succeeds_with(run.uploads("rows[0]", named("file")), "rows[0]", "result")
    assert (run.dropped, run.outcomes("rows")[0].result) == ({"@file"}, named("result"))


def test_what_would_have_stood_for_the_result_of_a_step_is_dropped_with_its_element() -> None:
    run = Run(mapped("rows", step("a", continues_on_error=True), step("b", ["a"]), batch_size=1))
    run.start({"rows": elements(1), "rows[0]/a": telling(fallback=named("fallback"))})
    run.succeeds("rows[0]/a").succeeds("rows[0]/b")
    assert run.dropped == {"@fallback"}


def test_what_explains_an_attempt_that_is_followed_by_another_is_dropped() -> None:
    run = Run(mapped("rows", step("x", run=attempts(2)), batch_size=1)).start({"rows": elements(1)})
    fails_with(run, "rows[0]", "first").wakes()
    succeeds_with(run, "rows[0]", "result")
    assert run.dropped == {"@first"}


def test_what_was_sent_is_dropped_when_something_else_is_sent() -> None:
    run = Run(mapped("rows", step("x", run=REQUEST, undo=REQUEST), batch_size=1, reverses=True), step("b", ["rows"]))
    run.requests["rows[0].run.1.1.1"] = lambda task: ev.RequestEvaluated(task=task, request=named("sent"))
    run.start({"rows": elements(1)}).succeeds("rows[0]").fails("b")
    assert run.dropped == {"@sent"}


def test_what_a_cleanup_tells_is_read_by_nobody() -> None:
    run = Run(mapped("rows", step("x", compensate=DONE_ONCE), batch_size=1, fail_fast=False))
    run.start({"rows": elements(1)}).fails("rows[0]")
    succeeds_with(run, "rows[0]", "told")
    assert run.dropped == {"@told"}
    assert run.phase is RunPhase.SUCCEEDED


def test_why_a_map_failed_stays_explained_when_its_elements_are_reversed() -> None:
    run = Run(mapped("rows", step("x", compensate=DONE_ONCE, undo=UNDO), batch_size=1, reverses=True))
    run.start({"rows": elements(2)})
    succeeds_with(run, "rows[0]", "result")
    fails_with(run, "rows[1]", "why").succeeds("rows[1]")
    run.succeeds("rows[0]")
    assert run.dropped == {"@result"}
    assert run.why("rows").detail == named("why")


def test_why_a_page_could_not_be_fetched_stays_explained() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE)).start()
    fails_with(run, "rows[page-0]", "why")
    assert run.dropped == set()
    assert run.why("rows").detail == named("why")


def test_pages_of_a_collection_that_were_never_turned_to_go_with_the_map() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1)).start({"rows": elements(1_200)})
    run.fails("rows[0]")
    assert run.last.filing is not None
    assert run.last.filing.sources == {("rows", 1, number) for number in range(3)}


def test_a_page_whose_cursor_came_back_goes_with_it() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=1))
    run.pages["rows"] = [(1, "a"), (1, "a")]
    run.start().succeeds("rows[page-0]").succeeds("rows[0]").succeeds("rows[page-1]")
    assert run.phase is RunPhase.FAILED
    assert run.last.filing is not None
    assert ("rows", 1, 1) in run.last.filing.sources


def test_what_asks_for_the_next_page_is_forgotten_when_nobody_will_ask() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=1))
    run.pages["rows"] = [(1, "a")]
    run.start().succeeds("rows[page-0]").fails("rows[0]")
    run.succeeds("rows[page-1]")
    assert run.progress("rows").cursor is None


def test_a_collection_that_is_read_as_its_map_is_stopped_goes_with_it() -> None:
    run = Run(mapped("rows", step("a"), mapped("b", step("x")), batch_size=1))
    run.start({"rows": elements(1), "rows[0]/a": says_nothing, "rows[0]/b": says_nothing})
    run.feed(cannot_be_evaluated("rows[0]/a", 1), elements(501)("rows[0]/b", 1))
    assert run.phase is RunPhase.FAILED
    assert run.last.filing is not None
    assert run.last.filing.sources == {("rows[0]/b", 1, 0), ("rows[0]/b", 1, 1), ("rows", 1, 0)}


def test_a_page_that_is_read_as_its_map_is_stopped_goes_with_it() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE)).start()
    page = ev.PageEvaluated(path="rows", round=1, page=0, size=1, cursor=named("cursor"), mark="c")
    fetched = ev.TaskSucceeded(task=run.open["rows[page-0]"])
    asked = decide_together(run.plan, run.state, (fetched,), run.now)
    told = decide_together(run.plan, asked.state, (ev.CancelRequested(id="stop"), page), run.now)
    assert told.state.header.phase is RunPhase.CANCELLED
    assert told.filing is not None
    assert told.filing.sources == {("rows", 1, 0)}
    assert told.filing.dropped == {"@cursor"}


def test_what_is_told_again_of_a_source_that_is_in_use_takes_nothing_away() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE, batch_size=1))
    run.pages["rows"] = [(2, "c")]
    run.start().succeeds("rows[page-0]")
    run.feed(ev.PageEvaluated(path="rows", round=1, page=0, size=2, mark="c"))
    run.feed(ev.StepEvaluated(path="rows", round=1, proceed=True, total=2))
    assert not run.last.filing or not run.last.filing.sources
