"""A small API server for tests of the commands: objects by path, label and name selectors, watches, and pod logs.

It answers in HTTP what a real one answers to these requests; the commands are the real ones.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.unit.kube.api_server import answering

Json = dict[str, Any]


class ApiServer:
    """Objects by path (`/apis/…/reactorruns/x`). `requests` lists what was asked, `patches` what was sent."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.logs: dict[str, str] = {}
        self.requests: list[str] = []
        self.patches: list[tuple[str, str, Json]] = []
        self.kinds = {"reactors", "reactorruns", "reactorsignals", "configmaps", "pods"}
        self.refusal: Json | None = None
        self._version = 0
        self._watchers: list[asyncio.Queue[Json]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.port = 0

    def put(self, collection: str, one: Json) -> None:
        """Store an object and tell watchers; from any thread."""
        path = f"{collection}/{one['metadata']['name']}"
        self._version += 1
        one["metadata"].setdefault("namespace", "shop")
        one["metadata"].setdefault("uid", f"uid-{one['metadata']['name']}")
        one["metadata"]["resourceVersion"] = str(self._version)
        event = {"type": "MODIFIED" if path in self.objects else "ADDED", "object": json.loads(json.dumps(one))}
        self.objects[path] = one
        self._tell(event)

    def remove(self, path: str) -> None:
        """Delete an object and tell watchers."""
        self._tell({"type": "DELETED", "object": self.objects.pop(path)})

    def _tell(self, *events: Json) -> None:
        """Tell events to the watchers there are now: one that is ended by the first is not another by the second."""
        if self._loop is not None:
            for watcher in list(self._watchers):
                for event in events:
                    self._loop.call_soon_threadsafe(watcher.put_nowait, event)

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._watchers)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        if self.refusal is not None:
            return web.json_response(self.refusal, status=self.refusal["code"])
        path = request.path.rstrip("/")
        resource = path.split("/namespaces/shop/")[-1].split("/")[0] if "/namespaces/" in path else path.split("/")[-1]
        if resource not in self.kinds or ("/namespaces/" in path and "/namespaces/shop/" not in path):
            return _missing(path)
        if path.endswith("/log"):
            log = self.logs.get(path.split("/")[-2])
            if log is None:
                said = 'container "step" in pod is waiting to start: ContainerCreating'
                return web.json_response({"kind": "Status", "code": 400, "message": said}, status=400)
            return web.Response(text=log)
        if request.method == "POST":
            return self._create(path, await request.json())
        if request.method == "PATCH":
            return self._patch(path, request, await request.json())
        if request.query.get("watch"):
            return await self._watch(request)
        if path.split("/")[-1] == resource:
            return self._list(path, request)
        return web.json_response(self.objects[path]) if path in self.objects else _missing(path)

    def _create(self, collection: str, one: Json) -> web.StreamResponse:
        metadata = one["metadata"]
        metadata.setdefault("name", metadata.get("generateName", "") + "x7k2p")
        if f"{collection}/{metadata['name']}" in self.objects:
            said = f'{collection.rpartition("/")[2]}.reactor.run "{metadata["name"]}" already exists'
            body = {"kind": "Status", "code": 409, "reason": "AlreadyExists", "message": said}
            return web.json_response(body, status=409)
        self.put(collection, one)
        return web.json_response(one, status=201)

    def _patch(self, path: str, request: web.Request, body: Json) -> web.StreamResponse:
        self.patches.append((path, request.content_type, body))
        if request.content_type == "application/apply-patch+yaml":
            assert request.query["fieldManager"] == "reactor"
            self.put(path.rpartition("/")[0], body)
            return web.json_response(body)
        if path not in self.objects:
            return _missing(path)
        one = self.objects[path]
        one["metadata"].setdefault("annotations", {}).update(body["metadata"]["annotations"])
        return web.json_response(one)

    def _list(self, path: str, request: web.Request) -> web.StreamResponse:
        wanted = dict(part.split("=") for part in request.query.get("labelSelector", "").split(",") if part)
        prefix = f"{path}/" if "/namespaces/" in path else None
        suffix = path.split("/")[-1]
        items = [
            one
            for place, one in self.objects.items()
            if (place.startswith(prefix) if prefix else f"/{suffix}/" in place)
            and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]
        return web.json_response({"metadata": {"resourceVersion": str(self._version)}, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[Json] = asyncio.Queue()
        since = int(request.query["resourceVersion"])
        for one in self.objects.values():
            if int(one["metadata"]["resourceVersion"]) > since:
                queue.put_nowait({"type": "MODIFIED", "object": one})
        self._watchers.append(queue)
        name = request.query["fieldSelector"].partition("=")[2]
        try:
            while True:
                event = await queue.get()
                if event["type"] == "CLOSE":
                    return response
                if event["type"] == "ERROR" or event["object"]["metadata"]["name"] == name:
                    await response.write(json.dumps(event).encode() + b"\n")
        finally:
            self._watchers.remove(queue)

    def end_watches(self, *, gone: bool = False) -> None:
        """Close every open watch, with `410 Gone` or without a word."""
        expired: Json = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
        self._tell(*([expired] if gone else []), {"type": "CLOSE"})

    def serve(self, ready: threading.Event) -> None:
        """Serve until `stop`; runs in a thread of its own."""
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        async with answering(self._handle) as self.port:
            ready.set()
            await self._stopped.wait()

    def stop(self) -> None:
        """End the server."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)


def _missing(path: str) -> web.Response:
    body = {"kind": "Status", "code": 404, "reason": "NotFound", "message": f"{path} not found"}
    return web.json_response(body, status=404)


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Run a server for the time of a test."""
    server = ApiServer()
    ready = threading.Event()
    thread = threading.Thread(target=server.serve, args=(ready,), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        server.stop()
        thread.join(10)
