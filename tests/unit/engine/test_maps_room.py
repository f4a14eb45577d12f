"""Room for tasks is shared by all that a run does: whoever waits for it gets it as soon as there is some."""

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RunPhase
from tests.unit.engine.driver import DONE_ONCE, Evaluation, Run, attempts, elements, failure, mapped, step

UNDO = attempts(1)
LINES = mapped("lines", step("x", run=attempts(2)), batch_size=2)


def lines(*counts: int) -> dict[str, Evaluation]:
    """Evaluate `rows` to as many elements as there are counts, and the map inside each to so many."""
    inside = {f"rows[{index}]/lines": elements(count) for index, count in enumerate(counts)}
    return {"rows": elements(len(counts)), **inside}


def test_a_map_inside_an_element_goes_on_when_another_element_leaves_it_room() -> None:
    run = Run(mapped("rows", LINES, step("then", ["lines"]), batch_size=2), parallelism=1)
    run.start(lines(1, 1)).fails("rows[0]/lines[0]")
    assert list(run.open) == ["rows[1]/lines[0]"]
    run.wakes()
    run.succeeds("rows[1]/lines[0]")
    while run.open:
        run.succeeds(next(iter(run.open)))
    assert run.phase is RunPhase.SUCCEEDED


def test_a_step_that_waits_for_room_comes_before_more_elements() -> None:
    run = Run(step("other", run=attempts(2)), mapped("rows", step("x"), batch_size=2), parallelism=2)
    run.start({"rows": elements(5)}).fails("other")
    assert list(run.open) == ["rows[0]", "rows[1]"]
    run.wakes().succeeds("rows[0]")
    assert list(run.open) == ["rows[1]", "other"]


def test_room_that_the_last_elements_leave_is_used_at_once() -> None:
    run = Run(mapped("rows", step("x"), batch_size=2), step("other", run=attempts(2)), parallelism=2)
    run.start({"rows": elements(2)}).fails("other")
    run.wakes()
    assert list(run.open) == ["rows[0]", "rows[1]"]
    run.succeeds("rows[0]")
    assert list(run.open) == ["rows[1]", "other"]


def test_an_element_that_fails_lets_none_begin_that_would_have_had_room_by_what_was_told_with_it() -> None:
    run = Run(mapped("rows", step("x", compensate=DONE_ONCE), batch_size=2)).start({"rows": elements(5)})
    bad = failure(FailureKind.ERROR)
    run.feed(ev.TaskFailed(task=run.open["rows[0]"], failure=bad), ev.TaskSucceeded(task=run.open["rows[1]"]))
    assert run.in_flight("rows") == ["rows[0]"]


def test_elements_that_are_reversed_side_by_side_keep_to_the_room_of_the_run() -> None:
    body = (step("a", undo=UNDO), step("b", ["a"], undo=UNDO))
    rows = mapped("rows", *body, batch_size=3, undo_window=3, reverses=True)
    run = Run(rows, step("later", ["rows"]), parallelism=2).start({"rows": elements(3)})
    while "later" not in run.open:
        run.succeeds(next(iter(run.open)))
    run.fails("later")
    while run.open:
        assert len(run.open) <= 2
        run.succeeds(next(iter(run.open)))
    assert run.phase is RunPhase.FAILED
    assert run.unreversed == []


def test_a_run_that_holds_still_lets_its_maps_end_when_it_is_to_be_undone() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=2, reverses=True)).start({"rows": elements(4)})
    run.is_suspended().succeeds("rows[0]").is_to_be_undone().succeeds("rows[1]")
    for index in (1, 0):
        assert list(run.open) == [f"rows[{index}]"]
        run.succeeds(f"rows[{index}]")
    assert run.phase is RunPhase.UNDONE


def test_an_element_that_halted_while_the_run_held_still_halts_it_as_soon_as_it_goes_on() -> None:
    run = Run(mapped("rows", step("x"), batch_size=1)).start({"rows": elements(4)})
    run.is_suspended().halts("rows[0]", "enough")
    assert run.phase is RunPhase.SUSPENDED
    assert run.is_suspended(False).phase is RunPhase.HALTED
