from typing import Any

from reactor_operator.api.subschemas import schemas_of_item, schemas_of_member, schemas_of_root


def test_the_schemas_of_a_place_follow_references_all_of_and_prefix_items() -> None:
    root: dict[str, Any] = {
        "$defs": {"line/item": {"type": "integer"}},
        "allOf": [{"properties": {"a": {"minimum": 1}}}],
        "properties": {
            "a": {"$ref": "#/$defs/line~1item"},
            "b": {"prefixItems": [{"title": "first"}], "items": {"title": "rest"}},
        },
        "additionalProperties": {"title": "other"},
    }
    top = schemas_of_root(root)
    assert {"type": "integer"} in schemas_of_member(top, "a", root)
    assert {"minimum": 1} in schemas_of_member(top, "a", root)
    assert {"title": "other"} in schemas_of_member(top, "z", root)
    items = schemas_of_member(top, "b", root)
    assert list(schemas_of_item(items, 0, root)) == [{"title": "first"}]
    assert list(schemas_of_item(items, 1, root)) == [{"title": "rest"}]


def test_schemas_that_refer_to_themselves_end() -> None:
    root: dict[str, Any] = {"$ref": "#", "allOf": [{"$ref": "#"}]}
    assert len(schemas_of_root(root)) == 2
