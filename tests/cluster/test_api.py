"""Runs looked at over HTTP on a real cluster, by people with rights and without."""

import threading
from typing import Any

import httpx

from tests.cluster.cluster import Namespace, python_step, reactor, run_of, wait_until
from tests.cluster.conftest import SYSTEM
from tests.cluster.test_chart import may
from tests.cluster.test_interrupts import SCHEMA, waiting
from tests.cluster.test_interrupts_from_outside import gateway, token

ACCOUNT = f"system:serviceaccount:{SYSTEM}:reactor-operator-gateway"


def get(address: str, path: str, bearer: str, /, **query: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {bearer}"}
    return httpx.get(f"{address}/api/v1/{path}", headers=headers, params=query, timeout=30)


def test_who_may_view_a_namespace_sees_its_runs_their_graphs_and_what_waits(
    namespace: Namespace, system: Namespace
) -> None:
    status = waiting(namespace, "shown", correlationId="'order-7'")
    viewer, stranger = token(namespace, "viewer", "view"), token(namespace, "stranger", "system:basic-user")
    here = f"runs/{namespace.name}/shown-1"
    with gateway(system) as address:
        assert get(address, "runs", "nobody").status_code == 401
        for path in (here, f"{here}/graph", "runs", "inbox", "changes", f"runs/{namespace.name}/none"):
            assert get(address, path, stranger).status_code == 403, path
        assert get(address, "runs", viewer, namespace=SYSTEM).status_code == 403

        def listed() -> list[str] | None:
            answer = get(address, "runs", viewer, namespace=namespace.name, phase="Paused")
            return [item["name"] for item in answer.json()["items"]] if answer.status_code == 200 else None

        assert wait_until("the run is listed", listed) == ["shown-1"]
        assert get(address, "runs", viewer).json()["namespaces"] == [namespace.name]
        found = get(address, here, viewer).json()
        assert (found["status"]["phase"], found["status"]["interrupts"]) == ("Paused", status["interrupts"])
        graph = get(address, f"{here}/graph", viewer).json()
        assert graph["pinned"]
        phases = {node["path"]: node.get("phase") for node in graph["nodes"]}
        assert (phases["before"], phases["ask"]) == ("Succeeded", "Waiting")
        assert {"start": "before", "end": "ask", "orderOnly": True} in graph["edges"]
        (item,) = get(address, "inbox", viewer).json()["items"]
        assert (item["run"], item["step"], item["correlationId"]) == ("shown-1", "ask", "order-7")
        assert item["payloadSchema"] == SCHEMA
        assert get(address, f"reactors/{namespace.name}/shown", viewer).json()["ready"]["status"] == "True"
        assert get(address, "openapi.json", viewer).json()["openapi"] == "3.1.0"


def test_who_listens_hears_a_run_begin_end_and_go(namespace: Namespace, system: Namespace) -> None:
    viewer = token(namespace, "viewer", "view")
    heard: list[str] = []

    def listen(address: str) -> None:
        headers = {"Authorization": f"Bearer {viewer}"}
        where = {"namespace": namespace.name}
        with httpx.stream("GET", f"{address}/api/v1/changes", headers=headers, params=where, timeout=60) as answer:
            for line in answer.iter_lines():
                heard.append(line)
                if line == "event: removed":
                    return

    with gateway(system) as address:
        listed = {"namespace": namespace.name}
        wait_until("the right counts", lambda: get(address, "runs", viewer, **listed).status_code == 200)
        listener = threading.Thread(target=listen, args=(address,), daemon=True)
        listener.start()
        wait_until("the stream is there", lambda: "event: ready" in heard)
        namespace.apply(reactor("told", [python_step("only")]), run_of("told"))
        namespace.wait_finished("told-1")
        wait_until("the end is told", lambda: any('"phase":"Succeeded"' in line for line in heard))
        namespace.kubectl("delete", "rctrun", "told-1", "--wait=false")
        listener.join(60)
    assert heard.count("event: removed") == 1
    assert "event: reset" not in heard


def test_the_gateway_may_look_and_nothing_more(namespace: Namespace) -> None:
    def granted(resource: str, *verbs: str) -> list[bool]:
        return [may(ACCOUNT, verb, resource, namespace.name) for verb in verbs]

    looks, writes = ("get", "list", "watch"), ("create", "patch", "delete")
    assert granted("reactorruns.reactor.run", *looks, *writes) == [True] * 3 + [False] * 3
    assert granted("reactors.reactor.run", "get", "list", "create", "delete") == [True] * 2 + [False] * 2
    assert not any(one for resource in ("secrets", "pods", "configmaps") for one in granted(resource, "get", "list"))
