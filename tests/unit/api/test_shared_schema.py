"""What a ConfigMap holds is hostile text: it is a schema, or a problem that says why not."""

from time import thread_time

import pytest

from reactor_operator.api.shared_schema import parse_shared_schema

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    "text", ['{"type": "object"}', "type: object\nproperties:\n  a: {type: string}\n", "# only a comment\ntype: object"]
)
def test_json_and_yaml_are_schemas(text: str) -> None:
    schema, problems = parse_shared_schema(text)
    assert problems == ()
    assert schema is not None
    assert schema["type"] == "object"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "alias *a0 in line 2"),
        ("&a [*a]", "alias"),
        ("[" * 100_000, "more than 100 levels"),
        ("{a: " * 5_000, "more than 100 levels"),
        ("2020-13-45", "neither JSON nor YAML"),
        ("a: 0b_", "neither JSON nor YAML"),
        ("a: \0", "neither JSON nor YAML"),
        ("a: [", "neither JSON nor YAML"),
        ("a: !!python/name:os.system", "neither JSON nor YAML"),
        ("<<: 3", "neither JSON nor YAML"),
        ("a: 1\n---\nb: 2", "neither JSON nor YAML"),
        ("", "found null, expected an object"),
        ("- a", "a list of 1"),
        ("type: objct", "objct"),
        ("default: 2020-01-01", "a date"),
        ("1: a", "the key 1"),
        ("x" * 2_000_000, "2000000 characters"),
    ],
)
def test_anything_else_is_a_problem_that_says_why(text: str, words: str) -> None:
    began = thread_time()
    schema, problems = parse_shared_schema(text)
    assert schema is None
    assert words in str(problems[0])
    assert len(str(problems[0])) < 500
    assert thread_time() - began < 5
