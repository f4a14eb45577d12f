"""A few references make a great deal of work: it is bounded before it is done, and honest schemas are left alone."""

from time import thread_time
from typing import Any

import pytest

from reactor_operator.api.inputs import MAX_PROBLEMS, apply_inputs
from reactor_operator.api.schema_work import MAX_VISITS, SchemaWork, TooMuchWork
from reactor_operator.api.schemas import schema_problems
from tests.unit.api.documents import found


def doubling(count: int, **keyword: Any) -> dict[str, Any]:
    """Definitions of which each names the next one twice."""
    (key,) = keyword
    named = {f"d{i}": {key: [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {**named, f"d{count}": {"type": "string"}}}


def nested(depth: int, leaf: Any, *names: str) -> Any:
    for number in range(depth):
        leaf = {names[number % len(names)]: leaf}
    return leaf


TWICE_BELOW = {
    "$ref": "#/$defs/n",
    "$defs": {"n": {"required": ["z"], "properties": {"a": {"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n"}]}}}},
}
ANCHORED = {
    "$ref": "#n",
    "$defs": {"n": {"$anchor": "n", "required": ["z"], "additionalProperties": {"oneOf": [{"$ref": "#n"}] * 3}}},
}
ITEMS = {
    "properties": {"a": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {"contains": {"$ref": "#/$defs/n"}, "items": {"$ref": "#/$defs/n"}}},
}


@pytest.mark.parametrize("kind", ["allOf", "anyOf", "oneOf"])
def test_references_that_judge_one_value_without_end_are_a_problem_of_the_schema(kind: str) -> None:
    began = thread_time()
    assert found(tuple(schema_problems(doubling(60, **{kind: None}), "schema"))) == {("schema", "InvalidSchema")}
    assert thread_time() - began < 1
    assert schema_problems(doubling(6, **{kind: None}), "schema") == []


@pytest.mark.parametrize(
    ("schema", "inputs"),
    [
        (TWICE_BELOW, nested(40, {}, "a")),
        (ANCHORED, nested(40, {}, "a", "b")),
        (ITEMS, {"a": [[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]}),
    ],
)
def test_references_that_double_the_work_at_each_level_refuse_inputs_that_are_deep(schema: Any, inputs: Any) -> None:
    began = thread_time()
    assert found(apply_inputs(schema, inputs)[1]) == {("spec.inputs", "InvalidSchema")}
    assert thread_time() - began < 1


def test_many_errors_that_references_repeat_are_told_by_the_first() -> None:
    _, problems = apply_inputs(doubling(11, allOf=None), {str(i): 1 for i in range(1_000)})
    assert len(problems) == 1


def test_a_tree_with_two_branches_may_be_as_deep_as_inputs_may() -> None:
    node = {"properties": {"left": {"$ref": "#/$defs/n"}, "right": {"$ref": "#/$defs/n"}, "value": {"type": "integer"}}}
    schema = {"$ref": "#/$defs/n", "$defs": {"n": node}}
    inputs = nested(100, {"value": 3}, "left", "right")
    assert apply_inputs(schema, inputs) == (inputs, ())


def test_a_list_of_lists_may_be_as_deep_as_inputs_may() -> None:
    pair = {"prefixItems": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n"}], "items": False}
    assert SchemaWork({"$ref": "#/$defs/n", "$defs": {"n": pair}}).visits(200) < 1_000


def test_kinds_that_are_told_apart_by_a_field_may_be_nested() -> None:
    kinds = [
        {"properties": {"kind": {"const": kind}, "of": {"items": {"$ref": "#/$defs/n"}}}, "required": ["kind"]}
        for kind in ("and", "or")
    ]
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"oneOf": kinds}}}
    inputs: Any = {"kind": "or"}
    for _ in range(8):
        inputs = {"kind": "and", "of": [inputs]}
    assert apply_inputs(schema, inputs) == (inputs, ())


def branches(count: int) -> dict[str, Any]:
    return {"properties": {"a": {"items": {"allOf": [{"minimum": 0} for _ in range(count)]}}}}


@pytest.mark.parametrize(("count", "sound"), [pytest.param(25_000, False, marks=pytest.mark.heavy), (5_000, True)])
def test_many_branches_times_many_values_are_too_much_without_a_reference_too(count: int, sound: bool) -> None:
    began = thread_time()
    assert (schema_problems(branches(count), "schema") == []) is sound
    _, (problem,) = apply_inputs(branches(count), {"a": list(range(25_000))})
    assert (problem.path, problem.reason) == ("spec.inputs", "InvalidSchema")
    assert "found 25002 values, nested 3 deep, that the schema judges too often" in problem.message
    assert thread_time() - began < 8


def test_patterns_that_all_judge_each_member_are_too_much_too() -> None:
    schema = {"patternProperties": {f"^a|{number}": {"minimum": 0} for number in range(5_000)}}
    assert found(apply_inputs(schema, {f"a{number}": number for number in range(5_000)})[1]) == {
        ("spec.inputs", "InvalidSchema")
    }


def test_without_references_no_part_judges_a_value_twice() -> None:
    schema = branches(1_000)
    assert SchemaWork(schema).visits(200, enough=1_004) == 1_004
    assert SchemaWork(schema).visits(200, enough=1_003) == 1_003


def test_a_schema_of_many_fields_takes_inputs_of_many_values() -> None:
    fields = {f"f{number}": {"type": "array", "items": {"type": "integer"}} for number in range(1_000)}
    inputs = {f"f{number}": list(range(50)) for number in range(1_000)}
    assert apply_inputs({"properties": fields}, inputs) == (inputs, ())


def test_errors_of_more_values_than_are_listed_are_told_by_the_first() -> None:
    schema = {"items": {"type": "string"}}
    assert len(apply_inputs(schema, [0] * 10_000)[1]) == MAX_PROBLEMS
    assert len(apply_inputs(schema, [0] * 100_000)[1]) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    ],
)
def test_a_schema_that_refers_to_itself_on_the_spot_ends(schema: Any) -> None:
    assert SchemaWork(schema).visits(100) <= MAX_VISITS


def test_a_long_chain_of_references_is_too_much_whenever_it_is_asked() -> None:
    chain = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(5_000)}
    work = SchemaWork({"$ref": "#/$defs/d0", "$defs": {**chain, "d5000": {}}})
    for _ in range(2):
        with pytest.raises(TooMuchWork):
            work.visits(1)
