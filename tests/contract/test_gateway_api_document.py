"""The OpenAPI document is of all addresses, and sound. `looking` holds every answer of the other tests against it."""

from typing import Any

import jsonschema_rs

from reactor_operator.gateway.api.openapi import DESCRIBED, openapi_document
from tests.contract.looking import looking, validator

DOCUMENT = openapi_document("1.2.3")
_ASKED: dict[str, dict[str, str]] = {
    "getRunStep": {"path": "charge"},
    "getRunValue": {"of": "inputs"},
    "listElements": {"path": "rows"},
}
"""What has to be said in some addresses."""


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        found = {part["$ref"]} if "$ref" in part else set()
        return found.union(*(references(one) for one in part.values()))
    return set().union(*(references(one) for one in part)) if isinstance(part, list) else set()


async def test_it_is_served_to_whoever_is_known() -> None:
    async with looking() as look:
        answer = await look.get("openapi.json", "token-of-ed")
        found = answer.json()
        assert (found["openapi"], found["paths"]) == ("3.1.0", DOCUMENT["paths"])


async def test_each_address_in_it_is_there_and_answers() -> None:
    async with looking() as look:
        for one in DESCRIBED:
            if one.media_type == "application/json":
                name = "x" if "reactors" in one.path else "r"
                path = one.path.removeprefix("/api/v1/").format(namespace="shop", name=name, id="none")
                expected = {"askRun": 405, "getRequest": 404}.get(one.name, 200)
                assert (await look.get(path, **_ASKED.get(one.name, {}))).status_code == expected, one.path
        assert (await look.get("changes", namespace="bank")).status_code == 403


def test_it_refers_to_nothing_that_is_not_in_it() -> None:
    there = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert references(DOCUMENT) == there


def test_its_schemas_are_json_schemas() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        assert schema.get("additionalProperties") is False or "enum" in schema or "properties" not in schema, name


def test_an_answer_of_another_shape_does_not_pass() -> None:
    page = validator({"$ref": "#/components/schemas/RunPage"})
    assert page.is_valid({"items": []})
    assert not page.is_valid({"items": [{"name": "r"}]})
    assert not page.is_valid({"items": [], "total": 1})


def test_parameters_are_those_of_the_queries() -> None:
    parameters = DOCUMENT["paths"]["/api/v1/runs"]["get"]["parameters"]
    assert {one["name"] for one in parameters} == {
        *("namespace", "limit", "cursor", "reactor", "phase", "text", "createdAfter", "createdBefore")
    }
    phases = next(one["schema"] for one in parameters if one["name"] == "phase")
    assert "RollingBack" in phases["items"]["enum"]
    assert references(parameters) == set()
