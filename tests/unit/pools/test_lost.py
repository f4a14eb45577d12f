"""Leases that ran out: each task told as lost, once, to the run that waits for it."""

import asyncio

from reactor_operator.engine.events import TaskLost
from reactor_operator.engine.identity import Action, Task
from reactor_operator.pools.lost import AT_ONCE, MESSAGE, lost_entry
from tests.unit.pools.followed import PoolTrial, until

FIRST, SECOND = "rows[1].run.1.1.1", "rows[2].run.1.1.1"


async def test_tasks_whose_lease_ran_out_are_told_as_lost(trial: PoolTrial) -> None:
    trial.queues.ended_leases = [*await trial.queues.open("a", FIRST, SECOND), *await trial.queues.open("b", FIRST)]
    await trial.lost.look()
    assert await trial.queues.events("a") == [
        TaskLost(task=Task("rows[1]", Action.RUN, 1, 1, 1), message=MESSAGE),
        TaskLost(task=Task("rows[2]", Action.RUN, 1, 1, 1), message=MESSAGE),
    ]
    assert len(await trial.queues.events("b")) == 1
    assert trial.series()["reactor_pool_lost_tasks_total"] == 3


async def test_telling_again_changes_nothing(trial: PoolTrial) -> None:
    opened = await trial.queues.open("a", FIRST)
    for _ in range(2):
        trial.queues.ended_leases = list(opened)
        await trial.lost.look()
    assert len(await trial.queues.events("a")) == 1
    assert trial.series()["reactor_pool_lost_tasks_total"] == 1


async def test_a_run_that_is_gone_and_a_key_that_names_no_task_stop_no_other(trial: PoolTrial) -> None:
    trial.queues.ended_leases = [("gone", FIRST), ("a", "nonsense"), *await trial.queues.open("a", FIRST)]
    await trial.lost.look()
    assert len(await trial.queues.events("a")) == 1


async def test_the_entry_of_a_task_is_the_same_each_time_and_final() -> None:
    entry = lost_entry("a", FIRST)
    assert entry is not None
    assert entry == lost_entry("a", FIRST)
    assert entry.final


async def test_it_goes_on_while_there_are_more_and_when_the_store_was_away(trial: PoolTrial) -> None:
    trial.queues.is_away = True
    many = [f"rows[{place}].run.1.1.1" for place in range(AT_ONCE + 1)]
    trial.queues.ended_leases = await trial.queues.open("a", *many)
    following = asyncio.create_task(trial.lost.run())
    try:
        await asyncio.sleep(0.02)
        trial.queues.is_away = False
        await until(lambda: not trial.queues.ended_leases)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert len(await trial.queues.events("a")) == AT_ONCE + 1
