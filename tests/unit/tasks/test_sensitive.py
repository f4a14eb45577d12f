"""Sensitive values and pods: no manifest has them, and what a container says of its end is not kept."""

import json
from typing import Any

import pytest

from reactor_operator.api.sensitivity import HARMLESS, Sensitive
from reactor_operator.engine.events import TaskFailed, TaskSkipped, TaskSucceeded
from reactor_operator.engine.identity import Action
from reactor_operator.engine.values import reference_to
from reactor_operator.tasks.manifest import render_manifest
from reactor_operator.tasks.manifest_env import Unlaunchable
from tests.unit.outcomes.pods import ended, made, outcome
from tests.unit.tasks.orders import BUSYBOX, SETTINGS, order, python

CARD = Sensitive(arguments=frozenset({"card"}))
RESULT = Sensitive(result=True)
ARGUMENTS = {"card": "CANARY", "who": "ann"}
OUTPUT = {"run": {"container": {**BUSYBOX, "output": {"path": "/out/result.json"}}}}


def rendered(step: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(render_manifest(order(step, **changes), SETTINGS)))
    return found


def test_a_container_fetches_sensitive_arguments_into_memory_and_its_manifest_has_none() -> None:
    manifest = rendered(arguments=ARGUMENTS, sensitive=CARD)
    assert "CANARY" not in json.dumps(manifest)
    [fetch] = manifest["spec"]["initContainers"]
    assert fetch["command"] == ["python3", "-m", "reactor", "fetch", "arguments"]
    volumes = {volume["name"]: volume for volume in manifest["spec"]["volumes"]}
    assert volumes["reactor-files"]["emptyDir"] == {"medium": "Memory"}
    [container] = manifest["spec"]["containers"]
    assert container["terminationMessagePolicy"] == "File"


def test_an_undo_fetches_a_sensitive_result() -> None:
    step = {"run": {"container": BUSYBOX}, "undo": {"container": BUSYBOX}}
    manifest = rendered(step, action=Action.UNDO, result=b'"CANARY"', arguments={"who": "ann"}, sensitive=RESULT)
    assert "CANARY" not in json.dumps(manifest)
    assert manifest["spec"]["initContainers"][0]["command"][-1] == "result"
    assert "REACTOR_ARGUMENTS" in json.dumps(manifest)


def test_without_sensitive_values_the_manifest_is_what_it_was() -> None:
    manifest = rendered(arguments=ARGUMENTS)
    assert manifest == rendered(arguments=ARGUMENTS, sensitive=HARMLESS)
    assert manifest["spec"]["containers"][0]["terminationMessagePolicy"] == "FallbackToLogsOnError"


@pytest.mark.parametrize("step", [{"run": {"container": BUSYBOX}}, python()])
def test_a_sensitive_argument_in_env_is_refused_here_too(step: dict[str, Any]) -> None:
    env = [{"name": "CARD", "argument": "card"}]
    with pytest.raises(Unlaunchable, match="which is sensitive and would be seen in the pod"):
        rendered({**step, "env": env}, arguments=ARGUMENTS, sensitive=CARD)


def test_the_last_words_of_a_container_with_sensitive_values_are_not_kept() -> None:
    event = outcome(ended(made(arguments=ARGUMENTS, sensitive=CARD), 3, "no CANARY"))
    assert isinstance(event, TaskFailed)
    assert "CANARY" not in event.failure.message
    assert "exited with code 3" in event.failure.message or "exit code 3" in event.failure.message
    assert event.failure.detail is None


def test_a_result_that_is_not_sensitive_is_kept() -> None:
    event = outcome(ended(made(arguments=ARGUMENTS, sensitive=CARD), 0, "[1]"))
    assert isinstance(event, TaskSucceeded)
    assert event.result == reference_to(b"[1]")


def test_a_sensitive_result_is_never_taken_from_the_message() -> None:
    step = {"run": {**OUTPUT["run"], "exitCodes": {"skip": [4]}}}
    event = outcome(ended(made(step, sensitive=RESULT), 4, "CANARY"))
    assert isinstance(event, TaskSkipped)
    assert event.result is None
