"""Inputs from the command line lie over those of the run, and a wrong one says what was expected."""

import json
from pathlib import Path

import pytest

from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.inputs import read_given
from reactor_operator.cli.options import InputOptions
from tests.unit.cli.conftest import Write

WRITTEN = {"orderId": "o-1", "items": [{"sku": "a", "qty": 1}], "address": {"city": "Lisbon"}}


def overlaid(*settings: str, file: Path | None = None) -> dict[str, object]:
    return read_given(InputOptions(str(file) if file else None, settings)).over(WRITTEN)


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("total=42", "total", 42),
        ("total=42.0", "total", 42),
        ("total=1.5", "total", 1.5),
        ("name=Ada", "name", "Ada"),
        ('name="42"', "name", "42"),
        ("name=", "name", ""),
        ("flag=true", "flag", True),
        ("none=null", "none", None),
        ("expr=a=b", "expr", "a=b"),
        ("nan=NaN", "nan", "NaN"),
        ("tags=[1, 2]", "tags", [1, 2]),
        ("big=18446744073709551616", "big", 18446744073709551616.0),
        ("beyond=1e999", "beyond", "1e999"),
        (f"long=1{'0' * 400}", "long", f"1{'0' * 400}"),
    ],
)
def test_a_value_is_json_if_it_parses_and_else_text(setting: str, path: str, value: object) -> None:
    assert overlaid(setting)[path] == value


def test_a_path_reaches_into_objects_and_lists_and_makes_what_is_missing() -> None:
    assert overlaid("address.city=Porto", "items[0].qty=2", "items[1].sku=b", "a.b[0].c=1") == {
        "orderId": "o-1",
        "items": [{"sku": "a", "qty": 2}, {"sku": "b"}],
        "address": {"city": "Porto"},
        "a": {"b": [{"c": 1}]},
    }
    assert WRITTEN["items"] == [{"sku": "a", "qty": 1}], "what was written stays as it is"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("novalue", "expected KEY=VALUE"),
        ("=1", "expected KEY=VALUE"),
        ("[0]=1", "expected KEY=VALUE"),
        ("items[0=1", "expected KEY=VALUE"),
        ("address..city=1", "expected KEY=VALUE"),
        ("orderId.x=1", "found 'o-1' at `orderId`, expected an object or a list there"),
        ("items.x=1", "found a list of 1 at `items`, expected an index up to 1"),
        ("items[3]=1", "found a list of 1 at `items`, expected an index up to 1"),
        ("items[0][1]=1", "found an object at `items[0]`, expected a key"),
    ],
)
def test_a_setting_that_leads_nowhere_says_what_was_found(setting: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        overlaid(setting)
    assert str(refused.value).startswith(f"--set {setting}: {said}")


def test_keys_of_a_file_replace_those_of_the_run_and_settings_come_last(write: Write) -> None:
    file = write({"inputs.yaml": "items: []\norderId: o-2\n"}) / "inputs.yaml"
    assert overlaid("orderId=o-3", file=file) == {"orderId": "o-3", "items": [], "address": {"city": "Lisbon"}}
    file.write_text(json.dumps({"items": [1]}))
    assert overlaid(file=file)["items"] == [1]


@pytest.mark.parametrize("text", ["- a\n", "a: 1\n---\nb: 2\n"])
def test_a_file_that_is_not_one_object_is_refused(write: Write, text: str) -> None:
    file = write({"inputs.yaml": text}) / "inputs.yaml"
    with pytest.raises(CommandError, match="expected one YAML or JSON object of inputs"):
        overlaid(file=file)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('who="\\ud800"', "inputs.who: found half of a surrogate pair in the text, expected Unicode"),
        ("who=\udcff", "inputs.who: found half of a surrogate pair in the text, expected Unicode"),
        (f"who={'[' * 300}{']' * 300}", "nested more than 200 deep"),
    ],
)
def test_inputs_that_json_cannot_carry_are_refused_by_path(setting: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        overlaid(setting)
    assert said in str(refused.value)
