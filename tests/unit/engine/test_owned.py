"""Which documents an element has of its own: all that it refers to by a name."""

from dataclasses import fields
from typing import Any

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.owned import names_of, names_of_outcome, names_of_saga, names_told
from reactor_operator.engine.state import ElementOutcome, ElementPhase, Header, MapState, RunFailure, StepState
from reactor_operator.engine.values import ValueRef
from tests.unit.engine.driver import value

TASK = Task("rows[0]", Action.RUN, 1, 1, 1)


def named(name: str) -> ValueRef:
    return ValueRef(f"@{name}", 300)


def failure(name: str) -> Failure:
    return Failure(kind=FailureKind.ERROR, message="bad", detail=named(name))


def test_only_documents_that_have_a_name_are_owned() -> None:
    encrypted = ValueRef("encrypted-@b", 300)
    assert names_of([named("a"), None, value("shared"), ValueRef("=1", 1), encrypted]) == {"@a", "encrypted-@b"}


@pytest.mark.parametrize("name", [one.name for one in fields(StepState) if "ValueRef" in str(one.type)])
def test_whatever_a_step_refers_to_is_owned(name: str) -> None:
    refers: dict[str, Any] = {name: named(name)}
    step = StepState(**refers)
    assert names_of_saga(Header(), [StepState(), step]) == {f"@{name}"}


def test_what_explains_failures_is_owned_too() -> None:
    header = Header(
        failure=RunFailure(step="a", failure=failure("why")), contained=RunFailure(step="b", failure=failure("inside"))
    )
    steps = [
        StepState(failure=failure("step"), cleanup_failure=failure("cleanup"), map=MapState(failure=failure("map"))),
        StepState(map=MapState()),
        StepState(),
    ]
    assert names_of_saga(header, steps) == {"@why", "@inside", "@step", "@cleanup", "@map"}
    assert names_of_saga(Header(), []) == frozenset()


def test_an_outcome_refers_to_its_result_and_to_what_explains_it() -> None:
    outcome = ElementOutcome(phase=ElementPhase.FAILED, result=named("result"), failure=failure("why"))
    assert names_of_outcome(outcome) == {"@result", "@why"}
    assert names_of_outcome(ElementOutcome(phase=ElementPhase.STOPPED)) == frozenset()


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (
            ev.StepEvaluated(
                path="rows[0]",
                round=1,
                proceed=True,
                arguments=named("a"),
                inputs=named("b"),
                result=named("c"),
                fallback=named("d"),
            ),
            {"@a", "@b", "@c", "@d"},
        ),
        (
            ev.StepEvaluationFailed(path="rows[0]", round=1, failure=failure("why"), fallback=named("d")),
            {"@why", "@d"},
        ),
        (ev.TaskFailed(task=TASK, failure=failure("why")), {"@why"}),
        (ev.RequestEvaluated(task=TASK, request=named("sent")), {"@sent"}),
        (ev.ReturnsEvaluated(result=named("r"), scope="rows[0]"), {"@r"}),
        (ev.TaskUploaded(task=TASK, result=named("r")), {"@r"}),
        (ev.TaskSucceeded(task=TASK, result=named("r")), {"@r"}),
        (ev.TaskSkipped(task=TASK, result=named("r")), {"@r"}),
        (ev.TaskContinued(task=TASK, result=named("r")), {"@r"}),
        (ev.TaskStarted(task=TASK, at=5), set()),
        (ev.TaskLost(task=TASK, message="gone"), set()),
    ],
)
def test_what_an_event_brings_is_owned(event: ev.Event, names: set[str]) -> None:
    assert names_told(event) == names
