"""Requests (DESIGN 3.1, 3.5, 4.2, 4.4): evaluated once for an action and round; what a failed one says is believed."""

from typing import Any

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Certainty, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import ActionPlan, Backoff, RetryPolicy
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import (
    DONE_ONCE,
    REQUEST,
    SECOND,
    START,
    Run,
    attempts,
    compose,
    failure,
    sends,
    step,
    value,
)

HOUR = 3_600 * SECOND


def tries(count: int, **policy: object) -> ActionPlan:
    spread = {"jitter_percent": 0, **policy}
    return ActionPlan(retries=RetryPolicy(max_attempts=count, **spread), has_request=True)  # type: ignore[arg-type]


def request(key: str) -> object:
    return value(f"request of {key}")


def cannot(task: Task) -> ev.Event:
    return ev.TaskFailed(task=task, failure=failure(FailureKind.EXPRESSION, "no such key", retryable=False))


def test_a_task_is_ordered_only_once_what_it_sends_is_known() -> None:
    run = Run(step("a", run=REQUEST)).start()
    assert [asked.task.key for asked in run.requested] == ["a.run.1.1.1"]
    assert [(order.task.key, order.request) for order in run.orders] == [("a.run.1.1.1", request("a.run.1.1.1"))]


def test_it_is_evaluated_with_the_arguments_of_its_step() -> None:
    run = Run(step("a", run=REQUEST)).start()
    assert [asked.arguments for asked in run.requested] == [run.step("a").arguments]
    assert run.step("a").arguments is not None


def test_other_actions_are_ordered_at_once_and_send_nothing() -> None:
    run = Run(step("a")).start()
    assert run.requested == []
    assert run.orders[0].request is None


def test_all_attempts_and_launches_of_a_round_send_what_the_first_was_to_send() -> None:
    run = Run(step("a", run=tries(3))).start().fails("a").wakes().begins("a").is_lost("a")
    assert run.launches == ["a.run.1.1.1", "a.run.1.2.1", "a.run.1.2.2"]
    assert {order.request for order in run.orders} == {request("a.run.1.1.1")}
    assert len(run.requested) == 1


def test_a_new_round_is_evaluated_anew() -> None:
    run = Run(step("a", run=REQUEST)).start().fails("a", retryable=False).is_retried()
    assert [order.request for order in run.orders] == [request("a.run.1.1.1"), request("a.run.2.1.1")]


def test_an_undo_reads_the_result_and_is_evaluated_once_for_all_its_attempts() -> None:
    run = Run(step("a", run=REQUEST, undo=tries(2)), step("b", ["a"])).start().succeeds("a", "id 7").fails("b")
    run.fails("a").wakes()
    asked = run.requested[-1]
    assert (asked.task.key, asked.result, asked.failure) == ("a.undo.1.1.1", value("id 7"), None)
    undos = [order for order in run.orders if order.task.action is Action.UNDO]
    assert [order.request for order in undos] == [request("a.undo.1.1.1")] * 2
    assert len(run.requested) == 2


def test_a_compensate_reads_the_failure() -> None:
    run = Run(step("a", run=REQUEST, compensate=REQUEST)).start().fails("a", message="no")
    asked = run.requested[-1]
    assert asked.task.action is Action.COMPENSATE
    assert asked.failure == failure(FailureKind.ERROR, "no")
    assert asked.result is None
    assert run.orders[-1].request == request("a.compensate.1.1.1")


def test_a_compensate_that_repairs_leaves_nothing_behind_for_the_undo() -> None:
    run = Run(step("a", run=REQUEST, compensate=REQUEST, undo=REQUEST), step("b", ["a"])).start()
    run.fails("a").continues("a").fails("b")
    assert run.orders[-1].request == request("a.undo.1.1.1")


def test_a_request_that_cannot_be_evaluated_fails_the_step_before_it_acted() -> None:
    run = Run(step("a", run=tries(9), compensate=DONE_ONCE))
    run.requests["a.run.1.1.1"] = cannot
    run.start()
    assert run.orders == []
    assert run.phase is RunPhase.FAILED
    assert run.at("a") is StepPhase.FAILED
    assert run.header.failure is not None
    assert run.header.failure.failure.kind is FailureKind.EXPRESSION


def test_an_undo_whose_request_cannot_be_evaluated_is_listed_and_the_rollback_goes_on() -> None:
    run = Run(step("z", undo=DONE_ONCE), step("a", ["z"], run=REQUEST, undo=REQUEST), step("b", ["a"]))
    run.requests["a.undo.1.1.1"] = cannot
    run.start().succeeds("z").succeeds("a").fails("b").succeeds("z")
    assert run.at("a") is StepPhase.ROLLBACK_FAILED
    assert run.header.undone == ("z",)
    assert [listed.kind for listed in run.header.rollback_failures] == [FailureKind.EXPRESSION]


def test_an_answer_for_a_task_that_was_stopped_meanwhile_changes_nothing() -> None:
    run = Run(step("a", run=REQUEST), on_failure="terminate").start()
    task = run.open["a"]
    run.is_cancelled()
    before = run.state
    run.feed(sends(task))
    assert run.state is before


@pytest.mark.parametrize(
    ("told", "cleanup"), [(Certainty.CERTAIN, []), (Certainty.UNCERTAIN, ["a.undo.1.1.1"]), (None, ["a.undo.1.1.1"])]
)
def test_what_a_failed_request_says_of_its_effects_decides_whether_it_is_undone(
    told: Certainty | None, cleanup: list[str]
) -> None:
    run = Run(step("a", run=REQUEST, undo=REQUEST)).start().begins("a").fails("a", FailureKind.HTTP, told=told)
    assert run.launches[1:] == cleanup


def test_the_next_attempt_waits_as_long_as_the_service_asked() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a", FailureKind.HTTP, retry_after_ms=HOUR)
    assert run.last.wake_at == START + HOUR
    assert run.later(HOUR - 1).launches == ["a.run.1.1.1"]
    assert run.later(1).launches == ["a.run.1.1.1", "a.run.1.2.1"]


def test_a_longer_backoff_is_not_shortened_by_what_the_service_asked() -> None:
    slow = attempts(2, backoff=Backoff.FIXED, base_delay_ms=60 * SECOND)
    run = Run(step("a", run=slow)).start().fails("a", FailureKind.HTTP, retry_after_ms=SECOND)
    assert run.last.wake_at == START + 60 * SECOND


def test_an_undo_waits_as_long_as_the_service_asked_too() -> None:
    run = Run(step("a", undo=attempts(2)), step("b", ["a"])).start().succeeds("a").fails("b")
    assert run.fails("a", FailureKind.HTTP, retry_after_ms=HOUR).last.wake_at == START + HOUR


def test_a_compose_that_is_attempted_again_waits_as_long_as_the_service_inside_it_asked() -> None:
    known: dict[str, Any] = {"told": Certainty.CERTAIN, "retry_after_ms": HOUR}
    run = Run(compose("c", step("a"), run=attempts(2))).start().fails("c/a", FailureKind.HTTP, **known)
    assert run.last.wake_at == START + HOUR
