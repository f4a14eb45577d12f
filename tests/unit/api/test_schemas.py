from typing import Any

import pytest

from reactor_operator.api.schemas import DIALECT, schema_problems
from tests.unit.api.documents import found


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": DIALECT, "type": "object"},
        {"$ref": "#"},
        {"$defs": {"a": {"$anchor": "x"}}, "$ref": "#x"},
        {"properties": {"a": {"const": {"$ref": "https://example.com"}}}},
        {"type": "string", "format": "email", "pattern": "^(?=a)b"},
        {"dependentRequired": {"sensitive": ["a"]}},
    ],
)
def test_a_schema_that_stands_alone_is_sound(schema: Any) -> None:
    assert schema_problems(schema, "spec.inputsSchema") == []


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": ["string", "text"]}, "schema.type"),
        ({"minLength": -1}, "schema.minLength"),
        ({"properties": {"a": 3}}, "schema.properties.a"),
        ({"required": "a"}, "schema.required"),
        ({"pattern": "("}, "schema.pattern"),
        ({"properties": {"a": {"pattern": "(a{1000}){1000}"}}}, "schema.properties.a.pattern"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "schema['$schema']"),
        ({"$ref": "other.json"}, "schema['$ref']"),
        ({"items": [{"$dynamicRef": "https://example.com"}]}, "schema.items[0]['$dynamicRef']"),
        ({"$ref": "#/$defs/nowhere"}, "schema"),
        ({"properties": {"a": {"$id": "https://example.com/a"}}}, "schema.properties.a['$id']"),
        ({"properties": {"default": {"$ref": "other.json"}}}, "schema.properties.default['$ref']"),
        ({"$defs": {"enum": {"sensitive": "yes"}}}, "schema['$defs'].enum.sensitive"),
        (3, "schema"),
    ],
)
def test_anything_else_is_named_by_its_path(schema: Any, path: str) -> None:
    assert (path, "InvalidSchema") in found(tuple(schema_problems(schema, "schema")))


def test_a_schema_that_is_no_object_is_told_once() -> None:
    (problem,) = schema_problems([], "schema")
    assert "a list of 0" in problem.message


def test_every_problem_of_a_schema_is_reported() -> None:
    schema = {"type": "objct", "minLength": -1, "properties": {"a": {"type": "text"}, "b": {"$ref": "x"}}}
    assert len(schema_problems(schema, "schema")) == 4
