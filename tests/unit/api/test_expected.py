"""A value of another type is told with what belongs there and how to write it."""

from typing import Any

import pytest

from reactor_operator.api.check import check_reactor
from reactor_operator.api.run import check_run

PYTHON = {"python": {"handler": "shop:reserve"}}
DURATION = "a duration such as 1h30m, 72h or 250ms"
TEXT_ITSELF = "for this text itself, else {input: …}, {result: …}, {expr: …}"


def envelope(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "reactor.run/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"timeout": 30}, f"timeout: found 30, expected {DURATION}"),
        ({"retries": {"baseDelay": 1}}, f"retries.baseDelay: found 1, expected {DURATION}"),
        ({"retries": 3}, "retries: found 3, expected an object"),
        (
            {"waitFor": [True]},
            "waitFor[0]: found the boolean true, expected text: write it in quotes, YAML reads it as a boolean",
        ),
        (
            {"arguments": {"total": "total"}},
            f"arguments.total: found 'total', expected a source: {{value: 'total'}} {TEXT_ITSELF}",
        ),
        (
            {"run": {"http": {"method": "GET", "url": "http://x/"}}},
            f"run.http.url: found 'http://x/', expected a source: {{value: 'http://x/'}} {TEXT_ITSELF}",
        ),
    ],
)
def test_a_value_of_another_type_is_told_with_what_belongs_there(fields: dict[str, Any], told: str) -> None:
    step = {"name": "a", "run": PYTHON, **fields}
    (problem,) = check_reactor(envelope("Reactor", {"steps": [step]})).problems
    assert str(problem) == f"spec.steps[0].{told}"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reactorRef": "checkout"}, "reactorRef: found 'checkout', expected an object: write {name: 'checkout'}"),
        (
            {"idempotencyKey": 7},
            "idempotencyKey: found 7, expected printable text in one line, without control characters:"
            " write it in quotes",
        ),
    ],
)
def test_a_run_is_told_it_too(fields: dict[str, Any], told: str) -> None:
    (problem,) = check_run(envelope("ReactorRun", {"reactorRef": {"name": "checkout"}, **fields})).problems
    assert str(problem) == f"spec.{told}"


def test_a_finally_step_with_undo_is_not_advised_to_compensate() -> None:
    final = {"name": "tell", "run": PYTHON, "undo": PYTHON, "timeout": "1m"}
    checked = check_reactor(envelope("Reactor", {"steps": [{"name": "a", "run": PYTHON}], "finally": [final]}))
    assert [problem.path for problem in checked.problems] == ["spec.finally[0].undo"]
    assert checked.warnings == ()
