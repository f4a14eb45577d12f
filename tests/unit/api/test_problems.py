import pytest

from reactor_operator.api.problems import Problem, nearest, path_to, render_found


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        (["steps", 2, "run"], "spec.steps[2].run"),
        (["arguments", "book-courier"], "spec.arguments.book-courier"),
        (["labels", "app.io/x"], "spec.labels['app.io/x']"),
        ([], "spec"),
    ],
)
def test_a_path_reads_like_the_manifest(keys: list[object], path: str) -> None:
    assert path_to("spec", keys) == path


def test_the_nearest_name_is_found_and_a_far_one_is_not() -> None:
    assert nearest("undoo", ["run", "undo", "when"]) == "undo"
    assert nearest("zzz", ["run", "undo", "when"]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "the boolean true"),
        ("x", "'x'"),
        (3, "3"),
        ({}, "an object"),
        ([1, 2], "a list of 2"),
        (10**100, "a very large number"),
    ],
)
def test_what_was_found_is_said_in_the_words_of_yaml(value: object, text: str) -> None:
    assert render_found(value) == text


def test_long_text_is_cut() -> None:
    assert len(render_found("x" * 10_000)) < 120


def test_a_problem_reads_as_one_line() -> None:
    assert str(Problem("spec.steps", "found none", "Required")) == "spec.steps: found none"


def test_what_no_terminal_takes_is_written_as_in_source_code() -> None:
    assert render_found("a\0\x1b[1m\ud800é") == r"'a\x00\x1b[1m\ud800é'"


def test_a_very_long_key_is_cut_in_a_path() -> None:
    assert path_to("spec", ["u" * 1_000_000]).startswith("spec['uuu")
    assert len(path_to("spec", ["u" * 1_000_000])) < 150
