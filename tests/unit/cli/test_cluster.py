"""The commands for a cluster: what they send to the API server, what they print, and how they exit."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reactor_operator.cli.yaml_source import parse_documents
from tests.unit.cli.api_server import ApiServer, api_server
from tests.unit.cli.conftest import EXAMPLES, REACTOR, RUN, Answer, Reactor, Write
from tests.unit.cli.runs import ROLLED_BACK

REACTORS = "/apis/reactor.run/v1alpha1/namespaces/shop/reactors"
RUNS = "/apis/reactor.run/v1alpha1/namespaces/shop/reactorruns"
PODS = "/api/v1/namespaces/shop/pods"

OnCluster = Callable[..., Answer]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as found:
        yield found


@pytest.fixture
def on_cluster(server: ApiServer, reactor: Reactor, tmp_path: Path) -> OnCluster:
    """Call `reactor ARGUMENTS…` with a kubeconfig that leads to the server."""
    kubeconfig = tmp_path / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "c",
    }
    kubeconfig.write_text(json.dumps(config))
    return lambda *arguments: reactor(*arguments, "--kubeconfig", kubeconfig)


def a_run(look: int = -1, name: str = "order-1", **metadata: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(ROLLED_BACK[look].object))
    found["metadata"] |= {"name": name, **metadata}
    return found


def a_reactor() -> dict[str, Any]:
    (document,) = parse_documents(REACTOR, "f")
    assert isinstance(document.value, dict)
    return document.value


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def meanwhile(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_apply_sends_modules_then_the_reactor_and_runs_only_when_asked(
    on_cluster: OnCluster, server: ApiServer
) -> None:
    answer = on_cluster("apply", EXAMPLES / "02-order-processing")
    assert (answer.code, answer.out.splitlines()) == (
        0,
        ["configmap/order-processing-modules applied", "reactor.reactor.run/order-processing applied"],
    )
    assert [(path, kind) for path, kind, _ in server.patches] == [
        ("/api/v1/namespaces/shop/configmaps/order-processing-modules", "application/apply-patch+yaml"),
        (f"{REACTORS}/order-processing", "application/apply-patch+yaml"),
    ]
    assert "fieldValidation=Strict" in server.requests[0]
    answer = on_cluster("apply", EXAMPLES / "02-order-processing", "--runs")
    assert answer.out.splitlines()[2:] == [
        f"reactorrun.reactor.run/order-{name} applied" for name in ("shipped", "declined", "courier-down")
    ]


SIGNAL = """\
apiVersion: reactor.run/v1alpha1
kind: ReactorSignal
metadata: {name: stop}
spec: {runRef: {name: order-1}, action: cancel}
"""


def test_apply_creates_a_signal_which_never_changes(on_cluster: OnCluster, server: ApiServer, write: Write) -> None:
    """Whoever may create signals may not patch them."""
    folder = write({"signal.yaml": SIGNAL})
    answer = on_cluster("apply", folder)
    assert (answer.code, answer.out) == (0, "reactorsignal.reactor.run/stop created\n")
    signals = "/apis/reactor.run/v1alpha1/namespaces/shop/reactorsignals"
    assert server.objects[f"{signals}/stop"]["spec"] == {"runRef": {"name": "order-1"}, "action": "cancel"}
    assert server.patches == []
    answer = on_cluster("apply", folder)
    assert (answer.code, answer.out) == (0, "reactorsignal.reactor.run/stop unchanged\n")
    answer = on_cluster("apply", write({"signal.yaml": SIGNAL.replace("cancel", "undo")}))
    assert (answer.code, "give this one another name" in answer.err) == (1, True)
    answer = on_cluster("apply", write({"signal.yaml": SIGNAL.replace("name: stop", "generateName: stop-")}))
    assert (answer.code, answer.out) == (0, "reactorsignal.reactor.run/stop-x7k2p created\n")
    server.kinds.discard("reactorsignals")
    answer = on_cluster("apply", write({"signal.yaml": SIGNAL}))
    assert (answer.code, "or no reactorsignals: install the chart" in answer.err) == (1, True)


def test_apply_sends_no_signal_that_is_wrong(on_cluster: OnCluster, server: ApiServer, write: Write) -> None:
    answer = on_cluster("apply", write({"signal.yaml": SIGNAL.replace("cancel", "resume, delete: true")}))
    assert (answer.code, "spec.delete" in answer.err) == (2, True)
    assert server.objects == {}


def test_apply_refuses_a_namespace_that_is_not_the_one_written(on_cluster: OnCluster, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR.replace("name: greet}", "name: greet, namespace: shop}")})
    assert on_cluster("apply", folder, "-n", "shop").code == 0
    answer = on_cluster("apply", folder, "-n", "other")
    assert answer.err == "Reactor 'greet' is written for namespace 'shop', found --namespace 'other'"


def test_a_namespace_that_does_not_fit_the_last_object_is_told_before_the_first_is_sent(
    on_cluster: OnCluster, server: ApiServer, write: Write
) -> None:
    folder = write({"a.yaml": REACTOR, "b.yaml": REACTOR.replace("name: greet}", "name: leave, namespace: shop}")})
    answer = on_cluster("apply", folder, "-n", "other")
    assert (answer.code, "Reactor 'leave' is written for namespace 'shop'" in answer.err) == (2, True)
    assert server.patches == []


def test_a_cluster_without_the_crds_or_the_namespace_is_told(on_cluster: OnCluster, server: ApiServer) -> None:
    server.kinds.clear()
    for answer in (
        on_cluster("list"),
        on_cluster("get", "x"),
        on_cluster("start", "greet"),
        on_cluster("logs", "x"),
    ):
        assert answer.code == 1
        assert "install the chart reactor-operator" in answer.err


def test_a_refusal_of_the_api_server_is_told_in_its_words(
    on_cluster: OnCluster, server: ApiServer, write: Write
) -> None:
    said = 'reactors.reactor.run is forbidden: User "eve" cannot patch'
    server.refusal = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": said}
    answer = on_cluster("apply", write({"reactor.yaml": REACTOR}))
    assert (answer.code, answer.err) == (1, f"the cluster refused it: Forbidden: {said}")


def test_a_cluster_that_does_not_answer_is_told(on_cluster: OnCluster, server: ApiServer) -> None:
    server.refusal = {"kind": "Status", "code": 503, "reason": "", "message": "etcd is away"}
    answer = on_cluster("list")
    assert answer.code == 1
    assert answer.err.startswith("the cluster did not answer: API server answered 503")


def test_start_makes_a_run_with_its_inputs(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(REACTORS, a_reactor())
    answer = on_cluster("start", "greet", "--set", "who=Ada")
    assert (answer.code, answer.out) == (0, "reactorrun.reactor.run/greet-x7k2p created\n")
    assert server.objects[f"{RUNS}/greet-x7k2p"]["spec"] == {"reactorRef": {"name": "greet"}, "inputs": {"who": "Ada"}}
    assert on_cluster("start", "greet", "--name", "mine").out == "reactorrun.reactor.run/mine created\n"
    again = on_cluster("start", "greet", "--name", "mine")
    assert again.code == 1
    assert "AlreadyExists" in again.err


def test_start_names_the_business_transaction(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(REACTORS, a_reactor())
    assert on_cluster("start", "greet", "--set", "who=Ada", "--name", "mine", "--key", "order-o-1").code == 0
    assert server.objects[f"{RUNS}/mine"]["spec"]["idempotencyKey"] == "order-o-1"


def test_start_refuses_inputs_that_break_the_schema_and_makes_nothing(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(REACTORS, a_reactor())
    answer = on_cluster("start", "greet", "--set", "who=[1]", "--set", "x=1")
    assert answer.code == 1
    assert sorted(line.split(":")[0] for line in answer.err.splitlines()) == ["  who", "  x", "error"]
    assert not any(request.startswith("POST") for request in server.requests)


def test_an_unknown_name_names_the_nearest(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(REACTORS, a_reactor())
    server.put(RUNS, a_run())
    assert on_cluster("start", "gret").err == "Reactor 'gret' not found in namespace 'shop'; did you mean 'greet'?"
    assert (
        on_cluster("get", "ordr-1").err == "ReactorRun 'ordr-1' not found in namespace 'shop'; did you mean 'order-1'?"
    )
    assert on_cluster("get", "zzz").err == "ReactorRun 'zzz' not found in namespace 'shop'"


def test_list_shows_the_newest_run_first(on_cluster: OnCluster, server: ApiServer) -> None:
    assert on_cluster("list").err == "no runs in namespace 'shop'\n"
    server.put(RUNS, a_run(-1, "old"))
    server.put(RUNS, a_run(1, "new", creationTimestamp="2025-06-01T10:00:00Z"))
    assert [line.split()[0] for line in on_cluster("list").out.splitlines()] == ["NAME", "new", "old"]
    assert on_cluster("list", "-A").out.startswith("NAMESPACE")
    assert on_cluster("list", "--reactor", "other").err == "no runs of reactor 'other' in namespace 'shop'\n"
    found = json.loads(on_cluster("list", "-o", "json").out)
    assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == ("List", ["new", "old"])


def test_get_tells_the_story_or_prints_the_object(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(RUNS, a_run())
    assert "ROLLBACK  Complete: charge, reserve" in on_cluster("get", "order-1").out
    assert json.loads(on_cluster("get", "order-1", "-o", "json").out)["status"]["phase"] == "Failed"
    (document,) = parse_documents(on_cluster("get", "order-1", "-o", "yaml").out, "out")
    assert isinstance(document.value, dict)
    assert document.value["metadata"]["name"] == "order-1"


def test_get_explains_a_failure_and_shows_its_traceback_to_those_who_ask(
    on_cluster: OnCluster, server: ApiServer
) -> None:
    found = a_run()
    detail = {"function": "charge", "source": "> 9 |     raise OSError", "traceback": "Traceback …\nOSError"}
    found["status"]["failure"] |= {"file": "shop/bank.py", "line": 9, "detail": detail}
    server.put(RUNS, found)
    told = on_cluster("get", "order-1").out
    assert "  charge failed after 2 attempts: card declined\n    shop/bank.py:9 in charge\n    > 9 |" in told
    assert "Traceback" not in told
    assert "    Traceback …\n    OSError\n" in on_cluster("get", "order-1", "-v").out


def test_watch_tells_the_run_to_its_end_through_broken_watches(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(RUNS, a_run(0))

    def go_on() -> None:
        wait_until(lambda: server.watchers == 1)
        server.put(RUNS, a_run(1))
        server.end_watches()
        wait_until(lambda: sum("watch=1" in request for request in server.requests) == 2 and server.watchers == 1)
        server.end_watches(gone=True)
        wait_until(lambda: sum("watch=1" in request for request in server.requests) == 3 and server.watchers == 1)
        for look in range(2, len(ROLLED_BACK)):
            server.put(RUNS, a_run(look))

    thread = meanwhile(go_on)
    answer = on_cluster("watch", "order-1")
    thread.join(20)
    assert answer.code == 1
    told = [line.split()[:2] for line in answer.out.splitlines() if line.startswith("  ")]
    assert told[0] == ["reserve", "Succeeded"]
    assert told[-2:] == [["charge", "Compensated"], ["reserve", "Undone"]]
    assert answer.out.splitlines()[-1].startswith("order-1  Failed in 1.3s")


def test_a_run_that_is_deleted_while_it_is_watched_is_told(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(RUNS, a_run(0))

    def delete() -> None:
        wait_until(lambda: server.watchers == 1)
        server.remove(f"{RUNS}/order-1")

    thread = meanwhile(delete)
    answer = on_cluster("watch", "order-1")
    thread.join(20)
    assert (answer.code, answer.err) == (1, "ReactorRun 'order-1' was deleted while it was Running")


def test_start_and_wait_exits_as_the_run_ends(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(REACTORS, a_reactor())

    def succeed() -> None:
        wait_until(lambda: server.watchers == 1)
        one = server.objects[f"{RUNS}/mine"]
        server.put(RUNS, one | {"status": {"phase": "Succeeded", "duration": "2s", "result": 42}})

    thread = meanwhile(succeed)
    answer = on_cluster("start", "greet", "--name", "mine", "--wait")
    thread.join(20)
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "mine  Succeeded in 2.0s · result 42")


def test_logs_are_those_of_the_runs_pods_oldest_first(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(RUNS, a_run())
    for number, (step, action) in enumerate([("charge", "run"), ("reserve", "run"), ("reserve", "undo")]):
        labels = {
            "reactor.run/run-uid": "uid-order-1",
            "reactor.run/step": step,
            "reactor.run/action": action,
            "reactor.run/attempt": "1",
        }
        created = f"2025-01-01T10:00:0{5 - number}Z"
        server.put(PODS, {"metadata": {"name": f"p{number}", "labels": labels, "creationTimestamp": created}})
    server.put(PODS, {"metadata": {"name": "foreign", "labels": {"reactor.run/run-uid": "other"}}})
    server.logs = {"p0": "charging\n", "p1": "reserving"}
    assert on_cluster("logs", "order-1").out.splitlines() == [
        "==> reserve undo attempt 1, pod p2 <==",
        '(container "step" in pod is waiting to start: ContainerCreating)',
        "==> reserve run attempt 1, pod p1 <==",
        "reserving",
        "==> charge run attempt 1, pod p0 <==",
        "charging",
    ]
    assert "container=step" in server.requests[-1]
    assert on_cluster("logs", "order-1", "--step", "charge").out.count("==>") == 1
    none = on_cluster("logs", "order-1", "--step", "ship")
    assert (none.code, none.out) == (0, "")
    assert none.err.startswith("step 'ship' of run 'order-1' (Failed) has no pods: podRetention")


def answering(server: ApiServer, run_phase: str, **answer: str) -> threading.Thread:
    """Answer the next request as the operator does: in the status, under the id in the annotation's key."""

    def answer_it() -> None:
        wait_until(lambda: bool(server.patches))
        (key,) = server.patches[-1][2]["metadata"]["annotations"]
        one = a_run(0)
        one["status"] |= {
            "phase": run_phase,
            "signals": [{"id": key.partition(".run/")[2].partition(".")[2], **answer}],
        }
        server.put(RUNS, one)

    return meanwhile(answer_it)


@pytest.mark.parametrize(
    ("words", "action", "said"),
    [
        (("cancel", "order-1", "--reason", 'wrong "order"'), "cancel", {"reason": 'wrong "order"'}),
        (("undo", "order-1"), "undo", {}),
        (("retry", "order-1"), "retry", {}),
        (
            ("retry", "order-1", "--step", "charge", "--arguments", '{"card": 1}', "--assume", "pack=standing"),
            "retry",
            {"step": "charge", "arguments": {"card": 1}, "assume": {"pack": "standing"}},
        ),
        (("skip", "order-1", "charge", "--payload", '"x"'), "skip", {"step": "charge", "payload": "x"}),
        (("skip", "order-1", "charge"), "skip", {"step": "charge", "payload": None}),
        (("skip", "order-1", "charge", "--payload", '""'), "skip", {"step": "charge", "payload": ""}),
        (("suspend", "order-1"), "suspend", {}),
        (("suspend", "order-1", "--reason", "look first"), "suspend", {"reason": "look first"}),
        (("suspend", "order-1", "--off"), "suspend", {"suspend": False}),
    ],
)
def test_a_request_is_an_annotation_with_an_id_and_its_answer_is_told(
    on_cluster: OnCluster, server: ApiServer, words: tuple[str, ...], action: str, said: dict[str, Any]
) -> None:
    server.put(RUNS, a_run(0))
    thread = answering(server, "Running", action=action, phase="Accepted")
    answer = on_cluster(*words)
    thread.join(20)
    off = " --off" if "--off" in words else ""
    told = f"reactorrun.reactor.run/order-1 {action}{off} accepted, the run is Running\n"
    assert (answer.code, answer.out) == (0, told)
    (path, kind, body) = server.patches[-1]
    assert (path, kind) == (f"{RUNS}/order-1", "application/merge-patch+json")
    ((key, value),) = body["metadata"]["annotations"].items()
    assert key.startswith(f"reactor.run/{action}.cli-")
    assert json.loads(value) == said


def test_asked_for_what_already_is_so_it_is_told(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(RUNS, a_run(0))
    note = "the run is not suspended"
    thread = answering(server, "Running", action="suspend", phase="Accepted", reason=note)
    answer = on_cluster("suspend", "order-1", "--off")
    thread.join(20)
    assert (answer.code, answer.out) == (
        0,
        f"reactorrun.reactor.run/order-1 suspend --off accepted, the run is Running: {note}\n",
    )


@pytest.mark.parametrize("action", ["cancel", "undo", "retry", "skip", "suspend"])
def test_every_request_takes_a_reason_and_says_where_the_run_is(on_cluster: OnCluster, action: str) -> None:
    shown = on_cluster(action, "--help").out
    for option in ("--reason", "--state", "--manifests", "--namespace", "--context", "--kubeconfig"):
        assert option in shown


def test_a_refused_request_exits_with_two_and_the_reason(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(RUNS, a_run(-1))
    thread = answering(server, "Failed", action="cancel", phase="Rejected", reason="the run has ended: Failed")
    answer = on_cluster("cancel", "order-1")
    thread.join(20)
    assert (answer.code, answer.err) == (2, "cancel is refused: the run has ended: Failed")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("retry", "order-1", "--arguments", "{x"), "--arguments: expected JSON, found '{x'"),
        (("retry", "order-1", "--assume", "pack=gone"), "--assume pack=gone: expected STEP=standing or STEP=undone"),
        (("undo", "order-9"), "ReactorRun 'order-9' not found in namespace 'shop'; did you mean 'order-1'?"),
    ],
)
def test_a_request_that_cannot_be_made_is_refused_at_once(
    on_cluster: OnCluster, server: ApiServer, words: tuple[str, ...], told: str
) -> None:
    server.put(RUNS, a_run(0))
    answer = on_cluster(*words)
    assert answer.code in (1, 2)
    assert told in answer.err
    assert not server.patches


def test_apply_starts_a_run_without_a_name_each_time(on_cluster: OnCluster, server: ApiServer, write: Write) -> None:
    folder = write({"reactor.yaml": REACTOR, "run.yaml": RUN.replace("name: greet-ada", "generateName: greet-")})
    assert on_cluster("apply", folder, "--runs").out.endswith("reactorrun.reactor.run/greet-x7k2p created\n")
