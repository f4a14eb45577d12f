"""Signals sent to the gateway, as a program outside the cluster sends them: HTTP, with a token that is reviewed.

In: a place, an installation. Out: a `Sender`, for as long as a NodePort of the gateway and a service account are there.
Never here: a port-forward, which would be measured with it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from reactor_operator.kube.fields import map_at, maps_at, text_at
from reactor_operator.kube.paths import NODE, Kind, cluster_object
from tests.benchmarks.cluster.installation import Installation
from tests.benchmarks.cluster.place import SERVICE_ACCOUNT, Place, until
from tests.benchmarks.rows import BenchmarkFailed

_SERVICE = Kind("", "v1", "Service", "services")
_ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
_NAME = "reactor-benchmarks-gateway"
_SENDER = "sender"
_ROLE = "edit"
_TOKEN_SECONDS = 7_200
_TIMEOUT_SECONDS = 30
_REACHABLE_SECONDS = 30
_ANSWERED_SECONDS = 120
_ACCEPTED, _PENDING = 200, 202


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends signals to runs of one namespace."""

    client: httpx.AsyncClient
    namespace: str

    async def resume(self, run: str, step: str, payload: object) -> None:
        """Resume an interrupt, and ask again where that is pending. Raises BenchmarkFailed unless it is accepted."""
        signal = {"namespace": self.namespace, "run": run, "action": "resume", "step": step, "payload": payload}
        signal["messageId"] = f"resume-{run}"
        try:
            async with asyncio.timeout(_ANSWERED_SECONDS):
                while (answer := await self.client.post("/v1/signals", json=signal)).status_code == _PENDING:
                    continue
        except (httpx.HTTPError, TimeoutError) as problem:
            raise BenchmarkFailed(f"the gateway did not answer a resume of {run}: {problem!r}") from problem
        if answer.status_code != _ACCEPTED:
            raise BenchmarkFailed(f"a resume of {run} was answered {answer.status_code}: {answer.text}")


@asynccontextmanager
async def a_sender(place: Place, installation: Installation) -> AsyncIterator[Sender]:
    """Let somebody in who may send signals in this place, and let the gateway be reached, until the block ends."""
    service = _SERVICE.object(installation.namespace, _NAME)
    await place.client.delete(service)
    token = await _token(place)
    made = await place.client.create(_SERVICE.collection(installation.namespace), _node_port(installation))
    try:
        address = await _address(place, installation)
        port = next(port.get("nodePort") for port in maps_at(made, "spec", "ports"))
        async with httpx.AsyncClient(
            base_url=f"http://{address}:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        ) as client:
            await until("the gateway is reached", lambda: _answers(client), _REACHABLE_SECONDS)
            yield Sender(client, place.namespace)
    finally:
        await place.client.delete(service)


async def _token(place: Place) -> str:
    """Make a service account that may send signals here, unless there is one, and return a token of it."""
    account = SERVICE_ACCOUNT.object(place.namespace, _SENDER)
    if await place.client.get(account) is None:
        await place.create(SERVICE_ACCOUNT, {"metadata": {"name": _SENDER}})
        subject = {"kind": "ServiceAccount", "name": _SENDER, "namespace": place.namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _ROLE}
        await place.create(_ROLE_BINDING, {"metadata": {"name": _SENDER}, "roleRef": role, "subjects": [subject]})
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOKEN_SECONDS},
    }
    return text_at(await place.client.create(f"{account}/token", request), "status", "token")


def _node_port(installation: Installation) -> dict[str, object]:
    labels = map_at(installation.pods["gateway"], "metadata", "labels")
    selector = {name: labels[name] for name in ("app.kubernetes.io/name", "app.kubernetes.io/component")}
    return {
        "metadata": {"name": _NAME},
        "spec": {"type": "NodePort", "selector": selector, "ports": [{"port": 8080, "targetPort": "http"}]},
    }


async def _address(place: Place, installation: Installation) -> str:
    """Return the address of the node on which the gateway is."""
    name = text_at(installation.pods["gateway"], "spec", "nodeName")
    node = await place.client.get(cluster_object(NODE, name))
    for address in maps_at(node, "status", "addresses"):
        if text_at(address, "type") == "InternalIP":
            return text_at(address, "address")
    raise BenchmarkFailed(f"node {name} tells no InternalIP")


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/v1/signals/none/none/none")).status_code in (403, 404)
    except httpx.HTTPError:
        return False
