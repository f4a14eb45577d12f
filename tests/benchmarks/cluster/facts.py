"""What cluster the figures were taken on.

In: a client. Out: facts as JSON. Never here: a measurement.
"""

from collections.abc import Sequence

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.fields import JsonObject, map_at, maps_at, text_at
from reactor_operator.kube.paths import NODE, POD
from tests.benchmarks.cluster.installation import Installation
from tests.benchmarks.cluster.place import Place

_NODE_FACTS = ("kubeletVersion", "containerRuntimeVersion", "osImage", "kernelVersion")


async def cluster_facts(place: Place, installation: Installation) -> dict[str, object]:
    """Return versions, whether etcd syncs to disk, what is installed, and who else is on the nodes."""
    client = place.client
    nodes = (await client.list(NODE.collection(None))).items
    pods = (await client.list(POD.collection(None), {"fieldSelector": "status.phase=Running"})).items
    return {
        "kubernetes": text_at(await client.get("/version"), "gitVersion"),
        "nodes": [{name: text_at(node, "status", "nodeInfo", name) for name in _NODE_FACTS} for node in nodes],
        "etcdSyncsToDisk": _etcd_syncs(pods),
        "images": {component: _images(pod) for component, pod in installation.pods.items()},
        "settings": _settings(installation.pods["operator"]),
        "runningPodsElsewhere": len(pods) - sum(text_at(pod, "metadata", "namespace") == "kube-system" for pod in pods),
    }


async def operator_counters(client: KubeClient, installation: Installation) -> dict[str, float]:
    """Return the operator's own counters of things that should not happen (missed events, broken watches, failures)."""
    pod = POD.object(installation.namespace, f"{installation.pod_name('operator')}:8081", "proxy/metrics")
    told = await client.text(pod) or ""
    samples = (
        line.rpartition(" ") for line in told.splitlines() if line.startswith("reactor_") and "_bucket" not in line
    )
    return {
        name: float(value) for name, _, value in samples if not name.endswith("_created") and "_created{" not in name
    }


def _etcd_syncs(pods: Sequence[JsonObject]) -> bool | None:
    """Return None where etcd is not to be seen."""
    for pod in pods:
        if text_at(pod, "metadata", "labels", "component") == "etcd":
            commands = [one for container in maps_at(pod, "spec", "containers") for one in container.get("command", ())]
            return "--unsafe-no-fsync" not in commands and "--unsafe-no-fsync=true" not in commands
    return None


def _images(pod: JsonObject) -> list[str]:
    return [text_at(container, "image") for container in maps_at(pod, "spec", "containers")]


def _settings(pod: JsonObject) -> dict[str, str]:
    """Return the operator's plain settings (log level, deadlines); what comes from Secrets has no value here."""
    variables = [one for container in maps_at(pod, "spec", "containers") for one in maps_at(container, "env")]
    return {text_at(one, "name"): text_at(one, "value") for one in variables if map_at(one) and text_at(one, "value")}
