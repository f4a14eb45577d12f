"""Faults on a real cluster (FAULTS: F1, F11, F13 to F17, F24): killed operators, lost pods, Redis emptied."""

import json
from typing import Any

import pytest

from reactor_operator.engine.identity import Action, Task, pod_name
from tests.cluster.cluster import (
    Namespace,
    container_step,
    kubectl,
    phases_of,
    python_step,
    reactor,
    run_of,
    steps_of,
    wait_until,
)

SLOW = "import time\n\ndef main():\n    time.sleep(3)\n    return 'done'\n"
FAILS = "from reactor import Failure\n\ndef main():\n    raise Failure('declined', retryable=False)\n"
SLOW_UNDO = {"python": {"source": "import time\n\ndef main():\n    time.sleep(3)\n"}}
OPERATOR = "app.kubernetes.io/component=operator"
REDIS = "reactor-operator-redis-0"


def kill_operator(system: Namespace) -> None:
    """SIGKILL the operator, as a node that fails does."""
    names = [pod["metadata"]["name"] for pod in system.find("pods", "-l", OPERATOR)]
    system.kubectl("delete", "pod", *names, "--grace-period=0", "--force", "--wait=false")


def redis(system: Namespace, *command: str) -> str:
    """Run redis-cli in the pod of Redis."""
    script = 'REDISCLI_AUTH="$(cat /etc/reactor/redis/password)" exec redis-cli -e "$@"'
    return system.kubectl("exec", REDIS, "--", "sh", "-c", script, "redis-cli", *command)


def wait_ready(system: Namespace) -> None:
    """Wait until everything of ours is up again."""
    system.kubectl("rollout", "status", "deployment/reactor-operator", "--timeout=120s")
    system.kubectl("rollout", "status", "deployment/reactor-operator-gateway", "--timeout=120s")
    system.kubectl("rollout", "status", "statefulset/reactor-operator-redis", "--timeout=120s")


def pods_made(namespace: Namespace, run: str) -> list[tuple[str, str]]:
    """Return (step, action) of each pod that was ever made for a run, by the events of the kubelet."""
    made = {
        e["involvedObject"]["name"]
        for e in namespace.find("events")
        if e["involvedObject"]["kind"] == "Pod" and e["reason"] in {"Scheduled", "Started"}
    }
    return sorted((name, run) for name in made)


def test_killing_the_operator_in_the_middle_of_a_run_runs_no_step_twice(
    namespace: Namespace, system: Namespace
) -> None:
    namespace.apply(
        reactor(
            "steady", [python_step("a", SLOW), python_step("b", SLOW, waitFor=["a"]), python_step("c", waitFor=["b"])]
        ),
        run_of("steady"),
    )
    namespace.wait_step("steady-1", "b", "Running")
    kill_operator(system)
    status = namespace.wait_finished("steady-1")
    assert status["phase"] == "Succeeded"
    assert {name: step["attempts"] for name, step in steps_of(status).items()} == {"a": 1, "b": 1, "c": 1}
    assert len(pods_made(namespace, "steady-1")) == 3


def test_killing_the_operator_in_the_middle_of_a_rollback_finishes_it_in_order(
    namespace: Namespace, system: Namespace
) -> None:
    namespace.apply(
        reactor(
            "back",
            [
                python_step("a", undo=SLOW_UNDO),
                python_step("b", waitFor=["a"], undo=SLOW_UNDO),
                python_step("c", FAILS, waitFor=["b"]),
            ],
        ),
        run_of("back"),
    )
    namespace.wait_step("back-1", "b", "Undoing")
    kill_operator(system)
    status = namespace.wait_finished("back-1")
    assert status["rollback"] == {"state": "Complete", "undone": ["b", "a"], "failures": []}
    assert len(pods_made(namespace, "back-1")) == 5


def test_a_deleted_pod_is_replaced_and_consumes_no_attempt(namespace: Namespace) -> None:
    namespace.apply(reactor("replaced", [python_step("a", SLOW)]), run_of("replaced"))
    step = namespace.wait_step("replaced-1", "a", "Running")
    wait_until("the pod runs", lambda: any(p["status"]["phase"] == "Running" for p in namespace.pods("replaced-1")))
    namespace.kubectl("delete", "pod", step["podName"], "--grace-period=0", "--force")
    status = namespace.wait_finished("replaced-1")
    assert status["phase"] == "Succeeded", status
    assert steps_of(status)["a"]["attempts"] == 1
    assert steps_of(status)["a"]["podName"] != step["podName"]


def test_redis_restarted_loses_nothing(namespace: Namespace, system: Namespace) -> None:
    namespace.apply(
        reactor("durable", [python_step("a", SLOW), python_step("b", SLOW, waitFor=["a"])]), run_of("durable")
    )
    namespace.wait_step("durable-1", "a", "Running")
    system.kubectl("delete", "pod", REDIS, "--grace-period=0", "--force")
    wait_ready(system)
    status = namespace.wait_finished("durable-1")
    assert status["phase"] == "Succeeded"
    assert len(pods_made(namespace, "durable-1")) == 2


def test_redis_emptied_starts_nothing_again_and_says_so(namespace: Namespace, system: Namespace) -> None:
    namespace.apply(
        reactor("emptied", [python_step("a"), python_step("b", SLOW, waitFor=["a"]), python_step("c", waitFor=["b"])]),
        run_of("emptied"),
        reactor("before", [python_step("a")]),
        run_of("before"),
    )
    before = namespace.wait_finished("before-1")
    namespace.wait_step("emptied-1", "b", "Running")
    redis(system, "FLUSHALL")
    status = namespace.wait_status("emptied-1", "is recovering", lambda s: s.get("phase") == "Recovering", 90)
    assert "lost" in status["message"]
    assert phases_of(status)["a"] == "Succeeded"
    assert namespace.status("before-1") == before
    namespace.apply(run_of("before", name="after-1"))
    assert namespace.wait_finished("after-1")["phase"] == "Succeeded"
    namespace.kubectl("annotate", "rctrun", "emptied-1", "reactor.run/cancel=true")
    assert namespace.wait_finished("emptied-1")["phase"] == "Cancelled"
    assert len([name for name, _ in pods_made(namespace, "emptied-1") if name.startswith("emptied")]) == 2


def test_a_reactor_edited_or_deleted_mid_run_changes_nothing_of_the_run(namespace: Namespace) -> None:
    steps = [python_step("a", SLOW), python_step("b", "def main():\n    return 'old'\n", waitFor=["a"])]
    namespace.apply(reactor("edited", steps), run_of("edited"))
    namespace.wait_step("edited-1", "a", "Running")
    namespace.apply(reactor("edited", [python_step("z", "def main():\n    return 'new'\n")]))
    namespace.kubectl("delete", "rct", "edited")
    status = namespace.wait_finished("edited-1")
    assert status["result"] == "old"


def test_a_foreign_pod_with_the_predicted_name_is_not_adopted(namespace: Namespace, busybox: str) -> None:
    namespace.apply(run_of("foreign"))
    uid = namespace.get("rctrun", "foreign-1")["metadata"]["uid"]
    name = pod_name("foreign-1", uid, Task("a", Action.RUN, 1, 1, 1))
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "x", "image": busybox, "command": ["sleep", "300"], "securityContext": security}
    namespace.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}
    )
    namespace.apply(reactor("foreign", [python_step("a")]))
    status = namespace.wait_finished("foreign-1")
    assert status["failure"]["kind"] == "CannotStart"
    assert "ForeignPod" in status["failure"]["message"]
    assert namespace.get("pod", name)["spec"]["containers"][0]["command"] == ["sleep", "300"]


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"ownerReferences": None}},
        {"metadata": {"labels": {"reactor.run/run-uid": "nonsense", "reactor.run/step": "other"}}},
        {"metadata": {"annotations": {"reactor.run/seal": "forged"}}},
    ],
)
def test_a_pod_whose_marks_were_corrupted_does_not_confuse_its_run(namespace: Namespace, patch: dict[str, Any]) -> None:
    namespace.apply(reactor("marks", [python_step("a", SLOW), python_step("b", waitFor=["a"])]), run_of("marks"))
    step = namespace.wait_step("marks-1", "a", "Running")
    namespace.kubectl("patch", "pod", step["podName"], "--type=merge", "-p", json.dumps(patch))
    status = namespace.wait_finished("marks-1")
    assert status["phase"] in {"Succeeded", "Failed"}
    assert phases_of(status)["a"] in {"Succeeded", "Failed", "RollbackFailed"}


@pytest.mark.parametrize(
    "annotation",
    [
        "reactor.run/cancel=not json {",
        "reactor.run/cancel=[1,2,3]",
        "reactor.run/cancel." + "x" * 50 + "=" + "{" * 5000,
        "reactor.run/cancel=" + '{"reason": "' + "é" * 50_000 + '"}',
        "reactor.run/cancel=\\u0000",
    ],
)
def test_hostile_annotations_are_answered_and_stop_nothing(namespace: Namespace, annotation: str) -> None:
    namespace.apply(reactor("hostile", [python_step("a", SLOW)]), run_of("hostile"))
    namespace.wait_step("hostile-1", "a", "Running")
    namespace.kubectl("annotate", "rctrun", "hostile-1", annotation)
    status = namespace.wait_finished("hostile-1")
    assert status["phase"] in {"Succeeded", "Cancelled"}
    namespace.apply(run_of("hostile", name="next-1"))
    assert namespace.wait_finished("next-1")["phase"] == "Succeeded"


def test_a_deleted_run_takes_its_pods_with_it(namespace: Namespace) -> None:
    namespace.apply(
        reactor("gone", [python_step("a", "import time\n\ndef main():\n    time.sleep(60)\n")]), run_of("gone")
    )
    namespace.wait_step("gone-1", "a", "Running")
    wait_until("its pod is there", lambda: namespace.pods("gone-1"))
    namespace.kubectl("delete", "rctrun", "gone-1")
    wait_until("its pods are gone", lambda: not namespace.pods("gone-1"), 90)


def test_the_state_of_a_deleted_run_is_swept(namespace: Namespace, system: Namespace) -> None:
    namespace.apply(reactor("swept", [python_step("a")]), run_of("swept"))
    namespace.wait_finished("swept-1")
    uid = namespace.get("rctrun", "swept-1")["metadata"]["uid"]
    assert redis(system, "--scan", "--pattern", f"*{uid}*").strip()
    namespace.kubectl("delete", "rctrun", "swept-1")
    wait_until("no key of the run is left", lambda: not redis(system, "--scan", "--pattern", f"*{uid}*").strip(), 150)


def test_a_namespace_that_is_deleted_mid_run_goes(namespace: Namespace, busybox: str) -> None:
    kubectl("create", "namespace", f"{namespace.name}-x")
    other = Namespace(f"{namespace.name}-x")
    other.apply(reactor("doomed", [container_step("a", "sleep 60", busybox)]), run_of("doomed"))
    other.wait_step("doomed-1", "a", "Running")
    kubectl("delete", "namespace", other.name, "--wait=false")
    wait_until("the namespace is gone", lambda: other.name not in kubectl("get", "namespaces", "-o", "name"), 120)
