"""A gateway through which people look at runs: over an API server in this process, its objects, and a store.

Every answer that a test gets is held against the OpenAPI document: its code must be listed, its body of that schema.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from reactor_operator.gateway.api.changes import HEARTBEAT_SECONDS, STREAM_SECONDS
from reactor_operator.gateway.api.live import LiveObjects
from reactor_operator.gateway.api.openapi import openapi_document
from reactor_operator.gateway.api.pod_logs import PodLogs
from reactor_operator.gateway.api.routes import ApiAccess
from reactor_operator.gateway.signals import SignalAccess
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN
from reactor_operator.mirror.runs import RunMirror
from reactor_operator.ports import ReactorObject
from reactor_operator.running.parts import forever
from reactor_operator.store.kept_logs import LogSettings
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import KEY, Gateway, running_gateway
from tests.contract.people import SIGNAL, People
from tests.contract.signal_server import KEYS, WaitingRun
from tests.unit.kube.api_server import ApiServer
from tests.unit.mirror.made import run_object, until
from tests.unit.reconciling.conftest import REF, RUN

SCHEMA: dict[str, object] = {"type": "object", "properties": {"approved": {"type": "boolean"}}}
LINE: dict[str, object] = {"steps": [{"name": "pack", "run": RUN}, {"name": "send", "run": RUN, "waitFor": ["pack"]}]}
SPEC: dict[str, object] = {
    "description": "takes an order",
    "steps": [
        {"name": "approve", "interrupt": {"payloadSchema": SCHEMA, "correlationId": "'order/7'", "timeout": "72h"}},
        {"name": "secret", "interrupt": {}, "sensitive": True},
        {"name": "charge", "run": RUN, "undo": RUN, "waitFor": ["approve"], "arguments": {"all": {"result": "secret"}}},
        {"name": "ship", "waitFor": ["charge"], "compose": {"reactorRef": {"name": "line"}}},
        {
            "name": "route",
            "waitFor": ["charge"],
            "switch": {
                "cases": [{"when": "results.approve.approved", "run": RUN}],
                "default": {"steps": [{"name": "wait", "interrupt": {}}]},
            },
        },
        {
            "name": "rows",
            "waitFor": ["ship"],
            "map": {"source": {"value": [1, 2]}, "steps": [{"name": "check", "interrupt": {"payloadSchema": SCHEMA}}]},
        },
    ],
    "finally": [{"name": "tidy", "run": RUN}],
}
READ = ("list reactorruns", "get reactorruns", "watch reactorruns", "list reactors", "get reactors", "get pods/log")
_DOCUMENT = openapi_document("0")


class ShownRun(WaitingRun):
    """A run of `x`, which is of every kind of step."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = LINE if name == "line" else SPEC
        return ReactorObject(namespace=namespace, name=name, uid=f"{name}-uid", generation=1, spec=spec)


@dataclass(frozen=True, slots=True)
class Looking:
    """What a test needs to look, and to change what is seen."""

    gateway: Gateway
    server: ApiServer
    people: People
    run: ShownRun
    mirror: RunMirror

    @property
    def client(self) -> httpx.AsyncClient:
        return self.gateway.client

    async def get(self, path: str, /, token: str | None = "token-of-ann", **query: Any) -> httpx.Response:
        """Ask, and hold the answer against the document."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = await self.client.get(f"/api/v1/{path}", headers=headers, params=query)
        check(answer)
        return answer

    async def post(self, path: str, body: Any, token: str | None = "token-of-ann", **headers: str) -> httpx.Response:
        """Ask something of a run, and hold the answer against the document. An empty header is left away."""
        sent = {"X-Reactor-Request": "1", "Content-Type": "application/json"}
        sent |= {} if token is None else {"Authorization": f"Bearer {token}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name: value for name, value in sent.items() if value}
        answer = await self.client.post(f"/api/v1/{path}", headers=sent, content=content)
        check(answer)
        return answer

    async def put_run(
        self, name: str, namespace: str = "shop", at: str = "2026-01-01T00:00:00Z", **status: Any
    ) -> None:
        """Store a run, and wait until the mirror knows it."""
        await self.server.put(REACTOR_RUN.object(namespace, name), run_object(name, namespace, at, **status))
        await until(lambda: self.mirror.index.get(namespace, name) is not None)

    async def put_reactor(
        self, name: str, spec: Mapping[str, object], namespace: str = "shop", **metadata: Any
    ) -> None:
        """Store a reactor that was judged."""
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Sound",
            "message": "sound",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        metadata = {"uid": f"{name}-uid", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata}
        one = {"metadata": metadata, "spec": dict(spec), "status": {"conditions": [ready]}}
        await self.server.put(REACTOR.object(namespace, name), one)

    async def show(self) -> None:
        """Reconcile the run of the store, and store its object with the status that this gives."""
        await self.run.reconcile()
        shown = run_object(REF.name, REF.namespace) | {"status": dict(self.run.status)}
        shown["metadata"] |= {"uid": REF.uid, "generation": 1}
        await self.server.put(REACTOR_RUN.object(REF.namespace, REF.name), shown)
        progress = self.run.status.get("message")
        await until(lambda: (found := self.mirror.index.get("shop", "r")) is not None and found.message == progress)


def check(answer: httpx.Response) -> None:
    """Hold an answer against the document. Raises AssertionError."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    template = template_of(answer.request.url.raw_path.decode().partition("?")[0])
    if template is None:
        assert answer.status_code in (401, 404, 405)
        return
    (described,) = _DOCUMENT["paths"][template].values()
    described = described["responses"][str(answer.status_code)]
    ((media_type, content),) = described["content"].items()
    assert answer.headers["content-type"].partition(";")[0] == media_type
    said = answer.json() if media_type == "application/json" else answer.text
    problems = [f"{one.instance_path}: {one.message}" for one in validator(content["schema"]).iter_errors(said)]
    for name, header in described.get("headers", {}).items():
        assert answer.headers[name] in header["schema"]["enum"]
    assert problems == []


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of a schema in the document."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": _DOCUMENT["components"]})


def template_of(path: str) -> str | None:
    """Return the address in the document that a path is of."""
    parts = path.split("/")
    for template in _DOCUMENT["paths"]:
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(
            one == other or one.startswith("{") for one, other in zip(wanted, parts, strict=True)
        ):
            return str(template)
    return None


def let(people: People, name: str, *namespaces: str) -> str:
    """Let somebody look into namespaces (empty: into all), and return their token."""
    where = [f"namespace {namespace}" if namespace else "all namespaces" for namespace in namespaces]
    return people.let(name, *(f"{right} in {place}" for right in READ for place in where))


@contextlib.asynccontextmanager
async def looking(
    *namespaces: str,
    ready: bool = True,
    kind: type[ShownRun] = ShownRun,
    acts: bool = True,
    wait_seconds: float = 5.0,
    dashboard: Path | None = None,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    stream_seconds: float = STREAM_SECONDS,
    task_logs: LogSettings | None = None,
) -> AsyncIterator[Looking]:
    """Let Ann look into shop, Cy into bank, Root into everything, and Ed into nothing, of which there is one run `r`.

    namespaces: those that are mirrored; none: all. ready: the mirror is let begin. acts: signals are taken.
    """
    people = People(runs={("shop", "r"): REF.uid})
    let(people, "ann", "shop")
    people.let("ann", SIGNAL.format("shop"))
    let(people, "cy", "bank")
    let(people, "root", "", "shop", "bank")
    people.let("ed")
    store = MemoryStore()
    run = kind(store, keyring=replace(KEYS, sealing=KEY))
    async with ApiServer().serve() as server, server.client() as client, server.client() as lists:
        mirror = RunMirror(lists, namespaces)
        api = ApiAccess(
            reviews=people,
            mirror=mirror,
            live=LiveObjects(client),
            logs=PodLogs(client),
            heartbeat_seconds=heartbeat_seconds,
            stream_seconds=stream_seconds,
        )
        signals = SignalAccess(reviews=people, runs=people, wait_seconds=wait_seconds) if acts else None
        async with (
            running_gateway(store, KEYS, signals=signals, api=api, dashboard=dashboard, task_logs=task_logs) as gateway,
            following(mirror, ready=ready),
        ):
            look = Looking(gateway, server, people, run, mirror)
            await look.put_reactor("x", SPEC)
            await look.put_reactor("line", LINE)
            if ready:
                await until(lambda: mirror.ready)
                await look.show()
            yield look
            mirror.feed.close()


@contextlib.asynccontextmanager
async def following(mirror: RunMirror, *, ready: bool) -> AsyncIterator[None]:
    """Let the mirror follow the runs, until the block ends."""
    task = asyncio.create_task(forever("mirror", mirror.run())) if ready else None
    yield
    if task is not None:
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
