import pytest

from reactor_operator.evaluation.numbers import typed

SCHEMA = {
    "properties": {
        "total": {"type": "number"},
        "count": {"type": "integer"},
        "maybe": {"type": ["number", "null"]},
        "either": {"type": ["integer", "number"]},
        "lines": {"items": {"$ref": "#/$defs/line"}},
        "flag": {"type": "number"},
    },
    "additionalProperties": {"type": "number"},
    "$defs": {"line": {"properties": {"price": {"type": "number"}}}},
}


@pytest.mark.parametrize(
    ("name", "written", "kind"),
    [
        ("total", 42, float),
        ("total", 42.5, float),
        ("count", 3, int),
        ("count", 3.0, int),
        ("maybe", 1, float),
        ("either", 1, int),
        ("either", 1.0, float),
        ("other", 1, float),
        ("total", 2**53 + 1, int),
        ("flag", True, bool),
    ],
)
def test_a_number_has_the_type_its_schema_names(name: str, written: object, kind: type) -> None:
    found = typed({name: written}, SCHEMA)
    assert isinstance(found, dict)
    assert type(found[name]) is kind
    assert found[name] == written


def test_items_are_typed_through_references() -> None:
    assert repr(typed({"lines": [{"price": 1, "note": "x"}]}, SCHEMA)) == "{'lines': [{'price': 1.0, 'note': 'x'}]}"


def test_without_a_word_from_the_schema_the_text_decides() -> None:
    assert repr(typed({"a": 1, "b": 1.0, "c": [1]}, {})) == "{'a': 1, 'b': 1.0, 'c': [1]}"


def test_a_part_of_the_inputs_has_the_numbers_of_its_place() -> None:
    line = typed({"price": 3}, SCHEMA, ("lines", 7))
    assert isinstance(line, dict)
    assert type(line["price"]) is float
    assert type(typed(3, SCHEMA, ("total",))) is float
    assert type(typed(3, SCHEMA, ("count",))) is int
    assert typed({"price": 3}, SCHEMA, ("nowhere", "at", 3, "all")) == {"price": 3}
