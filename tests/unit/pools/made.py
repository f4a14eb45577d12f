"""Pools as the API server has them, and their Deployments as its controllers tell of them."""

import json
from collections.abc import Mapping
from typing import Any

from reactor_operator.pools.manifest import deployment_name, render_deployment
from reactor_operator.pools.pool import Pool, parse_pool
from tests.unit.tasks.orders import SETTINGS

Json = dict[str, Any]
UID = "5a1f0f6e-0000-4000-8000-000000000001"


def written(spec: Json | None = None, *, name: str = "resize", status: Mapping[str, object] | None = None) -> Json:
    """Return a ReactorPool."""
    metadata = {"name": name, "namespace": "shop", "uid": UID, "generation": 3}
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorPool",
        "metadata": metadata,
        "spec": spec or {},
        "status": dict(status or {}),
    }


def pool(spec: Json | None = None, *, name: str = "resize", status: Mapping[str, object] | None = None) -> Pool:
    """Return a pool."""
    return parse_pool(written(spec, name=name, status=status))


def deployment(spec: Json | None = None, *, replicas: int = 2, name: str = "resize") -> Json:
    """Return the Deployment of a pool as it would be applied."""
    manifest: Json = json.loads(json.dumps(render_deployment(pool(spec, name=name), replicas, SETTINGS)))
    assert manifest["metadata"]["name"] == deployment_name(name)
    return manifest


def running(
    found: Json, ready: int, *, replicas: int | None = None, updated: int | None = None, **conditions: str
) -> Json:
    """Let the controllers tell how many pods there are; conditions as NAME="STATUS Reason: message"."""
    count = found["spec"]["replicas"] if replicas is None else replicas
    generation = found["metadata"].setdefault("generation", 1)
    found["status"] = {
        "observedGeneration": generation,
        "replicas": count,
        "updatedReplicas": count if updated is None else updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "conditions": [],
    }
    for kind, told in conditions.items():
        status, _, rest = told.partition(" ")
        reason, _, message = rest.partition(": ")
        found["status"]["conditions"].append({"type": kind, "status": status, "reason": reason, "message": message})
    return found


def worker_pod(number: int, state: Json, *, last: Json | None = None) -> Json:
    """Return a pod of the Deployment whose container is in this state."""
    template = deployment()["spec"]["template"]
    status: Json = {"name": "worker", "state": state}
    if last is not None:
        status["lastState"] = last
    return {
        "metadata": {
            **template["metadata"],
            "name": f"reactor-pool-resize-{number}",
            "namespace": "shop",
            "uid": f"pod-{number}",
            "creationTimestamp": f"2026-11-22T12:00:{number:02}Z",
        },
        "spec": template["spec"],
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }


def stuck_pod(number: int, reason: str, message: str = "", *, last: Json | None = None) -> Json:
    """Return a pod whose container waits for a reason."""
    return worker_pod(number, {"waiting": {"reason": reason, "message": message}}, last=last)


def tasks(count: int) -> list[str]:
    """Return the keys of so many tasks of a map."""
    return [f"rows[{place}].run.1.1.1" for place in range(count)]
