from typing import Any

import pytest

from reactor_operator.api.sources import Source
from reactor_operator.evaluation.environment import RESULTS_KEY, Element, Environment
from reactor_operator.evaluation.sources import Fault, resolve

ENVIRONMENT = Environment(
    inputs={"order": {"id": "o-1", "lines": [{"sku": "a"}, {"sku": "b"}], "note": None}, "a.b": 1},
    results={"reserve": {"id": 7}, "skipped": None, "rows": {RESULTS_KEY: {"step": "rows", "total": 9, "failed": 2}}},
    elements={"rows": Element({"sku": "a"}, 7), "lines": Element("l", 3)},
)


def value(**source: Any) -> object:
    return resolve(Source.model_validate(source), ENVIRONMENT, {"1 + 1": 2, "{}": {"a": [3]}}.__getitem__)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"input": "order.id"}, "o-1"),
        ({"input": "order.lines[1].sku"}, "b"),
        ({"input": "order", "path": "lines[0]"}, {"sku": "a"}),
        ({"input": '["a.b"]'}, 1),
        ({"input": "order.note"}, None),
        ({"result": "reserve"}, {"id": 7}),
        ({"result": "reserve", "path": "id"}, 7),
        ({"result": "skipped"}, None),
        ({"result": "rows"}, {RESULTS_KEY: {"step": "rows", "total": 9, "failed": 2}}),
        ({"result": "rows", "path": "failed"}, 2),
        ({"element": "rows"}, {"sku": "a"}),
        ({"element": "rows", "path": "sku"}, "a"),
        ({"element": "rows", "path": "x", "default": 0}, 0),
        ({"element": "lines"}, "l"),
        ({"index": "rows"}, 7),
        ({"index": "lines"}, 3),
        ({"value": None}, None),
        ({"value": {"a": 1}, "path": "a"}, 1),
        ({"expr": "1 + 1"}, 2),
        ({"expr": "{}", "path": "a[0]"}, 3),
        ({"input": "nowhere", "default": 3}, 3),
        ({"input": "nowhere", "default": None}, None),
        ({"input": "order.note", "default": 3}, None),
        ({"result": "skipped", "path": "id", "default": "none"}, "none"),
    ],
)
def test_a_source_gives_the_value_at_its_path_or_its_default(source: dict[str, Any], expected: object) -> None:
    assert value(**source) == expected


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"input": "ordr.id"}, ["ordr.id", "without 'ordr'", "the inputs", "did you mean order?"]),
        ({"element": "rows", "path": "skv"}, ["skv", "without 'skv'", "the element of rows", "did you mean sku?"]),
        ({"element": "orders"}, ["the element of map orders is not known"]),
        ({"index": "orders"}, ["the element of map orders is not known"]),
        ({"input": "order.lines[2].sku"}, ["a list of 2", "at order.lines"]),
        ({"input": "order.id.x"}, ["'o-1'", "at order.id"]),
        ({"input": "order.lines.sku"}, ["a list of 2"]),
        ({"result": "reserve", "path": "ID[0]"}, ["without 'ID'", "the result of step reserve"]),
        ({"result": "skipped", "path": "id"}, ["null", "the result of step skipped"]),
        ({"result": "unknown"}, ["step unknown"]),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, ["Secret"]),
    ],
)
def test_a_path_that_leads_nowhere_says_what_was_found_and_where(source: dict[str, Any], words: list[str]) -> None:
    fault = value(**source)
    assert isinstance(fault, Fault)
    for word in words:
        assert word in fault.message
