"""How the workers of a pool are: read from its Deployment and its pods."""

from typing import Any

import pytest

from reactor_operator.pools.workers import is_of, read_workers
from tests.unit.pools.made import Json, deployment, pool, running, stuck_pod, worker_pod

RUNS: Json = {"running": {"startedAt": "2026-11-22T12:00:00Z"}}
PULL = "ImagePullBackOff: an image cannot be pulled, see spec.image of the pool:"


def test_all_that_are_wanted_and_ready_are_settled() -> None:
    found = read_workers(running(deployment(), 2))
    assert (found.wanted, found.replicas, found.ready, found.settled, found.trouble) == (2, 2, 2, True, "")


@pytest.mark.parametrize(
    "found",
    [
        deployment(),
        running(deployment(), 1),
        running(deployment(), 2, updated=1),
        running(deployment(), 3, replicas=3),
        {**running(deployment(), 2), "metadata": {"generation": 9}},
    ],
)
def test_until_then_they_are_not(found: Json) -> None:
    assert not read_workers(found).settled


@pytest.mark.parametrize(
    ("pods", "trouble"),
    [
        ([], ""),
        ([worker_pod(1, RUNS)], ""),
        ([stuck_pod(1, "ContainerCreating")], ""),
        ([worker_pod(2, RUNS), stuck_pod(1, "ErrImagePull", "no such image")], f"{PULL} no such image"),
        ([stuck_pod(1, "ImagePullBackOff", "back-off")], f"{PULL} back-off"),
        ([stuck_pod(1, "CreateContainerConfigError", 'secret "x" not found')],) * 1
        + ('CreateContainerConfigError: secret "x" not found',),
        ([stuck_pod(1, "ErrImagePull", "old"), stuck_pod(2, "CreateContainerConfigError", "new")],) * 1
        + ("CreateContainerConfigError: new",),
        (
            [stuck_pod(1, "CrashLoopBackOff", last={"terminated": {"exitCode": 1, "reason": "Error"}})],
            "CrashLoopBackOff: a worker exited with code 1, again and again; does its image carry python3 and "
            "reactor-runtime? kubectl logs reactor-pool-resize-1 --previous may say more",
        ),
        (
            [stuck_pod(1, "CrashLoopBackOff", last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})],
            "CrashLoopBackOff: a worker ran out of memory, again and again; see resources.limits.memory of the pool",
        ),
        ([stuck_pod(1, "CrashLoopBackOff", "back-off 10s")], "CrashLoopBackOff: back-off 10s"),
    ],
)
def test_the_newest_pod_that_cannot_start_says_why(pods: list[Json], trouble: str) -> None:
    assert read_workers(running(deployment(), 0), pods).trouble == trouble


def test_a_pod_that_goes_says_nothing() -> None:
    pod = stuck_pod(1, "ErrImagePull")
    pod["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert read_workers(running(deployment(), 0), [pod]).trouble == ""


def test_a_deployment_that_may_make_no_pod_says_why_and_one_that_gave_up_where_no_pod_does() -> None:
    quota = running(deployment(), 0, ReplicaFailure="True FailedCreate: exceeded quota: pods=1")
    assert read_workers(quota, [stuck_pod(1, "ErrImagePull")]).trouble == "FailedCreate: exceeded quota: pods=1"
    late = running(deployment(), 0, Progressing="False ProgressDeadlineExceeded: too slow")
    assert read_workers(late).trouble == "ProgressDeadlineExceeded: too slow"
    assert read_workers(late, [stuck_pod(1, "ErrImagePull", "x")]).trouble == f"{PULL} x"


def test_a_deployment_is_a_pools_by_uid() -> None:
    found = deployment()
    assert is_of(found, pool())
    found["metadata"]["ownerReferences"][0]["uid"] = "another"
    assert not is_of(found, pool())


@pytest.mark.parametrize("found", [{}, {"status": 3}, {"spec": {"replicas": "2"}, "status": {"conditions": [1]}}])
def test_any_json_is_an_answer(found: dict[str, Any]) -> None:
    assert read_workers(found, [{}, {"status": {"containerStatuses": "x"}}]).ready == 0
