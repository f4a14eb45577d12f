"""The CustomResourceDefinitions of our kinds, rendered from the models.

In: the models. Out: one YAML file each. Never here: a field that no model has.

`python -m reactor_operator.api.crd DIR` writes them.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reactor_operator.api.pool import DEFAULT_REPLICAS, PoolSpec
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.api.run import RunSpec
from reactor_operator.api.signal import SignalSpec
from reactor_operator.api.status import PoolStatus, ReactorStatus, RunStatus, SignalStatus
from reactor_operator.api.structural import structural_schema

GROUP = "reactor.run"
VERSION = "v1alpha1"
_HEADER = "# Rendered from the models in operator/src/reactor_operator/api by `make crds`. Do not edit.\n"

_IMMUTABLE = (
    ("reactorRef", "self.reactorRef == oldSelf.reactorRef"),
    (
        "inputs",
        "has(self.inputs) == has(oldSelf.inputs) && (!has(self.inputs) || self.inputs == oldSelf.inputs)",
    ),
    (
        "idempotencyKey",
        "has(self.idempotencyKey) == has(oldSelf.idempotencyKey) && "
        "(!has(self.idempotencyKey) || self.idempotencyKey == oldSelf.idempotencyKey)",
    ),
)


def render_reactor() -> dict[str, Any]:
    """Return the definition of the kind Reactor."""
    spec = structural_schema(ReactorSpec, keep_unknown=True)
    for named in ("steps", "notifications", "webhooks"):
        spec["properties"][named] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    return _definition(
        kind="Reactor",
        singular="reactor",
        short="rct",
        description="A saga: steps that run in the order their data needs, and are undone newest first when one fails.",
        spec=spec,
        status=structural_schema(ReactorStatus, keep_unknown=False),
        columns=[
            _column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            _column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
            _column("Age", ".metadata.creationTimestamp", kind="date"),
            _column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        ],
        selectable=(),
    )


def render_run() -> dict[str, Any]:
    """Return the definition of the kind ReactorRun."""
    spec = structural_schema(RunSpec, keep_unknown=False)
    spec["x-kubernetes-validations"] = [
        {"rule": rule, "message": f"spec.{field} cannot be changed: create another ReactorRun"}
        for field, rule in _IMMUTABLE
    ]
    return _definition(
        kind="ReactorRun",
        singular="reactorrun",
        short="rctrun",
        description="One execution of a Reactor.",
        spec=spec,
        status=structural_schema(RunStatus, keep_unknown=False),
        columns=[
            _column("Reactor", ".spec.reactorRef.name"),
            _column("Phase", ".status.phase"),
            _column("Progress", ".status.progress"),
            _column("Waiting", ".status.waiting"),
            _column("Age", ".metadata.creationTimestamp", kind="date"),
            _column("Duration", ".status.duration", wide=True),
            _column("Message", ".status.message", wide=True),
        ],
        selectable=(".spec.reactorRef.name", ".status.phase"),
    )


def render_pool() -> dict[str, Any]:
    """Return the definition of the kind ReactorPool. What scales it reads and writes its subresource `scale`."""
    spec = structural_schema(PoolSpec, keep_unknown=False)
    # An autoscaler reads it, also where nobody has written it.
    spec["properties"]["replicas"]["default"] = DEFAULT_REPLICAS
    spec["x-kubernetes-validations"] = [
        {
            "rule": "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            "message": "spec.minReplicas cannot be above spec.maxReplicas",
        }
    ]
    return _definition(
        kind="ReactorPool",
        singular="reactorpool",
        short="rctpool",
        description="Warm workers: pods that stay, and take the tasks of steps that name the pool.",
        spec=spec,
        status=structural_schema(PoolStatus, keep_unknown=False),
        columns=[
            _column("Replicas", ".status.replicas", kind="integer"),
            _column("Ready", ".status.readyReplicas", kind="integer"),
            _column("Queued", ".status.queued", kind="integer"),
            _column("Age", ".metadata.creationTimestamp", kind="date"),
            _column("Leased", ".status.leased", kind="integer", wide=True),
            _column("Oldest", ".status.oldestSeconds", kind="integer", wide=True),
            _column("Reason", '.status.conditions[?(@.type=="Ready")].reason', wide=True),
            _column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        ],
        selectable=(),
        scale={
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    )


def render_signal() -> dict[str, Any]:
    """Return the definition of the kind ReactorSignal. What it does not know it keeps: a pruned `dryrun` would act."""
    spec = structural_schema(SignalSpec, keep_unknown=True)
    spec["x-kubernetes-validations"] = [
        {"rule": "self == oldSelf", "message": "spec cannot be changed: create another ReactorSignal"},
        {
            "rule": "has(self.reactorRef) == has(self.correlationId)",
            "message": "spec.reactorRef and spec.correlationId go together, and without spec.runRef",
        },
    ]
    return _definition(
        kind="ReactorSignal",
        singular="reactorsignal",
        short="rctsig",
        description="One request to a ReactorRun, answered in its status.",
        spec=spec,
        status=structural_schema(SignalStatus, keep_unknown=False),
        columns=[
            _column("Run", ".spec.runRef.name"),
            _column("Action", ".spec.action"),
            _column("Step", ".spec.step"),
            _column("Phase", ".status.phase"),
            _column("Age", ".metadata.creationTimestamp", kind="date"),
            _column("ID", ".spec.correlationId", wide=True),
            _column("Found", ".status.found.run", wide=True),
            _column("By", ".spec.requestedBy", wide=True),
            _column("Reason", ".status.reason", wide=True),
        ],
        selectable=(".spec.runRef.name", ".spec.action", ".status.phase"),
    )


def render_yaml(definition: dict[str, Any]) -> str:
    """Return the definition as text, the same on every machine."""
    return _HEADER + yaml.dump(definition, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Writes what occurs twice twice; anchors would make a schema hard to read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _column(name: str, path: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, **({"priority": 1} if wide else {})}


def _definition(
    *,
    kind: str,
    singular: str,
    short: str,
    description: str,
    spec: dict[str, Any],
    status: dict[str, Any],
    columns: list[dict[str, Any]],
    selectable: tuple[str, ...],
    scale: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    schema = {
        "description": description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "maxLength": 253},
            "kind": {"type": "string", "maxLength": 63},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, **({"scale": dict(scale)} if scale is not None else {})},
        "additionalPrinterColumns": columns,
        "selectableFields": [{"jsonPath": path} for path in selectable],
    }
    plural = f"{singular}s"
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "singular": singular,
        "plural": plural,
        "shortNames": [short],
        "categories": [
            "sagas"
        ],  # not a name of one of the kinds: kubectl takes `get reactor NAME` for that of a category
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def main(directory: str) -> None:
    """Write one file for each kind into `directory`."""
    for definition in (render_reactor(), render_run(), render_pool(), render_signal()):
        name = definition["metadata"]["name"].partition(".")[0]
        Path(directory, f"{name}.{GROUP}.yaml").write_text(render_yaml(definition), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
