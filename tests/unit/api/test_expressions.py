import pytest

from reactor_operator.api.expressions import references


@pytest.mark.parametrize(
    ("expression", "results"),
    [
        ("inputs.total > 0", ()),
        ("results.reserve.id == 3", ("reserve",)),
        ('results["book-courier"].id', ("book-courier",)),
        ("results['a'].x + results.b.y + results.a.z", ("a", "b")),
        ("has(results.a.b) && size(results.c) > 0", ("a", "c")),
        ("inputs.results.a", ()),
        ("'results.a' + \"results.b\"", ()),
        ("r'\\' + results.a", ("a",)),
        ("'''a'results.b''' + results.a", ("a",)),
        ("1 // results.a\n + results.b", ("b",)),
        ("[1, 2].map(x, x + results.a)", ("a",)),
        ("inputs.items.filter(i, i.results.b).exists(j, j == results.a)", ("a",)),
        ("{'results': results.a}", ("a",)),
        ("run.name.startsWith('x') ? results.a : results.b", ("a", "b")),
        ("type(inputs.x) == int", ()),
    ],
)
def test_the_results_an_expression_reads_are_told_from_its_text(expression: str, results: tuple[str, ...]) -> None:
    told = references(expression)
    assert told.results == results
    assert told.problems == ()


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("results[inputs.x]", "results without a name"),
        ("size(results)", "results without a name"),
        ("'a' in results", "results without a name"),
        ("results['a' + 'b']", "results without a name"),
        ("results.map(k, k)", "results without a name"),
        ("foo.bar", "the variable foo"),
        ("dyn.a", "the variable dyn"),
        (".results.a", "found .results"),
        ("inputs.a in .results.b", "found .results"),
        ("args.x", "the variable args"),
        ("[1].map(results, results.x)", "hides results"),
        ("a # b", "character 3"),
        ("'open", "character 1"),
        ("(" * 33 + "1" + ")" * 33, "nested 33 deep"),
    ],
)
def test_what_hides_an_edge_or_is_unknown_is_a_problem(expression: str, words: str) -> None:
    assert any(words in problem for problem in references(expression).problems)


def test_hostile_text_is_read_in_linear_time() -> None:
    for text in (
        "'" * 4096,
        '"\\' * 2048,
        "`" * 4095,
        "a." * 2048,
        "(" * 4096,
        "0x" * 2048,
        "//" * 2048,
        "r'''" * 1024,
    ):
        references(text)
