"""What tasks printed, over HTTP, on a real cluster: live, and after their pods are gone."""

from functools import partial

import httpx

from tests.cluster.cluster import Namespace, container_step, python_step, reactor, run_of, wait_until
from tests.cluster.conftest import SYSTEM
from tests.cluster.test_api import get
from tests.cluster.test_chart import may
from tests.cluster.test_interrupts_from_outside import gateway, token
from tests.cluster.test_pools import KIND as POOL
from tests.cluster.test_pools import on_pool, pool

SAYS = "def main():\n    print('a word from Python')\n    return 1\n"
WAITS = "import time\ndef main():\n    print('begun', flush=True)\n    time.sleep(6)\n    print('done', flush=True)\n"


def test_a_log_is_there_after_its_pod_is_gone(namespace: Namespace, system: Namespace, busybox: str) -> None:
    secret = python_step("secret", "def main():\n    print('CANARY')\n    return 'x'\n", sensitive=True)
    steps = [
        python_step("says", SAYS),
        container_step("shouts", "echo a word from a container; exit 3", busybox, waitFor=["says"]),
    ]
    namespace.apply(reactor("logged", [secret, *steps], defaults={"podRetention": "none"}), run_of("logged"))
    namespace.wait_finished("logged-1")
    wait_until("the pods are gone", lambda: not namespace.pods("logged-1"))
    viewer, stranger = token(namespace, "viewer", "view"), token(namespace, "stranger", "system:basic-user")
    here = f"runs/{namespace.name}/logged-1"
    with gateway(system) as address:
        assert get(address, f"{here}/logs", stranger, task="says.run.1.1.1").status_code == 403

        def log(task: str) -> tuple[str, str] | None:
            answer = get(address, f"{here}/logs", viewer, task=task)
            return (answer.headers["x-reactor-log"], answer.text) if answer.status_code == 200 else None

        assert wait_until("the right counts", lambda: log("says.run.1.1.1")) == ("kept", "a word from Python\n")
        assert log("shouts.run.1.1.1") == ("kept", "a word from a container\n")
        what, text = log("secret.run.1.1.1") or ("", "")
        assert (what, "CANARY" in text) == ("none", False)
        step = get(address, f"{here}/step", viewer, path="shouts").json()
        assert [(task["phase"], task["logs"]) for task in step["tasks"]] == [("Failed", True)]
        told = get(address, f"{here}/history", viewer, path="says").json()["items"]
        assert [one["to"] for one in told][:2] == ["Running", "Succeeded"]


def test_what_tasks_on_workers_print_is_kept_task_by_task(namespace: Namespace, system: Namespace) -> None:
    says = "import os\ndef main(row):\n    print('row', row, flush=True)\n    if row == 2:\n        os._exit(3)\n"
    chunks = {
        "name": "rows",
        "arguments": {"row": {"element": "rows"}},
        "map": {"source": {"input": "rows"}, "elementsPerTask": 2, "run": {"python": {"source": says}}},
    }
    on_workers = on_pool("warm", "def main():\n    print('a word from a worker')\n")
    namespace.apply(pool(), reactor("crowd", [on_workers, chunks]))
    namespace.kubectl("wait", f"{POOL}/fast", "--for=condition=Ready", "--timeout=120s")
    namespace.apply(run_of("crowd", inputs={"rows": [0, 1, 2, 3]}))
    assert namespace.wait_finished("crowd-1")["phase"] == "Failed"
    viewer = token(namespace, "viewer", "view")
    with gateway(system) as address:

        def log(task: str) -> tuple[str, str] | None:
            answer = get(address, f"runs/{namespace.name}/crowd-1/logs", viewer, task=task)
            found = (answer.headers["x-reactor-log"], answer.text) if answer.status_code == 200 else None
            return found if found and found[0] == "kept" else None

        said = {"warm.run.1.1.1": "a word from a worker\n"} | {
            f"rows[{row}].run.1.1.1": f"row {row}\n" for row in range(3)
        }
        for task, text in said.items():
            assert wait_until(f"the log of {task} is kept", partial(log, task)) == ("kept", text)


def test_who_follows_a_task_hears_what_it_prints_until_it_ends(namespace: Namespace, system: Namespace) -> None:
    namespace.apply(reactor("waits", [python_step("slow", WAITS)]), run_of("waits"))
    viewer = token(namespace, "viewer", "view")
    query = {"task": "slow.run.1.1.1", "follow": "true"}
    with gateway(system) as address:
        url, headers = f"{address}/api/v1/runs/{namespace.name}/waits-1/logs", {"Authorization": f"Bearer {viewer}"}

        def is_live() -> bool:
            with httpx.stream("GET", url, params=query, headers=headers, timeout=30) as answer:
                return str(answer.headers.get("x-reactor-log")) == "live"

        wait_until("the task prints", is_live)
        text = httpx.get(url, params=query, headers=headers, timeout=60)
    assert text.text == "begun\ndone\n"


def test_the_gateway_may_read_logs_of_pods_and_nothing_else_of_them(namespace: Namespace) -> None:
    account = f"system:serviceaccount:{SYSTEM}:reactor-operator-gateway"
    assert may(account, "get", "pods/log", namespace.name)
    for verb in ("get", "list", "delete"):
        assert not may(account, verb, "pods", namespace.name)
