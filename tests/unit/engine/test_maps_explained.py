"""Maps that fail say which element it was, and keep what explains it (DESIGN 5)."""

from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from reactor_operator.engine.values import ValueRef
from tests.unit.engine.driver import DONE_ONCE, Run, attempts, elements, mapped, step

UNDO = attempts(1)


def detail_of(path: str) -> ValueRef:
    """The document that explains the failure of a task: it belongs to its element, and has its name."""
    return ValueRef(f"@{path}.detail", 900)


def fail(run: Run, path: str, message: str = "broken") -> Run:
    return run.fails(path, message=message, exception="ValueError", file="rows.py", line=7, detail=detail_of(path))


def test_the_failure_of_the_map_names_the_element_and_keeps_its_place_and_what_explains_it() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1)).start({"rows": elements(3)})
    fail(run.succeeds("rows[0]"), "rows[1]")
    why = run.why("rows")
    assert (why.message, why.exception, why.file, why.line) == ("element 1: broken", "ValueError", "rows.py", 7)
    assert why.detail == detail_of("rows[1]")
    assert run.header.failure is not None
    assert run.header.failure.failure == why
    assert why.detail.digest not in run.dropped


def test_of_many_failures_those_are_explained_that_came_first_and_the_one_that_fails_the_map() -> None:
    rows = mapped("rows", step("x"), batch_size=1, fail_fast=False, max_failures=150)
    run = Run(rows).start({"rows": elements(400)})
    for index in range(151):
        fail(run, f"rows[{index}]")
    assert run.phase is RunPhase.FAILED
    assert run.why("rows").detail == detail_of("rows[150]")
    kept = {index for index in range(151) if detail_of(f"rows[{index}]").digest not in run.dropped}
    assert kept == {*range(100), 150}
    assert [index for index, one in run.outcomes("rows").items() if one.failure and one.failure.detail] == [*range(100)]
    assert {one.failure.message for one in run.outcomes("rows").values() if one.failure} == {"broken"}


def test_the_task_of_a_page_and_the_one_that_collects_explain_their_failures_too() -> None:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE)).start()
    fail(run, "rows[page-0]")
    assert run.why("rows").message == "page 0: broken"
    assert run.why("rows").detail == detail_of("rows[page-0]")
    assert run.dropped.isdisjoint({detail_of("rows[page-0]").digest})

    run = Run(mapped("rows", step("x"), collect=DONE_ONCE)).start({"rows": elements(1)}).succeeds("rows[0]")
    fail(run, "rows[collect]")
    assert run.why("rows").message == "collect: broken"
    assert run.dropped.isdisjoint({detail_of("rows[collect]").digest})


def test_a_map_inside_an_element_passes_on_where_it_failed() -> None:
    run = Run(mapped("rows", mapped("lines", step("x"), batch_size=1), step("after", ["lines"]), batch_size=1))
    run.start({"rows": elements(2), "rows[0]/lines": elements(2)})
    fail(run.succeeds("rows[0]/lines[0]"), "rows[0]/lines[1]")
    assert run.why("rows").message.endswith("element 1: broken")
    assert run.why("rows").message.startswith("element 0: ")
    assert run.why("rows").detail == detail_of("rows[0]/lines[1]")
    assert run.dropped.isdisjoint({detail_of("rows[0]/lines[1]").digest})


def test_what_explains_the_failure_stays_when_the_elements_are_taken_back() -> None:
    rows = mapped("rows", step("a", undo=UNDO), step("b", ["a"]), batch_size=1, reverses=True)
    run = Run(rows).start({"rows": elements(2)})
    run.succeeds("rows[0]/a").succeeds("rows[0]/b").succeeds("rows[1]/a")
    fail(run, "rows[1]/b")
    run.fails("rows[1]/a", message="stuck")  # its undo, which is tried again when the map is taken back
    run.succeeds("rows[1]/a").succeeds("rows[0]/a")
    assert run.at("rows") is StepPhase.COMPENSATED
    assert run.why("rows").detail == detail_of("rows[1]/b")
    assert run.dropped.isdisjoint({detail_of("rows[1]/b").digest})


def test_an_element_that_failed_with_nothing_to_clean_up_after_it_leaves_nothing_to_take_back() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1)).start({"rows": elements(2)})
    fail(run, "rows[0]")
    assert (run.at("rows"), run.rollback) == (StepPhase.FAILED, RollbackState.NOT_NEEDED)
    assert run.progress("rows").kept == 0


def test_how_many_elements_were_taken_back_is_counted() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=3, reverses=True), step("later", ["rows"]))
    run.start({"rows": elements(3)})
    for index in range(3):
        run.succeeds(f"rows[{index}]")
    run.fails("later").succeeds("rows[2]")
    assert run.progress("rows").undone == 1
    run.fails("rows[1]").succeeds("rows[0]")
    assert run.rollback is RollbackState.INCOMPLETE
    assert run.progress("rows").undone == 2
    run.is_to_be_undone().succeeds("rows[1]")
    assert (run.progress("rows").succeeded, run.progress("rows").undone) == (3, 3)


def test_what_explains_an_element_that_failed_stays_when_it_is_taken_back_later() -> None:
    rows = mapped("rows", step("a", undo=UNDO), step("b", ["a"]), batch_size=1, fail_fast=False, reverses=True)
    run = Run(rows, step("later", ["rows"])).start({"rows": elements(2)}).succeeds("rows[0]/a")
    fail(run, "rows[0]/b")
    run.fails("rows[0]/a", message="stuck").succeeds("rows[1]/a").succeeds("rows[1]/b").fails("later")
    run.succeeds("rows[1]/a").succeeds("rows[0]/a")
    assert (run.phase, run.at("rows")) == (RunPhase.FAILED, StepPhase.UNDONE)
    failed = run.outcomes("rows")[0].failure
    assert failed is not None
    assert failed.detail == detail_of("rows[0]/b")
    assert run.dropped.isdisjoint({detail_of("rows[0]/b").digest})
