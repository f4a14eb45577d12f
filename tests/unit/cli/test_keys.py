"""Business keys on a laptop: in a state file a second run takes the outcome; without one only tasks have the key."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Answer, Reactor, Write

COUNTING = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: counted}
spec:
  steps:
  - name: count
    arguments: {file: {input: file}, fails: {input: fails, default: false}}
    run:
      python:
        source: |
          def main(file, fails, context):
              with open(file, "a") as out:
                  out.write("x")
              if fails:
                  raise ValueError("declined")
              return context.idempotency_key
---
"""


def run_of(name: str, key: str = "order-o-1", **fields: Any) -> str:
    spec = {"reactorRef": {"name": "counted"}, "idempotencyKey": key, **fields}
    document = {"apiVersion": "reactor.run/v1alpha1", "kind": "ReactorRun", "metadata": {"name": name}, "spec": spec}
    return json.dumps(document)


def status_of(answer: Answer) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(answer.out)["status"]
    return status


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    return tmp_path / "effects"


@pytest.fixture
def folder(write: Write) -> Path:
    return write({"reactor.yaml": COUNTING + "\n---\n".join([run_of("first"), run_of("second")])})


def test_a_second_run_of_the_state_file_takes_the_outcome(
    reactor: Reactor, folder: Path, effects: Path, tmp_path: Path
) -> None:
    state = ("--state", tmp_path / "run.db", "--set", f"file={effects}")
    first = reactor("run", folder, *state, "--run", "first", "-o", "json")
    second = reactor("run", folder, *state, "--run", "second", "-o", "json")
    assert (first.code, second.code, effects.read_text()) == (0, 0, "x")
    assert status_of(second)["result"] == status_of(first)["result"]
    assert status_of(second)["takenFrom"]["name"] == "first"
    shown = reactor("run", folder, *state, "--run", "second")
    assert "taken from run first (the same idempotencyKey and inputs); nothing was started" in shown.out


def test_two_runs_of_one_command_act_once_and_the_second_says_whose_outcome_it_is(
    reactor: Reactor, folder: Path, effects: Path
) -> None:
    answer = reactor("run", folder, "--set", f"file={effects}")
    assert (answer.code, effects.read_text()) == (0, "x")
    assert "second  Succeeded in 0.00s · taken from run first · result " in answer.out


def test_a_failure_that_is_taken_exits_as_the_first_one_did(
    reactor: Reactor, folder: Path, effects: Path, tmp_path: Path
) -> None:
    state = ("--state", tmp_path / "run.db", "--set", f"file={effects}", "--set", "fails=true")
    assert reactor("run", folder, *state, "--run", "first").code == 1
    second = reactor("run", folder, *state, "--run", "second")
    assert (second.code, effects.read_text()) == (1, "x")
    assert "taken from run first" in second.out
    assert "declined" in second.out


def test_other_inputs_fail_and_nothing_runs(reactor: Reactor, folder: Path, effects: Path, tmp_path: Path) -> None:
    state = ("--state", tmp_path / "run.db")
    assert reactor("run", folder, *state, "--run", "first", "--set", f"file={effects}").code == 0
    second = reactor("run", folder, *state, "--run", "second", "--set", f"file={tmp_path / 'others'}", "-o", "json")
    assert (second.code, status_of(second)["failure"]["kind"]) == (1, "KeyConflict")
    assert not (tmp_path / "others").exists()


def test_while_the_first_run_is_not_over_the_second_is_left_waiting(
    reactor: Reactor, write: Write, effects: Path, tmp_path: Path
) -> None:
    folder = write({"reactor.yaml": COUNTING + "\n---\n".join([run_of("first", suspend=True), run_of("second")])})
    state = ("--state", tmp_path / "run.db", "--set", f"file={effects}")
    assert reactor("run", folder, *state, "--run", "first").code == 3
    second = reactor("run", folder, *state, "--run", "second")
    assert (second.code, effects.exists()) == (3, False)
    assert "has the same spec.idempotencyKey 'order-o-1' and goes on" in second.out


def test_without_a_state_file_the_key_names_what_the_tasks_are_given(
    reactor: Reactor, folder: Path, effects: Path
) -> None:
    arguments = ("run", folder, "--set", f"file={effects}", "-o", "json")
    first = status_of(reactor(*arguments, "--run", "first"))
    second = status_of(reactor(*arguments, "--run", "second"))
    assert first["result"] == second["result"]
    assert effects.read_text() == "xx"
