from typing import Any

import pytest

from reactor_operator.api.inputs import MAX_PROBLEMS, InputsSchema, apply_inputs
from tests.unit.api.documents import found

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["orderId", "items"],
    "additionalProperties": False,
    "properties": {
        "orderId": {"type": "string", "minLength": 1},
        "currency": {"type": "string", "default": "EUR"},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["sku"],
                "properties": {"sku": {"type": "string"}, "qty": {"type": "integer", "default": 1}},
            },
        },
    },
}


def test_defaults_are_filled_in_before_the_inputs_are_judged() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "default": 3}}}
    assert apply_inputs(schema, {}) == ({"a": 3}, ())


def test_defaults_reach_into_items() -> None:
    inputs, problems = apply_inputs(ORDER, {"orderId": "o-1", "items": [{"sku": "a"}, {"sku": "b", "qty": 2}]})
    assert problems == ()
    assert inputs == {
        "orderId": "o-1",
        "currency": "EUR",
        "items": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 2}],
    }


def test_every_error_is_named_with_its_path() -> None:
    _, problems = apply_inputs(ORDER, {"items": [{"sku": 3}, {}], "total": 1})
    assert found(problems) == {
        ("spec.inputs.orderId", "Required"),
        ("spec.inputs.items[0].sku", "InvalidInputs"),
        ("spec.inputs.items[1].sku", "Required"),
        ("spec.inputs.total", "UnknownField"),
    }


def test_an_error_says_what_was_found_and_expected() -> None:
    _, (problem,) = apply_inputs(ORDER, {"orderId": "o", "items": "none"})
    assert problem.message == "'none' is not of type \"array\""


def test_a_huge_value_does_not_make_a_huge_message() -> None:
    _, (problem,) = apply_inputs({"properties": {"a": {"maxLength": 3}}}, {"a": "x" * 100_000})
    assert len(problem.message) < 200


def test_what_was_written_is_not_changed() -> None:
    written: dict[str, Any] = {"orderId": "o", "items": [{"sku": "a"}]}
    apply_inputs(ORDER, written)
    assert written == {"orderId": "o", "items": [{"sku": "a"}]}


def test_a_default_is_a_copy() -> None:
    schema = InputsSchema({"properties": {"tags": {"default": []}}})
    first, _ = schema.apply({})
    assert isinstance(first, dict)
    first["tags"].append("x")
    assert schema.apply({})[0] == {"tags": []}


def test_no_inputs_are_an_empty_object() -> None:
    assert apply_inputs(None, None) == ({}, ())
    assert found(apply_inputs(ORDER, None)[1]) == {
        ("spec.inputs.orderId", "Required"),
        ("spec.inputs.items", "Required"),
    }


def test_null_is_a_value_and_gets_no_default() -> None:
    inputs, problems = apply_inputs({"properties": {"a": {"type": "integer", "default": 3}}}, {"a": None})
    assert inputs == {"a": None}
    assert found(problems) == {("spec.inputs.a", "InvalidInputs")}


def test_defaults_are_found_through_references_and_all_of() -> None:
    schema = {
        "$defs": {"address": {"properties": {"country": {"default": "DE"}}}},
        "allOf": [{"properties": {"b": {"default": 2}}}],
        "properties": {"to": {"$ref": "#/$defs/address", "default": {}}},
    }
    assert apply_inputs(schema, {}) == ({"b": 2, "to": {"country": "DE"}}, ())


@pytest.mark.parametrize("children", [["a"], ["a", "b"]])
def test_defaults_without_end_are_a_problem(children: list[str]) -> None:
    node = {"default": {}, "properties": {child: {"$ref": "#/$defs/node"} for child in children}}
    schema = {"$defs": {"node": node}, "properties": {"root": {"$ref": "#/$defs/node"}}}
    assert found(apply_inputs(schema, {})[1]) == {("spec.inputs", "InvalidSchema")}


def test_numbers_stay_as_they_were_written() -> None:
    schema = {"properties": {"total": {"type": "number"}, "count": {"type": "integer"}}}
    inputs, problems = apply_inputs(schema, {"total": 42, "count": 3})
    assert problems == ()
    assert isinstance(inputs, dict)
    assert type(inputs["total"]) is int


def test_the_number_of_problems_is_bounded() -> None:
    _, problems = apply_inputs({"properties": {"a": {"items": {"type": "string"}}}}, {"a": list(range(5_000))})
    assert len(problems) == MAX_PROBLEMS


def test_a_pattern_that_would_search_for_ever_is_cut_short() -> None:
    _, problems = apply_inputs({"properties": {"a": {"pattern": "^(?=a)(a+)+\\1$"}}}, {"a": "a" * 5_000 + "b"})
    assert found(problems) == {("spec.inputs.a", "InvalidInputs")}


@pytest.mark.heavy
def test_a_large_default_is_not_filled_in_without_end() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"default": ["x"] * 100_000}}}}}}
    assert found(apply_inputs(schema, {"a": [{} for _ in range(9_000)]})[1]) == {("spec.inputs", "InvalidSchema")}


def test_a_default_that_makes_the_inputs_too_deep_is_a_problem() -> None:
    deep: Any = "x"
    for _ in range(150):
        deep = [deep]
    node = {"properties": {"a": {"$ref": "#/$defs/node"}, "end": {"default": deep}}}
    schema = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    inputs: Any = {}
    for _ in range(120):
        inputs = {"a": inputs}
    (problem,) = apply_inputs(schema, inputs)[1]
    assert problem.reason == "TooDeep"


@pytest.mark.parametrize("rule", [{"enum": ["x" * 500_000]}, {"const": "x" * 500_000}, {"not": {"const": 1}}])
def test_a_long_schema_makes_neither_a_long_message_nor_a_great_many(rule: Any) -> None:
    _, problems = apply_inputs({"properties": {"a": {"items": rule}}}, {"a": [1] * 1_000})
    assert problems
    assert all(len(problem.message) < 500 for problem in problems)
    assert len(problems) == (1 if len(str(rule)) > 1_000 else 1_000)
