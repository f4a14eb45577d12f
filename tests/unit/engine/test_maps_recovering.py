"""Maps of a run whose stored state was lost: nothing of them goes on; whoever takes the run up stops what is left."""

from dataclasses import replace

from reactor_operator.engine import events as ev
from reactor_operator.engine.decide import recovering
from reactor_operator.engine.derive import restore
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import ElementPhase, RunPhase, StepPhase
from reactor_operator.engine.values import ValueRef
from tests.unit.engine.driver import DONE_ONCE, Run, attempts, elements, mapped, step

UNDO = attempts(1)


def lost(run: Run) -> Run:
    run.state = replace(run.state, header=recovering(run.header, run.now), ready=(), revert=())
    return run


def half_way() -> Run:
    """Of four elements the first is done, and the next two are in flight."""
    rows = mapped("rows", step("x", undo=UNDO), batch_size=2, reverses=True)
    run = Run(rows).start({"rows": elements(4)}).succeeds("rows[0]")
    return lost(run.begins("rows[1]"))


def test_no_element_is_begun_and_none_is_launched_again() -> None:
    run = half_way().succeeds("rows[1]").is_lost("rows[2]").later(60_000)
    assert run.open == {}
    assert run.phase is RunPhase.RECOVERING


def test_a_lost_cleanup_of_an_element_is_not_launched_again() -> None:
    run = Run(mapped("rows", step("x", compensate=DONE_ONCE), batch_size=1)).start({"rows": elements(1)})
    run.begins("rows[0]").fails("rows[0]")
    assert lost(run).is_lost("rows[0]").open == {}


def test_a_cancel_stops_what_is_in_flight_and_ends_the_run() -> None:
    run = half_way().is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.open == {}
    assert run.at("rows") is StepPhase.CANCELLED
    assert [one.phase for one in run.outcomes("rows").values()] == [
        ElementPhase.SUCCEEDED,
        ElementPhase.STOPPED,
        ElementPhase.STOPPED,
    ]


def test_an_undo_stops_what_is_in_flight_and_takes_back_what_may_have_acted() -> None:
    run = half_way().is_to_be_undone()
    assert list(run.open) == ["rows[1]"]
    run.succeeds("rows[1]").succeeds("rows[0]")
    assert run.phase is RunPhase.UNDONE


def test_a_retry_stops_what_is_in_flight_and_begins_the_map_anew() -> None:
    run = half_way().is_retried()
    assert sorted(run.open) == ["rows[0]", "rows[1]"]
    assert all(task.round == 1_000_001 for task in run.open.values())


def test_a_reversal_that_was_under_way_can_be_taken_up_by_an_undo() -> None:
    rows = mapped("rows", step("x", undo=UNDO), batch_size=2, reverses=True)
    run = Run(rows, step("later", ["rows"])).start({"rows": elements(2)})
    run.succeeds("rows[0]").succeeds("rows[1]").fails("later")
    assert list(run.open) == ["rows[1]"]
    lost(run).is_to_be_undone()
    assert list(run.open) == ["rows[1]"]
    run.succeeds("rows[1]").succeeds("rows[0]")
    assert run.phase is RunPhase.UNDONE


def test_an_element_that_did_it_after_the_loss_is_counted_where_a_cancel_stops_the_map() -> None:
    run = half_way().succeeds("rows[1]").is_cancelled()
    phases = [one.phase for one in run.outcomes("rows").values()]
    assert phases == [ElementPhase.SUCCEEDED, ElementPhase.SUCCEEDED, ElementPhase.STOPPED]
    assert run.progress("rows").succeeded == 2


def cleaning_up() -> Run:
    """Of one element, which failed, the compensate is in flight."""
    run = Run(mapped("rows", step("x", compensate=DONE_ONCE), batch_size=1)).start({"rows": elements(1)})
    return lost(run.begins("rows[0]").fails("rows[0]"))


def test_a_cancel_lists_the_cleanups_of_elements_that_it_stops() -> None:
    run = cleaning_up().is_cancelled()
    assert run.phase is RunPhase.CANCELLED
    assert run.unreversed == [("rows", FailureKind.LOST)]
    assert run.progress("rows").unreversed == 1


def test_a_retry_is_refused_while_elements_are_being_cleaned_up_after() -> None:
    accepted, reason = cleaning_up().is_retried().answer
    assert not accepted
    assert "undo it, or cancel it" in reason


def named(name: str) -> ValueRef:
    return ValueRef(f"@{name}", 300)


def test_what_was_stopped_is_counted_and_kept_where_it_may_have_acted() -> None:
    run = half_way().is_cancelled()
    assert [one.kept is not None for one in run.outcomes("rows").values()] == [True, True, False]
    assert run.progress("rows").kept == 2
    assert (run.step("rows").completion, run.step("rows").finished_at) == (1, run.now)


def test_what_explains_an_attempt_that_failed_is_kept_when_there_is_no_other_one() -> None:
    body = step("x", run=attempts(2), undo=UNDO)
    run = Run(mapped("rows", body, batch_size=2, reverses=True)).start({"rows": elements(2)})
    run.fails("rows[0]", message="broken", detail=named("why")).begins("rows[1]")
    lost(run).is_cancelled()
    found = run.outcomes("rows")
    assert found[0].failure is not None
    assert (found[0].failure.message, found[0].failure.detail) == ("broken", named("why"))
    assert [one.phase for one in found.values()] == [ElementPhase.STOPPED, ElementPhase.STOPPED]
    assert run.dropped == set()


def test_documents_of_what_was_stopped_are_dropped_unless_an_undo_may_need_them() -> None:
    def telling(path: str, round_: int) -> ev.Event:
        return ev.StepEvaluated(path=path, round=round_, proceed=True, arguments=named(path))

    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=2, reverses=True))
    run.start({"rows": elements(2), "rows[0]": telling, "rows[1]": telling}).begins("rows[1]")
    lost(run).is_cancelled()
    assert run.dropped == {"@rows[0]"}
    kept = run.outcomes("rows")[1].kept
    assert kept is not None
    assert kept.step("rows[1]").arguments == named("rows[1]")


def test_the_result_of_an_element_that_did_it_after_the_loss_stays_where_nothing_of_it_is_kept() -> None:
    run = Run(mapped("rows", step("x"), batch_size=2)).start({"rows": elements(2)})
    lost(run.begins("rows[0]").begins("rows[1]"))
    run.feed(ev.TaskSucceeded(task=run.open["rows[0]"], result=named("result"))).is_cancelled()
    found = run.outcomes("rows")[0]
    assert (found.phase, found.result, found.kept) == (ElementPhase.SUCCEEDED, named("result"), None)
    assert "@result" not in run.dropped


def stored_in_reverse(run: Run) -> list[str]:
    """Read elements back from a store that tells the newest first; return them in the order that they have then."""
    flying = run.state.elements["rows"]
    stored = {key: (flying[key].header, dict(flying[key].steps)) for key in sorted(flying, reverse=True)}
    return list(restore(run.plan, run.header, dict(run.state.steps), stored).elements["rows"])


def test_elements_come_in_the_order_of_their_indices_whatever_order_a_store_tells() -> None:
    run = Run(mapped("rows", step("x", undo=UNDO), batch_size=12, undo_window=3, reverses=True), step("b", ["rows"]))
    run.start({"rows": elements(12)})
    assert stored_in_reverse(run) == [f"rows[{index}]" for index in range(12)]
    for index in range(12):
        run.succeeds(f"rows[{index}]")
    run.fails("b")
    assert stored_in_reverse(run) == ["rows[11]", "rows[10]", "rows[9]"] == run.in_flight("rows")
