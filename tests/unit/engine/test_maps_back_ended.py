"""How the reversal of a map ends that could not do all of it, and what people read of it (DESIGN 4, rule 7)."""

from typing import Any

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import LoadOutcomes
from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.plan import ActionPlan
from reactor_operator.engine.state import ElementPhase, Goal, RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import MINUTE, SECOND, Run, attempts, elements, failure, mapped, step

UNDO = attempts(1)


def over(count: int, *, undo: ActionPlan = UNDO, undo_window: int = 1, chunk: int = 1, **limits: Any) -> Run:
    """A map all of whose elements succeeded; the step after it is in flight."""
    rows = mapped("rows", step("x", undo=undo), batch_size=10, undo_window=undo_window, chunk=chunk, reverses=True)
    run = Run(rows, step("later", ["rows"]), **limits).start({"rows": elements(count)})
    for index in range(count):
        run.succeeds(f"rows[{index}]", f'"{index}"')
    return run


def going_back(count: int, *, undo: ActionPlan = UNDO, undo_window: int = 1, chunk: int = 1, **limits: Any) -> Run:
    return over(count, undo=undo, undo_window=undo_window, chunk=chunk, **limits).fails("later")


def listed(run: Run) -> list[tuple[FailureKind, str]]:
    """What people read that could not be reversed."""
    assert {one.step for one in run.header.rollback_failures} <= {"rows"}
    return [(one.kind, one.message) for one in run.header.rollback_failures]


def kept(run: Run) -> list[int]:
    """The elements that an undo would take up."""
    return [index for index, one in run.outcomes("rows").items() if one.kept is not None]


def test_a_cancelled_reversal_lets_what_is_in_flight_end_and_says_how_much_is_left() -> None:
    run = going_back(4, undo_window=2).is_cancelled()
    assert list(run.open) == ["rows[3]", "rows[2]"]
    headers = [one.header for one in run.state.elements["rows"].values()]
    assert [(one.goal, one.cancel_reason) for one in headers] == [(Goal.CANCEL, "")] * 2, "the run has the reason"
    run.succeeds("rows[3]").succeeds("rows[2]")
    assert (run.phase, run.rollback) == (RunPhase.CANCELLED, RollbackState.INCOMPLETE)
    assert listed(run) == [(FailureKind.UNCERTAIN, "cancelled with 2 elements not reversed")]
    expected = Failure(kind=FailureKind.UNCERTAIN, message="cancelled with 2 elements not reversed")
    assert (run.at("rows"), run.step("rows").cleanup_failure) == (StepPhase.ROLLBACK_FAILED, expected)
    assert kept(run) == [0, 1]
    assert run.state.pages == {}, "nothing of it is hot any more"


def test_a_cancelled_reversal_attempts_nothing_again() -> None:
    run = going_back(4, undo=attempts(2), undo_window=2).is_cancelled().fails("rows[3]", message="stuck")
    assert list(run.open) == ["rows[2]"]
    run.succeeds("rows[2]")
    assert run.phase is RunPhase.CANCELLED
    others = (FailureKind.UNCERTAIN, "cancelled with 3 elements not reversed")
    assert listed(run) == [(FailureKind.ERROR, "element 3: stuck"), others], "two were never begun to be reversed"
    expected = Failure(kind=FailureKind.UNCERTAIN, message="cancelled with 3 elements not reversed")
    assert (run.at("rows"), run.step("rows").cleanup_failure) == (StepPhase.ROLLBACK_FAILED, expected)
    assert kept(run) == [0, 1, 3]


def test_an_undo_that_waits_to_be_attempted_again_waits_no_longer_when_the_run_is_cancelled() -> None:
    run = going_back(2, undo=attempts(2)).fails("rows[1]", message="stuck").is_cancelled()
    assert (run.phase, run.open) == (RunPhase.CANCELLED, {})
    others = (FailureKind.UNCERTAIN, "cancelled with 2 elements not reversed")
    assert listed(run) == [(FailureKind.ERROR, "element 1: stuck"), others]


def test_a_reversal_that_the_deadline_ends_says_how_much_is_left() -> None:
    run = going_back(4, undo_window=2, rollback_deadline_ms=SECOND).later(SECOND)
    assert list(run.open) == ["rows[3]", "rows[2]"]
    run.succeeds("rows[3]").succeeds("rows[2]")
    message = "the rollback deadline passed with 2 elements not reversed"
    assert (run.phase, listed(run)) == (RunPhase.FAILED, [(FailureKind.TIMEOUT, message)])
    assert run.step("rows").cleanup_failure == Failure(kind=FailureKind.TIMEOUT, message=message)
    run.is_to_be_undone().succeeds("rows[1]").succeeds("rows[0]")
    assert (run.phase, run.header.rollback_failures) == (RunPhase.UNDONE, ())


def test_after_the_deadline_no_undo_is_attempted_again() -> None:
    run = going_back(1, undo=attempts(2), rollback_deadline_ms=MINUTE).later(MINUTE).fails("rows[0]", message="stuck")
    assert (run.phase, run.open) == (RunPhase.FAILED, {})
    assert run.rollback is RollbackState.INCOMPLETE


def test_an_undo_that_waits_to_be_attempted_again_waits_no_longer_than_until_the_deadline() -> None:
    undo = attempts(2, base_delay_ms=10 * MINUTE)
    for late in (0, 3):
        run = going_back(1, undo=undo, rollback_deadline_ms=MINUTE).fails("rows[0]", message="stuck")
        assert run.last.wake_at == run.now + MINUTE
        run.later(MINUTE - 1)
        assert run.phase is RunPhase.ROLLING_BACK
        run.later(1 + late)
        assert (run.phase, listed(run)) == (RunPhase.FAILED, [(FailureKind.ERROR, "element 0: stuck")])


def test_ten_elements_that_could_not_be_reversed_are_listed_and_the_others_are_counted() -> None:
    run = going_back(12)
    for index in reversed(range(12)):
        run.fails(f"rows[{index}]", message="stuck")
        count = 12 - index
        assert run.progress("rows").unreversed == count
        assert len(listed(run)) == min(count, 11)
    each = [(FailureKind.ERROR, f"element {index}: stuck") for index in reversed(range(2, 12))]
    more = "more elements of rows could not be reversed; read their results"
    assert listed(run) == [*each, (FailureKind.ERROR, more)]
    assert run.step("rows").cleanup_failure == failure(FailureKind.UNCERTAIN, "12 elements are not reversed")


def test_an_undo_counts_anew_what_could_not_be_reversed() -> None:
    run = going_back(2).fails("rows[1]", message="stuck").succeeds("rows[0]").is_to_be_undone()
    assert (run.progress("rows").unreversed, run.header.rollback_failures) == (0, ())
    run.succeeds("rows[1]")
    assert (run.phase, run.header.undone) == (RunPhase.UNDONE, ("rows",))


def test_in_another_round_of_the_run_a_map_is_reversed_like_in_the_first() -> None:
    run = over(1).fails("later").succeeds("rows[0]").is_retried().succeeds("rows[0]").fails("later").succeeds("rows[0]")
    assert (run.phase, run.rollback, run.step("rows").round) == (RunPhase.FAILED, RollbackState.COMPLETE, 2)
    assert run.reversals == ["rows[0] undo", "rows[0] undo"]


def test_a_page_of_outcomes_that_was_lost_is_passed_over_and_what_was_in_it_is_listed() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=10, reverses=True)
    run = Run(rows, step("later", ["rows"])).start({"rows": elements(103)})
    for index in range(103):
        run.succeeds(f"rows[{index}]")
    del run.cold["rows", 1, 1]
    run.fails("later")
    assert list(run.open) == ["rows[99]"]
    for index in reversed(range(100)):
        run.succeeds(f"rows[{index}]")
    assert listed(run) == [(FailureKind.UNCERTAIN, "3 elements are not reversed")]


def test_a_page_of_outcomes_leaves_the_hot_state_as_soon_as_all_in_it_is_reversed() -> None:
    run = over(102).fails("later")
    assert (list(run.open), list(run.state.pages["rows"])) == (["rows[101]"], [1])
    run.succeeds("rows[101]")
    assert (list(run.open), list(run.state.pages["rows"])) == (["rows[100]"], [1, 0])
    assert run.last.filing is not None
    assert run.last.filing.hot == {("rows", 0): run.state.pages["rows"][0]}, "it is stored though none of it is begun"
    run.succeeds("rows[100]")
    assert (list(run.open), list(run.state.pages["rows"])) == (["rows[99]"], [0])


def test_of_a_page_only_those_are_reversed_of_which_something_stands() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), fail_fast=False, reverses=True), step("later", ["rows"]))
    run.start({"rows": elements(5)}).fails("rows[1]").skips("rows[3]")
    for index in (0, 2, 4):
        run.succeeds(f"rows[{index}]")
    run.fails("later").succeeds("rows[4]").succeeds("rows[2]").succeeds("rows[0]")
    assert run.reversals == ["rows[4] undo", "rows[2] undo", "rows[0] undo"]
    assert (run.rollback, run.progress("rows").undone) == (RollbackState.COMPLETE, 3)


def test_an_element_that_is_reversed_is_reversed_for_what_its_run_is() -> None:
    run = going_back(1, rollback_deadline_ms=MINUTE)
    inner = run.state.elements["rows"]["rows[0]"]
    assert (inner.header.goal, inner.header.uid) == (Goal.ROLL_BACK, "run-1")
    assert inner.header.rollback_deadline == run.header.rollback_deadline

    run = over(1).succeeds("later").later(MINUTE).is_to_be_undone()
    assert run.state.elements["rows"]["rows[0]"].header.goal is Goal.UNDO


def test_an_undo_goes_on_though_the_run_is_suspended() -> None:
    run = over(2).succeeds("later").is_to_be_undone().is_suspended().succeeds("rows[1]").succeeds("rows[0]")
    assert run.phase is RunPhase.UNDONE


def test_a_rollback_holds_still_and_goes_on_where_it_was() -> None:
    run = going_back(3, undo_window=2).is_suspended().succeeds("rows[2]")
    assert (list(run.open), run.state.elements["rows"]["rows[1]"].header.suspended) == (["rows[1]"], True)
    run.succeeds("rows[1]").later(MINUTE)
    assert (run.phase, run.open) == (RunPhase.SUSPENDED, {})
    run.is_suspended(False).succeeds("rows[0]")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


def test_a_chunk_is_reversed_whole_or_not_yet() -> None:
    run = going_back(7, undo_window=2, chunk=3, parallelism=5)
    assert list(run.open) == ["rows[6]", "rows[5]", "rows[4]"], "the room for five is none for two chunks of three"
    run.succeeds("rows[5]")
    assert list(run.open) == ["rows[6]", "rows[4]", "rows[3]", "rows[2]", "rows[1]"]
    for index in (6, 4, 3, 2, 1, 0):
        run.succeeds(f"rows[{index}]")
    assert run.rollback is RollbackState.COMPLETE


def test_a_chunk_is_never_larger_than_what_the_run_has_room_for() -> None:
    run = going_back(3, chunk=5, parallelism=2)
    assert list(run.open) == ["rows[2]", "rows[1]"]


# what the shell tells late, again, or for nothing


def asking() -> tuple[Run, ev.OutcomesLoaded]:
    """A run that waits for a page of outcomes, and the answer that brings it."""
    run = over(2)
    run.asks(ev.TaskFailed(task=run.open.pop("later"), failure=failure(FailureKind.ERROR)))
    assert run.last.actions[-1] == LoadOutcomes(path="rows", round=1, page=0)
    return run, ev.OutcomesLoaded(path="rows", round=1, page=0, outcomes=run.outcomes("rows"))


def test_outcomes_that_nobody_asked_for_change_nothing() -> None:
    run, loaded = asking()
    for other in (
        ev.OutcomesLoaded(path="rows", round=2, page=0, outcomes=loaded.outcomes),
        ev.OutcomesLoaded(path="rows", round=1, page=1, outcomes=loaded.outcomes),
    ):
        assert decide_together(run.plan, run.state, [other], run.now).state is run.state
    after = decide_together(run.plan, run.state, [loaded], run.now)
    assert list(after.state.elements["rows"]) == ["rows[1]"]
    assert after.state.evaluating == frozenset()


def test_a_page_is_asked_for_once() -> None:
    run, _ = asking()
    again = decide_together(run.plan, run.state, [ev.TimePassed()], run.now + SECOND)
    assert again.actions == ()
    assert again.state.evaluating == run.state.evaluating


def test_a_cancel_that_comes_while_a_page_is_awaited_ends_the_run_without_it() -> None:
    run, _ = asking()
    run.is_cancelled()
    assert (run.phase, run.state.evaluating) == (RunPhase.CANCELLED, frozenset())
    assert listed(run) == [(FailureKind.UNCERTAIN, "cancelled with 2 elements not reversed")]
    assert {one.phase for one in run.outcomes("rows").values()} == {ElementPhase.SUCCEEDED}
