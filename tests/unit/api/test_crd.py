"""The schemas keep the rules that real API servers taught; that they install is shown by the tests on a cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from reactor_operator.api.crd import main, render_pool, render_reactor, render_run, render_signal, render_yaml
from reactor_operator.api.pool import PoolSpec
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.signal import SignalSpec

Node = Mapping[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
EACH = pytest.mark.parametrize(
    "definition",
    [render_reactor(), render_run(), render_pool(), render_signal()],
    ids=["reactors", "reactorruns", "reactorpools", "reactorsignals"],
)


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


@EACH
def test_no_field_is_a_boolean_in_yaml(definition: Node) -> None:
    forbidden = {"on", "off", "yes", "no", "y", "n"}
    names = {name for _, node in walk(schema_of(definition)) for name in node.get("properties", {})}
    assert not forbidden & {name.lower() for name in names}


@EACH
def test_every_text_list_and_map_has_a_limit(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        if node.get("type") == "string":
            assert "maxLength" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


@EACH
def test_there_are_no_floats_and_one_default_alone_which_autoscalers_read(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        assert node.get("type") != "number", path
        assert "default" not in node or path == ".spec.replicas", path


@EACH
def test_what_has_no_type_may_be_null_and_keeps_everything(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        if "type" not in node:
            assert node["nullable"], path
            assert node[PRESERVE], path


@pytest.mark.parametrize("definition", [render_reactor(), render_signal()])
def test_typed_objects_of_a_reactor_and_of_a_signal_keep_unknown_fields_so_that_they_can_be_named(
    definition: Node,
) -> None:
    for path, node in walk(schema_of(definition)["properties"]["spec"]):
        if "properties" in node:
            assert node.get(PRESERVE), path


@pytest.mark.parametrize("definition", [render_run(), render_pool()])
def test_typed_objects_of_a_run_and_of_a_pool_are_pruned(definition: Node) -> None:
    for path, node in walk(schema_of(definition)):
        if "properties" in node:
            assert PRESERVE not in node, path


@EACH
def test_every_field_is_explained(definition: Node) -> None:
    for path, node in walk(schema_of(definition)["properties"]["spec"]):
        assert path.endswith(("[]", ".*")) or node.get("description"), path


@EACH
def test_a_definition_stays_below_200_kib(definition: Node) -> None:
    assert len(render_yaml(dict(definition)).encode()) < 200 * 1024


@EACH
def test_the_kinds_are_found_under_their_short_names_and_category(definition: Node) -> None:
    names = definition["spec"]["names"]
    assert names["shortNames"] in (["rct"], ["rctrun"], ["rctpool"], ["rctsig"])
    assert names["categories"] == ["sagas"], "kubectl takes the name of a category before that of a kind"
    assert definition["spec"]["versions"][0]["subresources"]["status"] == {}


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


def test_a_pool_is_scaled_through_its_subresource() -> None:
    version = render_pool()["spec"]["versions"][0]
    assert version["subresources"]["scale"] == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    schema = schema_of(render_pool())["properties"]
    assert schema["spec"]["properties"]["replicas"]["default"] == 1
    assert schema["status"]["properties"]["replicas"]["type"] == "integer"
    assert schema["status"]["properties"]["selector"]["type"] == "string"


def test_a_pool_shows_how_many_there_are_how_many_are_ready_and_how_much_waits() -> None:
    columns = render_pool()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if "priority" not in column] == ["Replicas", "Ready", "Queued", "Age"]


def test_secrets_of_a_pool_are_a_set_by_name_and_key() -> None:
    spec = schema_of(render_pool())["properties"]["spec"]["properties"]
    for field in ("secrets", "configMaps"):
        assert spec[field]["x-kubernetes-list-type"] == "map"
        assert spec[field]["x-kubernetes-list-map-keys"] == ["name", "key"]
        assert spec[field]["items"]["required"] == ["name", "key"]


def test_a_signal_never_changes_and_names_its_run_in_one_way() -> None:
    spec = schema_of(render_signal())["properties"]["spec"]
    first, _ = spec["x-kubernetes-validations"]
    assert (first["rule"], "create another" in first["message"]) == ("self == oldSelf", True)
    assert spec["oneOf"] == [{"required": ["runRef"]}, {"required": ["correlationId"]}]
    assert spec["required"] == ["action"]
    assert spec["properties"]["action"]["enum"] == ["resume", "cancel", "undo", "retry", "skip"]


def test_the_payload_of_a_signal_is_anything_and_null_too() -> None:
    payload = schema_of(render_signal())["properties"]["spec"]["properties"]["payload"]
    assert (payload["nullable"], payload[PRESERVE], "type" in payload) == (True, True, False)


def test_a_signal_shows_what_it_asks_of_which_run_and_what_became_of_it() -> None:
    columns = render_signal()["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = [column["name"] for column in columns if "priority" not in column]
    assert shown == ["Run", "Action", "Step", "Phase", "Age"]


def test_models_and_schema_have_the_same_fields() -> None:
    def names(model: type[BaseModel]) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}

    for definition, model in (
        (render_reactor(), ReactorSpec),
        (render_pool(), PoolSpec),
        (render_signal(), SignalSpec),
    ):
        assert set(schema_of(definition)["properties"]["spec"]["properties"]) == names(model)


def test_rendering_writes_one_readable_file_for_each_kind(tmp_path: Any) -> None:
    main(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "reactorpools.reactor.run.yaml",
        "reactorruns.reactor.run.yaml",
        "reactors.reactor.run.yaml",
        "reactorsignals.reactor.run.yaml",
    ]
    text = (tmp_path / "reactors.reactor.run.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == render_reactor()
    assert "&id" not in text
