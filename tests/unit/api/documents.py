"""Small documents that tests build on: a reactor of the given steps, a step of the given fields."""

from collections.abc import Mapping

from reactor_operator.api.check import CheckedReactor, check_spec
from reactor_operator.api.problems import Problem
from reactor_operator.api.reactor import ReactorSpec

PYTHON: Mapping[str, object] = {"python": {"handler": "shop.orders:place"}}
CONTAINER: Mapping[str, object] = {"container": {"image": "shop:1"}}


def step(name: str, **fields: object) -> dict[str, object]:
    return {"name": name, "run": PYTHON, **fields}


def spec(*steps: Mapping[str, object], **fields: object) -> dict[str, object]:
    return {"steps": list(steps), **fields}


def check(*steps: Mapping[str, object], **fields: object) -> CheckedReactor:
    return check_spec(spec(*steps, **fields))


def sound(*steps: Mapping[str, object], **fields: object) -> ReactorSpec:
    checked = check(*steps, **fields)
    assert checked.problems == ()
    assert checked.spec is not None
    return checked.spec


def found(problems: tuple[Problem, ...]) -> set[tuple[str, str]]:
    """Where and why: what tests compare, leaving the words to people."""
    return {(problem.path, problem.reason) for problem in problems}


def reactor(*steps: Mapping[str, object], **fields: object) -> dict[str, object]:
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "Reactor",
        "metadata": {"name": "checkout"},
        "spec": spec(*steps, **fields),
    }


def run(**fields: object) -> dict[str, object]:
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorRun",
        "metadata": {"name": "checkout-1"},
        "spec": {"reactorRef": {"name": "checkout"}, **fields},
    }
