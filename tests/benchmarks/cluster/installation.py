"""The chart as it is installed: the pods of operator and gateway, their account, and what kubelet says they use.

In: a client, and the labels the chart gives. Out: names and `Reading`s. Never here: anything the product says of
itself; CPU and memory are those of the container's cgroup, all its processes included.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.fields import JsonObject, maps_at, text_at
from reactor_operator.kube.paths import NODE, POD, cluster_object
from reactor_operator.ports import Unavailable
from tests.benchmarks.cluster.place import until
from tests.benchmarks.rows import BenchmarkFailed

COMPONENTS = ("operator", "gateway")
_SELECTOR = "app.kubernetes.io/name=reactor-operator,app.kubernetes.io/component={}"
_SAMPLE = re.compile(
    r"^container_(cpu_usage_seconds_total|memory_working_set_bytes)\{(.*)\} (\S+) (\d+)$", re.MULTILINE
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_FRESH_SECONDS = 90
_READY_SECONDS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a container had used at a moment of the node's clock (int ms)."""

    at_ms: int
    cpu_seconds: float
    memory_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The one pod of each component, by component, and the service account of the operator."""

    namespace: str
    account: str
    pods: Mapping[str, JsonObject]

    @property
    def uids(self) -> frozenset[str]:
        """Return who these pods are: others have other uids."""
        return frozenset(text_at(pod, "metadata", "uid") for pod in self.pods.values())

    def pod_name(self, component: str) -> str:
        """Return the name of a component's pod."""
        return text_at(self.pods[component], "metadata", "name")


async def find_installation(client: KubeClient) -> Installation:
    """Return the installation of this cluster. Raises BenchmarkFailed unless each component has one ready pod."""
    pods = {component: await _pods_of(client, component) for component in COMPONENTS}
    for component, found in pods.items():
        if len(found) != 1 or not _is_ready(found[0]):
            ready = sum(_is_ready(pod) for pod in found)
            raise BenchmarkFailed(f"{ready} of {len(found)} {component} pods are ready, expected one: run make deploy")
    operator = pods["operator"][0]
    return Installation(
        namespace=text_at(operator, "metadata", "namespace"),
        account=text_at(operator, "spec", "serviceAccountName"),
        pods={component: found[0] for component, found in pods.items()},
    )


async def wait_installed(client: KubeClient) -> Installation:
    """Return the installation as soon as it is ready (somebody may be deploying)."""
    found: list[Installation] = []

    async def is_ready() -> bool:
        with suppress(BenchmarkFailed):
            found.append(await find_installation(client))
        return bool(found)

    await until("operator and gateway are ready", is_ready, _READY_SECONDS)
    return found[0]


async def restart_operator(client: KubeClient) -> Installation:
    """Delete the operator's pod and return the installation as soon as another one is ready."""
    before = await find_installation(client)
    old = text_at(before.pods["operator"], "metadata", "uid")
    await client.delete(POD.object(before.namespace, before.pod_name("operator")), uid=old)

    async def is_replaced() -> bool:
        found = await _pods_of(client, "operator")
        return len(found) == 1 and text_at(found[0], "metadata", "uid") != old and _is_ready(found[0])

    await until("another operator is ready", is_replaced, _READY_SECONDS)
    return await find_installation(client)


async def read_now(client: KubeClient, installation: Installation) -> Mapping[str, Reading]:
    """Return a reading of each component that was taken after this call began (kubelet samples every 10 to 15 s)."""
    before: dict[str, Reading] | None = None
    fresh: dict[str, Reading] = {}

    async def is_fresh() -> bool:
        nonlocal before
        try:
            latest = await _latest(client, installation)
        except Unavailable:
            return False  # kubelet looks at every container before it answers, and a busy one takes its time
        if before is None:
            before = latest
        for component, reading in latest.items():
            if component not in before or reading.at_ms > before[component].at_ms:
                fresh[component] = reading
        return fresh.keys() == set(COMPONENTS)

    await until("kubelet has sampled operator and gateway anew", is_fresh, _FRESH_SECONDS)
    return fresh


async def _latest(client: KubeClient, installation: Installation) -> dict[str, Reading]:
    nodes = {text_at(pod, "spec", "nodeName") for pod in installation.pods.values()}
    values: dict[tuple[str, str], tuple[float, int]] = {}
    for node in nodes:
        told = await client.text(f"{cluster_object(NODE, node)}/proxy/metrics/resource") or ""
        for metric, labels, value, at_ms in _SAMPLE.findall(told):
            values[metric, dict(_LABEL.findall(labels)).get("pod", "")] = float(value), int(at_ms)
    readings: dict[str, Reading] = {}
    for component in COMPONENTS:
        cpu = values.get(("cpu_usage_seconds_total", installation.pod_name(component)))
        memory = values.get(("memory_working_set_bytes", installation.pod_name(component)))
        if cpu is not None and memory is not None:
            readings[component] = Reading(at_ms=cpu[1], cpu_seconds=cpu[0], memory_mib=memory[0] / 2**20)
    return readings


async def _pods_of(client: KubeClient, component: str) -> list[JsonObject]:
    listing = await client.list(POD.collection(None), {"labelSelector": _SELECTOR.format(component)})
    return list(listing.items)


def _is_ready(pod: JsonObject) -> bool:
    conditions = maps_at(pod, "status", "conditions")
    return any(text_at(one, "type") == "Ready" and text_at(one, "status") == "True" for one in conditions)
