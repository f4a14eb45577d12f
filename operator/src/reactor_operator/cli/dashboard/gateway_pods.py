"""Where the gateway of a cluster is: its Service, found by the labels of the chart, and a pod behind it that is ready.

In: a client with the user's own rights. Out: a `PodPort`. Raises ClusterError where there is no Service, or several;
ForwardFailed where no pod is ready. Never here: a connection.
"""

from dataclasses import dataclass

from reactor_operator.cli.errors import ClusterError
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import Forbidden
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at, texts_at
from reactor_operator.kube.forward import ForwardFailed, PodPort
from reactor_operator.kube.paths import POD, SERVICE

USUAL_NAMESPACE = "reactor-system"
_LABELS = "app.kubernetes.io/name=reactor-operator,app.kubernetes.io/component=gateway"
_PORT = "http"


@dataclass(frozen=True, slots=True)
class GatewayService:
    """The Service of a gateway."""

    client: KubeClient
    namespace: str
    name: str
    selector: str
    port: str | int

    async def find(self) -> PodPort:
        """Return the port of a pod that is ready. Raises ForwardFailed, ApiError, Unavailable."""
        listed = await self.client.list(POD.collection(self.namespace), {"labelSelector": self.selector})
        for pod in listed.items:
            port = _port_of(pod, self.port)
            if port is not None and _is_ready(pod):
                return PodPort(self.namespace, text_at(pod, "metadata", "name"), port)
        raise ForwardFailed(f"no pod of Service {self.namespace}/{self.name} is ready")


async def find_gateway(client: KubeClient, namespace: str | None) -> GatewayService:
    """Return the Service, of a namespace or (None) wherever it is. Raises ClusterError, ApiError, Unavailable."""
    where = namespace
    try:
        found = await _services(client, where)
    except Forbidden:
        if namespace is not None:
            raise
        where = USUAL_NAMESPACE  # who may not look everywhere may look there, mostly
        try:
            found = await _services(client, where)
        except Forbidden as problem:
            words = "name the namespace of the chart with --gateway-namespace, or come through its Ingress"
            raise ClusterError(f"you may not list Services to find the gateway ({problem.message}): {words}") from None
    if not found:
        place = f"namespace {where}" if where is not None else "any namespace"
        raise ClusterError(
            f"no Service of a gateway in {place} (labels {_LABELS}): install the chart reactor-operator, or name its "
            "namespace with --gateway-namespace"
        )
    if len(found) > 1:
        names = ", ".join(sorted(text_at(one, "metadata", "namespace") for one in found))
        raise ClusterError(f"found gateways in namespaces {names}: choose one with --gateway-namespace")
    return _service(client, found[0])


async def _services(client: KubeClient, namespace: str | None) -> list[JsonObject]:
    listed = await client.list(SERVICE.collection(namespace), {"labelSelector": _LABELS})
    return list(listed.items)


def _service(client: KubeClient, service: JsonObject) -> GatewayService:
    ports = maps_at(service, "spec", "ports")
    port = next((one for one in ports if text_at(one, "name") == _PORT), ports[0] if ports else map_at({}))
    selector = texts_at(service, "spec", "selector")
    return GatewayService(
        client=client,
        namespace=text_at(service, "metadata", "namespace"),
        name=text_at(service, "metadata", "name"),
        selector=",".join(f"{name}={value}" for name, value in sorted(selector.items())),
        port=text_at(port, "targetPort") or int_at(port, "targetPort") or int_at(port, "port") or 0,
    )


def _is_ready(pod: JsonObject) -> bool:
    if text_at(pod, "metadata", "deletionTimestamp"):
        return False
    ready = [one for one in maps_at(pod, "status", "conditions") if text_at(one, "type") == "Ready"]
    return any(text_at(one, "status") == "True" for one in ready)


def _port_of(pod: JsonObject, target: str | int) -> int | None:
    if isinstance(target, int):
        return target or None
    for container in maps_at(pod, "spec", "containers"):
        for port in maps_at(container, "ports"):
            if text_at(port, "name") == target:
                return int_at(port, "containerPort")
    return None
