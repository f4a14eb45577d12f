"""Webhooks on a real cluster: the example with somebody who plays the service, and who gets in and who does not."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cluster.cluster import Namespace, Object, kubectl, wait_until
from tests.cluster.conftest import SYSTEM
from tests.cluster.test_interrupts_from_outside import gateway
from tests.expected_examples import EXAMPLES, EXPECTED

EXAMPLE = EXAMPLES / "11-report-webhook"
KEYS = "test-webhook-keys"
"""The Secret that tests/cluster/values.yaml names."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The service that delivers to the webhook of the example in a namespace."""

    address: str
    key: str

    def deliver(self, said: object, *named: str, key: str | None = None) -> tuple[int, Object]:
        """Deliver as the README of the example says; return the code and the answer."""
        command = [sys.executable, str(EXAMPLE / "deliver.py"), self.address, key or self.key, json.dumps(said), *named]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        code, _, told = done.stdout.partition(" ")
        answer: Object = json.loads(told)
        return int(code), answer


@pytest.fixture
def sender(namespace: Namespace, system: Namespace) -> Iterator[Sender]:
    """Yield a sender whose key the gateway has mounted."""
    key = secrets.token_hex(32)
    kubectl("-n", SYSTEM, "delete", "secret", KEYS, "--ignore-not-found")
    kubectl("-n", SYSTEM, "create", "secret", "generic", KEYS, f"--from-literal=report-service={key}")
    namespace.apply_folder(EXAMPLE)
    with gateway(system) as address:
        made = Sender(f"{address}/v1/webhooks/{namespace.name}/monthly-report/finished", key)
        # A kubelet brings a new key into the mounted folder within some two minutes; until then nothing is proven.
        wait_until("the key is there", lambda: made.deliver({"type": "probe"})[0] == 202, 180)
        yield made


def finished(**data: object) -> Object:
    return {"type": "report.finished", "data": data}


@pytest.mark.timeout(600)
def test_the_service_calls_back_as_the_readme_says(namespace: Namespace, sender: Sender) -> None:
    namespace.kubectl("wait", "rctrun", "--all", "--for=condition=Paused", "--timeout=120s")
    october = finished(month="2026-10", status="ready", rows=1234)
    assert sender.deliver(october, "msg_1", key="0" * 64)[0] == 401
    assert sender.deliver({"type": "report.started"}) == (202, {"answer": "ignored"})
    code, told = sender.deliver(finished(month="2026-10", status="perhaps"), "msg_0")
    assert (code, told["errors"]) == (422, ['payload.status: \'perhaps\' is not one of "ready" or "failed"'])
    assert told["reason"] == "the payload is invalid: send another one (2 attempts left)"
    accepted = {"id": "webhook.finished.msg_1", "run": "october-published", "answer": "accepted"}
    assert sender.deliver(october, "msg_1") == (200, accepted)
    assert sender.deliver(october, "msg_1") == (200, accepted)
    assert sender.deliver(october, "msg_2")[0] == 409
    assert sender.deliver(finished(month="2027-01", status="ready"))[0] == 404
    assert sender.deliver(finished(month="2026-11", status="failed", reason="no sales"))[0] == 200
    for run, expected in EXPECTED["11-report-webhook"].items():
        expected.check(namespace.wait_finished(run))
    (told,) = (one for one in namespace.status("october-published")["signals"] if one["phase"] == "Accepted")
    assert (told["id"], told["by"]) == ("webhook.finished.msg_1", "webhook finished")


@pytest.mark.timeout(600)
def test_three_deliveries_that_make_no_sense_end_the_wait(namespace: Namespace, sender: Sender) -> None:
    namespace.kubectl("wait", "rctrun/october-published", "--for=condition=Paused", "--timeout=120s")
    codes = [sender.deliver(finished(month="2026-10", status=word))[0] for word in ("a", "b", "c")]
    assert codes == [422, 422, 422]
    status = namespace.wait_finished("october-published")
    assert (status["phase"], status["rollback"]["undone"]) == ("Failed", ["request"])
    assert "3 payloads were refused" in status["failure"]["message"]
    assert sender.deliver(finished(month="2026-10", status="ready"))[0] == 409
