"""`reactor dashboard` on a real cluster: through a port-forward of its API server, as ServiceAccounts with rights and
without, and a run that is resumed from the page."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.cluster.cluster import Namespace, wait_until
from tests.cluster.test_interrupts import waiting
from tests.cluster.test_interrupts_from_outside import gateway, token

COMMAND = [sys.executable, "-c", "from reactor_operator.cli.main import main; main()"]
HEADERS = {"X-Reactor-Request": "1"}


@contextmanager
def served(*words: str) -> Iterator[str]:
    """Serve the dashboard, and yield the address that lets a browser in, once."""
    command = [*COMMAND, "dashboard", "--no-browser", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://127\S+", said)
            assert found is not None, said + process.stdout.read()
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def dashboard(*words: str) -> Iterator[httpx.Client]:
    """Serve the dashboard, and yield a browser that had the key."""
    with served(*words) as address:
        base = address.partition("/dashboard")[0]
        with httpx.Client(base_url=base, timeout=60, trust_env=False) as browser:
            assert browser.get(address).status_code == 303
            yield browser


def test_a_page_on_this_machine_shows_what_an_account_may_see_and_acts_with_its_right(
    namespace: Namespace, system: Namespace
) -> None:
    waiting(namespace, "asked")
    for name, role in (("editor", "edit"), ("viewer", "view")):
        token(namespace, name, role)
    asked = f"/api/v1/runs/{namespace.name}/asked-1/requests"
    resume = {"action": "resume", "step": "ask", "payload": {"ok": True}, "messageId": "page-1"}
    with dashboard("--service-account", f"{namespace.name}/viewer") as browser:
        session = browser.get("/api/v1/session").json()
        assert session["user"] == f"system:serviceaccount:{namespace.name}:viewer"
        assert (session["namespaces"], session["may"]) == ([namespace.name], {"act": False, "approve": False})
        assert browser.post(asked, json=resume, headers=HEADERS).status_code == 403
    with dashboard("--service-account", f"{namespace.name}/editor") as browser:
        assert "<html" in browser.get("/dashboard/").text
        assert "default-src 'none'" in browser.get("/dashboard/").headers["content-security-policy"]
        assert browser.get("/api/v1/session").json()["may"] == {"act": True, "approve": False}

        def listed() -> list[str] | None:
            answer = browser.get("/api/v1/runs", params={"namespace": namespace.name, "phase": "Paused"})
            return [item["name"] for item in answer.json()["items"]] or None

        assert wait_until("the run is listed", listed) == ["asked-1"]
        with browser.stream("GET", "/api/v1/changes", params={"namespace": namespace.name}) as changes:
            lines = changes.iter_lines()
            while next(lines) != "event: ready":
                pass
            assert browser.post(asked, json=resume, headers={}).status_code == 403
            answer = browser.post(asked, json=resume, headers=HEADERS)
            assert (answer.status_code, answer.json()["answer"]) == (200, "accepted")
            while '"phase":"Succeeded"' not in next(lines):
                pass
        assert browser.get(f"{asked}/page-1").json()["answer"] == "accepted"
    namespace.wait_finished("asked-1")


def test_the_api_server_s_own_proxy_takes_away_who_asks(namespace: Namespace, system: Namespace) -> None:
    """Why a port-forward is needed: through the proxy to a Service the gateway is asked by nobody."""
    bearer = {"Authorization": f"Bearer {token(namespace, 'viewer', 'view')}"}
    with gateway(system) as address:
        assert httpx.get(f"{address}/api/v1/session", headers=bearer, timeout=30).status_code == 200
    path = f"/api/v1/namespaces/{system.name}/services/reactor-operator-gateway:http/proxy/api/v1/session"
    with subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            answer = httpx.get(f"http://{proxy.stdout.readline().split()[-1]}{path}", headers=bearer, timeout=30)
        finally:
            proxy.terminate()
    assert (answer.status_code, "expected Authorization: Bearer TOKEN" in answer.text) == (401, True)
