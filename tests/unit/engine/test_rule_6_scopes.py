"""Rule 6: what fails inside a compose fails the run, unless the compose declares retries or compensate."""

from collections.abc import Sequence

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task, jitter_fraction
from reactor_operator.engine.plan import StepKind
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    SECOND,
    TERMINATE,
    Run,
    Scope,
    attempts,
    chooses,
    compose,
    declines,
    failure,
    step,
    switch,
    value,
)

UNDO = COMPENSATE = DONE_ONCE


def shipping(needs: Sequence[str] = (), **changes: object) -> Scope:
    """A compose of two steps, each of which can be undone."""
    return compose("ship", step("pack", undo=UNDO), step("book", ["pack"], undo=UNDO), needs=needs, **changes)


# Going forward


def test_the_steps_inside_start_when_the_compose_does_and_it_ends_with_the_last_of_them() -> None:
    run = Run(step("charge"), compose("ship", step("pack"), needs=["charge"]), step("mail", ["ship"])).start()
    assert list(run.open) == ["charge"]
    run.succeeds("charge")
    assert (run.at("ship"), list(run.open)) == (StepPhase.RUNNING, ["ship/pack"])
    run.succeeds("ship/pack")
    assert (run.at("ship"), run.step("ship").result, list(run.open)) == (StepPhase.SUCCEEDED, value("ship"), ["mail"])
    assert run.succeeds("mail").phase is RunPhase.SUCCEEDED


def test_composes_nest_and_end_from_the_inside_out() -> None:
    run = Run(compose("a", compose("b", step("c")), step("d", ["b"]))).start().succeeds("a/b/c")
    assert list(run.open) == ["a/d"]
    run.succeeds("a/d")
    assert [run.step(path).completion for path in ("a/b/c", "a/b", "a/d", "a")] == [1, 2, 3, 4]
    assert run.phase is RunPhase.SUCCEEDED


def test_a_compose_holds_no_place_of_parallelism() -> None:
    run = Run(compose("a", step("one"), step("two")), step("z"), parallelism=2).start()
    assert set(run.open) == {"a/one", "z"}
    assert set(run.succeeds("z").open) == {"a/one", "a/two"}


def test_a_compose_whose_condition_is_false_is_skipped_with_all_that_is_inside() -> None:
    run = Run(compose("a", compose("b", step("c"))), step("z", ["a"])).start(a=declines)
    assert [run.at(path) for path in ("a", "a/b", "a/b/c")] == [StepPhase.SKIPPED] * 3
    assert list(run.open) == ["z"]


def test_a_transform_has_its_value_at_once_and_no_task() -> None:
    run = Run(step("sum", kind=StepKind.TRANSFORM), step("z", ["sum"])).start()
    assert (run.at("sum"), run.step("sum").result, list(run.open)) == (StepPhase.SUCCEEDED, value("sum value"), ["z"])


def test_a_switch_starts_the_body_it_chose_and_skips_the_others_with_all_that_is_inside() -> None:
    route = switch("route", compose("[0]", step("fly")), step("[1]"), step("[default]"))
    run = Run(route, step("z", ["route"])).start(route=chooses("[1]"))
    assert list(run.open) == ["route[1]"]
    assert [run.at(path) for path in ("route[0]", "route[0]/fly", "route[default]")] == [StepPhase.SKIPPED] * 3
    run.succeeds("route[1]", "by road")
    assert (run.at("route"), run.step("route").result, list(run.open)) == (
        StepPhase.SUCCEEDED,
        value("by road"),
        ["z"],
    )


def test_a_switch_ends_as_its_body_ended() -> None:
    run = Run(switch("route", step("[0]"))).start(route=chooses("[0]")).skips("route[0]", "nothing to move")
    assert (run.at("route"), run.step("route").result) == (StepPhase.SKIPPED, value("nothing to move"))
    assert run.step("route").finished_at == run.now
    ignored = Run(switch("route", step("[0]", continues_on_error=True))).start(route=chooses("[0]")).fails("route[0]")
    assert (ignored.at("route"), ignored.step("route").result) == (StepPhase.IGNORED, value("route[0] fallback"))


def test_a_switch_in_a_switch() -> None:
    inner = switch("[0]", step("[0]"), step("[default]"))
    run = Run(switch("a", inner, step("[default]"))).start({"a": chooses("[0]"), "a[0]": chooses("[default]")})
    assert list(run.open) == ["a[0][default]"]
    assert run.succeeds("a[0][default]", "x").phase is RunPhase.SUCCEEDED
    assert run.step("a").result == value("x")


# Failing


def test_a_failure_inside_fails_the_run_and_all_is_undone_in_one_order() -> None:
    run = Run(step("charge", undo=UNDO), shipping(needs=["charge"]), step("z", ["ship"])).start()
    run.succeeds("charge").succeeds("ship/pack").fails("ship/book")
    assert run.why_it_failed == ("ship/book", FailureKind.ERROR)
    assert run.at("ship") is StepPhase.FAILED
    run.succeeds("ship/pack").succeeds("charge")
    assert run.reversals == ["ship/pack undo", "charge undo"]
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


def test_scopes_around_a_failure_have_failed_with_it_and_others_are_cancelled() -> None:
    run = Run(compose("s", compose("in", step("x"))), compose("t", step("y"))).start()
    run.later(SECOND).fails("s/in/x", message="no route").later(SECOND).succeeds("t/y")
    for path in ("s", "s/in"):
        assert (run.at(path), run.why(path).message) == (StepPhase.FAILED, "no route")
    assert (run.at("t"), run.step("t").failure) == (StepPhase.CANCELLED, None)
    assert {run.step(path).finished_at for path in ("s", "s/in", "t")} == {run.now}


def test_steps_inside_a_compose_that_succeeded_are_in_the_one_undo_log() -> None:
    run = Run(compose("a", step("one", undo=UNDO)), step("two", undo=UNDO), step("z", ["a", "two"])).start()
    run.succeeds("two").succeeds("a/one").fails("z").succeeds("a/one").succeeds("two")
    assert run.reversals == ["a/one undo", "two undo"]


def test_a_compose_that_was_cut_short_is_cancelled_not_left_running() -> None:
    run = Run(compose("a", step("one"), step("two", ["one"])), step("z")).start().fails("z").succeeds("a/one")
    assert (run.at("a"), run.at("a/two")) == (StepPhase.CANCELLED, StepPhase.PENDING)


def test_an_optional_step_inside_keeps_its_failure_to_itself() -> None:
    run = Run(compose("a", step("one", continues_on_error=True))).start().fails("a/one")
    assert (run.at("a/one"), run.at("a"), run.phase) == (
        StepPhase.IGNORED,
        StepPhase.SUCCEEDED,
        RunPhase.SUCCEEDED,
    )


# Containing


def test_with_retries_its_own_steps_are_undone_and_then_it_is_attempted_again_as_a_new_round() -> None:
    run = Run(step("charge", undo=UNDO), shipping(needs=["charge"], run=attempts(2))).start()
    run.succeeds("charge").succeeds("ship/pack").fails("ship/book").succeeds("ship/pack")
    assert run.reversals == ["ship/pack undo"]
    assert (run.at("ship"), run.at("ship/pack"), run.open) == (StepPhase.RETRYING, StepPhase.PENDING, {})
    run.wakes()
    assert run.launches[-1] == "ship/pack.run.2.1.1"
    assert run.order("ship/pack").after is not None
    run.succeeds("ship/pack").succeeds("ship/book")
    assert (run.phase, run.rollback, run.step("ship").run_attempts) == (
        RunPhase.SUCCEEDED,
        RollbackState.NOT_NEEDED,
        2,
    )


def test_after_its_last_attempt_it_fails_the_run_and_nothing_is_undone_twice() -> None:
    run = Run(step("charge", undo=UNDO), shipping(needs=["charge"], run=attempts(2))).start().succeeds("charge")
    for _ in range(2):
        run.succeeds("ship/pack").fails("ship/book", message="courier is down").succeeds("ship/pack")
        if run.stage == "Forward":
            run.wakes()
    assert run.why_it_failed == ("ship", FailureKind.ERROR)
    assert run.why("ship").message == "ship/book: courier is down"
    run.succeeds("charge")
    assert run.reversals == ["ship/pack undo", "ship/pack undo", "charge undo"]
    assert run.rollback is RollbackState.COMPLETE


def test_a_failure_that_is_not_retryable_is_not_retried_by_the_compose() -> None:
    run = Run(shipping(run=attempts(3))).start().fails("ship/pack", FailureKind.FATAL)
    assert (run.phase, run.step("ship").run_attempts) == (RunPhase.FAILED, 1)


def test_its_compensate_runs_once_its_inside_is_reversed() -> None:
    run = Run(shipping(compensate=COMPENSATE)).start().succeeds("ship/pack").fails("ship/book")
    run.succeeds("ship/pack").succeeds("ship")
    assert run.reversals == ["ship/pack undo", "ship compensate"]
    assert (run.phase, run.at("ship")) == (RunPhase.FAILED, StepPhase.COMPENSATED)


def test_its_compensate_may_repair_it_and_then_the_run_goes_on() -> None:
    run = Run(shipping(compensate=COMPENSATE), step("z", ["ship"])).start().succeeds("ship/pack").fails("ship/book")
    run.succeeds("ship/pack").continues("ship", "by hand")
    assert (run.at("ship"), run.step("ship").result, list(run.open)) == (
        StepPhase.SUCCEEDED,
        value("by hand"),
        ["z"],
    )


def test_an_optional_compose_is_reversed_and_ignored() -> None:
    run = Run(shipping(continues_on_error=True), step("z", ["ship"])).start().succeeds("ship/pack").fails("ship/book")
    run.succeeds("ship/pack")
    assert (run.at("ship"), run.step("ship").result, list(run.open)) == (
        StepPhase.IGNORED,
        value("ship fallback"),
        ["z"],
    )


def test_the_innermost_compose_that_contains_failures_does_and_then_those_around_it() -> None:
    inner = compose("in", step("x", undo=UNDO), step("y", ["x"]), compensate=COMPENSATE)
    run = Run(compose("out", step("w", undo=UNDO), inner, compensate=COMPENSATE), step("v", undo=UNDO)).start()
    run.succeeds("v").succeeds("out/w").succeeds("out/in/x").fails("out/in/y")
    for path in ("out/in/x", "out/in", "out/w", "out", "v"):
        run.succeeds(path)
    assert run.reversals == [
        "out/in/x undo",
        "out/in compensate",
        "out/w undo",
        "out compensate",
        "v undo",
    ]
    assert run.phase is RunPhase.FAILED


def test_while_its_inside_is_reversed_nothing_inside_starts_and_what_is_in_flight_drains_first() -> None:
    ship = compose("ship", step("a", undo=UNDO), step("b"), step("c", ["a"]), run=attempts(2))
    run = Run(ship, step("z")).start().fails("ship/b")
    assert set(run.open) == {"ship/a", "z"}
    run.succeeds("ship/a")
    assert run.reversals == ["ship/a undo"]
    assert "ship/c" not in run.open


def test_an_attempt_inside_that_fails_meanwhile_is_not_repeated() -> None:
    ship = compose("ship", step("a", run=attempts(3), compensate=COMPENSATE), step("b"), run=attempts(2))
    run = Run(ship).start().fails("ship/b").fails("ship/a")
    assert run.reversals == ["ship/a compensate"]
    run.succeeds("ship/a").wakes()
    assert run.launches[-2:] == ["ship/a.run.2.1.1", "ship/b.run.2.1.1"]


def test_steps_inside_that_fail_together_are_cleaned_up_and_begin_anew_together() -> None:
    ship = compose("ship", step("a", compensate=COMPENSATE), step("b", compensate=COMPENSATE), run=attempts(2))
    run = Run(ship).start().fails("ship/a").fails("ship/b").succeeds("ship/a").succeeds("ship/b").wakes()
    assert run.reversals == ["ship/a compensate", "ship/b compensate"]
    assert run.launches[-2:] == ["ship/a.run.2.1.1", "ship/b.run.2.1.1"]
    assert run.succeeds("ship/a").succeeds("ship/b").phase is RunPhase.SUCCEEDED


def test_the_pause_before_its_next_attempt_is_shortened_by_the_jitter_of_the_compose() -> None:
    run = Run(compose("ship", step("a"), run=attempts(2, jitter_percent=50))).start().fails("ship/a")
    fraction = jitter_fraction("run-1", Task("ship", Action.RUN, 1, 1, 1))
    assert run.last.wake_at == run.now + SECOND - int(SECOND * 0.5 * fraction)


def test_terminate_stops_what_is_in_flight_inside_and_leaves_the_rest_alone() -> None:
    ship = compose("ship", step("a", compensate=COMPENSATE), step("b"), run=attempts(2))
    run = Run(ship, step("z"), on_failure=TERMINATE).start().begins("ship/a").fails("ship/b")
    assert set(run.open) == {"ship/a", "z"}
    assert run.reversals == ["ship/a compensate"]


def test_where_its_inside_cannot_be_reversed_it_is_not_attempted_again() -> None:
    run = Run(shipping(run=attempts(5))).start().succeeds("ship/pack").fails("ship/book").fails("ship/pack")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.INCOMPLETE)
    assert run.unreversed == [("ship/pack", FailureKind.ERROR)]


def test_a_failure_outside_waits_its_turn_and_then_fails_the_run() -> None:
    run = Run(shipping(run=attempts(2)), step("z")).start().succeeds("ship/pack").fails("ship/book").fails("z")
    assert run.reversals == ["ship/pack undo"]
    run.succeeds("ship/pack")
    assert run.why_it_failed == ("z", FailureKind.ERROR)
    assert (run.at("ship"), run.phase) == (StepPhase.CANCELLED, RunPhase.FAILED)


def test_when_the_run_fails_a_compose_cleans_up_after_what_is_inside_it() -> None:
    run = Run(shipping(compensate=COMPENSATE), step("z")).start().succeeds("ship/pack").fails("z")
    run.succeeds("ship/book")
    for path in ("ship/book", "ship/pack", "ship"):
        run.succeeds(path)
    assert run.reversals == ["ship/book undo", "ship/pack undo", "ship compensate"]
    assert run.rollback is RollbackState.COMPLETE


def test_a_cancel_while_the_inside_is_reversed_ends_after_what_is_in_flight() -> None:
    run = Run(shipping(run=attempts(2))).start().succeeds("ship/pack").fails("ship/book").is_cancelled()
    assert list(run.open) == ["ship/pack"]
    assert (run.header.containing, run.header.contained) == ("", None)
    run.succeeds("ship/pack")
    assert (run.phase, run.at("ship")) == (RunPhase.CANCELLED, StepPhase.CANCELLED)


def test_the_runs_timeout_counts_while_a_compose_waits_for_its_next_attempt() -> None:
    run = Run(shipping(run=attempts(2, base_delay_ms=60 * SECOND)), timeout_ms=10 * SECOND).start()
    run.fails("ship/pack").wakes()
    assert run.why_it_failed == ("", FailureKind.RUN_TIMEOUT)
    assert run.at("ship") is StepPhase.CANCELLED


@pytest.mark.parametrize("contains", [True, False])
def test_a_compose_whose_result_cannot_be_told_fails(contains: bool) -> None:
    pack = step("pack", undo=UNDO)
    run = Run(compose("ship", pack, compensate=COMPENSATE) if contains else compose("ship", pack)).start()
    run.results["ship"] = ev.ReturnsEvaluationFailed(scope="ship", failure=failure(FailureKind.EXPRESSION, "no key"))
    run.succeeds("ship/pack").succeeds("ship/pack")
    assert run.reversals[0] == "ship/pack undo"
    if contains:
        run.succeeds("ship")
    assert run.why_it_failed == ("ship", FailureKind.EXPRESSION)
    assert run.why("ship").message == "no key"
    assert run.phase is RunPhase.FAILED
