"""What stands around the spec of a reactor: its kind, its name, and documents that are none."""

from typing import Any

import pytest

from reactor_operator.api.check import check_reactor, check_spec
from tests.unit.api.documents import PYTHON, found, reactor, step


def test_a_whole_reactor_is_sound() -> None:
    assert check_reactor(reactor(step("a"))).problems == ()


ENVELOPES: list[tuple[Any, str, str]] = [
    ({"apiVersion": "reactor.run/v1"}, "apiVersion", "InvalidValue"),
    ({"kind": "Reactr"}, "kind", "InvalidValue"),
    ({"metadata": {"name": "Checkout"}}, "metadata.name", "InvalidValue"),
    ({"metadata": {"name": "a" * 254}}, "metadata.name", "InvalidValue"),
    ({"metadata": None}, "metadata", "InvalidValue"),
    ({"spce": {}}, "spce", "UnknownField"),
    ({"spec": None}, "spec", "InvalidValue"),
    ({"spec": {"steps": [{"name": "a", "run": PYTHON, "x": float("nan")}]}}, "spec.steps[0].x", "InvalidValue"),
]


@pytest.mark.parametrize(("changes", "path", "reason"), ENVELOPES)
def test_what_stands_around_the_spec_is_checked_too(changes: Any, path: str, reason: str) -> None:
    checked = check_reactor({**reactor(step("a")), **changes})
    assert (path, reason) in found(checked.problems)
    assert checked.spec is None


def test_a_missing_spec_is_one_problem() -> None:
    document = reactor(step("a"))
    del document["spec"]
    assert found(check_reactor(document).problems) == {("spec", "Required")}


def test_object_names_of_253_characters_work() -> None:
    document = {**reactor(step("a")), "metadata": {"name": ".".join(["a" * 50] * 4 + ["b" * 49])}}
    assert check_reactor(document).problems == ()


@pytest.mark.parametrize("document", [None, 3, "x", [], [{}]])
def test_a_document_of_any_type_is_a_problem_and_not_a_crash(document: Any) -> None:
    assert check_reactor(document).problems
    assert check_spec(document).problems
