"""Rule 9, undo and retry: what a run that is taken up again keeps, repeats and stops."""

import pytest

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import Backoff
from reactor_operator.engine.state import RunPhase, Stage, StepPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    MINUTE,
    SECOND,
    TERMINATE,
    Run,
    attempts,
    cannot_be_evaluated,
    chain,
    chooses,
    compose,
    step,
    switch,
    value,
)
from tests.unit.engine.situations import lose

UNDO = DONE_ONCE


def test_a_scope_that_is_entered_again_keeps_what_was_evaluated_and_counts_as_started_now() -> None:
    run = Run(compose("s", step("x"), step("y", ["x"]))).start().succeeds("s/x").fails("s/y").later(MINUTE).is_retried()
    scope = run.step("s")
    assert (scope.phase, scope.round, scope.attempt, scope.run_attempts) == (StepPhase.RUNNING, 2, 1, 1)
    assert (scope.arguments, scope.inputs, scope.fallback) == (
        value("s arguments"),
        value("s inputs"),
        value("s fallback"),
    )
    assert (scope.start_order, scope.started_at, run.header.starts) == (4, run.now, 4)
    assert run.begins("s/y").step("s/y").start_order == 5


def test_an_undo_stops_what_may_still_run_of_a_run_whose_state_was_lost() -> None:
    run = Run(*chain("a", "b", undo=UNDO, compensate=UNDO)).start().succeeds("a").begins("b")
    lose(run).is_to_be_undone()
    assert [(one.task.path, one.stop) for one in run.retired[-1:]] == [("b", True)]
    run.succeeds("b").succeeds("a")
    assert (run.reversals, run.phase) == (["b compensate", "a undo"], RunPhase.UNDONE)


def test_an_undo_repeats_what_came_too_late_and_what_failed() -> None:
    steps = [step(name, compensate=UNDO) for name in "ab"]
    run = Run(*steps, step("z"), on_failure=TERMINATE, rollback_deadline_ms=MINUTE).start().begins("a").begins("b")
    run.fails("z").later(MINUTE).fails("b")
    assert run.unreversed == [("b", FailureKind.ERROR), ("a", FailureKind.TIMEOUT)]
    assert (run.at("a"), run.at("b")) == (StepPhase.CANCELLED, StepPhase.ROLLBACK_FAILED)
    run.later(MINUTE).is_to_be_undone().succeeds("b").succeeds("a")
    assert (run.phase, run.unreversed, run.reversals[1:]) == (RunPhase.UNDONE, [], ["b compensate", "a compensate"])


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_an_undo_of_a_run_that_was_rolled_back_before_has_the_whole_deadline_again(end: str) -> None:
    run = Run(*chain("a", "b", "c", undo=UNDO), rollback_deadline_ms=MINUTE).start().succeeds("a").succeeds("b")
    run.fails("c")
    run = run.fails("b").fails("a") if end == "failed" else run.is_cancelled().succeeds("b")
    run.later(10 * MINUTE).is_to_be_undone()
    assert run.header.rollback_deadline == run.now + MINUTE
    while run.open:
        run.succeeds(next(iter(run.open)))
    assert (run.phase, run.unreversed) == (RunPhase.UNDONE, [])


def test_the_pauses_between_the_attempts_of_a_repeated_undo_begin_with_the_shortest() -> None:
    patient = attempts(3, backoff=Backoff.EXPONENTIAL, base_delay_ms=SECOND)
    run = Run(step("a", undo=patient), step("z", ["a"])).start().succeeds("a").fails("z")
    for again in ("undo", "undo again"):
        for pause in (SECOND, 2 * SECOND):
            assert run.fails("a").last.wake_at == run.now + pause
            run.wakes()
        run.fails("a").is_to_be_undone(again)
    assert run.launches[-1] == "a.undo.1.7.1"


def test_what_is_assumed_to_stand_without_having_succeeded_counts_as_the_newest_success() -> None:
    run = Run(step("a"), step("b", ["a"], undo=UNDO), step("c")).start().succeeds("a").succeeds("c")
    run.fails("b", FailureKind.TIMEOUT).fails("b")
    assert run.unreversed == [("b", FailureKind.ERROR)]
    run.is_retried(standing=("b",))
    assert (run.at("b"), run.step("b").completion, run.header.completions) == (StepPhase.SUCCEEDED, 3, 3)
    assert (run.step("b").failure, run.step("b").uncertain) == (None, False)
    assert run.phase is RunPhase.SUCCEEDED


def test_what_is_assumed_to_stand_keeps_the_number_of_its_success() -> None:
    run = Run(*chain("a", "b", "c", undo=UNDO)).start().succeeds("a").succeeds("b").fails("c").fails("b").fails("a")
    run.is_retried(standing=("b", "a")).fails("c")
    assert [run.step(name).completion for name in "ab"] == [1, 2]
    assert run.header.completions == 2
    assert run.reversals[2:] == ["b undo"]


def test_scopes_are_entered_again_in_the_order_of_the_manifest_with_what_is_inside() -> None:
    first = compose("z", compose("inner", step("x"), step("y", ["x"])))
    run = Run(first, compose("b", step("x"))).start().succeeds("z/inner/x").fails("b/x").fails("z/inner/y")
    run.is_retried()
    assert [run.step(scope).start_order for scope in ("z", "z/inner", "b")] == [7, 8, 9]
    assert (run.at("z/inner/x"), run.step("z/inner/x").round) == (StepPhase.SUCCEEDED, 1)
    assert list(run.open) == ["z/inner/y", "b/x"]


def test_a_scope_that_was_never_entered_is_evaluated_again() -> None:
    run = Run(compose("s", step("x"))).start(s=cannot_be_evaluated)
    del run.answers["s"]
    assert run.is_retried().evaluated[-2:] == ["s", "s/x"]
    assert (run.step("s").inputs, list(run.open)) == (value("s inputs"), ["s/x"])


def test_a_run_that_lost_its_state_at_its_end_has_no_result_until_it_ends_again() -> None:
    run = Run(step("a"), finals=[step("tell")]).start().succeeds("a")
    assert run.header.result is not None
    run.returns = None
    lose(run).is_retried()
    assert run.stage is Stage.FORWARD
    assert run.header.result is None


def test_a_run_that_lost_its_state_while_it_halted_goes_on_after_a_retry() -> None:
    run = Run(step("a"), step("b"), step("c", ["b"])).start().halts("a")
    assert lose(run).is_retried().succeeds("b").phase is RunPhase.RUNNING
    assert run.succeeds("c").phase is RunPhase.SUCCEEDED


def test_a_scope_that_is_given_a_value_is_skipped_with_what_was_left_to_do_inside() -> None:
    inner = compose("in", step("x"), step("y", ["x"]))
    run = Run(compose("s", inner, step("w")), step("z", ["s"])).start().fails("s/in/x").succeeds("s/w").later(MINUTE)
    run.is_carried_over("s", "by hand")
    assert (run.at("s"), run.step("s").result, run.at("s/w")) == (
        StepPhase.SKIPPED,
        value("by hand"),
        StepPhase.SUCCEEDED,
    )
    left = [run.step(path) for path in ("s/in", "s/in/x", "s/in/y")]
    assert [(one.phase, one.finished_at) for one in left] == [(StepPhase.SKIPPED, run.now)] * 3
    assert list(run.open) == ["z"]
    assert run.succeeds("z").phase is RunPhase.SUCCEEDED


def test_a_step_that_is_given_a_value_before_its_scope_begins_anew_keeps_it() -> None:
    run = Run(step("a", undo=UNDO), compose("s", step("x"), step("y"), needs=["a"])).start()
    run.succeeds("a").fails("s/x").succeeds("s/y").succeeds("a").is_carried_over("s/x", "by hand")
    assert list(run.succeeds("a").open) == ["s/y"]
    assert (run.at("s/x"), run.step("s/x").result) == (StepPhase.SKIPPED, value("by hand"))
    assert run.succeeds("s/y").phase is RunPhase.SUCCEEDED


def test_a_step_that_is_given_a_value_sets_nothing_free_in_a_scope_that_is_not_entered_yet() -> None:
    run = Run(step("a", undo=UNDO), compose("s", step("x"), step("y", ["x"]), needs=["a"])).start()
    run.succeeds("a").fails("s/x").succeeds("a").is_carried_over("s/x", "by hand")
    assert list(run.open) == ["a"]
    assert (run.at("s"), run.at("s/y")) == (StepPhase.PENDING, StepPhase.PENDING)
    assert list(run.succeeds("a").open) == ["s/y"]
    assert run.succeeds("s/y").phase is RunPhase.SUCCEEDED


def test_a_switch_whose_body_is_given_a_value_has_that_value() -> None:
    run = Run(switch("s", step("[0]"), step("[default]")), step("z", ["s"])).start({"s": chooses("[0]")}).fails("s[0]")
    run.is_carried_over("s[0]", "by hand")
    assert (run.at("s"), run.step("s").result) == (StepPhase.SKIPPED, value("by hand"))
    assert run.succeeds("z").phase is RunPhase.SUCCEEDED


def test_an_ignored_step_has_finished_when_its_cleanup_has() -> None:
    run = Run(step("a", compensate=UNDO, continues_on_error=True), step("z", ["a"])).start().fails("a").later(MINUTE)
    assert run.succeeds("a").step("a").finished_at == run.now
