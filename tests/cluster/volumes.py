"""Volumes for claims of examples, on a cluster where nothing provisions any.

In: a namespace and the name of a claim. Out: a PersistentVolume that is kept for it. Never here: a claim.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.cluster import KubectlFailed, Namespace, kubectl

NO_PROVISIONER = "kubernetes.io/no-provisioner"
USER = "65532"


@contextmanager
def volume_for(namespace: Namespace, claim: str) -> Iterator[None]:
    """Have a volume for a claim of the default class, where that brings none: a folder of the node, a container."""
    storage = _class_without_provisioner()
    if storage is None:
        yield
        return
    name = f"{namespace.name}-{claim}"
    folder, node = f"/var/reactor-tests/{name}", kubectl("get", "nodes", "-o", "name").splitlines()[0].split("/")[1]
    subprocess.run(["docker", "exec", node, "install", "-d", "-o", USER, "-g", USER, folder], check=True)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": storage,
            "hostPath": {"path": folder},
            "claimRef": {"namespace": namespace.name, "name": claim},
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(volume))
    try:
        yield
    finally:
        kubectl("delete", "persistentvolume", name, "--wait=false")
        subprocess.run(["docker", "exec", node, "rm", "-rf", folder], check=False)


def _class_without_provisioner() -> str | None:
    """Return the default class where it provisions nothing, else None."""
    try:
        classes = json.loads(kubectl("get", "storageclass", "-o", "json"))["items"]
    except KubectlFailed:
        return None
    default = "storageclass.kubernetes.io/is-default-class"
    chosen = [one for one in classes if one["metadata"].get("annotations", {}).get(default) == "true"]
    return str(chosen[0]["metadata"]["name"]) if chosen and chosen[0]["provisioner"] == NO_PROVISIONER else None
