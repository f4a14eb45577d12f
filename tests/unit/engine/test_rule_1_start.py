"""Rule 1: a step starts when all it depends on is Succeeded, Skipped or ignored, at most `parallelism` at once."""

from reactor_operator.engine.decide import begin
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.engine.state import Header, RunPhase, StepPhase
from tests.unit.engine.driver import (
    MINUTE,
    START,
    Run,
    attempts,
    cannot_be_evaluated,
    chain,
    declines,
    plan_of,
    step,
    value,
)


def test_a_step_without_needs_starts_at_once() -> None:
    run = Run(step("a")).start()
    assert run.launches == ["a.run.1.1.1"]
    assert run.at("a") is StepPhase.RUNNING


def test_independent_steps_start_together_in_the_order_of_the_manifest() -> None:
    assert Run(step("c"), step("a"), step("b")).start().launches == ["c.run.1.1.1", "a.run.1.1.1", "b.run.1.1.1"]


def test_a_step_waits_for_everything_it_needs() -> None:
    run = Run(step("a"), step("b"), step("c", ["a", "b"])).start().succeeds("a")
    assert "c" not in run.open
    assert "c" in run.succeeds("b").open


def test_a_step_does_not_start_while_what_it_needs_is_only_running() -> None:
    assert "b" not in Run(*chain("a", "b")).start().begins("a").open


def test_a_skipped_step_lets_its_dependents_start() -> None:
    assert "b" in Run(*chain("a", "b")).start().skips("a").open


def test_a_step_whose_condition_is_false_is_skipped_with_result_null_and_lets_its_dependents_start() -> None:
    run = Run(*chain("a", "b")).start(a=declines)
    assert run.at("a") is StepPhase.SKIPPED
    assert run.step("a").result is None
    assert run.launches == ["b.run.1.1.1"]


def test_an_ignored_step_lets_its_dependents_start() -> None:
    run = Run(step("a", continues_on_error=True), step("b", ["a"])).start().fails("a")
    assert run.at("a") is StepPhase.IGNORED
    assert "b" in run.open


def test_a_step_is_evaluated_only_when_it_may_start() -> None:
    run = Run(*chain("a", "b")).start()
    assert run.evaluated == ["a"]
    assert run.succeeds("a").evaluated == ["a", "b"]


def test_a_task_gets_the_arguments_that_were_evaluated() -> None:
    run = Run(step("a")).start()
    assert run.order("a").arguments == value("a arguments")
    assert run.order("a").task.action is Action.RUN


def test_every_attempt_and_the_cleanup_get_the_same_arguments_evaluated_once() -> None:
    run = Run(step("a", run=attempts(2), compensate=attempts(1))).start().fails("a").wakes().fails("a")
    assert run.launches == ["a.run.1.1.1", "a.run.1.2.1", "a.compensate.1.1.1"]
    assert {order.arguments for order in run.orders} == {value("a arguments")}
    assert run.evaluated == ["a"]


def test_never_more_tasks_than_parallelism() -> None:
    run = Run(step("a"), step("b"), step("c"), parallelism=2).start()
    assert set(run.open) == {"a", "b"}
    assert set(run.succeeds("b").open) == {"a", "c"}


def test_a_step_that_waits_for_its_next_attempt_leaves_its_place_to_another() -> None:
    run = Run(step("a", run=attempts(2)), step("b"), parallelism=1).start().fails("a")
    assert set(run.open) == {"b"}
    assert set(run.later(60_000).open) == {"b"}
    assert run.at("a") is StepPhase.RETRYING
    assert set(run.succeeds("b").open) == {"a"}


def test_a_retry_that_is_due_comes_before_later_steps_of_the_manifest() -> None:
    run = Run(step("a", run=attempts(2)), step("b"), step("c"), parallelism=1).start().fails("a").later(60_000)
    assert run.succeeds("b").launches[-1] == "a.run.1.2.1"


def test_no_more_is_evaluated_than_may_start() -> None:
    assert Run(step("a"), step("b"), step("c"), parallelism=2).start().evaluated == ["a", "b"]


def test_a_run_succeeds_when_every_step_is_done_with_the_result_that_was_evaluated() -> None:
    run = Run(*chain("a", "b")).start().succeeds("a").succeeds("b")
    assert run.phase is RunPhase.SUCCEEDED
    assert run.header.result == value("the end")
    assert run.header.finished_at == run.now
    assert run.reasons == ["Succeeded"]


def test_a_run_of_skipped_steps_succeeds() -> None:
    assert Run(*chain("a", "b")).start(a=declines, b=declines).phase is RunPhase.SUCCEEDED


def test_a_step_whose_arguments_cannot_be_evaluated_fails_without_a_task() -> None:
    run = Run(step("a", compensate=attempts(1), undo=attempts(1))).start(a=cannot_be_evaluated)
    assert run.phase is RunPhase.FAILED
    assert run.launches == []
    assert run.why_it_failed == ("a", FailureKind.EXPRESSION)
    assert run.header.failure is not None
    assert run.header.failure.attempts == 0


def test_an_optional_step_whose_arguments_cannot_be_evaluated_is_ignored_with_its_fallback() -> None:
    run = Run(step("a", continues_on_error=True), step("b", ["a"])).start(a=cannot_be_evaluated)
    assert run.at("a") is StepPhase.IGNORED
    assert run.step("a").result == value("a fallback")
    assert set(run.open) == {"b"}


def test_steps_being_evaluated_while_another_fails_are_evaluated_again_once_the_run_goes_on() -> None:
    optional = step("a", continues_on_error=True)
    run = Run(optional, step("b")).start(a=cannot_be_evaluated)
    assert run.at("a") is StepPhase.IGNORED
    assert set(run.open) == {"b"}


def test_a_run_begins_with_what_is_known_of_it() -> None:
    state = begin(plan_of(step("a"), timeout_ms=MINUTE), "uid", START, suspended=True, generation=4)
    assert state.header == Header(
        uid="uid", now=START, started_at=START, deadline=START + MINUTE, suspended=True, generation=4
    )
    assert (state.ready, dict(state.remaining)) == (("a",), {"": 1})
