"""Whether the answer to what was asked would still change anything, at whatever depth of maps."""

from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import (
    EvaluatePage,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    Evaluation,
    JudgePayload,
    LoadOutcomes,
)
from reactor_operator.engine.awaited import is_awaited, is_of_element
from reactor_operator.engine.draft import open_tasks
from reactor_operator.engine.failures import FailureKind
from tests.unit.engine.driver import DONE_ONCE, REQUEST, Run, attempts, elements, failure, mapped, plan_of, step, switch

UNDO = attempts(1)


def asked_by(run: Run) -> Evaluation:
    (found,) = (one for one in run.last.actions if isinstance(one, Evaluation))
    return found


def of_a_step() -> Run:
    return Run(step("a")).asks(ev.TimePassed())


def of_an_element() -> Run:
    run = Run(mapped("rows", step("x"))).asks(ev.TimePassed())
    return run.asks(ev.StepEvaluated(path="rows", round=1, proceed=True, total=1))


def of_a_step_inside() -> Run:
    run = Run(mapped("rows", step("a"), step("b", ["a"]))).start({"rows": elements(1)})
    return run.asks(ev.TaskSucceeded(task=run.open["rows[0]/a"]))


def of_a_map_in_a_map() -> Run:
    inner = mapped("lines", step("a"), step("b", ["a"]))
    run = Run(mapped("rows", inner, step("then", ["lines"]))).start({"rows": elements(1), "rows[0]/lines": elements(1)})
    return run.asks(ev.TaskSucceeded(task=run.open["rows[0]/lines[0]/a"]))


def of_the_results_of_a_map_in_a_map() -> Run:
    run = Run(mapped("rows", mapped("lines", step("x")), step("then", ["lines"])))
    run.start({"rows": elements(1), "rows[0]/lines": elements(1)})
    return run.asks(ev.TaskSucceeded(task=run.open["rows[0]/lines[0]"]))


def of_a_page() -> Run:
    run = Run(mapped("rows", step("x"), page=DONE_ONCE)).start()
    return run.asks(ev.TaskSucceeded(task=run.open["rows[page-0]"]))


def of_outcomes() -> Run:
    run = Run(mapped("rows", step("x", undo=UNDO)), step("later", ["rows"])).start({"rows": elements(1)})
    run.succeeds("rows[0]")
    return run.asks(ev.TaskFailed(task=run.open["later"], failure=failure(FailureKind.ERROR)))


def of_a_request() -> Run:
    run = Run(mapped("rows", step("x", run=REQUEST))).asks(ev.TimePassed())
    run.asks(ev.StepEvaluated(path="rows", round=1, proceed=True, total=1))
    return run.asks(ev.StepEvaluated(path="rows[0]", round=1, proceed=True))


EVERY = {
    EvaluateStep: [of_a_step, of_an_element, of_a_step_inside, of_a_map_in_a_map],
    EvaluateReturns: [of_the_results_of_a_map_in_a_map],
    EvaluatePage: [of_a_page],
    LoadOutcomes: [of_outcomes],
    EvaluateRequest: [of_a_request],
}


@pytest.mark.parametrize(("kind", "waiting"), [(kind, one) for kind, listed in EVERY.items() for one in listed])
def test_what_was_asked_is_awaited_until_the_run_is_over(kind: type, waiting: object) -> None:
    assert callable(waiting)
    run: Run = waiting()
    asked = asked_by(run)
    assert type(asked) is kind
    assert is_awaited(run.plan, run.state, asked)
    answered = replace(run.state, evaluating=frozenset())
    assert is_awaited(run.plan, answered, asked) is (asked_about(asked) not in run.plan.steps)
    run.asks(ev.CancelRequested(id="stop"))
    while run.state.elements or run.state.active:
        run.asks(*(ev.TaskLost(task=task, message="gone") for task in open_tasks(run.state)))
    assert not is_awaited(run.plan, run.state, asked)


def asked_about(asked: Evaluation) -> str:
    match asked:
        case EvaluateReturns():
            return asked.scope
        case EvaluateRequest():
            return asked.task.path
        case JudgePayload():
            return asked.request.step
        case _:
            return asked.path


def test_a_request_of_another_launch_is_not_awaited() -> None:
    run = of_a_request()
    asked = asked_by(run)
    assert isinstance(asked, EvaluateRequest)
    assert not is_awaited(run.plan, run.state, EvaluateRequest(task=replace(asked.task, launch=2)))


def test_each_kind_of_answer_is_awaited_for_itself() -> None:
    run = of_a_page()
    assert not is_awaited(run.plan, run.state, EvaluateStep(path="rows", round=1))
    assert not is_awaited(run.plan, run.state, EvaluateReturns(scope="rows"))
    assert not is_awaited(run.plan, run.state, LoadOutcomes(path="rows", round=1, page=0))


def test_what_is_about_an_element_is_told_from_what_is_about_a_body_of_a_switch() -> None:
    plan = plan_of(mapped("rows", step("x")), switch("route", step("[0]")))
    assert is_of_element(plan, EvaluateStep(path="rows[0]", round=1))
    assert is_of_element(plan, EvaluateStep(path="rows[page-0]", round=1))
    assert is_of_element(plan, EvaluateReturns(scope="rows[0]/lines"))
    assert not is_of_element(plan, EvaluateStep(path="rows", round=1))
    assert not is_of_element(plan, EvaluateStep(path="route[0]", round=1))
    assert not is_of_element(plan, EvaluateReturns())
