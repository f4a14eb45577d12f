"""Requests of people on a real cluster: by annotation, in the status, by command, and with the operator away."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cluster.cluster import KubectlFailed, Namespace, Object, phases_of, python_step, reactor, run_of, wait_until

REACTOR = Path(__file__).parents[2] / ".venv" / "bin" / "reactor"
UNDO = {"python": {"source": "def main(**_): pass"}}
FAILS = "def main(card):\n    if card == 'bad':\n        raise ValueError('declined')\n    return card\n"


def answers(status: Object) -> list[tuple[str, str]]:
    return [(one["action"], one["phase"]) for one in status.get("signals", [])]


def undoable(namespace: Namespace, name: str, card: str) -> Object:
    """Run a reactor of two steps, of which the second declines a bad card."""
    charge = python_step("charge", FAILS, undo=UNDO, waitFor=["reserve"], arguments={"card": {"input": "card"}})
    namespace.apply(reactor(name, [python_step("reserve", undo=UNDO), charge]), run_of(name, inputs={"card": card}))
    return namespace.wait_finished(f"{name}-1")


def test_a_run_that_succeeded_is_undone_by_annotation(namespace: Namespace) -> None:
    assert undoable(namespace, "annotated", "good")["phase"] == "Succeeded"
    namespace.kubectl("annotate", "rctrun", "annotated-1", 'reactor.run/undo={"reason": "a mistake"}')
    status = namespace.wait_status("annotated-1", "it is undone", lambda status: status["phase"] == "Undone")
    assert status["rollback"]["undone"] == ["charge", "reserve"]
    assert answers(status) == [("undo", "Accepted")]

    def annotations() -> bool:
        return not namespace.get("rctrun", "annotated-1")["metadata"].get("annotations", {}).get("reactor.run/undo")

    wait_until("the annotation is taken away", annotations)


def test_a_run_that_is_undone_to_be_deleted_goes(namespace: Namespace) -> None:
    assert undoable(namespace, "gone", "good")["phase"] == "Succeeded"
    namespace.kubectl("annotate", "rctrun", "gone-1", 'reactor.run/undo={"delete": true}')
    wait_until("it is deleted", lambda: not namespace.kubectl("get", "rctrun", "gone-1", "--ignore-not-found"))

    def undone() -> bool:
        return "Undone" in namespace.kubectl("get", "events", "-o", "jsonpath={.items[*].reason}")

    wait_until("an Event tells that it was undone", undone)


def test_a_failed_run_is_retried_by_an_entry_of_the_status(namespace: Namespace) -> None:
    assert undoable(namespace, "entered", "bad")["phase"] == "Failed"
    request = {"id": "7", "action": "retry", "step": "charge", "arguments": {"card": "good"}, "by": "ann"}
    patch = json.dumps([{"op": "add", "path": "/status/requests/-", "value": request}])
    namespace.kubectl("patch", "rctrun", "entered-1", "--subresource=status", "--type=json", "-p", patch)
    status = namespace.wait_status("entered-1", "it succeeds", lambda status: status["phase"] == "Succeeded")
    assert phases_of(status) == {"reserve": "Succeeded", "charge": "Succeeded"}
    assert [(one["id"], one["by"]) for one in status["signals"]] == [("7", "ann")]
    namespace.wait_status("entered-1", "the entry is taken away", lambda status: status["requests"] == [])


def test_the_command_tells_the_answer_and_a_refusal(namespace: Namespace) -> None:
    assert undoable(namespace, "commanded", "bad")["phase"] == "Failed"

    def command(*words: str) -> tuple[int, str]:
        done = subprocess.run([REACTOR, *words, "-n", namespace.name], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = command("cancel", "commanded-1")
    assert (code, "cancel is refused: the run has ended: Failed" in said) == (2, True), said
    code, said = command("skip", "commanded-1", "charge", "--payload", '"by hand"')
    assert (code, "skip accepted" in said) == (0, True), said
    status = namespace.wait_status("commanded-1", "it goes on", lambda status: status["phase"] == "Succeeded")
    assert status["result"] == "by hand"


def test_a_suspended_run_starts_nothing_until_it_goes_on(namespace: Namespace) -> None:
    namespace.apply(reactor("still", [python_step("a")]), run_of("still", suspend=True))
    namespace.wait_status("still-1", "it is suspended", lambda status: status.get("phase") == "Suspended")
    assert not namespace.pods("still-1")
    namespace.kubectl("patch", "rctrun", "still-1", "--type=merge", "-p", '{"spec": {"suspend": false}}')
    assert namespace.wait_finished("still-1")["phase"] == "Succeeded"


def test_a_run_is_suspended_by_annotation_and_goes_on_by_an_entry_of_the_status(namespace: Namespace) -> None:
    slow = "import time\ndef main():\n    time.sleep(8)\n"
    steps = [python_step("a", slow), python_step("b", waitFor=["a"])]
    namespace.apply(reactor("held", steps), run_of("held"))
    namespace.wait_status("held-1", "a runs", lambda status: phases_of(status).get("a") == "Running")
    namespace.kubectl("annotate", "rctrun", "held-1", 'reactor.run/suspend={"reason": "look first"}')
    status = namespace.wait_status("held-1", "a has ended", lambda status: phases_of(status)["a"] == "Succeeded")
    assert (status["phase"], phases_of(status)["b"]) == ("Suspended", "Pending")
    assert "on request (annotation: look first)" in status["message"]
    namespace.kubectl("patch", "rctrun", "held-1", "--type=merge", "-p", '{"spec": {"ttlAfterFinished": "1h"}}')
    namespace.wait_status("held-1", "the spec was seen", lambda status: status["observedGeneration"] == 2)
    assert namespace.status("held-1")["phase"] == "Suspended"
    request = {"id": "7", "action": "suspend", "suspend": False, "by": "ann"}
    patch = json.dumps([{"op": "add", "path": "/status/requests/-", "value": request}])
    namespace.kubectl("patch", "rctrun", "held-1", "--subresource=status", "--type=json", "-p", patch)
    status = namespace.wait_finished("held-1")
    assert (status["phase"], answers(status)) == ("Succeeded", [("suspend", "Accepted"), ("suspend", "Accepted")])


def test_a_run_that_waits_for_its_turn_is_suspended_before_it_starts(namespace: Namespace) -> None:
    slow = "import time\ndef main():\n    time.sleep(8)\n"
    first, second = (run_of("turns", name=name) for name in ("turns-1", "turns-2"))
    namespace.apply(reactor("turns", [python_step("a", slow)], maxActiveRuns=1), first)
    namespace.wait_status("turns-1", "it runs", lambda status: status.get("phase") == "Running")
    namespace.apply(second)
    namespace.wait_status("turns-2", "it waits", lambda status: status.get("phase") == "Pending")
    namespace.kubectl("annotate", "rctrun", "turns-2", "reactor.run/suspend=true")
    namespace.wait_status("turns-2", "it is answered", lambda status: bool(answers(status)))
    status = namespace.wait_status("turns-2", "it is its turn", lambda status: status["phase"] == "Suspended")
    assert not namespace.pods("turns-2")
    assert answers(status) == [("suspend", "Accepted")]
    namespace.kubectl("annotate", "rctrun", "turns-2", "reactor.run/suspend.go=false")
    assert namespace.wait_finished("turns-2")["phase"] == "Succeeded"


def test_a_request_that_cannot_be_read_is_refused_and_others_are_not(namespace: Namespace) -> None:
    assert undoable(namespace, "odd", "good")["phase"] == "Succeeded"
    namespace.kubectl("annotate", "rctrun", "odd-1", "reactor.run/skip.1={{{", "reactor.run/undo.2=true")
    status = namespace.wait_status("odd-1", "both are answered", lambda status: len(answers(status)) == 2)
    assert set(answers(status)) == {("skip", "Rejected"), ("undo", "Accepted")}


def test_somebody_else_may_write_requests_and_nothing_beside_them(namespace: Namespace) -> None:
    assert undoable(namespace, "guarded", "good")["phase"] == "Succeeded"
    forged = [
        {"op": "add", "path": "/status/requests/-", "value": {"id": "1", "action": "undo"}},
        {"op": "replace", "path": "/status/message", "value": "all is well"},
    ]
    with pytest.raises(KubectlFailed):
        namespace.kubectl(
            "patch", "rctrun", "guarded-1", "--subresource=status", "--type=json", "-p", json.dumps(forged)
        )
    assert namespace.status("guarded-1")["requests"] == []
