"""What a condition was compared with, as people read it."""

import pytest

from reactor_operator.evaluation.compared import render_compared
from reactor_operator.evaluation.environment import Element, Environment, ReadSensitive

AT = Environment(
    inputs={"total": 42},
    results={"book-it": {"id": 7}},
    elements={"rows": Element({"qty": 3, "tags": ["a"]}, 0), "lines": Element({"qty": 5, "name": "l"}, 2)},
)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("element.qty > 3", "element.qty is 5"),
        ("element['name'] == 'x'", "element['name'] is 'l'"),
        ("index == 0", "index is 2"),
        ("element == 3", "element is an object"),
        ("element.nothing", "element.nothing is not there"),
        ("inputs.total > index", "inputs.total is 42, index is 2"),
        ("results.book_it.id == 1", "results.book_it.id is 7"),
    ],
)
def test_each_place_that_is_read_is_told(condition: str, told: str) -> None:
    assert render_compared(condition, AT) == f"{condition} ({told})"


def test_a_sensitive_element_is_masked_and_its_place_is_not() -> None:
    at = Environment(inputs={}, elements=AT.elements, sensitive=ReadSensitive(elements=frozenset({"lines"})))
    assert render_compared("element.qty > index", at) == "element.qty > index (element.qty is ***, index is 2)"
    assert at.sensitive_values() == [{"qty": 5, "name": "l"}]


@pytest.mark.parametrize(
    "condition", ["element.qty > 3", "index == 0", "inputs.size() > 1", "x.element > 3", "my_index"]
)
def test_what_is_no_place_is_not_told(condition: str) -> None:
    assert render_compared(condition, Environment(inputs={"element": 1})) == condition
