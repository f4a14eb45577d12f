"""Maps on a cluster: elements that share pods, and what becomes of each."""

import json
import re

from tests.cluster.cluster import Namespace, Object, reactor, run_of, steps_of

STORE = """
def main(row, context):
    print("key", context.idempotency_key)
    if row == 7:
        raise ValueError("no seven")
    return row * 2
"""
REMOVE = "def main(row, result):\n    print('removed', row, result)\n"


def pods_of(namespace: Namespace, action: str) -> list[Object]:
    """Return the pods of an action, in the order in which they were made."""
    found = [pod for pod in namespace.pods("import-1") if pod["metadata"]["labels"]["reactor.run/action"] == action]
    return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))


def logs(namespace: Namespace, pods: list[Object]) -> list[str]:
    """Return what pods printed. A run may know their outcomes before the kubelet tells of their start."""
    names = [pod["metadata"]["name"] for pod in pods]
    namespace.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", *(f"pod/{n}" for n in names))
    return [namespace.kubectl("logs", name) for name in names]


def test_elements_share_pods_and_fail_and_are_undone_each_by_itself(namespace: Namespace) -> None:
    step = {
        "name": "rows",
        "arguments": {"row": {"element": "rows"}},
        "podRetention": "all",
        "map": {
            "source": {"input": "rows"},
            "batchSize": 20,
            "elementsPerTask": 10,
            "failFast": False,
            "run": {"python": {"source": STORE}},
        },
        "undo": {"python": {"source": REMOVE}},
    }
    namespace.apply(reactor("import", [step]), run_of("import", inputs={"rows": list(range(20))}))
    status = namespace.wait_finished("import-1")
    assert status["phase"] == "Succeeded"
    told = steps_of(status)["rows"]["map"]
    assert (told["total"], told["succeeded"], told["failed"]) == (20, 19, 1)
    pods = pods_of(namespace, "run")
    assert len(pods) == 2
    keys = [re.findall(r"(rows\[\d+\])\S*: key (\w+)", log) for log in logs(namespace, pods)]
    assert [len(found) for found in keys] == [10, 10]
    assert len({key for found in keys for _, key in found}) == 20

    undo = json.dumps({"reason": "test"})
    namespace.kubectl("annotate", "rctrun/import-1", f"reactor.run/undo={undo}")
    namespace.wait_status("import-1", "it is undone", lambda status: status.get("phase") == "Undone", 120)
    pods = pods_of(namespace, "undo")
    assert len(pods) == 2
    removed = [re.findall(r": removed (\d+) (\d+)", log) for log in logs(namespace, pods)]
    kept = [number for number in range(19, -1, -1) if number != 7]
    in_order = sorted(removed, key=lambda found: int(found[0][0]), reverse=True)
    assert [int(row) for found in in_order for row, _ in found] == kept
    assert all(int(result) == 2 * int(row) for found in removed for row, result in found)
