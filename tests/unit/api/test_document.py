import datetime
from typing import Any

import pytest

from reactor_operator.api.document import document_problems
from tests.unit.api.documents import found


def test_json_has_no_problem() -> None:
    assert document_problems({"a": [1, 1.5, None, True, "é", {"b": {}}], "c": -(2**63), "d": 2**64 - 1}) == []


@pytest.mark.parametrize(
    ("document", "path", "reason"),
    [
        ({"a": {True: 1}}, "a", "InvalidKey"),
        ({"a": [{1: 2}]}, "a[0]", "InvalidKey"),
        ({None: 1}, "", "InvalidKey"),
        ({"a": float("nan")}, "a", "InvalidValue"),
        ({"a": [0, float("-inf")]}, "a[1]", "InvalidValue"),
        ({"a": datetime.date(2020, 1, 1)}, "a", "InvalidValue"),
        ({"a": b"x"}, "a", "InvalidValue"),
        ({"a": {1, 2}}, "a", "InvalidValue"),
        ({"a": 2**64}, "a", "InvalidValue"),
        ({"a": "\ud800"}, "a", "InvalidValue"),
        ({"a": {"\ud800": 1}}, "a", "InvalidKey"),
    ],
)
def test_what_json_cannot_carry_is_named_by_its_path(document: Any, path: str, reason: str) -> None:
    assert found(tuple(document_problems(document))) == {(path, reason)}


def test_a_boolean_key_is_explained_by_yaml() -> None:
    (problem,) = document_problems({True: 1})
    assert "YAML reads on, off, yes and no as booleans" in problem.message


def test_every_place_is_reported() -> None:
    assert len(document_problems({"a": float("nan"), "b": {True: 1, False: 2}, "c": [b"x"]})) == 4


def test_a_document_that_is_too_deep_or_contains_itself_ends_with_one_problem() -> None:
    deep: dict[str, Any] = {}
    deep["again"] = deep
    (problem,) = document_problems(deep)
    assert "deep" in problem.message


@pytest.mark.heavy
def test_a_document_that_contains_itself_many_times_ends_soon() -> None:
    wide: list[Any] = []
    wide += [wide] * 10
    (problem,) = document_problems({"a": wide}, "spec")
    assert (problem.path, problem.reason) == ("spec", "TooDeep")
