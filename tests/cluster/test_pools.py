"""Pools: workers kept, scaled and told of; tasks that run on them, survive them, or say why they do not start."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cluster.cluster import KubectlFailed, Namespace, Object, kubectl, reactor, run_of, steps_of, wait_until

KIND = "reactorpool"
DEPLOYMENT = "reactor-pool-fast"


def pool(**spec: Any) -> Object:
    """Return a ReactorPool."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorPool",
        "metadata": {"name": "fast"},
        "spec": spec,
    }


def on_pool(name: str, source: str, pool_name: str = "fast", **fields: Any) -> Object:
    """Return a step that calls Python on a pool."""
    place = {"placement": "pool", "poolRef": {"name": pool_name}}
    return {"name": name, "run": {"python": {"source": source}}, **place, **fields}


def ready(namespace: Namespace, seconds: int = 120) -> None:
    namespace.kubectl("wait", f"{KIND}/fast", "--for=condition=Ready", f"--timeout={seconds}s")


def replicas(namespace: Namespace) -> int:
    return int(namespace.get("deployment", DEPLOYMENT)["spec"]["replicas"])


def condition(namespace: Namespace, name: str) -> Object:
    found: list[Object] = namespace.get(KIND, "fast").get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == name), {})


def test_a_pool_is_ready_when_a_worker_is_and_its_workers_go_with_it(namespace: Namespace) -> None:
    namespace.apply(pool(replicas=2))
    ready(namespace)
    told = namespace.kubectl("get", "rctpool", "fast").splitlines()
    assert told[0].split() == ["NAME", "REPLICAS", "READY", "QUEUED", "AGE"]
    namespace.kubectl("delete", KIND, "fast")
    wait_until("its pods are gone", lambda: not namespace.find("pods"), 120)


def test_a_pool_is_scaled_through_its_subresource(namespace: Namespace) -> None:
    namespace.apply(pool())
    ready(namespace)
    namespace.kubectl("scale", f"{KIND}/fast", "--replicas=2")
    wait_until("two workers are ready", lambda: namespace.get(KIND, "fast")["status"].get("readyReplicas") == 2, 60)
    namespace.kubectl("scale", "deployment", DEPLOYMENT, "--replicas=4")
    wait_until("the Deployment is put right", lambda: replicas(namespace) == 2, 30)


def test_workers_that_cannot_start_say_why(namespace: Namespace) -> None:
    namespace.apply(pool(image="registry.invalid/none:1"))
    wait_until("it is told", lambda: condition(namespace, "Stalled").get("reason") == "ImagePullBackOff", 120)
    assert condition(namespace, "Ready")["status"] == "False"


def test_a_secret_that_is_missing_is_told(namespace: Namespace) -> None:
    namespace.apply(pool(secrets=[{"name": "none", "key": "token"}]))
    wait_until("it is told", lambda: condition(namespace, "Stalled").get("reason") == "CreateContainerConfigError", 120)
    namespace.kubectl("create", "secret", "generic", "none", "--from-literal=token=s3cret")
    ready(namespace)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"minReplicas": 3, "maxReplicas": 2}, "spec.minReplicas cannot be above spec.maxReplicas"),
        ({"concurrency": 65}, "concurrency"),
        ({"replica": 2}, "unknown field"),
        ({"secrets": [{"name": "a", "key": "b"}, {"name": "a", "key": "b"}]}, "Duplicate value"),
    ],
)
def test_what_is_wrong_is_refused_when_it_is_applied(namespace: Namespace, spec: Object, told: str) -> None:
    with pytest.raises(KubectlFailed, match=told):
        namespace.apply(pool(**spec))


def test_pod_of_a_pool_that_the_api_server_refuses_is_told(namespace: Namespace) -> None:
    namespace.apply(pool(pod={"spec": {"nodeSelectors": {"a": "b"}}}))
    wait_until("it is told", lambda: condition(namespace, "Stalled").get("reason") == "InvalidPod", 30)
    assert "nodeSelectors" in condition(namespace, "Stalled")["message"]


def test_steps_run_on_a_pool_without_pods_of_their_own(namespace: Namespace) -> None:
    namespace.apply(pool(), reactor("sum", [on_pool("one", "def main():\n    return 41 + 1\n")]))
    ready(namespace)
    namespace.apply(run_of("sum"))
    status = namespace.wait_finished("sum-1", 60)
    assert (status["phase"], status["result"]) == ("Succeeded", 42)
    assert not namespace.pods("sum-1")


def test_a_secret_reaches_a_task_where_the_pool_declares_it_and_else_is_refused(namespace: Namespace) -> None:
    namespace.kubectl("create", "secret", "generic", "bank", "--from-literal=token=s3cret")
    token = {"token": {"secretKeyRef": {"name": "bank", "key": "token"}}}
    step = on_pool("pay", "def main(token):\n    return len(token)\n", arguments=token)
    namespace.apply(pool(), reactor("pay", [step]), run_of("pay"))
    failure = namespace.wait_finished("pay-1", 120)["failure"]
    assert failure["kind"] == "CannotStart"
    assert "spec.secrets of the pool" in failure["message"]
    namespace.apply(pool(secrets=[{"name": "bank", "key": "token"}]))
    namespace.kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", "--timeout=120s")
    namespace.apply(run_of("pay", "pay-2"))
    assert namespace.wait_finished("pay-2", 60)["result"] == 6


def test_a_worker_that_is_killed_loses_its_task_to_another(namespace: Namespace) -> None:
    slow = "import time\n\ndef main():\n    time.sleep(20)\n    return 1\n"
    namespace.apply(pool(replicas=2), reactor("slow", [on_pool("work", slow)]))
    ready(namespace)
    namespace.apply(run_of("slow"))
    wait_until("it is taken", lambda: namespace.get(KIND, "fast")["status"].get("leased"), 60)
    for pod in namespace.find("pods"):
        namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    status = namespace.wait_finished("slow-1", 240)
    assert status["phase"] == "Succeeded"
    step = steps_of(status)["work"]
    took = datetime.fromisoformat(step["finishedAt"]) - datetime.fromisoformat(step["startedAt"])
    assert timedelta(seconds=19) <= took < timedelta(seconds=30)


def test_a_task_of_a_pool_that_does_not_exist_says_so(namespace: Namespace) -> None:
    namespace.apply(pool(), reactor("lost", [on_pool("one", "def main():\n    return 1\n", "fats")]), run_of("lost"))

    def told() -> bool:
        reason = steps_of(namespace.status("lost-1")).get("one", {}).get("reason", "")
        return "PoolNotFound" in reason and "did you mean fast?" in reason

    wait_until("the step says why it waits", told, 60)
    namespace.kubectl("annotate", "rctrun", "lost-1", "reactor.run/cancel=not needed any more")


def test_the_operator_scales_a_pool_by_its_queue_and_back(namespace: Namespace) -> None:
    work = "import time\n\ndef main():\n    time.sleep(5)\n    return 1\n"
    namespace.apply(pool(minReplicas=0, maxReplicas=3, concurrency=1))
    namespace.apply(reactor("many", [on_pool(f"s{number}", work) for number in range(6)]))
    wait_until("it is empty", lambda: namespace.get(KIND, "fast").get("status", {}).get("replicas") == 0, 60)
    namespace.apply(run_of("many"))
    wait_until("it has three workers", lambda: replicas(namespace) == 3, 60)
    assert namespace.wait_finished("many-1", 180)["phase"] == "Succeeded"
    wait_until("it has none", lambda: replicas(namespace) == 0, 120)


def test_the_metrics_of_pools_are_shown(namespace: Namespace, system: Namespace) -> None:
    namespace.apply(pool())
    ready(namespace)

    def shown() -> bool:
        (operator,) = system.find("pods", "-l", "app.kubernetes.io/component=operator")
        path = f"/api/v1/namespaces/{system.name}/pods/{operator['metadata']['name']}:8081/proxy/metrics"
        metrics = kubectl("get", "--raw", path)
        return f'reactor_pool_ready_workers{{namespace="{namespace.name}",pool="fast"}} 1.0' in metrics

    wait_until("the series is there", shown, 30)
