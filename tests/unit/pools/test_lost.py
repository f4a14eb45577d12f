"""Leases that ran out: each task told as lost, once, to the run that waits for it."""

import asyncio

import pytest

from reactor_operator.engine.events import TaskLost, TaskSucceeded
from reactor_operator.engine.identity import Action, Task
from reactor_operator.pools.lost import AT_ONCE, MESSAGE, lost_entry
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, worker_binding
from tests.unit.pools.followed import KEY, PoolTrial, until
from tests.unit.pools.made import tasks
from tests.unit.pools.queues import LONG_MS

FIRST, SECOND = tasks(2)


async def lose(trial: PoolTrial, run: str, *keys: str) -> None:
    """Let a worker take tasks of a new run, and end."""
    await trial.queues.queue(KEY, run, *keys)
    await trial.queues.take(KEY, len(keys), for_ms=0)


async def test_tasks_whose_lease_ran_out_are_told_as_lost(trial: PoolTrial) -> None:
    await lose(trial, "a", FIRST, SECOND)
    await lose(trial, "b", FIRST)
    await trial.lost.look()
    assert await trial.queues.events("a") == [
        TaskLost(task=Task("rows[0]", Action.RUN, 1, 1, 1), message=MESSAGE),
        TaskLost(task=Task("rows[1]", Action.RUN, 1, 1, 1), message=MESSAGE),
    ]
    assert len(await trial.queues.events("b")) == 1
    assert trial.series()["reactor_pool_lost_tasks_total"] == 3


async def test_a_task_that_was_reported_in_time_is_not_lost(trial: PoolTrial) -> None:
    await lose(trial, "a", FIRST)
    done = TaskSucceeded(task=Task("rows[0]", Action.RUN, 1, 1, 1))
    binding = worker_binding(KEY, "worker-1")
    entry = Entry(run="a", task=FIRST, final=True, binding=binding, digest="d", body=encode_event(done))
    assert await trial.queues.append(entry) is Appended.RECORDED
    await trial.lost.look()
    assert await trial.queues.events("a") == [done]


async def test_what_a_worker_reports_after_its_lease_ran_out_does_not_count(trial: PoolTrial) -> None:
    await lose(trial, "a", FIRST)
    await trial.lost.look()
    late = TaskSucceeded(task=Task("rows[0]", Action.RUN, 1, 1, 1))
    binding = worker_binding(KEY, "worker-1")
    entry = Entry(run="a", task=FIRST, final=True, binding=binding, digest="d", body=encode_event(late))
    assert await trial.queues.append(entry) is Appended.CONFLICT


async def test_a_task_is_told_in_the_same_words_each_time_so_that_the_inbox_knows_it(trial: PoolTrial) -> None:
    await lose(trial, "a", FIRST)
    await trial.lost.look()
    again = lost_entry("a", FIRST)
    assert again is not None
    assert again.final
    assert await trial.queues.append_all([again]) == [Appended.REPEATED]


async def test_a_key_that_names_no_task_stops_no_other() -> None:
    assert lost_entry("a", "nonsense") is None


@pytest.mark.parametrize("away", [True, False])
async def test_workers_renew_before_a_lease_counts_as_run_out_when_the_store_was_away_or_may_have_been(
    trial: PoolTrial, away: bool
) -> None:
    await trial.queues.queue(KEY, "a", FIRST)
    await trial.queues.queue(KEY, "b", FIRST)
    lives, _dead = await trial.queues.take(KEY, 2, for_ms=50)
    lost = trial.lost_anew(grace_seconds=0.3 if away else 0.5)
    trial.queues.is_away = away
    following = asyncio.create_task(lost.run())
    try:
        await asyncio.sleep(0.2)  # for longer than the lease
        trial.queues.is_away = False
        await asyncio.sleep(0.1)
        assert await trial.queues.extend(KEY, "worker-1", frozenset({lives.id}), LONG_MS) == {lives.id: frozenset()}
        await until(lambda: trial.series()["reactor_pool_lost_tasks_total"] == 1)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert await trial.queues.events(lives.run) == []


async def test_it_goes_on_while_there_are_more_and_when_the_store_was_away(trial: PoolTrial) -> None:
    await lose(trial, "a", *tasks(AT_ONCE + 1))
    trial.queues.is_away = True
    following = asyncio.create_task(trial.lost.run())
    try:
        await asyncio.sleep(0.02)
        trial.queues.is_away = False
        await until(lambda: trial.series()["reactor_pool_lost_tasks_total"] == AT_ONCE + 1)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert len(await trial.queues.events("a")) == AT_ONCE + 1
