"""kopf over an API server in this process: what it tells, that it writes nothing, and that it never lives on blind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web

from reactor_operator.changes.kinds import KindWatch
from reactor_operator.changes.runs import RunChanges
from reactor_operator.changes.served import Served
from reactor_operator.changes.turns import Turns
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.paths import REACTOR, REACTOR_POOL, REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import ReactorObject
from reactor_operator.status.reactors import ReactorJudge
from tests.unit.kube.api_server import ApiServer, Json

PATH = REACTOR_RUN.object("shop", "r")


class Discovered(ApiServer):
    """Tells what it serves, as kopf asks for it."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        found = _DISCOVERY.get(request.path)
        return await super().handle(request) if found is None else web.json_response(found)


def _resources(version: str, *names: tuple[str, str]) -> Json:
    verbs = ["get", "list", "watch", "patch"]
    listed = [
        {"name": name, "kind": kind, "singularName": "", "namespaced": True, "verbs": verbs} for name, kind in names
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": listed}


def _group(name: str, version: str) -> Json:
    told = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [told], "preferredVersion": told}


_CRDS = ("customresourcedefinitions", "CustomResourceDefinition")
_DISCOVERY: Json = {
    "/api": {"versions": ["v1"]},
    "/apis": {"groups": [_group("reactor.run", "v1alpha1"), _group("apiextensions.k8s.io", "v1")]},
    "/api/v1": _resources("v1", ("namespaces", "Namespace"), ("events", "Event")),
    "/apis/apiextensions.k8s.io/v1": _resources("apiextensions.k8s.io/v1", _CRDS),
    "/apis/reactor.run/v1alpha1": _resources(
        "reactor.run/v1alpha1",
        ("reactors", "Reactor"),
        ("reactorruns", "ReactorRun"),
        ("reactorpools", "ReactorPool"),
        ("reactorsignals", "ReactorSignal"),
    ),
}


class Told:
    """Takes what kopf tells of our kinds."""

    def __init__(self) -> None:
        self.events: list[tuple[str | None, str]] = []
        self.changed_once = asyncio.Event()
        self.judged_once = asyncio.Event()
        self.gone_once = asyncio.Event()
        self.pool_once = asyncio.Event()
        self.signal_once = asyncio.Event()

    async def changed(self, kind: str | None, object_: JsonObject) -> None:
        self.events.append((kind, object_["metadata"]["name"]))
        self.changed_once.set()

    async def judge(self, reactor: ReactorObject, _: JsonObject) -> None:
        self.events.append(("judged", reactor.name))
        self.judged_once.set()

    def reactor_changed(self, reactor: ReactorObject) -> None:
        self.events.append(("reactor", reactor.name))

    def reactor_gone(self, reactor: ReactorObject) -> None:
        self.events.append(("gone", reactor.name))
        self.gone_once.set()

    def pool_changed(self, kind: str | None, object_: JsonObject) -> None:
        self.events.append((kind, object_["metadata"]["name"]))
        self.pool_once.set()

    def signal_changed(self, kind: str | None, object_: JsonObject) -> None:
        self.events.append((kind, object_["metadata"]["name"]))
        self.signal_once.set()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Discovered]:
    async with Discovered().serve() as serving:
        yield cast("Discovered", serving)


def watch(server: ApiServer, client: Any, told: Told, namespaces: tuple[str, ...]) -> KindWatch:
    return KindWatch(
        access=server.access(),
        served=Served(client, namespaces, look_seconds=0.05),
        runs=cast("RunChanges", told),
        turns=cast("Turns", told),
        judge=cast("ReactorJudge", told),
        pool_changed=told.pool_changed,
        signal_changed=told.signal_changed,
        started=lambda: None,
    )


@pytest.mark.parametrize("namespaces", [(), ("shop",)])
async def test_all_kinds_are_told_and_nothing_is_written(server: Discovered, namespaces: tuple[str, ...]) -> None:
    told = Told()
    body: Json = {"apiVersion": REACTOR.api_version, "kind": REACTOR.name, "spec": {}}
    await server.put(REACTOR.object("shop", "x"), body)
    async with server.client() as client:
        following = asyncio.create_task(watch(server, client, told, namespaces).run())
        try:
            async with asyncio.timeout(10):
                await told.judged_once.wait()
                await server.put(PATH, {"kind": REACTOR_RUN.name, "spec": {}})
                await told.changed_once.wait()
                await server.put(REACTOR_POOL.object("shop", "p"), {"kind": REACTOR_POOL.name, "spec": {}})
                await told.pool_once.wait()
                await server.put(REACTOR_SIGNAL.object("shop", "s"), {"kind": REACTOR_SIGNAL.name, "spec": {}})
                await told.signal_once.wait()
                await server.remove(REACTOR.object("shop", "x"))
                await told.gone_once.wait()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    assert {("ADDED", "r"), ("ADDED", "p"), ("ADDED", "s")} <= set(told.events)
    assert server.writes == []


async def test_it_ends_for_a_new_start_once_a_namespace_is_served_that_was_refused(server: Discovered) -> None:
    server.script = [(403, {"reason": "Forbidden", "message": "no role here"}, {})]
    async with server.client() as client, asyncio.timeout(15):
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            await watch(server, client, Told(), ("a", "shop")).run()
