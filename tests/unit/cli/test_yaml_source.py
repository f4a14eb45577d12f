"""YAML is read as kubectl reads it; what it would misread is refused with file and line."""

import pytest

from reactor_operator.cli.errors import Unreadable
from reactor_operator.cli.places import line_of
from reactor_operator.cli.yaml_source import VALUES_LIMIT, parse_documents, parse_scalar

# Each pair was seen in `kubectl label --local -o json`.
KUBECTL = [
    ("y", True),
    ("Y", True),
    ("on", True),
    ("YES", True),
    ("True", True),
    ("n", False),
    ("OFF", False),
    ("No", False),
    ("tRUE", "tRUE"),
    ("yEs", "yEs"),
    ("~", None),
    ("", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("12", 12),
    ("012", 10),
    ("-012", -10),
    ("0o14", 12),
    ("0x1F", 31),
    ("-0x1F", -31),
    ("0b11", 3),
    ("0b2", "0b2"),
    ("08", 8),
    ("0777", 511),
    ("1_000", 1000),
    ("1__0", 10),
    ("_1", "_1"),
    ("+5", 5),
    ("-0", 0),
    ("1e3", 1000),
    ("1e+3", 1000),
    ("1.5", 1.5),
    (".5", 0.5),
    ("-.5", -0.5),
    ("5.", 5),
    ("1_0.5", 10.5),
    ("1.0", 1),
    ("1:30", "1:30"),
    ("2001-01-01", "2001-01-01"),
    ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
    ("9223372036854775807", 9223372036854775807),
    ("9223372036854775808", 9.223372036854775808e18),
    ("-9223372036854775809", -9.223372036854775809e18),
    ("0xfffffffffffffffff", "0xfffffffffffffffff"),
    ("1e400", "1e400"),
    (f"1{'0' * 400}", f"1{'0' * 400}"),
    (f"1{'0' * 5000}", f"1{'0' * 5000}"),
    ("a-b", "a-b"),
]


@pytest.mark.parametrize(("text", "meaning"), KUBECTL)
def test_an_unquoted_scalar_means_what_it_means_to_kubectl(text: str, meaning: object) -> None:
    found = parse_scalar(text)
    assert found == meaning
    assert type(found) is type(meaning)


def one(text: str) -> object:
    (document,) = parse_documents(text, "f.yaml")
    return document.value


def refusal(text: str) -> str:
    with pytest.raises(Unreadable) as refused:
        parse_documents(text, "f.yaml")
    return str(refused.value)


def test_quoted_and_tagged_scalars_keep_what_they_say() -> None:
    assert one('{a: "012", b: \'on\', c: !!str 5, d: !!int "7", e: !thing on}') == {
        "a": "012",
        "b": "on",
        "c": "5",
        "d": 7,
        "e": "on",
    }


def test_numbers_as_keys_are_text() -> None:
    assert one("{1: a, 1.5: b, 012: c}") == {"1": "a", "1.5": "b", "10": "c"}


@pytest.mark.parametrize("key", ["on", "off", "yes", "no", "y", "n", "true", "False"])
def test_a_boolean_key_is_refused_with_its_line_and_the_remedy(key: str) -> None:
    said = refusal(f"a: 1\nspec:\n  {key}: 2\n")
    assert said.startswith(f"f.yaml:3: key `{key}` is the boolean ")
    assert f'write "{key}" in quotes' in said
    assert one(f'"{key}": 2') == {key: 2}


def test_a_null_key_and_a_key_that_is_no_text_are_refused() -> None:
    assert "key `~` is null" in refusal("~: 1")
    assert refusal("? [a]\n: 1").startswith("f.yaml:1: found a list, mapping or alias as a key")


def test_a_key_written_twice_is_refused_with_both_lines() -> None:
    assert refusal("spec:\n  run: 1\n  undo: 2\n  run: 3\n") == (
        "f.yaml:4: key `run` is written twice in one mapping, first on line 2"
    )


def test_several_documents_are_read_and_empty_ones_left_out() -> None:
    documents = parse_documents("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n", "f.yaml")
    assert [document.value for document in documents] == [{"a": 1}, {"b": 2}]
    assert parse_documents("", "f.yaml") == []


def test_every_value_has_the_line_of_its_key() -> None:
    text = "kind: Reactor\nspec:\n  steps:\n  - name: a\n    run:\n      python: {}\n  - name: b\n"
    (document,) = parse_documents(text, "f.yaml")
    place = document.place
    assert line_of(place, "spec") == 2
    assert line_of(place, "spec.steps[0].run.python") == 6
    assert line_of(place, "spec.steps[1]") == 7
    assert line_of(place, "spec.steps[1].undo") == 7, "what is missing is shown where it would stand"
    assert line_of(place, "metadata.name") == 1


def test_aliases_and_merges_give_what_kubectl_gives() -> None:
    assert one("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: *x\n") == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 3},
        "c": {"p": 1, "q": 2},
    }
    assert one("{a: 9, <<: [{a: 1, b: 2}, {b: 4, c: 5}], b: 3}") == {"a": 9, "b": 3, "c": 5}


def test_an_alias_inside_its_own_anchor_is_refused() -> None:
    assert "alias *x names no anchor before it, or one that contains it" in refusal("&x [*x]")


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [" + ", ".join(["x"] * 100) + "]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert f"more than {VALUES_LIMIT:,} values" in refusal("\n".join(lines))


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    assert "nested deeper than 100 levels" in refusal("[" * 200 + "]" * 200)


def test_what_json_does_not_have_is_refused() -> None:
    assert refusal("a: .inf").startswith("f.yaml:1: found .inf")
    assert refusal("a: !!binary aGk=").startswith("f.yaml:1: found !!binary")
    assert "f.yaml:1: not readable as YAML" in refusal("a: \x07")


def test_a_syntax_error_is_told_with_its_line() -> None:
    assert refusal("a: 1\nb: [1, 2\nc: 3\n").startswith("f.yaml:3: not readable as YAML: while parsing a flow sequence")


def test_json_is_read_too_with_its_own_escapes() -> None:
    assert one('{"a": "\\ud83d\\ude00", "b": "x\\/y",\n\t"c": 1.0, "d": "\\\\ud83d\\\\ude00"}') == {
        "a": "\N{GRINNING FACE}",
        "b": "x/y",
        "c": 1,
        "d": "\\ud83d\\ude00",
    }


def test_reading_is_linear_in_the_number_of_steps() -> None:
    step = "  - name: s{0}\n    waitFor: [s{0}]\n    run: {{python: {{handler: 'm:f'}}}}\n"
    text = "spec:\n  steps:\n" + "".join(step.format(number) for number in range(10_000))
    (document,) = parse_documents(text, "f.yaml")
    assert line_of(document.place, "spec.steps[9999].run") == 2 + 3 * 10_000
