"""All parts together: from a pool that nobody told of to workers that are ready, and a lost task."""

import asyncio

from reactor_operator.engine.events import TaskLost
from reactor_operator.pools.parts import pool_parts
from tests.unit.pools.followed import KEY, POOL, WORKERS, PoolTrial
from tests.unit.pools.made import running, tasks, written
from tests.unit.tasks.orders import SETTINGS


async def test_pools_that_are_there_at_the_start_are_made_and_followed(trial: PoolTrial) -> None:
    await trial.server.put(POOL, written({"replicas": 2}))
    parts = pool_parts(
        client=trial.client,
        namespaces=["shop"],
        store=trial.queues,
        roster=trial.roster,
        settings=SETTINGS,
        clock=trial.clock,
        metrics=trial.metrics,
        launched=lambda run, task: False,
        alive=set,
        grace_seconds=0.0,
    )
    following = [asyncio.create_task(part, name=name) for name, part in parts.items()]
    try:
        await trial.server.wait_until(lambda: WORKERS in trial.server.objects)
        await trial.server.put(WORKERS, running(trial.server.objects[WORKERS], 2))
        await trial.server.wait_until(lambda: trial.status.get("readyReplicas") == 2)
        assert trial.condition("Ready") == ("True", "WorkersReady")
        rings = trial.queues.rings()
        await trial.queues.queue(KEY, "a", *tasks(1))
        await trial.queues.take(KEY, for_ms=0)
        async with asyncio.timeout(5):
            await anext(rings)
        assert [type(event) for event in await trial.queues.events("a")] == [TaskLost]
        assert not any(task.done() for task in following)
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
