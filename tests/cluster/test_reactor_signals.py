"""ReactorSignals on a real cluster: what they ask is done and answered, and nobody asks in another one's name."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.cluster import KubectlFailed, Namespace, Object, phases_of, python_step, reactor, run_of, wait_until
from tests.cluster.test_faults import kill_operator, wait_ready
from tests.cluster.test_interrupts import waiting

UNDO = {"python": {"source": "def main(**_): pass"}}
FAILS = "def main():\n    raise ValueError('declined')\n"
SLOW = "import time\ndef main():\n    time.sleep(30)\n"


def signal(name: str, run: str, action: str, **spec: Any) -> Object:
    """Return a ReactorSignal."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorSignal",
        "metadata": {"name": name},
        "spec": {"runRef": {"name": run}, "action": action, **spec},
    }


def signal_by_id(name: str, reactor_name: str, correlation: str, **spec: Any) -> Object:
    """Return a ReactorSignal that resumes what waits under a correlation id."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorSignal",
        "metadata": {"name": name},
        "spec": {
            "reactorRef": {"name": reactor_name},
            "correlationId": correlation,
            "action": "resume",
            "payload": {"ok": True, "by": name},
            **spec,
        },
    }


def wait_pending(namespace: Namespace, name: str, reason: str) -> None:
    """Wait until a signal says that it waits, and for what."""

    def waits() -> bool:
        status = namespace.get("rctsig", name).get("status", {})
        return status.get("phase") == "Pending" and reason in status.get("reason", "")

    wait_until(f"signal {name} waits: {reason}", waits)


def send(namespace: Namespace, asked: Object, user: str = "") -> None:
    """Create a signal, as a user if one is named. Raises KubectlFailed."""
    flags = [f"--as={user}"] if user else []
    namespace.kubectl("create", "-f", "-", *flags, stdin=json.dumps(asked))


def wait_answer(namespace: Namespace, name: str) -> Object:
    """Wait until a signal is answered, and return its status."""

    def look() -> Object | None:
        status: Object = namespace.get("rctsig", name).get("status", {})
        return status if status.get("phase") in ("Accepted", "Rejected", "Expired") else None

    return wait_until(f"signal {name} is answered", look)


def status_is(phase: str) -> Callable[[Object], bool]:
    return lambda status: status.get("phase") == phase


def test_a_run_is_undone_and_the_signal_has_its_answer_and_its_owner(namespace: Namespace) -> None:
    namespace.apply(reactor("back", [python_step("a", undo=UNDO)]), run_of("back"))
    assert namespace.wait_finished("back-1")["phase"] == "Succeeded"
    send(namespace, signal("undo", "back-1", "undo", reason="a mistake", ttl="2h"))
    answer = wait_answer(namespace, "undo")
    assert (answer["phase"], answer["reason"]) == ("Accepted", "a mistake")
    status = namespace.wait_status("back-1", "it is undone", status_is("Undone"))
    uid = namespace.get("rctsig", "undo")["metadata"]["uid"]
    assert [(one["id"], one["by"]) for one in status["signals"]] == [(f"signal-{uid}", "signal")]
    (owner,) = namespace.get("rctsig", "undo")["metadata"]["ownerReferences"]
    assert owner["uid"] == namespace.get("rctrun", "back-1")["metadata"]["uid"]
    shown = namespace.kubectl("get", "rctsig", "undo", "--no-headers").split()
    assert shown[:4] == ["undo", "back-1", "undo", "Accepted"]
    send(namespace, signal("again", "back-1", "undo", ttl="3s"))
    assert wait_answer(namespace, "again")["phase"] == "Rejected"
    wait_until("its time is over", lambda: not namespace.kubectl("get", "rctsig", "again", "--ignore-not-found"))
    namespace.kubectl("delete", "rctrun", "back-1")
    wait_until("it goes with its run", lambda: not namespace.kubectl("get", "rctsig", "undo", "--ignore-not-found"))


def test_a_signal_that_comes_before_its_run_cancels_it_before_it_starts(namespace: Namespace) -> None:
    send(namespace, signal("early", "slow-1", "cancel"))

    def waits() -> bool:
        return "there is no run slow-1 yet" in namespace.get("rctsig", "early").get("status", {}).get("reason", "")

    wait_until("it waits", waits)
    namespace.apply(reactor("slow", [python_step("a", SLOW)]), run_of("slow"))
    assert wait_answer(namespace, "early")["phase"] == "Accepted"
    assert namespace.wait_finished("slow-1")["phase"] == "Cancelled"


def test_a_step_that_failed_is_given_a_value_of_any_kind(namespace: Namespace) -> None:
    namespace.apply(reactor("given", [python_step("a", FAILS)]), run_of("given"))
    assert namespace.wait_finished("given-1")["phase"] == "Failed"
    send(namespace, signal("skip", "given-1", "skip", step="a", payload={"by": ["hand", None, 1]}))
    assert wait_answer(namespace, "skip")["phase"] == "Accepted"
    status = namespace.wait_status("given-1", "it goes on", status_is("Succeeded"))
    assert phases_of(status) == {"a": "Skipped"}
    assert status["result"] == {"by": ["hand", None, 1]}


def test_what_does_not_belong_to_the_action_or_does_not_exist_is_refused(namespace: Namespace) -> None:
    send(namespace, signal("odd", "none", "cancel", dryRun=True, dryrun=True))
    answer = wait_answer(namespace, "odd")
    assert answer["phase"] == "Rejected"
    assert any("dryrun" in error for error in answer["errors"])
    send(namespace, signal("dry", "none", "cancel", dryRun=True))
    assert "spec.dryRun" in wait_answer(namespace, "dry")["reason"]


def test_another_run_of_the_name_is_not_asked(namespace: Namespace) -> None:
    namespace.apply(reactor("other", [python_step("a", undo=UNDO)]), run_of("other"))
    assert namespace.wait_finished("other-1")["phase"] == "Succeeded"
    send(namespace, signal("wrong", "other-1", "undo", runUid="another"))
    assert "spec.runUid" in wait_answer(namespace, "wrong")["reason"]
    assert namespace.status("other-1")["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "patch",
    [
        {"action": "undo"},
        {"payload": {"b": 1}},
        {"requestedBy": "somebody"},
    ],
)
def test_a_signal_never_changes(namespace: Namespace, patch: Object) -> None:
    send(namespace, signal("fixed", "none", "skip", step="a", payload={"a": 1}))
    with pytest.raises(KubectlFailed, match="spec cannot be changed"):
        namespace.kubectl("patch", "rctsig", "fixed", "--type=merge", "-p", json.dumps({"spec": patch}))


def test_a_key_of_the_payload_that_is_renamed_is_a_change(namespace: Namespace) -> None:
    send(namespace, signal("renamed", "none", "skip", step="a", payload={"a": 1}))
    patch = json.dumps([{"op": "replace", "path": "/spec/payload", "value": {"b": 1}}])
    with pytest.raises(KubectlFailed, match="spec cannot be changed"):
        namespace.kubectl("patch", "rctsig", "renamed", "--type=json", "-p", patch)


@pytest.mark.parametrize(
    ("role", "asks", "approves"),
    [("view", False, False), ("edit", True, False), ("reactor-approve", True, True), ("admin", True, True)],
)
def test_nobody_asks_in_the_name_of_another(namespace: Namespace, role: str, asks: bool, approves: bool) -> None:
    namespace.kubectl("create", "rolebinding", "probe", f"--clusterrole={role}", "--user=ann")
    forged = signal("forged", "none", "cancel", requestedBy="bob")
    with pytest.raises(KubectlFailed, match="requestedBy must be" if asks else "cannot create resource"):
        send(namespace, forged, "ann")
    resume = {"step": "a", "asApprover": True}
    approving = signal("approving", "none", "resume", requestedBy="ann", **resume)
    nameless = signal("nameless", "none", "resume", **resume)
    if not asks:
        with pytest.raises(KubectlFailed, match="cannot create resource"):
            send(namespace, approving, "ann")
        return
    send(namespace, signal("hers", "none", "cancel", requestedBy="ann"), "ann")
    send(namespace, signal("modest", "none", "resume", step="a", asApprover=False), "ann")
    with pytest.raises(KubectlFailed, match=r"asApprover needs spec\.requestedBy"):
        send(namespace, nameless, "ann")
    if approves:
        send(namespace, approving, "ann")
        return
    with pytest.raises(KubectlFailed, match="asApprover needs the right to update reactorruns/approval"):
        send(namespace, approving, "ann")


def test_nobody_but_the_operator_answers(namespace: Namespace) -> None:
    send(namespace, signal("forged", "none", "cancel"))
    patch = json.dumps({"status": {"phase": "Accepted"}})
    with pytest.raises(KubectlFailed, match="is written by system:serviceaccount"):
        namespace.kubectl("patch", "rctsig", "forged", "--subresource=status", "--type=merge", "-p", patch)
    namespace.kubectl("create", "rolebinding", "probe", "--clusterrole=admin", "--user=ann")
    with pytest.raises(KubectlFailed, match=r"cannot (get|patch) resource"):
        namespace.kubectl("patch", "rctsig", "forged", "--subresource=status", "--type=merge", "-p", patch, "--as=ann")


def test_what_waits_under_an_id_is_resumed_and_the_signal_says_where_it_was_found(namespace: Namespace) -> None:
    waiting(namespace, "found", correlationId="'found-7'")
    send(namespace, signal_by_id("mail", "found", "found-7"))
    assert wait_answer(namespace, "mail")["phase"] == "Accepted"
    status = namespace.wait_finished("found-1")
    assert (status["phase"], status["result"]) == ("Succeeded", {"ok": True, "by": "mail"})
    shown, run = namespace.get("rctsig", "mail"), namespace.get("rctrun", "found-1")["metadata"]["uid"]
    assert shown["status"]["found"] == {"run": "found-1", "uid": run, "step": "ask", "round": 1}
    assert [owner["uid"] for owner in shown["metadata"]["ownerReferences"]] == [run]
    wide = namespace.kubectl("get", "rctsig", "mail", "--no-headers", "-o", "wide")
    assert {"found-7", "found-1", "Accepted"} <= set(wide.split())


def test_with_a_message_it_waits_for_its_interrupt_to_open(namespace: Namespace) -> None:
    send(namespace, signal_by_id("early", "soon", "soon-7", messageId="mail-1"))
    wait_pending(namespace, "early", "no interrupt of reactor soon waits under the id 'soon-7' yet")
    ask = {"name": "ask", "waitFor": ["before"], "interrupt": {"correlationId": "'soon-7'"}}
    namespace.apply(reactor("soon", [python_step("before"), ask]), run_of("soon"))
    assert wait_answer(namespace, "early")["phase"] == "Accepted"
    status = namespace.wait_finished("soon-1")
    assert (status["result"], [one["id"] for one in status["signals"]]) == ({"ok": True, "by": "early"}, ["mail-1"])


def test_without_a_message_it_does_not_wait(namespace: Namespace) -> None:
    send(namespace, signal_by_id("hasty", "nobody", "none-7"))
    answer = wait_answer(namespace, "hasty")
    assert answer["phase"] == "Rejected"
    assert answer["reason"].startswith("no interrupt of reactor nobody waits under the id 'none-7'")
    assert "spec.messageId" in answer["reason"]


def test_another_step_than_the_one_that_waits_under_the_id_is_refused(namespace: Namespace) -> None:
    waiting(namespace, "strict", correlationId="'strict-7'")
    send(namespace, signal_by_id("wrong", "strict", "strict-7", step="after"))
    answer = wait_answer(namespace, "wrong")
    assert answer["reason"] == "spec.step: found 'after', expected 'ask', which waits under the id, or none"
    assert "signals" not in namespace.status("strict-1") or not namespace.status("strict-1")["signals"]


def test_of_two_that_wait_one_resumes_it_and_what_comes_later_is_told_that_it_closed(namespace: Namespace) -> None:
    for name in ("a", "b"):
        send(namespace, signal_by_id(name, "once", "once-7", messageId=f"mail-{name}"))
        wait_pending(namespace, name, "waits under the id 'once-7' yet")
    waiting(namespace, "kept", correlationId="'kept-7'")
    ask = {"name": "ask", "interrupt": {"correlationId": "'once-7'"}}
    namespace.apply(reactor("once", [ask]), run_of("once"))
    answers = {name: wait_answer(namespace, name)["phase"] for name in ("a", "b")}
    assert sorted(answers.values()) == ["Accepted", "Rejected"]
    (winner,) = (name for name, phase in answers.items() if phase == "Accepted")
    assert namespace.wait_finished("once-1")["result"] == {"ok": True, "by": winner}
    send(namespace, signal_by_id("late", "once", "once-7", messageId="mail-late"))
    assert wait_answer(namespace, "late")["reason"] == "interrupt ask is closed: nothing waits under the id 'once-7'"
    send(namespace, signal_by_id("again", "once", "once-7", messageId=f"mail-{winner}"))
    assert wait_answer(namespace, "again")["phase"] == "Accepted"
    assert namespace.status("kept-1")["phase"] == "Paused", "another id is another interrupt"


def test_it_waits_through_a_restart_of_the_operator_and_is_for_one_run_alone(
    namespace: Namespace, system: Namespace
) -> None:
    send(namespace, signal_by_id("patient", "later", "later-7", messageId="mail-1"))
    wait_pending(namespace, "patient", "waits under the id 'later-7' yet")
    kill_operator(system)
    ask = {"name": "ask", "interrupt": {"correlationId": "'later-7'"}}
    namespace.apply(reactor("later", [ask]), run_of("later"))
    wait_ready(system)
    assert wait_answer(namespace, "patient")["phase"] == "Accepted"
    assert namespace.wait_finished("later-1")["result"] == {"ok": True, "by": "patient"}
    kill_operator(system)
    namespace.apply(run_of("later", "later-2"))
    wait_ready(system)
    status = namespace.wait_status("later-2", "it waits", status_is("Paused"), 120)
    send(namespace, signal_by_id("repeated", "later", "later-7", messageId="mail-1"))
    assert wait_answer(namespace, "repeated")["phase"] == "Accepted"
    assert namespace.get("rctsig", "repeated")["status"]["found"]["run"] == "later-1"
    status = namespace.status("later-2")
    assert (status["phase"], status.get("signals") or []) == ("Paused", [])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"runRef": {"name": "r"}}, "oneOf|must validate one and only one schema"),
        ({"correlationId": None, "runRef": {"name": "r"}}, "spec.reactorRef and spec.correlationId go together"),
        ({"reactorRef": None}, "spec.reactorRef and spec.correlationId go together"),
    ],
)
def test_an_id_goes_with_its_reactor_and_without_a_run(namespace: Namespace, changed: Object, told: str) -> None:
    asked = signal_by_id("odd", "checkout", "order-7", **changed)
    asked["spec"] = {name: value for name, value in asked["spec"].items() if value is not None}
    with pytest.raises(KubectlFailed, match=told):
        send(namespace, asked)
