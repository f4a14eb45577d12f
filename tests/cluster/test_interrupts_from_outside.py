"""Interrupts resumed by ReactorSignals and over HTTP on a real cluster, by people with rights and without."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.cluster.cluster import Namespace, Object, python_step, reactor, run_of
from tests.cluster.test_interrupts import waiting
from tests.cluster.test_reactor_signals import send, signal, wait_answer

SLOW = "import time\ndef main():\n    time.sleep(6)\n"


def test_a_signal_that_comes_before_its_interrupt_opens_waits_for_it(namespace: Namespace) -> None:
    ask = {"name": "ask", "waitFor": ["before"], "interrupt": {}}
    namespace.apply(reactor("soon", [python_step("before", SLOW), ask]), run_of("soon"))
    namespace.wait_step("soon-1", "before", "Running")
    send(namespace, signal("early", "soon-1", "resume", step="ask", payload={"ok": True}))
    assert wait_answer(namespace, "early")["phase"] == "Accepted"
    assert namespace.wait_finished("soon-1")["result"] == {"ok": True}


def test_a_bad_payload_is_told_in_the_signal_with_every_error(namespace: Namespace) -> None:
    waiting(namespace, "told")
    send(namespace, signal("bad", "told-1", "resume", step="ask", payload={"ok": 1}))
    answer = wait_answer(namespace, "bad")
    assert (answer["phase"], answer["errors"]) == ("Rejected", ['payload.ok: 1 is not of type "boolean"'])


def test_where_approvers_are_asked_for_only_theirs_count(namespace: Namespace) -> None:
    waiting(namespace, "careful", approvers=True)
    for user, role in (("ann", "reactor-approve"), ("ed", "edit")):
        namespace.kubectl("create", "rolebinding", user, f"--clusterrole={role}", f"--user={user}")
    payload: Any = {"step": "ask", "payload": {"ok": True}}
    send(namespace, signal("plain", "careful-1", "resume", requestedBy="ed", **payload), "ed")
    assert "approvers alone" in wait_answer(namespace, "plain")["reason"]
    namespace.kubectl(
        "annotate", "rctrun", "careful-1", 'reactor.run/resume.sly={"step": "ask", "payload": {"ok": true}}'
    )
    status = namespace.wait_status("careful-1", "it is answered", lambda status: len(status.get("signals", [])) == 2)
    assert {one["phase"] for one in status["signals"]} == {"Rejected"}
    send(namespace, signal("approved", "careful-1", "resume", requestedBy="ann", asApprover=True, **payload), "ann")
    assert wait_answer(namespace, "approved")["phase"] == "Accepted"
    status = namespace.wait_finished("careful-1")
    assert status["signals"][-1]["by"] == "ann"


@contextmanager
def gateway(system: Namespace) -> Iterator[str]:
    """Yield an address at which the gateway answers."""
    command = ["kubectl", "-n", system.name, "port-forward", "service/reactor-operator-gateway", ":8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            yield f"http://{forward.stdout.readline().split()[2]}"
        finally:
            forward.terminate()


def token(namespace: Namespace, name: str, role: str) -> str:
    """Return a token of a service account that has this role in the namespace."""
    namespace.kubectl("create", "serviceaccount", name)
    who = f"--serviceaccount={namespace.name}:{name}"
    namespace.kubectl("create", "rolebinding", name, f"--clusterrole={role}", who)
    return namespace.kubectl("create", "token", name, "--duration=10m").strip()


def test_over_http_who_has_the_right_is_answered_what_the_run_answers(namespace: Namespace, system: Namespace) -> None:
    waiting(namespace, "posted", correlationId="'posted-7'")
    editor, viewer = token(namespace, "editor", "edit"), token(namespace, "viewer", "view")

    def post(bearer: str, address: str, **said: Any) -> tuple[int, Object]:
        body = {"namespace": namespace.name, "action": "resume", **said}
        answer = httpx.post(
            f"{address}/v1/signals", json=body, headers={"Authorization": f"Bearer {bearer}"}, timeout=30
        )
        found: Object = answer.json()
        return answer.status_code, found

    with gateway(system) as address:
        by_name = {"run": "posted-1", "step": "ask"}
        assert post("nobody", address, **by_name)[0] == 401
        assert post(viewer, address, **by_name)[0] == 403
        code, told = post(editor, address, **by_name, payload={"ok": 1})
        assert (code, told["errors"]) == (422, ['payload.ok: 1 is not of type "boolean"'])
        assert post(editor, address, run="posted-2", step="ask")[0] == 404
        by_id = {"reactor": "posted", "correlationId": "posted-7", "messageId": "mail-1", "payload": {"ok": True}}
        code, told = post(editor, address, **by_id)
        assert (code, told["answer"]) == (200, "accepted"), told
    status = namespace.wait_finished("posted-1")
    assert (status["phase"], status["signals"][-1]["id"]) == ("Succeeded", "mail-1")
    assert status["signals"][-1]["by"] == f"system:serviceaccount:{namespace.name}:editor"
