"""Events told to an endpoint on a real cluster: delivered and signed; and an endpoint that hangs, in nobody's way.

The receiver is a pod of the test. It prints what it gets, so the test verifies what came over the wire.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Namespace, Object, kubectl, python_step, reactor, run_of, wait_until
from tests.cluster.conftest import SYSTEM

SIGNING_KEYS = "test-signing-keys"
"""The Secret that tests/cluster/values.yaml names."""

RECEIVER = """
import base64, json, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signature = self.headers.get("Reactor-Signature", "")
        print(json.dumps([signature, base64.b64encode(body).decode()]), flush=True)
        if self.path == "/hang":
            time.sleep(600)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("", 8087), Handler).serve_forever()
"""


@pytest.fixture
def key() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the text of a new signing key, which the operator has mounted."""
    name, text = f"t-{secrets.token_hex(4)}", secrets.token_hex(32).encode()
    _patch_keys({name: base64.b64encode(text).decode()})
    yield name, text
    _patch_keys({name: None})


def _patch_keys(data: dict[str, str | None]) -> None:
    found = kubectl("-n", SYSTEM, "get", "secret", SIGNING_KEYS, "--ignore-not-found", "-o", "name")
    if not found.strip():
        kubectl("-n", SYSTEM, "create", "secret", "generic", SIGNING_KEYS)
    kubectl("-n", SYSTEM, "patch", "secret", SIGNING_KEYS, "-p", json.dumps({"data": data}))


def receive(namespace: Namespace, image: str) -> str:
    """Run a receiver, wait until it answers, and return its address as the operator reaches it."""
    container: Object = {
        "name": "receiver",
        "image": image,
        "command": ["python3", "-c", RECEIVER],
        "readinessProbe": {"tcpSocket": {"port": 8087}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec: Object = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": "receiver", "labels": {"app": "receiver"}}
    ports = [{"port": 8087, "targetPort": 8087}]
    service = {"selector": metadata["labels"], "ports": ports}
    namespace.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    )
    namespace.kubectl("wait", "pod/receiver", "--for=condition=Ready", "--timeout=120s")
    return f"http://receiver.{namespace.name}:8087"


def received(namespace: Namespace) -> list[tuple[str, bytes]]:
    """Return the signature and the body of each request that came, in order."""
    lines = [json.loads(line) for line in namespace.kubectl("logs", "receiver").splitlines()]
    return [(signature, base64.b64decode(body)) for signature, body in lines]


def notify(url: str, **http: Any) -> list[Object]:
    return [{"name": "audit", "events": ["*"], "http": {"url": url, **http}}]


def test_the_events_of_a_failed_run_are_delivered_signed_and_in_order(
    namespace: Namespace, runtime_image: str, key: tuple[str, bytes]
) -> None:
    name, text = key
    address = receive(namespace, runtime_image)
    # A kubelet brings a new key into the mounted folder within some two minutes; until then each event is dead at once.
    step = python_step("charge", "def main(): raise ValueError('declined')\n")
    told = notify(f"{address}/events", signingKey=name)
    namespace.apply(reactor("told", [step], notifications=told))
    count = iter(range(1, 100))

    def delivered() -> str | None:
        run = f"told-{next(count)}"
        namespace.apply(run_of("told", run))
        assert namespace.wait_finished(run)["phase"] == "Failed"
        status = namespace.wait_status(run, "has told", lambda status: status["notifications"]["pending"] == 0)
        return run if status["notifications"]["delivered"] == 3 else None

    run = wait_until("the key is there", delivered, 180)
    mine = [(sign, body) for sign, body in received(namespace) if json.loads(body)["subject"] == run]
    events = [json.loads(body) for _, body in mine]
    assert [event["type"] for event in events] == [
        "run.reactor.run.started",
        "run.reactor.step.failed",
        "run.reactor.run.failed",
    ]
    uid = namespace.get("rctrun", run)["metadata"]["uid"]
    assert [event["id"] for event in events] == [f"{uid}.{number}" for number in (1, 2, 3)]
    assert events[1]["data"]["failure"] == {"kind": "Error", "message": "ValueError: declined"}
    for signature, body in mine:
        parts = dict(part.split("=", 1) for part in signature.split(","))
        assert parts["v1"] == hmac.new(text, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()


def test_a_run_ends_in_time_while_its_endpoint_hangs(namespace: Namespace, runtime_image: str) -> None:
    address = receive(namespace, runtime_image)
    told = notify(f"{address}/hang", timeout="5s", retries={"maxAttempts": 2})
    namespace.apply(
        reactor("hung", [python_step("a")], notifications=told),
        reactor("quiet", [python_step("a")]),
        run_of("quiet", "quiet-1"),
        run_of("hung", "hung-1"),
    )
    status = namespace.wait_finished("hung-1", 60)
    assert (status["phase"], status["notifications"]["delivered"]) == ("Succeeded", 0)
    assert status["notifications"]["pending"] + status["notifications"]["dead"] == 2
    assert namespace.wait_finished("quiet-1", 30)["phase"] == "Succeeded"
    dead = namespace.wait_status("hung-1", "gives up", lambda status: status["notifications"]["dead"] == 2, 60)
    assert dead["notifications"]["lastFailure"]["message"] == "no answer within 5s (after 2 attempts)"
    assert dead["phase"] == "Succeeded"
