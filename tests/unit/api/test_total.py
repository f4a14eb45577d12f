"""Manifests are hostile: whatever stands anywhere in one, a check answers, and only sound specs make plans."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.check import check_reactor
from reactor_operator.api.inputs import apply_inputs
from reactor_operator.api.planning import plan_of
from reactor_operator.api.run import check_run
from tests.unit.api.documents import run
from tests.unit.api.full import FULL

_TEXT = st.text(max_size=20) | st.sampled_from(
    ["reserve", "python", "results.reserve.id", "1h", "a.b[0]", "def main(): 1"]
)
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT | st.binary(max_size=3) | st.dates()
_KEYS = _TEXT | st.booleans() | st.integers() | st.none()
ANYTHING = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
REACTOR: dict[str, Any] = {
    "apiVersion": "reactor.run/v1alpha1",
    "kind": "Reactor",
    "metadata": {"name": "checkout"},
    "spec": FULL,
}


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, as the keys that lead there."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, child in below for place in places(child, (*path, key)))]


PLACES = [place for place in places(REACTOR) if place]


def replaced(place: tuple[Any, ...], value: Any, key: Any) -> dict[str, Any]:
    """The reactor with `value` at `place`, under another `key` if one is given."""
    document = copy.deepcopy(REACTOR)
    parent: Any = document
    for step in place[:-1]:
        parent = parent[step]
    if key is not None and isinstance(parent, dict):
        parent[key] = value
    else:
        parent[place[-1]] = value
    return document


@given(ANYTHING)
def test_any_document_gets_an_answer(document: Any) -> None:
    assert check_reactor(document).problems
    assert check_run(document).problems


@given(st.sampled_from(PLACES), ANYTHING, st.none() | _KEYS)
def test_anything_anywhere_in_a_reactor_gets_an_answer(place: tuple[Any, ...], value: Any, key: Any) -> None:
    checked = check_reactor(replaced(place, value, key))
    assert (checked.spec is None) == bool(checked.problems)
    if checked.spec is not None:
        assert plan_of(blueprint_of(checked.spec), pending_timeout_ms=1).steps
    for problem in checked.problems:
        assert problem.message
        assert len(str(problem)) < 2_000


@given(ANYTHING)
def test_any_inputs_get_an_answer(inputs: Any) -> None:
    checked = check_run(run(inputs=inputs))
    if checked.spec is not None:
        apply_inputs(FULL["inputsSchema"], checked.spec.inputs)
