"""Steps that run at every end, on the laptop: after a success, after a rollback, and when they fail themselves."""

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Reactor, Write

ORDER = """
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: order}
spec:
  steps:
  - name: reserve
    run: {python: {source: "def main(): return 'r1'"}}
    undo: {python: {source: "def main(): pass"}}
  - name: charge
    waitFor: [reserve]
    arguments: {amount: {input: amount}}
    run: {python: {source: "def main(amount):\\n    assert amount < 100, 'card declined'\\n    return amount"}}
  finally:
  - name: tell
    arguments:
      phase: {expr: run.phase}
      why: {expr: "run.failure == null ? 'fine' : run.failure.step + ' ' + run.failure.kind"}
      charged: {result: charge}
    run: {python: {source: "def main(**given): return given"}}
  - name: log
    waitFor: [tell]
    run: {python: {source: "def main(): raise OSError('no space')"}}
"""


def ran(answer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    status = json.loads(answer.out)["status"]
    return status, {step["name"]: step for step in status["steps"]}


@pytest.mark.parametrize(
    ("amount", "exit_code", "phase", "told"),
    [
        (5, 0, "Succeeded", {"phase": "Succeeded", "why": "fine", "charged": 5}),
        (500, 1, "Failed", {"phase": "Failed", "why": "charge Error", "charged": None}),
    ],
)
def test_they_run_at_every_end_and_know_it_and_their_failure_changes_nothing(
    reactor: Reactor, write: Write, amount: int, exit_code: int, phase: str, told: dict[str, Any]
) -> None:
    answer = reactor("run", "-o", "json", write({"reactor.yaml": ORDER}), "--set", f"amount={amount}")
    status, steps = ran(answer)
    assert (answer.code, status["phase"]) == (exit_code, phase)
    assert steps["tell"]["result"] == told
    assert (steps["log"]["phase"], steps["log"]["failure"]["message"]) == ("Failed", "OSError: no space")
    assert status.get("result") == (amount if exit_code == 0 else None)
    assert steps["reserve"]["phase"] == ("Succeeded" if exit_code == 0 else "Undone")


def test_the_plan_shows_them_last(reactor: Reactor, write: Write) -> None:
    shown = reactor("plan", write({"reactor.yaml": ORDER})).out.splitlines()
    assert [line.split()[1] for line in shown if line.endswith("at every end")] == ["tell", "log"]
    assert "NOT UNDONE   charge" in shown
