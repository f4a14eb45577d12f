"""Scripts and expressions in a reactor: what binds `main`, and hostile text, which is a problem and no crash."""

import pytest

from tests.unit.api.documents import check, step


def test_a_syntax_error_of_a_script_names_its_line() -> None:
    (problem,) = check(step("a", run={"python": {"source": "def main():\n    return (\n"}})).problems
    assert problem.message == "not Python: '(' was never closed in line 2"


@pytest.mark.parametrize(
    "source",
    [
        "async def main(): ...",
        "from shop import main",
        "main = print",
        "import x as main",
        "main: object = print",
        "main, other = print, print",
        "class main: ...",
        "from shop import *",
        "try:\n    from shop import main\nexcept ImportError:\n    def main(): ...",
        "if True:\n    pass\nelse:\n    def main(): ...",
        "def main():\n    return '\\d'",
    ],
)
def test_a_script_may_bind_main_in_any_way(source: str) -> None:
    assert check(step("a", run={"python": {"source": source}})).problems == ()


@pytest.mark.parametrize("source", ["main: object", "def other():\n    def main(): ...", "x.main = 1"])
def test_a_script_whose_main_is_not_at_the_top_has_none(source: str) -> None:
    assert check(step("a", run={"python": {"source": source}})).problems


def test_hostile_scripts_are_problems_and_not_crashes() -> None:
    for source in ("-" * 60_000 + "1", "a" + ".b" * 60_000, "(" * 60_000, "\0", "1+" * 60_000 + "1"):
        (problem,) = check(step("a", run={"python": {"source": source}})).problems
        assert problem.reason == "InvalidSource"
        assert not problem.message.endswith((": ", "None"))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(" * 2_000 + "1" + ")" * 2_000, "it is nested too deeply"),
        ("true ? 1 : " * 370 + "1", "it is nested too deeply"),
        ('"' + "\\" * 4_000, "token recognition error"),
        ("\0", "token recognition error"),
    ],
)
def test_hostile_expressions_are_problems_in_short_words(expression: str, words: str) -> None:
    (problem,) = check(step("a", when=expression)).problems
    assert words in problem.message
    assert len(problem.message) < 400
    assert problem.message.isprintable()
