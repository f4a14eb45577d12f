"""Interrupts on a real cluster: nothing runs while a run waits, and it goes on whichever way the payload comes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Namespace, Object, phases_of, python_step, reactor, run_of, wait_until
from tests.cluster.test_faults import REDIS, kill_operator, wait_ready

REACTOR = Path(__file__).parents[2] / ".venv" / "bin" / "reactor"
SCHEMA = {"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}}
AFTER = python_step("after", "def main(said):\n    return said\n", arguments={"said": {"result": "ask"}})


def waiting(namespace: Namespace, name: str, **interrupt: Any) -> Object:
    """Run a reactor that asks, and return its status once it waits."""
    ask = {"name": "ask", "waitFor": ["before"], "interrupt": {"payloadSchema": SCHEMA, **interrupt}}
    namespace.apply(reactor(name, [python_step("before"), ask, AFTER]), run_of(name))
    return namespace.wait_status(f"{name}-1", "it waits", lambda status: status.get("phase") == "Paused", 120)


def resume(namespace: Namespace, run: str, said: Object, name: str = "") -> None:
    key = "reactor.run/resume" + (f".{name}" if name else "")
    namespace.kubectl("annotate", "rctrun", run, f"{key}={json.dumps({'step': 'ask', **said})}")


def answers(status: Object) -> list[tuple[str, str]]:
    return [(one["id"], one["phase"]) for one in status.get("signals", [])]


def test_nothing_runs_while_a_run_waits_and_kubectl_shows_for_what(namespace: Namespace) -> None:
    status = waiting(namespace, "shown", correlationId="'order-7'", timeout="72h", maxAttempts=3)
    (shown,) = status["interrupts"]
    assert (shown["step"], shown["correlationId"], shown["attemptsLeft"]) == ("ask", "order-7", 3)
    assert {"openedAt", "expiresAt"} <= set(shown)
    wait_until("no pod is left", lambda: not namespace.pods("shown-1"))
    assert namespace.kubectl("get", "rctrun", "shown-1", "--no-headers").split()[2:5] == ["Paused", "1/3", "ask"]
    namespace.kubectl("wait", "rctrun/shown-1", "--for=condition=Paused", "--timeout=5s")


def test_an_annotation_resumes_it_and_goes(namespace: Namespace) -> None:
    waiting(namespace, "annotated")
    resume(namespace, "annotated-1", {"payload": {"ok": True}})
    status = namespace.wait_finished("annotated-1")
    assert (status["phase"], status["result"]) == ("Succeeded", {"ok": True})

    def annotations() -> bool:
        return not namespace.get("rctrun", "annotated-1")["metadata"].get("annotations", {}).get("reactor.run/resume")

    wait_until("the annotation is taken away", annotations)


def test_an_entry_of_the_status_and_the_command_resume_too(namespace: Namespace) -> None:
    waiting(namespace, "entered")
    request = {"id": "7", "action": "resume", "step": "ask", "payload": {"ok": False}, "by": "ann"}
    patch = json.dumps([{"op": "add", "path": "/status/requests/-", "value": request}])
    namespace.kubectl("patch", "rctrun", "entered-1", "--subresource=status", "--type=json", "-p", patch)
    assert namespace.wait_finished("entered-1")["result"] == {"ok": False}

    waiting(namespace, "commanded")

    def command(payload: str) -> tuple[int, str]:
        words = ["resume", "commanded-1", "--step", "ask", "--payload", payload, "-n", namespace.name]
        done = subprocess.run([REACTOR, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, told = command('{"ok": "yes"}')
    assert (code, 'payload.ok: "yes" is not of type "boolean"' in told) == (2, True), told
    code, told = command('{"ok": true}')
    assert (code, "resume accepted" in told) == (0, True), told
    assert namespace.wait_finished("commanded-1")["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("text", "yes please", "expected a JSON object"),
        ("list", "[]", "expected a JSON object"),
        ("nobody", '{"step": "nobody"}', "the run has no step nobody"),
        ("mode", '{"step": "ask", "mode": "hard"}', "mode: expected flexible"),
        ("field", '{"step": "ask", "paylod": 1}', "unknown field 'paylod'"),
    ],
)
def test_a_malformed_annotation_is_answered_and_removed(
    namespace: Namespace, name: str, value: str, reason: str
) -> None:
    waiting(namespace, f"bad-{name}")
    namespace.kubectl("annotate", "rctrun", f"bad-{name}-1", f"reactor.run/resume.{name}={value}")
    status = namespace.wait_status(f"bad-{name}-1", "it is answered", lambda status: bool(status.get("signals")))
    assert answers(status) == [(name, "Rejected")]
    assert reason in status["signals"][0]["reason"]
    resume(namespace, f"bad-{name}-1", {"payload": {"ok": True}}, "good")
    assert namespace.wait_finished(f"bad-{name}-1")["phase"] == "Succeeded"


def test_a_timer_ends_the_wait_and_the_step_fails(namespace: Namespace) -> None:
    ask = {"name": "ask", "interrupt": {"timeout": "3s", "strategy": "active"}}
    namespace.apply(reactor("timed", [ask]), run_of("timed"))
    status = namespace.wait_finished("timed-1")
    assert (status["failure"]["kind"], phases_of(status)) == ("Timeout", {"ask": "Failed"})


def test_it_survives_a_restart_of_operator_and_redis_and_a_resume_meanwhile_counts(
    namespace: Namespace, system: Namespace
) -> None:
    waiting(namespace, "survives")
    system.kubectl("delete", "pod", REDIS, "--grace-period=0", "--force")
    kill_operator(system)
    resume(namespace, "survives-1", {"payload": {"ok": True}}, "meanwhile")
    wait_ready(system)
    status = namespace.wait_finished("survives-1", 180)
    assert (status["phase"], answers(status)) == ("Succeeded", [("meanwhile", "Accepted")])


def test_of_two_runs_with_one_id_the_second_fails_clearly(namespace: Namespace) -> None:
    waiting(namespace, "first", correlationId="'only-one'")
    namespace.apply(run_of("first", "first-2"))
    status = namespace.wait_finished("first-2")
    assert status["failure"]["kind"] == "KeyConflict"
    assert "'only-one' is open already" in status["failure"]["message"]


def test_elements_of_a_map_wait_each_by_itself(namespace: Namespace) -> None:
    ask = {"name": "ask", "interrupt": {"payloadSchema": SCHEMA}}
    rows = {"name": "rows", "map": {"source": {"value": [1, 2]}, "steps": [ask]}}
    namespace.apply(reactor("rows", [rows]), run_of("rows"))
    status = namespace.wait_status("rows-1", "both wait", lambda status: len(status.get("interrupts", [])) == 2)
    assert [one["step"] for one in status["interrupts"]] == ["rows[0]/ask", "rows[1]/ask"]
    for index in (1, 0):
        resume(namespace, "rows-1", {"step": f"rows[{index}]/ask", "payload": {"ok": True}}, f"row-{index}")
    assert namespace.wait_finished("rows-1")["phase"] == "Succeeded"
