from typing import Any

import pytest

from reactor_operator.api.run import check_run, check_run_spec
from tests.unit.api.documents import found, run


def test_a_run_names_its_reactor_and_may_leave_out_the_rest() -> None:
    checked = check_run(run())
    assert checked.problems == ()
    assert checked.spec is not None
    assert checked.spec.reactor_ref.name == "checkout"
    assert checked.spec.inputs is None


def test_inputs_are_any_object() -> None:
    checked = check_run(run(inputs={"a": [1, None, {"b": "$(VAR)"}]}, ttlAfterFinished="24h", onDelete="abandon"))
    assert checked.spec is not None
    assert checked.spec.inputs == {"a": [1, None, {"b": "$(VAR)"}]}


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"reactorRef": "checkout"}, "spec.reactorRef", "InvalidValue"),
        ({"reactorRef": {}}, "spec.reactorRef.name", "Required"),
        ({"reactorRef": {"name": "Checkout"}}, "spec.reactorRef.name", "InvalidValue"),
        ({"inputs": [1]}, "spec.inputs", "InvalidValue"),
        ({"input": {}}, "spec.input", "UnknownField"),
        ({"ttlAfterFinished": "1d"}, "spec.ttlAfterFinished", "InvalidValue"),
        ({"inputs": {"a": {"\ud800": 1}}}, "spec.inputs.a", "InvalidKey"),
        ({"inputs": {"a": {True: 1}}}, "spec.inputs.a", "InvalidKey"),
        ({"idempotencyKey": ""}, "spec.idempotencyKey", "InvalidValue"),
        ({"idempotencyKey": "x" * 254}, "spec.idempotencyKey", "TooLong"),
        ({"idempotencyKey": 7}, "spec.idempotencyKey", "InvalidValue"),
        ({"idempotencyKey": None}, "spec.idempotencyKey", "InvalidValue"),
        ({"idempotencyKey": "a\nb"}, "spec.idempotencyKey", "InvalidValue"),
        ({"idempotencyKey": "a\x1b[31m"}, "spec.idempotencyKey", "InvalidValue"),
        ({"idempotencyKey": "a\u2028b"}, "spec.idempotencyKey", "InvalidValue"),
        ({"idempotencyKey": "a\u202eb"}, "spec.idempotencyKey", "InvalidValue"),
        ({"onDelete": "rollback"}, "spec.onDelete", "InvalidValue"),
        ({"suspended": True}, "spec.suspended", "UnknownField"),
        ({"suspend": "yes"}, "spec.suspend", "InvalidValue"),
    ],
)
def test_each_problem_is_named_by_field_and_reason(fields: dict[str, Any], path: str, reason: str) -> None:
    checked = check_run(run(**fields))
    assert found(checked.problems) == {(path, reason)}
    assert checked.spec is None


@pytest.mark.parametrize("key", ["order-o-1", "a b/c:ü!", "{'key': [1]}", "-", "x" * 253, "注文"])
def test_a_business_key_is_any_printable_text(key: str) -> None:
    spec = check_run(run(idempotencyKey=key)).spec
    assert spec is not None
    assert spec.idempotency_key == key


@pytest.mark.parametrize("document", [None, 3, "x", [], {}])
def test_a_document_of_any_type_is_a_problem_and_not_a_crash(document: Any) -> None:
    assert check_run(document).problems
    assert check_run_spec(document).problems


def test_the_spec_alone_can_be_checked() -> None:
    assert check_run_spec({"reactorRef": {"name": "a"}}).spec is not None
