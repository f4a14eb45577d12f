"""A canary in a run on a real cluster: its handlers get it, and nothing that people or machines keep has it.

What is searched: the run (but for the inputs that its author wrote), pods, Jobs and Events, the logs and the metrics of
operator and gateway, what the gateway tells who may view the namespace, and the files of Redis.
"""

import json
from collections.abc import Iterable

import pytest

from tests.cluster.cluster import (
    Namespace,
    Object,
    container_step,
    kubectl,
    phases_of,
    python_step,
    reactor,
    run_of,
    wait_until,
)
from tests.cluster.test_api import get
from tests.cluster.test_interrupts_from_outside import gateway, token
from tests.cluster.test_metrics import exposed

CANARY = "CANARY-4111-2222"
SYSTEM = "reactor-system"
PARTS = ("operator", "gateway")
SCHEMA = {"type": "object", "properties": {"card": {"type": "string", "sensitive": True}, "fail": {"type": "boolean"}}}
LOGIN = "def main(card):\n    assert len(card) == 16 and card.startswith('CAN')\n    return {'session': card + '/s'}\n"
LOGOUT = "def main(card, result):\n    assert result['session'] == card + '/s'\n"
PAY = "def main(session, fail):\n    if fail:\n        raise ValueError('declined: ' + session)\n"
READ = "grep -q 4111-2222/s /reactor/arguments.json && ! env | grep -q 4111 && printf 18 > $REACTOR_RESULT_PATH"


def wrote(run: Object) -> str:
    """Return a run as people see it, without what its author wrote into it."""
    shown = json.loads(json.dumps(run))
    del shown["spec"]["inputs"]
    shown["metadata"].get("annotations", {}).pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return json.dumps(shown)


def kept_by_redis() -> str:
    """Return the files of Redis, as text."""
    selector = "app.kubernetes.io/component=redis"
    name = kubectl("-n", SYSTEM, "get", "pods", "-l", selector, "-o", "jsonpath={.items[0].metadata.name}")
    return kubectl("-n", SYSTEM, "exec", name, "-c", "redis", "--", "sh", "-c", f"grep -rlF {CANARY} /data || true")


def told(system: Namespace, namespace: Namespace, run: str, steps: Iterable[str]) -> list[str]:
    """Return whatever the gateway tells a viewer of a run, refusals too."""
    here, viewer = f"runs/{namespace.name}/{run}", token(namespace, "viewer", "view")
    with gateway(system) as address:
        wait_until("the right counts", lambda: get(address, here, viewer).status_code == 200)
        asked = [get(address, here, viewer), get(address, "runs", viewer, namespace=namespace.name)]
        asked += [get(address, f"{here}/{what}", viewer) for what in ("graph", "history")]
        asked += [get(address, what, viewer, namespace=namespace.name) for what in ("reactors", "inbox")]
        asked += [get(address, f"{here}/value", viewer, of=what) for what in ("inputs", "output")]
        for step in steps:
            asked += [get(address, f"{here}/step", viewer, path=step)]
            asked += [get(address, f"{here}/value", viewer, of=what, path=step) for what in ("arguments", "result")]
            asked += [get(address, f"{here}/logs", viewer, task=f"{step}.{did}.1.1.1") for did in ("run", "undo")]
    assert {one.status_code for one in asked} == {200, 403, 404}, "what is sensitive is refused, what is none not there"
    return [f"{one.status_code} {one.url}: {one.text}" for one in asked]


@pytest.mark.parametrize("fails", [False, True])
def test_a_sensitive_value_reaches_its_handlers_and_nobody_else(
    namespace: Namespace, system: Namespace, fails: bool, busybox: str
) -> None:
    undo = {"python": {"source": LOGOUT}}
    steps = [
        python_step("login", LOGIN, sensitive=True, undo=undo, arguments={"card": {"input": "card"}}),
        container_step("read", READ, busybox, arguments={"session": {"result": "login", "path": "session"}}),
        python_step(
            "pay",
            PAY,
            waitFor=["read"],
            arguments={"session": {"result": "login", "path": "session"}, "fail": {"input": "fail"}},
        ),
    ]
    name = "declined" if fails else "paid"
    inputs = {"card": CANARY, "fail": fails}
    written = reactor(name, steps, inputsSchema=SCHEMA, returns={"result": "login"}, defaults={"podRetention": "all"})
    namespace.apply(written, run_of(name, inputs=inputs))
    status = namespace.wait_finished(f"{name}-1")
    if fails:
        assert phases_of(status) == {"login": "Undone", "read": "Succeeded", "pay": "Failed"}
        assert status["failure"]["message"] == "ValueError: declined: ***"
    else:
        assert status["phase"] == "Succeeded", status
        assert status["result"] == "***"
    pages = told(system, namespace, f"{name}-1", ("login", "read", "pay"))
    assert sum(page.startswith("200 ") for page in pages) >= 12, pages
    shown = [wrote(namespace.get("rctrun", f"{name}-1")), *pages]
    shown += [namespace.kubectl("get", kind, "-o", "yaml") for kind in ("pods", "jobs", "events")]
    for part in PARTS:
        selector = f"app.kubernetes.io/component={part}"
        shown.append(kubectl("-n", SYSTEM, "logs", "-l", selector, "--tail=-1", "--since=10m"))
        shown += exposed(system, part)
    assert [one for one in shown if CANARY in one] == []
    assert kept_by_redis() == ""
