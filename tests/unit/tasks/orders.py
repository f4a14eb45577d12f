"""Task orders for tests: a reactor with one step, and what a task of it is ordered with."""

import json
from typing import Any

from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.engine.identity import Action, Task
from reactor_operator.ports import RunRef, TaskOrder
from reactor_operator.tasks.manifest import render_manifest
from reactor_operator.tasks.manifest_spec import TaskSettings

UID = "0a2ce048-cd93-4a36-961c-e5f443d29c00"
KEY = b"a key of at least sixteen bytes"
SETTINGS = TaskSettings(
    runtime_image="reactor-runtime:1", runtime_pull_policy="IfNotPresent", gateway="http://gateway:8080", key=KEY
)
BUSYBOX = {"image": "busybox:1", "command": ["/bin/true"]}


def order(
    step: dict[str, Any] | None = None,
    *,
    defaults: dict[str, Any] | None = None,
    action: Action = Action.RUN,
    arguments: dict[str, Any] | None = None,
    **changes: Any,
) -> TaskOrder:
    """Return an order for the one step `work`, a container unless `step` says otherwise."""
    written = {"name": "work", **(step or {"run": {"container": BUSYBOX}})}
    spec = ReactorSpec.model_validate({"defaults": defaults or {}, "steps": [written]})
    told: dict[str, Any] = {
        "run": RunRef("shop", "order-1", UID),
        "reactor": "checkout",
        "spec": spec,
        "step": spec.steps[0],
        "task": Task("work", action, 1, 1, 1),
        "arguments": json.dumps(arguments or {}).encode(),
        "result": None,
        "failure": None,
        "uncertain": False,
        "idempotency_key": "idempotent",
        "forward_key": "forward",
        "after": None,
    }
    return TaskOrder(**{**told, **changes})


def python(**step: Any) -> dict[str, Any]:
    """Return a Python step."""
    return {"run": {"python": {"handler": "shop.work:do"}}, **step}


def pod(*words: Any, **changes: Any) -> dict[str, Any]:
    rendered: dict[str, Any] = json.loads(json.dumps(render_manifest(order(*words, **changes), SETTINGS)))
    return rendered


def main_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in manifest["spec"]["containers"] if one["name"] == "step")


def env_of(container: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
