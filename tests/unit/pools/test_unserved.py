"""Tasks that wait for a pool that does not serve them: told why, and told when all is well."""

import asyncio

import pytest

from reactor_operator.engine.events import TaskWaiting
from reactor_operator.kube.paths import REACTOR_POOL
from reactor_operator.pools.unserved import AT_ONCE
from tests.unit.pools.followed import KEY, POOL, PoolTrial
from tests.unit.pools.made import stuck_pod, tasks, written

TASK, SECOND = tasks(2)


async def reasons(trial: PoolTrial, run: str = "a") -> list[str]:
    """Return the reasons that the tasks of a run were told, in order."""
    return [event.reason for event in await trial.queues.events(run) if isinstance(event, TaskWaiting)]


async def look(trial: PoolTrial) -> None:
    trial.clock.time += 1_000
    await trial.unserved.look()


async def test_a_pool_that_does_not_exist_is_told_with_the_nearest_one_that_does(trial: PoolTrial) -> None:
    await trial.put(path=REACTOR_POOL.object("shop", "resize-images"))
    trial.roster.is_complete = True
    await trial.queues.queue("shop/resize-image", "a", TASK)
    await look(trial)
    assert await reasons(trial) == [
        "PoolNotFound: there is no ReactorPool resize-image in namespace shop; did you mean resize-images?"
    ]


async def test_a_reason_is_told_once_and_to_tasks_that_come_later(trial: PoolTrial) -> None:
    trial.roster.is_complete = True
    await trial.queues.queue("shop/none", "a", TASK)
    await look(trial)
    await trial.queues.queue("shop/none", "b", TASK)
    await look(trial)
    told = "PoolNotFound: there is no ReactorPool none in namespace shop; apply it, or name another one in poolRef"
    assert await reasons(trial, "a") == await reasons(trial, "b") == [told]


async def test_no_pool_is_called_missing_before_all_were_told_or_from_memory(trial: PoolTrial) -> None:
    await trial.queues.queue(KEY, "a", TASK)
    await look(trial)
    assert await reasons(trial) == []
    trial.roster.is_complete = True
    await trial.server.put(POOL, written())
    await look(trial)
    assert await reasons(trial) == []
    assert trial.roster.find(KEY) is not None, "and the loop makes its workers"


async def test_a_pool_that_is_being_deleted_serves_nothing(trial: PoolTrial) -> None:
    trial.roster.is_complete = True
    await trial.put(deletionTimestamp="2026-11-22T12:00:00Z")
    await trial.queues.queue(KEY, "a", TASK)
    await look(trial)
    assert await reasons(trial) == ["PoolNotFound: ReactorPool resize is being deleted"]


async def test_a_pool_whose_pods_cannot_start_is_told_at_once_and_well_once_one_is_ready(trial: PoolTrial) -> None:
    await trial.put()
    await trial.queues.queue(KEY, "a", TASK)
    await trial.look()
    await look(trial)
    assert await reasons(trial) == []
    await trial.pod(stuck_pod(1, "ErrImagePull", "no such image"))
    await trial.settle(0)
    await trial.look()
    await look(trial)
    assert await reasons(trial) == [
        "PoolNotReady: ReactorPool resize: ImagePullBackOff: an image cannot be pulled, "
        "see spec.image of the pool: no such image"
    ]
    await trial.settle(1)
    await trial.look()
    await look(trial)
    await look(trial)
    assert (await reasons(trial))[1:] == [""]


async def test_tasks_that_were_leased_meanwhile_are_told_that_all_is_well_too(trial: PoolTrial) -> None:
    await trial.put()
    await trial.look()
    await trial.queues.queue(KEY, "a", TASK)
    trial.queues.older_ms = 30_000
    await look(trial)
    assert (await reasons(trial))[0] == "PoolNotReady: ReactorPool resize: none of 1 workers is ready"
    await trial.settle(1)
    await trial.queues.take(KEY)
    await trial.look()
    await look(trial)
    assert (await reasons(trial))[1:] == [""]


@pytest.mark.parametrize(
    ("spec", "oldest_ms", "told"),
    [
        ({"replicas": 0}, 0, ["PoolNotReady: ReactorPool resize: it has no workers: spec.replicas is 0"]),
        ({"replicas": 2}, 0, []),
        ({"replicas": 2}, 20_000, ["PoolNotReady: ReactorPool resize: none of 2 workers is ready"]),
        ({"minReplicas": 0, "maxReplicas": 2}, 10_000, []),
        (
            {"concurrency": 99},
            0,
            [
                "PoolNotReady: ReactorPool resize: its spec is not sound: "
                "spec.concurrency: found 99, expected at most 64"
            ],
        ),
    ],
)
async def test_workers_are_given_time_to_start_where_nothing_is_wrong(
    trial: PoolTrial, spec: dict[str, int], oldest_ms: int, told: list[str]
) -> None:
    await trial.put(spec)
    await trial.queues.queue(KEY, "a", TASK)
    trial.queues.older_ms = oldest_ms
    await trial.look()
    await look(trial)
    assert await reasons(trial) == told


async def test_workers_that_run_and_take_nothing_for_long_are_told(trial: PoolTrial) -> None:
    trial.queues.older_ms = 600_000
    await trial.put()
    await trial.look()
    await trial.settle()
    await trial.look()
    await trial.queues.queue(KEY, "a", TASK, SECOND)
    await look(trial)
    trial.seconds += 31
    await look(trial)
    assert (await reasons(trial))[-1] == (
        "PoolNotReady: ReactorPool resize: NothingTaken: its workers run and take no task; do they reach the gateway?"
    )
    await trial.queues.take(KEY)
    await look(trial)
    assert (await reasons(trial))[-1] == ""


async def test_another_reason_takes_the_place_of_one_that_stood_for_a_while(trial: PoolTrial) -> None:
    trial.roster.is_complete = True
    await trial.queues.queue(KEY, "a", TASK)
    await look(trial)
    await trial.put({"replicas": 0})
    await trial.look()
    await look(trial)
    assert len(await reasons(trial)) == 1
    trial.seconds += 31
    await look(trial)
    assert (await reasons(trial))[1:] == ["PoolNotReady: ReactorPool resize: it has no workers: spec.replicas is 0"]


async def test_a_new_leader_tells_the_tasks_of_a_pool_that_is_well_so_once(trial: PoolTrial) -> None:
    trial.queues.older_ms = 30_000
    await trial.put()
    await trial.queues.queue(KEY, "a", TASK)
    await trial.look()
    await look(trial)
    assert (await reasons(trial))[-1].startswith("PoolNotReady")
    anew = trial.unserved_anew()
    await trial.settle()
    await trial.look()
    for _ in range(2):
        trial.clock.time += 1_000
        await anew.look()
    assert (await reasons(trial))[1:] == [""]


async def test_the_oldest_two_hundred_are_told(trial: PoolTrial) -> None:
    trial.roster.is_complete = True
    await trial.queues.queue("shop/none", "a", *tasks(AT_ONCE + 5))
    await look(trial)
    assert len(await reasons(trial)) == AT_ONCE


async def test_a_pool_that_cannot_be_looked_for_stops_no_other_also_when_the_store_was_away(
    trial: PoolTrial,
) -> None:
    trial.roster.is_complete = True
    await trial.queues.queue("billing/none", "a", TASK)
    await trial.queues.queue("shop/none", "b", TASK)
    trial.server.script = [(403, {"reason": "Forbidden", "message": "no role here"}, {})]
    trial.queues.is_away = True
    rings = trial.queues.rings()
    following = asyncio.create_task(trial.unserved.run())
    try:
        await asyncio.sleep(0.02)
        trial.queues.is_away = False
        async with asyncio.timeout(5):
            assert await anext(rings) == "b", "the pool after the one that was refused"
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert len(await reasons(trial, "b")) == 1
