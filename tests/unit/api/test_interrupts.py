"""Interrupts in a Reactor: what is refused, what waits for what, and what the engine is told of them."""

from typing import Any

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.planning import plan_of
from reactor_operator.engine.plan import InterruptPlan, StepKind
from tests.unit.api.documents import check, found, sound, step

SCHEMA = {"type": "object"}
AT = "spec.steps[0]"
IN = f"{AT}.interrupt"


def waits(name: str = "ask", more: dict[str, Any] | None = None, **interrupt: Any) -> dict[str, Any]:
    return {"name": name, "interrupt": interrupt, **(more or {})}


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("an undo", waits(more={"undo": {"python": {"handler": "m:f"}}}), f"{AT}.undo", "InvalidValue"),
    ("a compensate", waits(more={"compensate": {"python": {"handler": "m:f"}}}), f"{AT}.compensate", "InvalidValue"),
    ("retries", waits(more={"retries": {"maxAttempts": 2}}), f"{AT}.retries", "InvalidValue"),
    ("kinds to retry", waits(more={"retryOn": ["Timeout"]}), f"{AT}.retryOn", "InvalidValue"),
    ("a timeout of a task", waits(more={"timeout": "3s"}), f"{AT}.timeout", "InvalidValue"),
    ("no schema", waits(payloadSchema={"type": "objekt"}), f"{IN}.payloadSchema.type", "InvalidSchema"),
    ("a strategy for nothing", waits(strategy="active"), f"{IN}.strategy", "InvalidValue"),
    ("an end of nothing", waits(onTimeout={"action": "Fail"}), f"{IN}.onTimeout", "InvalidValue"),
    (
        "a value of a failure",
        waits(timeout="3s", onTimeout={"action": "Fail", "value": 1}),
        f"{IN}.onTimeout.value",
        "InvalidValue",
    ),
    ("a mode for nothing", waits(mode="strict"), f"{IN}.mode", "InvalidValue"),
    ("attempts at nothing", waits(maxAttempts=3), f"{IN}.maxAttempts", "InvalidValue"),
    (
        "attempts where one is all",
        waits(payloadSchema=SCHEMA, mode="strict", maxAttempts=3),
        f"{IN}.maxAttempts",
        "InvalidValue",
    ),
    ("no attempts", waits(payloadSchema=SCHEMA, maxAttempts=0), f"{IN}.maxAttempts", "InvalidValue"),
    ("no expression", waits(correlationId="order 7"), f"{IN}.correlationId", "InvalidExpression"),
    ("an unknown step", waits(correlationId="results.nobody"), f"{IN}.correlationId", "UnknownReference"),
    ("an unknown field", waits(timeOut="3s"), f"{IN}.timeOut", "UnknownField"),
]


@pytest.mark.parametrize(("interrupt", "path", "reason"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_what_is_wrong_is_told_where_it_is_written(interrupt: dict[str, Any], path: str, reason: str) -> None:
    assert (path, reason) in found(check(interrupt).problems)


def test_none_runs_at_the_end() -> None:
    checked = check(step("a"), **{"finally": [waits()]})
    assert ("spec.finally[0].interrupt", "InvalidValue") in found(checked.problems)


def test_an_interrupt_waits_for_the_steps_that_its_id_is_made_of() -> None:
    spec = sound(step("order"), waits(correlationId="'o-' + results.order.id"), step("after", waitFor=["ask"]))
    plan = plan_of(blueprint_of(spec), pending_timeout_ms=1)
    assert plan.steps["ask"].kind is StepKind.INTERRUPT
    assert plan.steps["ask"].needs == ("order",)
    assert plan.steps["after"].needs == ("ask",)


def test_the_engine_is_told_how_it_waits() -> None:
    written: dict[str, Any] = {
        "timeout": "30m",
        "strategy": "active",
        "onTimeout": {"action": "Continue", "value": 1},
        "payloadSchema": SCHEMA,
        "maxAttempts": 3,
        "approvers": True,
    }
    plan = plan_of(blueprint_of(sound(waits(**written), waits("plain"))), pending_timeout_ms=1)
    assert plan.steps["ask"].interrupt == InterruptPlan(
        timeout_ms=30 * 60_000, active=True, continues=True, judged=True, max_attempts=3, approvers=True
    )
    assert plan.steps["plain"].interrupt == InterruptPlan()


def test_in_a_map_its_id_is_made_of_the_element() -> None:
    rows = {
        "name": "rows",
        "map": {"source": {"value": [1]}, "steps": [waits(correlationId="'row-' + string(element)")]},
    }
    plan = plan_of(blueprint_of(sound(rows)), pending_timeout_ms=1)
    mapped = plan.steps["rows"].map
    assert mapped is not None
    assert mapped.interrupts
    assert mapped.element.steps["rows[]/ask"].kind is StepKind.INTERRUPT
