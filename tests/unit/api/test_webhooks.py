"""Webhooks in a Reactor: what is refused."""

from typing import Any

import pytest

from reactor_operator.api.webhooks import Webhook
from tests.unit.api.documents import check, found, sound, step

AT = "spec.webhooks[0]"


def waiting(name: str = "approve", **interrupt: Any) -> dict[str, Any]:
    return {"name": name, "interrupt": {"correlationId": "'id-' + inputs.id", **interrupt}}


def one(name: str = "reports", **fields: Any) -> dict[str, Any]:
    return {"name": name, "secret": "reports", "correlationId": "body.id", **fields}


BAD: list[tuple[str, Any, str, str]] = [
    ("no list", one(), "spec.webhooks", "InvalidValue"),
    ("too many", [one(f"n{n}") for n in range(11)], "spec.webhooks", "TooMany"),
    ("an unknown field", [one(url="x")], f"{AT}.url", "UnknownField"),
    ("a name of a path", [one("a/b")], f"{AT}.name", "InvalidValue"),
    ("two of one name", [one(), one()], "spec.webhooks[1].name", "DuplicateName"),
    ("no key", [{"name": "a", "correlationId": "body.id"}], f"{AT}.secret", "Required"),
    ("a path as a key", [one(secret="../token")], f"{AT}.secret", "InvalidValue"),
    ("no id", [{"name": "a", "secret": "reports"}], f"{AT}.correlationId", "Required"),
    ("no CEL", [one(match="body..x")], f"{AT}.match", "InvalidExpression"),
    ("inputs", [one(correlationId="inputs.id")], f"{AT}.correlationId", "InvalidExpression"),
    ("results", [one(payload="results.approve")], f"{AT}.payload", "InvalidExpression"),
    ("the run", [one(match="run.name == body.run")], f"{AT}.match", "InvalidExpression"),
    ("what is no variable", [one(match="headerz.x == ''")], f"{AT}.match", "InvalidExpression"),
    ("a step that is not there", [one(step="aprove")], f"{AT}.step", "UnknownReference"),
    ("a step that does not wait", [one(step="a")], f"{AT}.step", "UnknownReference"),
]


@pytest.mark.parametrize(("what", "written", "path", "reason"), BAD, ids=[what for what, *_ in BAD])
def test_what_is_wrong_is_told_with_its_place(what: str, written: Any, path: str, reason: str) -> None:
    assert (path, reason) in found(check(step("a"), waiting(), webhooks=written).problems)


def test_a_step_of_nearly_that_name_is_named() -> None:
    problems = check(waiting(), webhooks=[one(step="aprove")]).problems
    assert [problem.message for problem in problems] == [
        "found 'aprove', expected an interrupt of this reactor; did you mean approve?"
    ]


def test_an_interrupt_without_an_id_is_found_by_no_delivery() -> None:
    silent = {"name": "silent", "interrupt": {}}
    assert (AT, "InvalidValue") in found(check(silent, webhooks=[one()]).problems)
    assert (f"{AT}.step", "InvalidValue") in found(check(silent, waiting(), webhooks=[one(step="silent")]).problems)
    assert not check(silent, waiting(), webhooks=[one()]).problems


def test_nobody_is_behind_a_delivery_who_could_approve() -> None:
    approved = waiting("sign", approvers=True)
    assert (AT, "InvalidValue") in found(check(approved, webhooks=[one()]).problems)
    assert not check(approved, waiting(), webhooks=[one()]).problems


def test_an_interrupt_inside_a_map_is_one_of_the_reactor() -> None:
    rows = {"name": "rows", "map": {"source": {"value": [1]}, "steps": [waiting()]}}
    assert not check(rows, webhooks=[one(step="approve")]).problems


def test_a_wrong_step_does_not_hide_a_wrong_webhook() -> None:
    problems = check(step("a", undoo=1), waiting(), webhooks=[one(), one(match="body..x"), 3]).problems
    places = {problem.path for problem in problems}
    assert {"spec.steps[0].undoo", "spec.webhooks[1].match", "spec.webhooks[2]"} <= places


def test_the_expressions_are_known_by_their_fields() -> None:
    (webhook,) = sound(waiting(), webhooks=[one(payload="body.report")]).webhooks
    assert webhook == Webhook.model_validate(one(payload="body.report"))
    assert webhook.expressions == {"correlationId": "body.id", "payload": "body.report"}
