"""Steps that are requests, run here against a real service: what it is asked, and what becomes of the run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Reactor, Write
from tests.unit.runtime.service import Asked, Service, serving

SAGA = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: order}
spec:
  steps:
  - name: reserve
    arguments: {order: {input: order}}
    run:
      http:
        method: POST
        url: {expr: "inputs.service + '/reservations?draft=false'"}
        headers: {X-Order: {expr: args.order}, X-Weight: {value: 7}, X-None: {expr: "null"}}
        body: {expr: args}
        resultPath: reservation
    undo:
      http:
        method: DELETE
        url: {expr: "inputs.service + '/reservations/' + (result == null ? args.order : result.id)"}
  - name: charge
    arguments: {of: {result: reserve, path: id}}
    run:
      http:
        method: POST
        url: {expr: "inputs.service + '/charges'"}
        headers: {Authorization: {secretKeyRef: {name: bank, key: token}}}
        body: {expr: "'pay ' + args.of"}
    compensate:
      http:
        method: PUT
        url: {expr: "inputs.service + '/voids'"}
        body: {expr: "{'status': failure.detail.status, 'kind': failure.kind}"}
    retries: {maxAttempts: 3, baseDelay: 1ms}
---
apiVersion: v1
kind: Secret
metadata: {name: bank}
stringData: {token: Bearer s3cret-of-the-bank}
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service(body=b'{"reservation": {"id": "r-1"}}')) as found:
        yield found


def answers(service: Service, **statuses: list[int]) -> None:
    """Answer requests whose path begins so with these statuses, the last one for ever; all others with success."""

    def decide(asked: Asked) -> tuple[int, bytes]:
        left = statuses.get(asked.target.split("/")[1].partition("?")[0], [200])
        return left.pop(0) if len(left) > 1 else left[0], service.body

    service.decides = decide


def run(reactor: Reactor, folder: Path, service: Service, *options: str) -> Any:
    settings = ("--set", f"service={service.address}", "--set", 'order="o-1"')
    return json.loads(reactor("run", folder, "-o", "json", *settings, *options).out)["status"]


def told(service: Service) -> list[str]:
    return [f"{asked.method} {asked.target}" for asked in service.asked]


def test_what_is_sent_is_what_the_sources_say(reactor: Reactor, write: Write, service: Service) -> None:
    status = run(reactor, write({"order.yaml": SAGA}), service)
    assert status["phase"] == "Succeeded"
    assert status["result"] == {"reservation": {"id": "r-1"}}
    reserve, charge = service.asked
    assert (reserve.method, reserve.target) == ("POST", "/reservations?draft=false")
    assert reserve.body == b'{"order":"o-1"}'
    assert reserve.headers["Content-Type"] == "application/json"
    assert (reserve.headers["X-Order"], reserve.headers["X-Weight"]) == ("o-1", "7")
    assert "X-None" not in reserve.headers
    assert charge.body == b"pay r-1"
    assert charge.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert charge.headers["Authorization"] == "Bearer s3cret-of-the-bank"


def test_a_request_that_is_refused_for_good_rolls_the_run_back(
    reactor: Reactor, write: Write, service: Service
) -> None:
    answers(service, charges=[402])
    status = run(reactor, write({"order.yaml": SAGA}), service)
    assert status["phase"] == "Failed"
    assert status["failure"]["kind"] == "Http"
    assert status["failure"]["message"].startswith(f"POST {service.address}/charges answered 402 Payment Required: ")
    assert status["rollback"] == {"state": "Complete", "undone": ["charge", "reserve"], "failures": []}
    assert told(service)[1:] == ["POST /charges", "PUT /voids", "DELETE /reservations/r-1"]
    reserve, _, void, delete = service.asked
    assert json.loads(void.body) == {"status": 402, "kind": "Http"}
    assert delete.headers["Reactor-Forward-Key"] == reserve.headers["Idempotency-Key"]
    assert delete.headers["Idempotency-Key"] != reserve.headers["Idempotency-Key"]


def test_all_attempts_send_the_same_bytes_under_the_same_key(reactor: Reactor, write: Write, service: Service) -> None:
    answers(service, charges=[503, 500, 200])
    assert run(reactor, write({"order.yaml": SAGA}), service)["phase"] == "Succeeded"
    charges = service.asked[1:]
    assert len(charges) == 3
    assert charges[1:] == charges[:-1]


@pytest.mark.parametrize(("code", "undone"), [(409, []), (500, ["reserve"])])
def test_a_step_that_may_have_acted_is_undone_and_one_that_certainly_has_not_is_left(
    reactor: Reactor, write: Write, service: Service, code: int, undone: list[str]
) -> None:
    answers(service, reservations=[code, 200])
    status = run(reactor, write({"order.yaml": SAGA}), service)
    assert status["phase"] == "Failed"
    assert status["rollback"]["undone"] == undone
    assert told(service)[1:] == ["DELETE /reservations/o-1" for _ in undone]


def test_the_text_of_a_secret_is_nowhere_but_in_the_request(
    reactor: Reactor, write: Write, service: Service, tmp_path: Path
) -> None:
    def repeats(asked: Asked) -> tuple[int, bytes]:
        refused = asked.target == "/charges"
        return (403, f"not {asked.headers['Authorization']}".encode()) if refused else (200, service.body)

    service.decides = repeats
    status = run(reactor, write({"order.yaml": SAGA}), service, "--state", str(tmp_path / "state"))
    assert service.asked[1].headers["Authorization"] == "Bearer s3cret-of-the-bank"
    assert "not ***" in status["failure"]["message"]
    assert "s3cret" not in json.dumps(status)
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("state*"))
    assert b"pay r-1" in kept
    assert b"s3cret" not in kept


def test_a_request_that_cannot_be_evaluated_is_never_sent(reactor: Reactor, write: Write, service: Service) -> None:
    manifest = SAGA.replace("X-Order: {expr: args.order}", "X-Order: {expr: args.order.id}")
    status = run(reactor, write({"order.yaml": manifest}), service)
    assert (status["failure"]["kind"], status["rollback"]["state"]) == ("Expression", "NotNeeded")
    assert "step reserve: run.http.headers.X-Order.expr: " in status["failure"]["message"]
    assert service.asked == []


def test_an_address_that_no_request_can_have_is_never_asked(reactor: Reactor, write: Write, service: Service) -> None:
    manifest = SAGA.replace("/reservations?draft=false", "/a b")
    status = run(reactor, write({"order.yaml": manifest}), service)
    assert (status["failure"]["kind"], status["rollback"]["state"]) == ("InvalidArguments", "NotNeeded")
    assert "step reserve: run.http: url: found a control character, a space" in status["failure"]["message"]
    assert service.asked == []


def test_a_secret_that_is_not_among_the_manifests_is_named(reactor: Reactor, write: Write, service: Service) -> None:
    status = run(reactor, write({"order.yaml": SAGA.partition("---")[0]}), service)
    assert status["failure"]["kind"] == "CannotStart"
    assert "key 'token' of Secret 'bank' is not among the manifests" in status["failure"]["message"]
    assert told(service)[1:] == ["DELETE /reservations/r-1"]


def test_a_request_in_a_body_is_sent_too(reactor: Reactor, write: Write, service: Service) -> None:
    manifest = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: inside}
spec:
  steps:
  - name: route
    arguments: {id: {value: i-1}}
    switch:
      cases:
      - when: "true"
        run: {http: {method: GET, url: {expr: "inputs.service + '/' + args.id"}, resultPath: reservation.id}}
"""
    assert run(reactor, write({"order.yaml": manifest}), service)["result"] == "r-1"
    assert told(service) == ["GET /i-1"]


def test_plan_and_graph_say_what_is_asked_without_query_and_credentials(reactor: Reactor, write: Write) -> None:
    manifest = """\
apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {name: order}
spec:
  steps:
  - name: ship
    run: {http: {method: POST, url: {value: "https://ann:pass@courier/shipments?key=pass"}}}
    undo: {http: {method: DELETE, url: {expr: "'https://courier/' + result.id"}}}
    compensate: {http: {method: PUT, url: {input: address}}}
"""
    folder = write({"order.yaml": manifest})
    assert reactor("lint", "--strict", folder).code == 0
    plan = reactor("plan", folder).out
    for words in ("POST https://courier/shipments", "DELETE 'https://courier/' + result.id", "PUT (input address)"):
        assert words in plan
    assert "POST https://courier/shipments" in reactor("graph", folder).out
    assert "pass" not in plan + reactor("graph", folder).out
    pods = json.loads(reactor("plan", folder, "-o", "json").out)
    assert "REACTOR_HTTP" in json.dumps(pods)
