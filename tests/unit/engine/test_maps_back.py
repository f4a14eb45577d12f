"""Elements that are taken back: what is in flight meanwhile, and what is left of those that could not be."""

from typing import Any

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import parse_task_key
from reactor_operator.engine.state import ElementPhase, RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, Run, attempts, elements, mapped, step

UNDO = attempts(1)


def done(count: int, **how: Any) -> Run:
    """A map all of whose elements succeeded, and a step after it that failed."""
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=10, reverses=True, **how), step("later", ["rows"]))
    run.start({"rows": elements(count)})
    for index in range(count):
        run.succeeds(f"rows[{index}]", f'"{index}"')
    return run.fails("later")


def test_an_element_that_is_taken_back_is_kept_in_one_place_only() -> None:
    run = done(2)
    assert run.in_flight("rows") == ["rows[1]"]
    assert {index: one.kept is not None for index, one in run.outcomes("rows").items()} == {0: True, 1: False}


def test_pages_of_outcomes_leave_the_hot_state_though_something_is_always_in_flight() -> None:
    run = done(220, undo_window=2)
    for index in reversed(range(90, 220)):
        run.succeeds(f"rows[{index}]")
        assert len(run.state.pages["rows"]) <= 2
    assert len(run.open) == 2


def test_a_cancel_that_comes_with_the_last_undo_leaves_nothing_to_be_done() -> None:
    run = done(1).is_cancelled().succeeds("rows[0]")
    assert run.phase is RunPhase.CANCELLED
    assert run.at("rows") is StepPhase.UNDONE
    assert run.outcomes("rows")[0].phase is ElementPhase.UNDONE


def test_the_result_of_an_element_that_could_not_be_undone_is_still_known() -> None:
    run = done(2).succeeds("rows[1]").fails("rows[0]")
    found = run.outcomes("rows")
    assert found[0].result is not None
    assert found[1].result is None
    assert run.rollback is RollbackState.INCOMPLETE


def test_a_cleanup_that_failed_in_an_element_whose_step_was_ignored_is_repeated_by_an_undo() -> None:
    body = (step("a", compensate=DONE_ONCE, continues_on_error=True), step("b", ["a"]))
    run = Run(mapped("rows", *body, batch_size=1)).start({"rows": elements(1)})
    run.fails("rows[0]/a").fails("rows[0]/a").succeeds("rows[0]/b")
    assert run.phase is RunPhase.SUCCEEDED
    run = run.is_to_be_undone()
    assert list(run.open) == ["rows[0]/a"]
    assert run.succeeds("rows[0]/a").phase is RunPhase.UNDONE


def test_keys_of_maps_in_maps_can_be_read_in_every_round_of_the_run() -> None:
    inner = mapped("lines", step("x"), batch_size=1)
    run = Run(mapped("rows", inner, step("then", ["lines"]), batch_size=1))
    run.start({"rows": elements(1), "rows[0]/lines": elements(1)})
    for number in range(3):
        run.fails("rows[0]/lines[0]").is_retried(f"retry {number}")
    assert len(set(run.launches)) == len(run.launches)
    assert all(parse_task_key(key) is not None for key in run.launches)


def test_a_map_that_stopped_half_way_cannot_be_taken_as_standing_where_its_results_are_read() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=1, reverses=True)
    run = Run(rows, step("later", ["rows"], reads=("rows",))).start({"rows": elements(3)})
    run.succeeds("rows[0]").fails("rows[1]").fails("rows[0]")
    run.is_retried(standing=("rows",))
    accepted, reason = run.answer
    assert not accepted
    assert "step rows never succeeded, so its result is not known, and step later reads it" in reason


def test_a_map_that_could_not_be_reversed_keeps_its_results_where_a_person_says_that_it_stands() -> None:
    run = done(2).succeeds("rows[1]").fails("rows[0]").is_retried(standing=("rows",))
    assert run.answer[0]
    assert list(run.open) == ["later"]


def test_a_map_of_which_the_rest_is_undone_later_is_undone() -> None:
    run = done(2).succeeds("rows[1]").fails("rows[0]").is_to_be_undone()
    run.succeeds("rows[0]")
    assert (run.phase, run.at("rows")) == (RunPhase.UNDONE, StepPhase.UNDONE)


def test_a_map_that_stopped_half_way_and_of_which_the_rest_is_undone_later_is_compensated() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=1, reverses=True)).start({"rows": elements(3)})
    run.succeeds("rows[0]").fails("rows[1]").fails("rows[0]").is_to_be_undone()
    run.succeeds("rows[0]")
    assert (run.phase, run.at("rows")) == (RunPhase.UNDONE, StepPhase.COMPENSATED)


def test_elements_that_the_deadline_left_are_told_of_beside_one_that_could_not_be_undone() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=2, reverses=True)
    run = Run(rows, step("later", ["rows"]), rollback_deadline_ms=1_000).start({"rows": elements(2)})
    run.succeeds("rows[0]").succeeds("rows[1]").fails("later")
    run.later(2_000).fails("rows[1]")
    assert run.rollback is RollbackState.INCOMPLETE
    assert run.unreversed == [("rows", FailureKind.ERROR), ("rows", FailureKind.TIMEOUT)]
    assert run.outcomes("rows")[0].phase is ElementPhase.SUCCEEDED
