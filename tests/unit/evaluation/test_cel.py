import pytest

from reactor_operator.evaluation.cel import ExpressionFault, evaluate, variables_of

VARIABLES = variables_of(
    {"total": 42, "rate": 1.5, "items": [{"sku": "a"}, {"sku": "b"}], "none": None},
    {"book-courier": {"id": 7}, "reserve": None},
    {"name": "checkout-1"},
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.total > 0", True),
        ("inputs.total / 5", 8),
        ("inputs.rate * 2.0", 3.0),
        ("inputs.total == 42.0", True),
        ("inputs.items.map(i, i.sku)", ["a", "b"]),
        ("inputs.items.exists(i, i.sku == 'b')", True),
        ("results.book_courier.id + results['book-courier'].id", 14),
        ("results.reserve == null", True),
        ("has(inputs.nowhere) ? 1 : 2", 2),
        ("run.name + '!'", "checkout-1!"),
        ("{'a': [1, 2.5, null]}", {"a": [1, 2.5, None]}),
        ("null", None),
        ("'größe'", "größe"),
    ],
)
def test_an_expression_gives_json(expression: str, value: object) -> None:
    found = evaluate(expression, VARIABLES)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("inputs.nowhere", "no such key: nowhere"),
        ("inputs.items[5]", "5"),
        ("1 / 0", "zero"),
        ("'a' + 1", "string"),
        ("9223372036854775807 + 1", "overflow"),
        ("1.0 / 0.0", "finite"),
        ("{1: 2}", "keys that are strings"),
        ("duration('1h')", "not JSON"),
        ("timestamp('2020-01-01T00:00:00Z')", "not JSON"),
        ("b'x'", "not JSON"),
        ("unknown", "unknown"),
        ("1 +", "parse"),
    ],
)
def test_what_has_no_json_value_is_a_fault_that_says_why(expression: str, words: str) -> None:
    with pytest.raises(ExpressionFault) as fault:
        evaluate(expression, VARIABLES)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)
