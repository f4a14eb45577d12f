"""A cluster as `reactor dashboard` sees it: an API server that knows the Service and the pods of a gateway, forwards
ports of them as the kubelet does, and gives tokens of ServiceAccounts."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import WSMsgType, web

from tests.unit.kube.api_server import answering

NAMESPACE, POD = "reactor-system", "gateway-1"
LABELS = {"app.kubernetes.io/name": "reactor-operator", "app.kubernetes.io/component": "gateway"}
PORT = 8080


@dataclass(slots=True)
class ForwardingCluster:
    """`gateway`: the port of this machine that the pod's port leads to. `refused`: paths (their ends) answered 403.

    token: what the API server knows its user by; empty: a client certificate, which needs none.
    accounts: the tokens of ServiceAccounts by namespace and name, given one after the other.
    """

    gateway: int
    token: str = "token-of-ann"
    services: int = 1
    ready: bool = True
    refused: set[str] = field(default_factory=set)
    accounts: dict[str, list[str]] = field(default_factory=dict)
    open: set[web.WebSocketResponse] = field(default_factory=set)
    url: str = ""

    def kubeconfig(self, folder: Path) -> str:
        """Write a kubeconfig for this cluster and return its path."""
        user: dict[str, Any] = {"token": self.token} if self.token else {}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
            "current-context": "x",
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(document))
        return str(folder / "kubeconfig")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized")
        if any(path.endswith(end) for end in self.refused):
            return _status(403, f"{path} is forbidden")
        if path.endswith("/services"):
            found = [_service(place) for place in range(self.services)]
            inside = path.split("/")[4] if "/namespaces/" in path else None
            return _list([one for one in found if inside in (None, one["metadata"]["namespace"])])
        if path == f"/api/v1/namespaces/{NAMESPACE}/pods":
            assert request.query["labelSelector"] == ",".join(f"{k}={v}" for k, v in sorted(LABELS.items()))
            return _list([_pod("gateway-0", ready=False), _pod(POD, ready=self.ready)])
        if path == f"/api/v1/namespaces/{NAMESPACE}/pods/{POD}/portforward":
            return await self._forward(request)
        *_, namespace, kind, name, what = path.split("/")
        if request.method == "POST" and (kind, what) == ("serviceaccounts", "token"):
            tokens = self.accounts.get(f"{namespace}/{name}")
            return web.json_response({"status": {"token": tokens.pop(0)}}) if tokens else _status(404, "not found")
        return _status(404, f"{path} not found")

    async def _forward(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query["ports"] == str(PORT)
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        assert socket.ws_protocol == "v4.channel.k8s.io"
        self.open.add(socket)
        for channel in (0, 1):
            await socket.send_bytes(bytes((channel,)) + struct.pack("<H", PORT))
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway)
        except OSError as problem:
            await socket.send_bytes(b"\x01" + f"error forwarding port {PORT}: {problem.strerror}".encode())
            await socket.close()
            self.open.discard(socket)
            return socket
        down = asyncio.create_task(_down(reader, socket))
        try:
            async for message in socket:
                assert message.type is WSMsgType.BINARY
                assert message.data[0] == 0
                writer.write(message.data[1:])
                await writer.drain()
        finally:
            down.cancel()
            writer.close()
            self.open.discard(socket)
        return socket

    async def drop(self) -> None:
        """End every port-forward, as when a pod goes."""
        for socket in list(self.open):
            await socket.close()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["ForwardingCluster"]:
        """Listen on a free port."""
        async with answering(self.handle) as port:
            self.url = f"http://127.0.0.1:{port}"
            yield self


async def _down(reader: asyncio.StreamReader, socket: web.WebSocketResponse) -> None:
    while data := await reader.read(1_000):
        await socket.send_bytes(b"\x00" + data)
    await socket.close()


def _service(place: int) -> dict[str, Any]:
    namespace = NAMESPACE if place == 0 else f"{NAMESPACE}-{place}"
    ports = [
        {"name": "health", "port": 8081, "targetPort": "health"},
        {"name": "http", "port": 80, "targetPort": "http"},
    ]
    return {
        "metadata": {"name": "reactor-operator-gateway", "namespace": namespace, "labels": LABELS},
        "spec": {"selector": LABELS, "ports": ports},
    }


def _pod(name: str, *, ready: bool) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": PORT}, {"name": "health", "containerPort": 8081}]
    return {
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "gateway", "ports": ports}]},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def _list(items: list[dict[str, Any]]) -> web.Response:
    return web.json_response({"items": items, "metadata": {"resourceVersion": "1"}})


def _status(code: int, message: str) -> web.Response:
    reason = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound"}[code]
    return web.json_response({"kind": "Status", "code": code, "reason": reason, "message": message}, status=code)
