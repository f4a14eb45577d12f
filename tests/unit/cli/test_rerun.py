"""`reactor rerun`: what goes along into the new run, what stays behind, and what is refused."""

from typing import Any

import pytest

from reactor_operator.cli.rerun import render_rerun
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.test_cluster import REACTORS, RUNS, OnCluster, a_reactor, on_cluster, server

__all__ = ["on_cluster", "server"]


def a_run(**metadata: object) -> dict[str, Any]:
    return {
        "metadata": {"name": "greet-1", **metadata},
        "spec": {"reactorRef": {"name": "greet"}, "inputs": {"who": "Ada"}, "ttlAfterFinished": "1h"},
        "status": {"phase": "Failed"},
    }


def test_the_new_run_has_the_reactor_and_inputs_of_the_old_one_overlaid(
    on_cluster: OnCluster, server: ApiServer
) -> None:
    server.put(REACTORS, a_reactor())
    server.put(RUNS, a_run())
    answer = on_cluster("rerun", "greet-1")
    assert (answer.code, answer.out) == (0, "reactorrun.reactor.run/greet-1-rerun-x7k2p created\n")
    made = server.objects[f"{RUNS}/greet-1-rerun-x7k2p"]
    assert made["spec"] == {"reactorRef": {"name": "greet"}, "inputs": {"who": "Ada"}, "ttlAfterFinished": "1h"}
    assert made["metadata"]["annotations"] == {"reactor.run/rerun-of": "greet-1"}
    assert "status" not in made
    assert on_cluster("rerun", "greet-1", "--set", "who=Bob", "--name", "mine").code == 0
    assert server.objects[f"{RUNS}/mine"]["spec"]["inputs"] == {"who": "Bob"}
    assert server.objects[f"{RUNS}/greet-1"]["spec"]["inputs"] == {"who": "Ada"}


def test_a_rerun_is_another_transaction_and_says_so(on_cluster: OnCluster, server: ApiServer) -> None:
    server.put(REACTORS, a_reactor())
    before = a_run()
    server.put(RUNS, before | {"spec": before["spec"] | {"idempotencyKey": "order-o-1"}})
    answer = on_cluster("rerun", "greet-1", "--name", "mine")
    assert answer.code == 0
    assert "the idempotencyKey 'order-o-1' of run 'greet-1' is left out: this is a new transaction" in answer.err
    assert "idempotencyKey" not in server.objects[f"{RUNS}/mine"]["spec"]


def test_what_is_not_there_or_does_not_fit_is_refused_and_nothing_is_made(
    on_cluster: OnCluster, server: ApiServer
) -> None:
    server.put(RUNS, a_run())
    answer = on_cluster("rerun", "greet-2")
    assert (
        answer.code,
        "ReactorRun 'greet-2' not found in namespace 'shop'; did you mean 'greet-1'?" in answer.err,
    ) == (
        1,
        True,
    )
    answer = on_cluster("rerun", "greet-1")
    assert (answer.code, "Reactor 'greet' not found" in answer.err) == (1, True)
    server.put(REACTORS, a_reactor())
    answer = on_cluster("rerun", "greet-1", "--set", "who=[1]")
    assert (answer.code, "the inputs do not fit Reactor 'greet'" in answer.err) == (1, True)
    assert not [path for path in server.objects if path.startswith(RUNS) and not path.endswith("greet-1")]


def test_marks_of_users_go_along_and_those_of_reactor_run_and_of_tools_stay() -> None:
    theirs = {"shop.example/order": "o-1", "team": "payments", "notreactor.run/x": "1"}
    ours = {"reactor.run/cancel": "why", "reactor.run/rerun-of": "greet-0", "dashboard.reactor.run/x": "1"}
    tools = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "argocd.argoproj.io/tracking-id": "a"}
    tracked = {
        "app.kubernetes.io/instance": "shop",
        "helm.toolkit.fluxcd.io/name": "shop",
        "kustomize.toolkit.fluxcd.io/name": "shop",
    }
    theirs |= {"app.kubernetes.io/name": "orders"}
    made = render_rerun(a_run(labels=theirs | ours | tracked, annotations=theirs | ours | tools | tracked), {}, None)
    assert made["metadata"]["labels"] == theirs
    assert made["metadata"]["annotations"] == theirs | {"reactor.run/rerun-of": "greet-1"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a", "a-rerun-"), ("x" * 253, "x" * 51 + "-rerun-"), ("x" * 50 + ".y", "x" * 50 + "-rerun-")],
)
def test_the_name_shows_what_is_repeated_however_long_it_is(name: str, expected: str) -> None:
    """The API server keeps 58 characters of a generateName."""
    made = render_rerun(a_run(name=name), {}, None)
    assert made["metadata"] == {"generateName": expected, "annotations": {"reactor.run/rerun-of": name}}
    assert len(expected) <= 58
