"""The schemas keep the rules that real API servers taught; that they install is shown by the tests on a cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from reactor_operator.api.crd import main, render_reactor, render_run, render_yaml
from reactor_operator.api.reactor import ReactorSpec

Node = Mapping[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
BOTH = pytest.mark.parametrize("definition", [render_reactor(), render_run()], ids=["reactors", "reactorruns"])


def schema_of(definition: Node) -> Node:
    schema: Node = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, below in node.get("properties", {}).items():
        yield from walk(below, f"{path}.{name}")
    if "items" in node:
        yield from walk(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from walk(node["additionalProperties"], f"{path}.*")


@BOTH
def test_no_field_is_a_boolean_in_yaml(definition: Node) -> None:
    forbidden = {"on", "off", "yes", "no", "y", "n"}
    names = {name for _, node in walk(schema_of(definition)) for name in node.get("properties", {})}
    assert not forbidden & {name.lower() for name in names}


@BOTH
def test_every_text_list_and_map_has_a_limit(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        if node.get("type") == "string":
            assert "maxLength" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@BOTH
def test_there_are_no_floats_and_no_defaults(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        assert node.get("type") != "number", path
        assert "default" not in node, path


@BOTH
def test_what_has_no_type_may_be_null_and_keeps_everything(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        if "type" not in node:
            assert node["nullable"], path
            assert node[PRESERVE], path


def test_typed_objects_of_a_reactor_keep_unknown_fields_so_that_they_can_be_named() -> None:
    for path, node in walk(schema_of(render_reactor())["properties"]["spec"]):
        if "properties" in node:
            assert node.get(PRESERVE), path


def test_typed_objects_of_a_run_are_pruned() -> None:
    for path, node in walk(schema_of(render_run())):
        if "properties" in node:
            assert PRESERVE not in node, path


@BOTH
def test_every_field_is_explained(definition: Node) -> None:
    for path, node in walk(schema_of(definition)["properties"]["spec"]):
        assert path.endswith(("[]", ".*")) or node.get("description"), path


@BOTH
def test_a_definition_stays_below_200_kib(definition: Node) -> None:
    assert len(render_yaml(dict(definition)).encode()) < 200 * 1024


@BOTH
def test_the_kinds_are_found_under_their_short_names_and_category(definition: Node) -> None:
    names = definition["spec"]["names"]
    assert names["shortNames"] in (["rct"], ["rctrun"])
    assert names["categories"] == ["reactor"]
    assert definition["spec"]["versions"][0]["subresources"] == {"status": {}}


def test_unions_are_one_of_required_lists() -> None:
    spec = schema_of(render_reactor())["properties"]["spec"]
    run = spec["properties"]["steps"]["items"]["properties"]["run"]
    assert run["oneOf"] == [{"required": ["python"]}, {"required": ["container"]}, {"required": ["http"]}]
    source = spec["properties"]["returns"]
    assert {"required": ["secretKeyRef"]} in source["oneOf"]


def test_a_map_is_two_unions_at_once() -> None:
    step = schema_of(render_reactor())["properties"]["spec"]["properties"]["steps"]["items"]
    mapped = step["properties"]["map"]
    assert mapped["oneOf"] == [{"required": [form]} for form in ("run", "transform", "steps", "reactorRef")]
    assert mapped["allOf"] == [{"oneOf": [{"required": ["source"]}, {"required": ["pages"]}]}]
    assert mapped["properties"]["batchSize"] == {
        "description": "The window: never more elements in flight. 50 when unset.",
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
    }


def test_steps_are_a_map_by_name_of_at_most_ten_thousand() -> None:
    steps = schema_of(render_reactor())["properties"]["spec"]["properties"]["steps"]
    assert steps["x-kubernetes-list-type"] == "map"
    assert steps["x-kubernetes-list-map-keys"] == ["name"]
    assert steps["maxItems"] == 10_000
    assert steps["items"]["properties"]["arguments"]["maxProperties"] == 64


def test_a_run_can_be_selected_by_reactor_and_phase_and_changes_only_what_may_change() -> None:
    version = render_run()["spec"]["versions"][0]
    assert version["selectableFields"] == [{"jsonPath": ".spec.reactorRef.name"}, {"jsonPath": ".status.phase"}]
    rules = schema_of(render_run())["properties"]["spec"]["x-kubernetes-validations"]
    fields = schema_of(render_run())["properties"]["spec"]["properties"]
    fixed = set(fields) - {"suspend", "ttlAfterFinished", "onDelete"}
    assert {rule["message"].split()[0] for rule in rules} == {f"spec.{name}" for name in fixed}
    assert all("oldSelf" in rule["rule"] for rule in rules)


def test_models_and_schema_have_the_same_fields() -> None:
    def names(model: type[BaseModel]) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    spec = schema_of(render_reactor())["properties"]["spec"]
    assert set(spec["properties"]) == names(ReactorSpec)


def test_rendering_writes_one_readable_file_for_each_kind(tmp_path: Any) -> None:
    main(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "reactorruns.reactor.run.yaml",
        "reactors.reactor.run.yaml",
    ]
    text = (tmp_path / "reactors.reactor.run.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == render_reactor()
    assert "&id" not in text
