"""From a model to a structural schema as Kubernetes demands it of a CustomResourceDefinition.

In: a model. Out: an OpenAPI v3 schema with no references, defaults or titles. Never here: a kind, its columns or rules.

Kubernetes prunes fields it does not know instead of refusing them, and a pruned `undoo:` is a saga without rollback.
Where `keep_unknown` is said, every typed object keeps what it does not know, so that our own check can name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

BRIEF = "x-brief"
"""Marks a field that a definition only names, for it is told in full elsewhere and a definition has a limit."""
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_COPIED = (
    "description", "type", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "minItems", "maxItems", "minProperties", "maxProperties", "required", "oneOf", "allOf", "nullable",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations",
)  # fmt: skip


class _Generator(GenerateJsonSchema):
    """JSON is anything, null too; a closed list of words is as long as its longest word."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return {**self.generate_inner(schema["schema"]), "nullable": True}


def structural_schema(model: type[BaseModel], *, keep_unknown: bool) -> dict[str, Any]:
    """Return the schema of `model`."""
    document = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    return _structural(document, _Rendering(document.get("$defs", {}), keep_unknown))


@dataclass(frozen=True, slots=True)
class _Rendering:
    """The definitions that references lead to, whether unknown fields are kept, and what is being rendered already."""

    definitions: Mapping[str, Any]
    keep_unknown: bool
    around: frozenset[str] = frozenset()


def _structural(node: Mapping[str, Any], rendering: _Rendering) -> dict[str, Any]:
    """Return one level of the schema; a reference is replaced by what it refers to, its own words staying on top."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name == "JsonValue":
            return {**_words(node), "nullable": True, _PRESERVE: True}
        node = {**rendering.definitions[name], **{key: value for key, value in node.items() if key != "$ref"}}
        if node.get(BRIEF) or name in rendering.around:
            return _by_name(node, rendering)
        rendering = replace(rendering, around=rendering.around | {name})
    schema = {key: node[key] for key in _COPIED if key in node}
    if "enum" in schema:
        schema["maxLength"] = max(len(word) for word in schema["enum"])
    if "properties" in node:
        schema["properties"] = {name: _structural(one, rendering) for name, one in node["properties"].items()}
        if rendering.keep_unknown:
            schema[_PRESERVE] = True
    elif node.get("type") == "object":
        schema |= _map(node, rendering)
    elif node.get("type") == "array":
        schema["items"] = _structural(node["items"], rendering)
    elif "type" not in node:
        schema |= {"nullable": True, _PRESERVE: True}
    return schema


def _by_name(node: Mapping[str, Any], rendering: _Rendering) -> dict[str, Any]:
    """Return what can be said of an object in few words: its name, where it has one. A schema cannot contain itself."""
    schema = {**_words(node), "type": "object", _PRESERVE: True}
    if "name" in node["properties"]:
        schema |= {"required": ["name"], "properties": {"name": _structural(node["properties"]["name"], rendering)}}
    return schema


def _map(node: Mapping[str, Any], rendering: _Rendering) -> dict[str, Any]:
    """Return what holds for the values of a map; Kubernetes cannot say what holds for its keys."""
    if node.get(BRIEF):
        return {_PRESERVE: True}
    values = node.get("additionalProperties")
    for pattern in node.get("patternProperties", {}).values():
        values = pattern
    if not isinstance(values, Mapping) or values.get("$ref", "").endswith("/JsonValue"):
        return {_PRESERVE: True}
    return {"additionalProperties": _structural(values, rendering)}


def _words(node: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": node["description"]} if "description" in node else {}
