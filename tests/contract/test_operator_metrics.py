"""The operator as a process, with a Redis and an API server: a run that goes through it is in what it shows."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from reactor_operator.engine.events import TaskSucceeded
from reactor_operator.engine.identity import Action, Task
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN
from reactor_operator.running.operator import run_operator
from reactor_operator.settings import load_operator_settings
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry
from reactor_operator.store.redis import RedisStore
from tests.contract.redis_server import RedisServer
from tests.unit.kube.api_server import ApiServer

GROUP, VERSION = "reactor.run", "v1alpha1"
KINDS = {
    "reactorruns": "ReactorRun",
    "reactors": "Reactor",
    "reactorpools": "ReactorPool",
    "reactorsignals": "ReactorSignal",
}
TASK = Task("a", Action.RUN, 1, 1, 1)
Shown = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class DiscoveredServer(ApiServer):
    """One that also tells which kinds it has, as kopf asks before it watches any."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        told = _discovery().get(request.path)
        return web.json_response(told) if told is not None else await super().handle(request)


def _discovery() -> dict[str, dict[str, Any]]:
    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    return {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": _resources("v1", {"namespaces": "Namespace"}, namespaced=False),
        "/apis": {
            "kind": "APIGroupList",
            "groups": [{"name": GROUP, "versions": [version], "preferredVersion": version}],
        },
        f"/apis/{GROUP}/{VERSION}": _resources(f"{GROUP}/{VERSION}", KINDS, namespaced=True),
    }


def _resources(version: str, kinds: Mapping[str, str], *, namespaced: bool) -> dict[str, Any]:
    listed = [
        {
            "name": plural,
            "singularName": kind.lower(),
            "kind": kind,
            "namespaced": namespaced,
            "verbs": ["get", "list", "watch", "patch", "delete"],
        }
        for plural, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": listed}


def kubeconfig(server: ApiServer) -> str:
    """Return one that leads to the server."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": server.url}}],
            "users": [{"name": "operator", "user": {"token": server.token}}],
            "contexts": [{"name": "it", "context": {"cluster": "here", "user": "operator", "namespace": "shop"}}],
            "current-context": "it",
        }
    )


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@asynccontextmanager
async def operating(
    redis: RedisServer, installation: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ApiServer, str]]:
    """Yield the API server of an operator that works, and the address of its metrics."""
    for name in ("token", "keys"):
        (folder / name).write_text("0" * 64)
    environment = {
        "REACTOR_INSTALLATION": installation,
        "REACTOR_REDIS_URL": redis.url,
        "REACTOR_TOKEN_KEY_FILE": str(folder / "token"),
        "REACTOR_SENSITIVE_KEYS_FILE": str(folder / "keys"),
        "REACTOR_POD_NAME": "operator",
        "REACTOR_POD_NAMESPACE": "shop",
        "REACTOR_NAMESPACES": "shop",
        "REACTOR_GATEWAY_URL": "http://gateway.example",
        "REACTOR_RUNTIME_IMAGE": "runtime",
    }
    async with DiscoveredServer().serve() as api:
        (folder / "kubeconfig").write_text(kubeconfig(api))
        monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
        stop, port = asyncio.Event(), free_port()
        work = asyncio.create_task(
            run_operator(load_operator_settings(environment), stop, lambda: None, port=port), name="operator"
        )
        try:
            yield api, f"http://127.0.0.1:{port}/metrics"
        finally:
            stop.set()
            await work


async def shown_once(address: str, true: Callable[[Shown], bool]) -> Shown:
    """Return what is shown at the address, as soon as it says what is waited for."""
    async with asyncio.timeout(20), httpx.AsyncClient() as client:
        while True:
            try:
                text = (await client.get(address)).text
            except httpx.ConnectError:
                text = ""
            families = text_string_to_metric_families(text)
            shown = {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
            }
            if true(shown):
                return shown
            await asyncio.sleep(0.05)


def place(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def of_x(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return place(name, namespace="shop", reactor="x", **labels)


async def test_what_a_run_does_is_shown_by_the_operator_that_did_it(
    redis_server: RedisServer, installation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = {"name": "a", "run": {"python": {"handler": "shop:work"}}}
    kind = {"apiVersion": f"{GROUP}/{VERSION}"}
    store = RedisStore(redis_server.url, installation)
    async with operating(redis_server, installation, tmp_path, monkeypatch) as (api, address):
        await api.put(
            REACTOR.object("shop", "x"),
            {**kind, "kind": "Reactor", "metadata": {"generation": 1}, "spec": {"steps": [step]}},
        )
        run = await api.put(
            REACTOR_RUN.object("shop", "r"),
            {
                **kind,
                "kind": "ReactorRun",
                "metadata": {"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"reactorRef": {"name": "x"}},
            },
        )
        launch = place("reactor_operator_latency_seconds_count", stage="launch")
        shown = await shown_once(address, lambda shown: shown.get(launch) == 1)
        assert shown[of_x("reactor_runs_started_total")] == 1
        assert shown[of_x("reactor_runs", phase="Running")] == 1
        assert shown[place("reactor_leader")] == 1
        outcome = Entry(
            run=run["metadata"]["uid"],
            task=TASK.key,
            final=True,
            digest="1",
            body=encode_event(TaskSucceeded(task=TASK)),
        )
        assert await store.append(outcome) is Appended.RECORDED
        ended = of_x("reactor_run_seconds_count", phase="Succeeded")
        shown = await shown_once(address, lambda shown: shown.get(ended) == 1)
        assert shown[of_x("reactor_step_seconds_count", outcome="Succeeded")] == 1
        assert shown[place("reactor_operator_latency_seconds_count", stage="commit")] == 1
        assert shown[place("reactor_store_seconds_count", operation="commit")] >= 2
        assert of_x("reactor_runs", phase="Running") not in shown
        assert not any(name.endswith("_created") for name, _ in shown)
    await store.close()
