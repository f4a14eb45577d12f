"""What status shows of failures: where, for each; what explains them, for those that matter, within bounds."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from reactor_operator.api.status import RunStatus
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.plan import Plan, StepPlan
from reactor_operator.engine.state import (
    Header,
    RollbackFailure,
    RollbackState,
    RunFailure,
    RunPhase,
    RunState,
    Stage,
    StepPhase,
    StepState,
)
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.outcomes.detail import DETAIL_LIMIT, render_detail, render_log
from reactor_operator.ports import RunRef
from reactor_operator.status.render import STATUS_LIMIT, RunFacts, render_status, wanted_values

FACTS = RunFacts(run=RunRef("shop", "order-1", "uid"), generation=1, reactor_name="checkout")
TOLD = {
    "file": "shop/courier.py",
    "line": 17,
    "function": "call",
    "source": "> 17 |     raise OSError",
    "origins": ["caused by KeyError: 'x'"],
    "traceback": "Traceback (most recent call last):\nOSError: away",
    "details": {"code": 7},
}
DOCUMENT = render_detail(TOLD) or b""
AWAY = Failure(
    kind=FailureKind.ERROR,
    message="OSError: away",
    exception="OSError",
    file="shop/courier.py",
    line=17,
    detail=reference_to(DOCUMENT),
)


def failed(failure: Failure, *unreversed: tuple[str, Failure]) -> tuple[Plan, RunState]:
    """Return a run of which `ship` failed, and of which some steps could not be reversed."""
    names = ["ship", *(name for name, _ in unreversed)]
    steps = {name: StepState(phase=StepPhase.ROLLBACK_FAILED, cleanup_failure=one) for name, one in unreversed}
    steps["ship"] = StepState(phase=StepPhase.FAILED, failure=failure)
    header = Header(
        stage=Stage.OVER,
        phase=RunPhase.FAILED,
        failure=RunFailure(step="ship", failure=failure, attempts=2),
        rollback=RollbackState.INCOMPLETE,
        rollback_failures=tuple(
            RollbackFailure(step=name, kind=one.kind, message=one.message) for name, one in unreversed
        ),
    )
    plan = Plan(steps={name: StepPlan(path=name, index=index) for index, name in enumerate(names)})
    return plan, RunState(header=header, steps=steps)


def rendered(plan: Plan, state: RunState, *documents: bytes) -> dict[str, Any]:
    values = {reference_to(document).digest: document for document in documents}
    assert wanted_values(plan, state) <= {reference_to(document) for document in documents}
    status = render_status(FACTS, plan, state, values)
    RunStatus.model_validate_json(orjson.dumps(status))
    assert len(orjson.dumps(status)) <= STATUS_LIMIT
    return status


EXPLAINED = {
    "exception": "OSError",
    "file": "shop/courier.py",
    "line": 17,
    "detail": {name: TOLD[name] for name in ("function", "source", "origins", "traceback")},
}


def test_the_failure_of_the_run_is_explained() -> None:
    status = rendered(*failed(AWAY), DOCUMENT)
    assert status["failure"] == {
        "step": "ship",
        "attempts": 2,
        "kind": "Error",
        "message": "OSError: away",
        **EXPLAINED,
    }


def test_a_failure_of_a_step_says_where_and_no_more() -> None:
    (ship,) = rendered(*failed(AWAY), DOCUMENT)["steps"]
    assert ship["failure"] == {
        "kind": "Error",
        "message": "OSError: away",
        "retryable": True,
        "exception": "OSError",
        "file": "shop/courier.py",
        "line": 17,
    }


def test_what_was_not_reversed_is_explained_where_its_own_undo_failed() -> None:
    plan, state = failed(AWAY, ("charge", AWAY))
    uncertain = RollbackFailure(step="ship", kind=FailureKind.UNCERTAIN, message="may have acted")
    listed = (uncertain, *state.header.rollback_failures)
    state = replace(state, header=replace(state.header, rollback_failures=listed))
    assert rendered(plan, state, DOCUMENT)["rollback"]["failures"] == [
        {"step": "ship", "kind": "Uncertain", "message": "may have acted"},
        {"step": "charge", "kind": "Error", "message": "OSError: away", **EXPLAINED},
    ]


def test_the_log_of_a_container_explains_its_failure() -> None:
    log = render_log("loading\nno room") or b""
    failure = Failure(kind=FailureKind.EXIT_CODE, message="exited with code 1: no room", detail=reference_to(log))
    assert rendered(*failed(failure), log)["failure"]["detail"] == {"log": "loading\nno room"}


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"null", b'{"source":7,"origins":{"a":1},"traceback":null}', b"\xff", b"{" * 900]
)
def test_a_document_that_is_odd_or_gone_explains_nothing(document: bytes) -> None:
    plan, state = failed(Failure(kind=FailureKind.ERROR, message="no", detail=reference_to(document)))
    assert "detail" not in rendered(plan, state, document)["failure"]
    assert "detail" not in render_status(FACTS, plan, state, {})["failure"]  # type: ignore[operator]


def test_a_document_that_is_too_large_is_not_asked_for() -> None:
    large = Failure(kind=FailureKind.ERROR, message="no", detail=ValueRef("ab", DETAIL_LIMIT + 1))
    assert wanted_values(*failed(large)) == frozenset()


@pytest.mark.heavy
@pytest.mark.parametrize("letter", ["x", '"', "é", "\x1b", "\n", "\N{PILE OF POO}"])
def test_many_large_explanations_are_cut_to_the_room_there_is(letter: str) -> None:
    text = "\n".join([letter * 200] * 40)
    documents = [
        render_detail({**TOLD, "line": number, "function": letter * 900, "source": text, "traceback": text,
                       "origins": [letter * 900] * 9}) or b""
        for number in range(1, 400)
    ]  # fmt: skip
    failures = [
        Failure(kind=FailureKind.ERROR, message=letter * 1024, file=letter * 253, line=1, detail=reference_to(document))
        for document in documents
    ]
    plan, state = failed(failures[0], *((f"step-{number}", one) for number, one in enumerate(failures)))
    status = rendered(plan, state, *documents)
    assert len(wanted_values(plan, state)) <= 11
    assert len(orjson.dumps(status["failure"])) < 16 * 1024
    assert len(orjson.dumps(status["rollback"])) < 64 * 1024
    assert status["failure"]["detail"]["traceback"]
    assert status["rollback"]["failures"][0]["step"] == "step-0"
