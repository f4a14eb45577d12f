"""An API server in this process for tests of what speaks to one: objects, preconditions, patches, watches, faults.

It answers over HTTP what a real one answers to these requests. `script` holds answers to give before any work is done,
`lose_answers` does the work and then breaks the connection.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import jsonpatch
from aiohttp import web

from reactor_operator.kube.access import Access
from reactor_operator.kube.client import KubeClient

Json = dict[str, Any]


@asynccontextmanager
async def answering(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """Answer every request to a free port of loopback, and yield the port."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class ApiServer:
    """Objects by path without the subresource (`/api/v1/namespaces/shop/pods/x`)."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.events: list[tuple[str, Json]] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.script: list[tuple[int, Json, dict[str, str]]] = []
        self.lose_answers = 0
        self.expire_watches = False
        self.mute_watches = False
        self.close_watches = False
        self.token = "first"
        self.renewals = 0
        self.url = ""
        self.logs: dict[str, list[bytes]] = {}
        """Logs by path. Who follows one gets the first part, and the others once `log_goes_on`."""
        self.log_goes_on = asyncio.Event()
        self._version = 100
        self._applied: dict[str, Json] = {}
        self._changed = asyncio.Condition()
        self._watching: set[asyncio.Transport] = set()

    @property
    def writes(self) -> list[str]:
        """Method and path of everything but reads."""
        return [f"{method} {path}" for method, path, _ in self.requests if method != "GET"]

    async def put(self, path: str, one: Json) -> Json:
        """Store an object under its path as the cluster would, and tell watchers."""
        collection, _, name = path.rpartition("/")
        metadata = one.setdefault("metadata", {})
        metadata.setdefault("name", name)
        metadata.setdefault("namespace", collection.split("/namespaces/")[1].split("/")[0])
        metadata.setdefault("uid", str(uuid.uuid4()))
        kind = "MODIFIED" if path in self.objects else "ADDED"
        await self._store(path, one, kind)
        return self.objects[path]

    async def remove(self, path: str, *, tell: bool = True) -> None:
        """Drop an object; `tell` it to watchers."""
        gone = self.objects.pop(path)
        if tell:
            await self.tell("DELETED", path, gone)

    def drop_watches(self) -> None:
        """Break every watch, as a restart of the server does."""
        for connection in self._watching:
            connection.abort()

    async def wait_until(self, true: Callable[[], bool]) -> None:
        """Wait until a change of objects makes it true. Raises TimeoutError."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(true)

    async def _store(self, path: str, one: Json, kind: str) -> None:
        self._version += 1
        one["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = json.loads(json.dumps(one))
        await self.tell(kind, path, one)

    async def tell(self, kind: str, path: str, one: Json) -> None:
        """Tell watchers what happened to the object at `path`, or did not."""
        self._version += kind == "DELETED"
        shown = json.loads(json.dumps(one))
        shown["metadata"]["resourceVersion"] = str(self._version)
        if not self.mute_watches:
            self.events.append((path, {"type": kind, "object": shown}))
        async with self._changed:
            self._changed.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = json.loads(await request.read() or b"null")
        self.requests.append((request.method, request.path, body))
        if request.headers.get("Authorization") not in (f"Bearer {self.token}", None):
            return _status(401, "Unauthorized", "Unauthorized")
        if self.script:
            code, document, headers = self.script.pop(0)
            return web.json_response(document, status=code, headers=headers)
        answer = await self._answer(request, body)
        if self.lose_answers and request.method != "GET":
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    async def _log(self, request: web.Request, parts: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(parts[0])
        if request.query.get("follow") == "true":
            await self.log_goes_on.wait()
        for part in parts[1:]:
            await response.write(part)
        return response

    async def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        path = request.path
        status = path.endswith("/status")
        path = path.removesuffix("/status")
        match request.method:
            case "GET" if path in self.objects:
                return web.json_response(self.objects[path])
            case "GET" if request.query.get("watch"):
                return await self._watch(request)
            case "GET" if path in self.logs:
                return await self._log(request, self.logs[path])
            case "GET" if path.rpartition("/")[2] in _PLURALS:
                return self._list(request)
            case "POST":
                return await self._create(path, body)
        found = self.objects.get(path)
        if request.method == "PATCH" and request.content_type == "application/apply-patch+yaml":
            return await self._apply(path, found, body, request)
        if found is None:
            return _status(404, "NotFound", f"{path} not found")
        match request.method:
            case "DELETE":
                wanted = (body or {}).get("preconditions", {}).get("uid")
                if wanted not in (None, found["metadata"]["uid"]):
                    return _status(409, "Conflict", "the UID in the precondition does not match")
                await self.remove(path)
                return web.json_response(found)
            case "PUT":
                if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
                    return _status(409, "Conflict", "the object has been modified")
                body["metadata"]["uid"] = found["metadata"]["uid"]
                await self._store(path, body, "MODIFIED")
                return web.json_response(self.objects[path])
        return await self._patch(path, found, body, request.content_type, status=status)

    async def _create(self, collection: str, body: Json) -> web.Response:
        path = f"{collection}/{body['metadata']['name']}"
        if path in self.objects:
            return _status(409, "AlreadyExists", f"{path} already exists")
        return web.json_response(await self.put(path, body), status=201)

    async def _apply(self, path: str, found: Json | None, body: Json, request: web.Request) -> web.Response:
        """Server-side apply, of one manager: what it leaves away that it applied before goes."""
        if not request.query.get("fieldManager") or request.query.get("force") != "true":
            return _status(400, "BadRequest", "fieldManager is required for apply patch")
        uid = body["metadata"].get("uid")
        if uid not in (None, (found or {"metadata": {}})["metadata"].get("uid")):
            return _status(409, "Conflict", "Precondition failed: UID in precondition")
        before = (found or {}).get("spec")
        kept = _without(found or {}, self._applied.get(path, {}))
        self._applied[path] = json.loads(json.dumps(body))
        changed = _merge(kept, body)
        metadata = changed["metadata"]
        metadata["generation"] = metadata.get("generation", 0) + (changed.get("spec") != before)
        await self.put(path, changed)
        return web.json_response(self.objects[path], status=201 if found is None else 200)

    async def _patch(self, path: str, found: Json, body: Any, kind: str, *, status: bool) -> web.Response:
        changed = json.loads(json.dumps(found))
        if kind == "application/json-patch+json":
            try:
                changed = jsonpatch.apply_patch(changed, _without_nulls_found(changed, body))
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as problem:
                return _status(422, "Invalid", f"the server rejected our request: {problem}")
        else:
            uid = body.get("metadata", {}).get("uid")
            if uid not in (None, found["metadata"]["uid"]):
                return _status(409, "Conflict", "Precondition failed: UID in precondition")
            version = body.get("metadata", {}).get("resourceVersion")
            if version not in (None, found["metadata"]["resourceVersion"]):
                return _status(409, "Conflict", "the object has been modified")
            changed = _merge(changed, body)
        if status:
            changed = {**found, "status": changed.get("status")}
        await self._store(path, changed, "MODIFIED")
        return web.json_response(self.objects[path])

    def _list(self, request: web.Request) -> web.Response:
        found = [one for path, one in sorted(self.objects.items()) if self._matches(path, one, request)]
        limit = int(request.query.get("limit", "500"))
        start = int(request.query.get("continue", "0"))
        more = str(start + limit) if start + limit < len(found) else ""
        metadata = {"resourceVersion": str(self._version), "continue": more}
        return web.json_response({"items": found[start : start + limit], "metadata": metadata})

    def _matches(self, path: str, one: Json, request: web.Request) -> bool:
        prefix, _, plural = request.path.rpartition("/")
        if path.split("/")[-2] != plural or not path.startswith(prefix):
            return False
        labels = one["metadata"].get("labels", {})
        selected = [part.split("=") for part in request.query.get("labelSelector", "").split(",") if part]
        if not all(name in labels and value in ([], [labels[name]]) for name, *value in selected):
            return False
        uid = request.query.get("fieldSelector", "").partition("involvedObject.uid=")[2].partition(",")[0]
        return not uid or one.get("involvedObject", {}).get("uid") == uid

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        if self.expire_watches:
            self.expire_watches = False
            expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n")
            return response
        if self.close_watches:
            return response
        assert request.transport is not None
        self._watching.add(request.transport)
        try:
            return await self._tell_on(request, response)
        finally:
            self._watching.discard(request.transport)

    async def _tell_on(self, request: web.Request, response: web.StreamResponse) -> NoReturn:
        after = int(request.query["resourceVersion"])
        told = 0
        while True:
            for path, event in self.events[told:]:
                version = int(event["object"]["metadata"]["resourceVersion"])
                if version > after and self._matches(path, event["object"], request):
                    await response.write(json.dumps(event).encode() + b"\n")
            told = len(self.events)
            async with self._changed:
                if told == len(self.events):
                    await self._changed.wait()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["ApiServer"]:
        """Listen on a free port."""
        async with answering(self.handle) as port:
            self.url = f"http://127.0.0.1:{port}"
            yield self

    def access(self) -> Access:
        """Return the way in, with a token that `renew` makes valid."""
        held = {"token": self.token}

        async def authorization() -> str | None:
            return f"Bearer {held['token']}"

        async def renew() -> None:
            self.renewals += 1
            held["token"] = self.token

        return Access(server=self.url, namespace="shop", tls=None, proxy=None, authorization=authorization, renew=renew)

    def client(self, **options: Any) -> KubeClient:
        """Return a client."""
        return KubeClient(self.access(), **options)


_PLURALS = {
    *("pods", "jobs", "events", "configmaps", "leases", "deployments"),
    *("reactorruns", "reactors", "reactorpools", "reactorsignals"),
}


def _without_nulls_found(document: Json, patch: list[Json]) -> list[Json]:
    """Return a patch without tests for null of what is not there: the API server's library lets them pass.

    It does so only for a member that is missing; an object around it that is missing fails the test.
    """

    def passes(operation: Json) -> bool:
        if operation["op"] != "test" or operation["value"] is not None:
            return False
        around, _, member = operation["path"].rpartition("/")
        found = jsonpatch.JsonPointer(around).resolve(document)
        return isinstance(found, dict) and member not in found

    return [operation for operation in patch if not passes(operation)]


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _without(target: Json, applied: Json) -> Json:
    """Return `target` without the fields of `applied`, but for what names the object; lists count as one field."""
    kept: Json = {}
    for key, value in target.items():
        if key not in applied or key in ("apiVersion", "kind", "name", "namespace", "uid"):
            kept[key] = value
        elif isinstance(value, dict) and isinstance(applied[key], dict):
            below = _without(value, applied[key])
            if below:
                kept[key] = below
    return kept


def _status(code: int, reason: str, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "reason": reason, "message": message}, status=code)
