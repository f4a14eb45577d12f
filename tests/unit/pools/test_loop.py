"""Pools over an API server: a Deployment each, written only where something changed, by an operator that may be new."""

import asyncio
from dataclasses import replace

import pytest

from reactor_operator.kube.paths import DEPLOYMENT, EVENT
from reactor_operator.pools.loop import PoolLoop
from reactor_operator.pools.pool import parse_pool
from reactor_operator.pools.reconciler import PoolReconciler
from reactor_operator.pools.roster import PoolRoster
from tests.unit.pools.followed import KEY, POOL, WORKERS, PoolTrial
from tests.unit.pools.made import UID, Json, stuck_pod, tasks
from tests.unit.tasks.orders import SETTINGS

APPLY, TELL = f"PATCH {WORKERS}", f"PATCH {POOL}/status"


async def test_a_pool_gets_its_deployment_and_is_ready_when_a_worker_is(trial: PoolTrial) -> None:
    await trial.put({"replicas": 2})
    await trial.look()
    assert trial.server.writes == [APPLY, TELL]
    assert trial.replicas == 2
    assert trial.server.objects[WORKERS]["metadata"]["ownerReferences"][0]["uid"] == UID
    assert trial.condition("Ready") == ("False", "NoWorkerReady")
    await trial.settle(1)
    await trial.look()
    assert trial.condition("Ready") == ("True", "WorkersReady")
    assert trial.condition("Progressing")[0] == "True"
    await trial.settle(2)
    await trial.look()
    assert (trial.status["replicas"], trial.status["readyReplicas"]) == (2, 2)
    assert trial.condition("Progressing")[0] == "False"


async def test_nothing_is_written_while_nothing_changes(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.settle()
    await trial.look()
    written = trial.writes_during()
    for _ in range(3):
        trial.mark()
        await trial.look()
    assert written() == []


async def test_a_new_operator_applies_once_and_writes_nothing_else(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.settle()
    await trial.look()
    written = trial.writes_during()
    roster = PoolRoster()
    roster.changed(None, trial.server.objects[POOL])
    reconciler = PoolReconciler(trial.client, SETTINGS, trial.clock)
    loop = PoolLoop(roster, reconciler, trial.queues, trial.clock, trial.metrics)
    await loop.look()
    roster.mark("shop", "resize")
    await loop.look()
    assert written() == [APPLY]


async def test_a_changed_spec_is_applied_and_what_it_says_no_more_goes(trial: PoolTrial) -> None:
    await trial.put(
        {"image": "shop:1", "env": [{"name": "A", "value": "1"}], "pod": {"spec": {"nodeSelector": {"a": "b"}}}}
    )
    await trial.look()
    await trial.put({"image": "shop:2"}, generation=4)
    await trial.look()
    spec = trial.server.objects[WORKERS]["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "shop:2"
    assert "nodeSelector" not in spec
    assert trial.status["observedGeneration"] == 4


async def test_a_deployment_that_somebody_changed_is_put_right(trial: PoolTrial) -> None:
    await trial.put({"image": "shop:1"})
    await trial.look()
    found = trial.server.objects[WORKERS]
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1"
    found["metadata"]["generation"] += 1
    await trial.server.put(WORKERS, found)
    trial.mark()
    await trial.look()
    containers = trial.server.objects[WORKERS]["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == "shop:1"


async def test_a_deployment_that_somebody_deleted_comes_back(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.server.remove(WORKERS)
    trial.mark()
    await trial.look()
    assert WORKERS in trial.server.objects


async def test_a_foreign_deployment_is_left_alone_and_told(trial: PoolTrial) -> None:
    await trial.server.put(WORKERS, {"metadata": {}, "spec": {"replicas": 7}})
    await trial.put()
    await trial.look()
    assert trial.replicas == 7
    assert trial.condition("Stalled") == ("True", "ForeignDeployment")
    assert APPLY not in trial.server.writes


async def test_the_deployment_of_a_pool_that_had_this_name_is_waited_out(trial: PoolTrial) -> None:
    await trial.put(uid="before")
    await trial.look()
    await trial.put()
    trial.mark()
    written = trial.writes_during()
    await trial.look()
    assert APPLY not in written()
    assert trial.condition("Stalled")[0] == "False"
    await trial.server.remove(WORKERS)
    trial.mark()
    await trial.look()
    assert trial.server.objects[WORKERS]["metadata"]["ownerReferences"][0]["uid"] == UID


async def test_a_deleted_pool_is_left_to_its_owner_reference(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    trial.roster.changed("DELETED", trial.server.objects[POOL])
    written = trial.writes_during()
    await trial.look()
    assert written() == []


async def test_a_pool_that_is_being_deleted_makes_nothing(trial: PoolTrial) -> None:
    await trial.put(deletionTimestamp="2026-11-22T12:00:00Z")
    await trial.look()
    assert trial.server.writes == []


async def test_a_spec_that_is_not_sound_changes_nothing_and_is_told(trial: PoolTrial) -> None:
    await trial.put({"image": "shop:1"})
    await trial.look()
    await trial.settle()
    await trial.put({"image": "shop:2", "concurrency": 99}, generation=4)
    written = trial.writes_during()
    await trial.look()
    assert written() == [TELL]
    assert trial.condition("Stalled") == ("True", "InvalidSpec")
    assert trial.condition("Ready")[0] == "True"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((422, {"reason": "Invalid", "message": "spec.template.spec.x: unknown"}, {}), "InvalidPod"),
        ((403, {"reason": "Forbidden", "message": "exceeded quota: deployments=1"}, {}), "Forbidden"),
    ],
)
async def test_a_deployment_that_the_api_server_refuses_is_told_and_tried_again(
    trial: PoolTrial, answer: tuple[int, Json, dict[str, str]], reason: str
) -> None:
    await trial.put()
    trial.server.script = [(404, {"reason": "NotFound"}, {}), answer]
    await trial.look()
    assert trial.condition("Stalled") == ("True", reason)
    trial.mark()
    await trial.look()
    assert trial.condition("Stalled")[0] == "False"


async def test_pods_that_cannot_start_say_why_and_the_status_says_when_they_can(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.pod(stuck_pod(1, "ErrImagePull", "no such image"))
    await trial.settle(0)
    await trial.look()
    assert trial.condition("Ready") == ("False", "ImagePullBackOff")
    assert trial.condition("Stalled") == ("True", "ImagePullBackOff")
    await trial.settle(1)
    await trial.look()
    assert trial.condition("Stalled")[0] == "False"


async def test_a_pod_without_a_reason_is_explained_by_its_newest_warning(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.pod(stuck_pod(1, "ContainerCreating"))
    event = {"involvedObject": {"uid": "pod-1"}, "reason": "FailedMount", "message": 'configmap "mods" not found'}
    await trial.server.put(EVENT.object("shop", "e"), event)
    await trial.settle(0)
    await trial.look()
    assert trial.condition("Stalled")[0] == "False"
    trial.clock.time += 30_000
    trial.mark()
    await trial.look()
    assert trial.condition("Stalled") == ("True", "FailedMount")


async def test_the_operator_scales_between_the_bounds_and_else_as_replicas_says(trial: PoolTrial) -> None:
    await trial.put({"replicas": 1, "minReplicas": 0, "maxReplicas": 5, "concurrency": 1})
    await trial.look()
    assert trial.replicas == 0
    assert trial.condition("Ready") == ("True", "ScaledToZero")
    await trial.queues.queue(KEY, "a", *tasks(7))
    await trial.look()
    assert trial.replicas == 4
    await trial.queues.forget("a")
    await trial.look()
    assert trial.replicas == 4, "for a minute"
    await trial.put({"replicas": 3}, generation=4)
    await trial.look()
    assert trial.replicas == 3


async def test_a_watch_that_tells_late_brings_no_old_spec_back(trial: PoolTrial) -> None:
    await trial.put({"image": "shop:1"})
    late = trial.server.objects[POOL]
    await trial.put({"image": "shop:2"}, generation=4)
    await trial.look()
    trial.roster.changed("MODIFIED", late)
    trial.mark()
    await trial.look()
    containers = trial.server.objects[WORKERS]["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == "shop:2"


async def test_replicas_that_somebody_set_on_the_deployment_are_put_right(trial: PoolTrial) -> None:
    await trial.put({"replicas": 2})
    await trial.look()
    found = trial.server.objects[WORKERS]
    found["spec"]["replicas"] = 9
    found["metadata"]["generation"] += 1
    await trial.server.put(WORKERS, found)
    trial.mark()
    await trial.look()
    assert trial.replicas == 2


async def test_how_much_waits_is_told_every_ten_seconds_at_most(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.settle()
    await trial.look()
    written = trial.writes_during()
    await trial.queues.queue(KEY, "a", *tasks(2))
    for _ in range(3):
        trial.mark()
        await trial.look()
    assert written() == []
    known = trial.roster.find(KEY)
    assert known is not None
    known.written_at -= 10
    await trial.look()
    assert written() == [TELL]
    assert trial.status["queued"] == 2


async def test_a_pool_whose_requests_fail_stops_no_other_and_is_left_alone_for_a_while(trial: PoolTrial) -> None:
    await trial.put()
    await trial.put(path=POOL + "-2", uid="two")
    trial.server.script = [(500, {}, {})]
    await trial.look()
    made = [path for path in trial.server.objects if "deployments" in path]
    assert len(made) == 1
    await trial.look()
    assert [path for path in trial.server.objects if "deployments" in path] == made, "it waits"
    for known in trial.roster.all():
        known.not_before = 0
    await trial.look()
    assert len([path for path in trial.server.objects if "deployments" in path]) == 2


async def test_a_bug_in_one_pool_stops_no_other(trial: PoolTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    await trial.put()
    await trial.put(path=POOL + "-2", uid="two")
    known = trial.roster.find(KEY)
    assert known is not None
    known.pool = replace(known.pool, spec=3)  # type: ignore[arg-type]
    await trial.look()
    assert DEPLOYMENT.object("shop", "reactor-pool-resize-2") in trial.server.objects


async def test_metrics_show_each_pool_and_each_queue_and_forget_those_that_are_gone(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.settle()
    await trial.queues.queue(KEY, "a", *tasks(5))
    await trial.queues.take(KEY, 2)
    await trial.queues.queue("shop/none", "b", *tasks(1))
    trial.queues.older_ms = 60_000
    await trial.look()
    pool = '{namespace="shop",pool="resize"}'
    shown = trial.series()
    assert shown[f"reactor_pool_queued_tasks{pool}"] == 3
    assert shown[f"reactor_pool_leased_tasks{pool}"] == 2
    assert 60 <= shown[f"reactor_pool_oldest_seconds{pool}"] < 90
    assert shown[f"reactor_pool_ready_workers{pool}"] == 1
    assert shown['reactor_pool_queued_tasks{namespace="shop",pool="none"}'] == 1
    for run in ("a", "b"):
        await trial.queues.forget(run)
    trial.roster.changed("DELETED", trial.server.objects[POOL])
    await trial.look()
    assert set(trial.series()) == {"reactor_pool_lost_tasks_total"}


async def test_the_loop_follows_marks_and_outlives_a_store_that_is_away(trial: PoolTrial) -> None:
    trial.queues.is_away = True
    following = asyncio.create_task(trial.loop.run())
    try:
        await trial.put()
        await trial.server.wait_until(lambda: WORKERS in trial.server.objects)
        trial.queues.is_away = False
        await trial.put({"replicas": 4}, generation=4)
        await trial.server.wait_until(lambda: trial.replicas == 4)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("found", [{}, {"metadata": 3, "spec": []}, {"spec": {"pod": {"spec": 4}}}])
def test_any_json_is_a_pool(found: Json) -> None:
    assert parse_pool(found).key
