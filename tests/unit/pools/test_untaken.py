"""Chunks that wait for a pod of their own: told as lost where it does not take them, never where it may."""

from typing import Any

import pytest

from reactor_operator.engine.events import TaskLost
from reactor_operator.engine.identity import Task
from reactor_operator.kube.paths import JOB, POD
from reactor_operator.pools.untaken import UntakenChunks
from tests.unit.pools.followed import PoolTrial
from tests.unit.pools.made import tasks

KEY = "shop/~order-1-rows-0-abc"
PATH, JOB_PATH = POD.object("shop", "order-1-rows-0-abc"), JOB.object("shop", "order-1-rows-0-abc")
TASKS = tasks(3)


class Trial:
    def __init__(self, trial: PoolTrial) -> None:
        self.trial = trial
        self.alive: set[tuple[str, str]] = set()
        self.is_launched = True
        self.asked: list[Task] = []
        self.untaken = UntakenChunks(
            trial.queues,
            trial.client,
            trial.clock,
            launched=self.launched,
            alive=lambda: self.alive,
            lost_seconds=300,
        )

    def launched(self, run: str, task: Task) -> bool:
        self.asked.append(task)
        return self.is_launched

    async def look(self) -> list[str]:
        """Look, and return what was told of tasks: all are told the same."""
        await self.untaken.look()
        lost = [event for event in await self.trial.queues.events("a") if isinstance(event, TaskLost)]
        assert [event.task.key for event in lost] in ([], TASKS)
        assert not any(event.may_have_started for event in lost)
        return sorted({event.message for event in lost})


@pytest.fixture
async def chunk(trial: PoolTrial) -> Trial:
    await trial.queues.queue(KEY, "a", *TASKS)
    trial.queues.older_ms = 6_000
    return Trial(trial)


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "order-1-rows-0-abc", "namespace": "shop"}, "status": status}


def ended(code: int) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "startedAt": "2026-11-22T12:00:00Z"}}
    return pod(phase="Failed", containerStatuses=[{"name": "step", "state": state}])


async def test_all_tasks_of_a_chunk_whose_pod_is_gone_are_lost_once(chunk: Trial) -> None:
    assert await chunk.look() == ["its pod was gone before it took its tasks"]
    assert await chunk.look() == ["its pod was gone before it took its tasks"]
    assert {task.key for task in chunk.asked} == {TASKS[0]}, "the first is the one that makes the pod"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (pod(phase="Pending"), []),
        (pod(phase="Running", containerStatuses=[{"name": "step", "state": {"running": {}}}]), []),
        (ended(0), ["its pod exited with code 0 before it took its tasks"]),
        (
            ended(127),
            [
                "its pod exited with code 127 (not found, or an image without it) before it took its tasks; does the"
                " image carry python3 and reactor-runtime?"
            ],
        ),
        (pod(phase="Failed", reason="Evicted"), ["its pod ended before it took its tasks"]),
    ],
)
async def test_a_pod_that_ended_takes_nothing_and_any_other_may(
    chunk: Trial, found: dict[str, Any], told: list[str]
) -> None:
    await chunk.trial.server.put(PATH, found)
    said = await chunk.look()
    assert [words.partition("(")[0] for words in said] == [words.partition("(")[0] for words in told]


async def test_a_pod_whose_node_does_not_answer_takes_nothing(chunk: Trial) -> None:
    found = pod(phase="Pending")
    found["metadata"] |= {"deletionTimestamp": "2026-11-01T12:00:00Z"}
    await chunk.trial.server.put(PATH, found)
    assert await chunk.look() == ["the node of its pod does not answer"]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, []),
        ({"active": 1}, []),
        ({"failed": 1}, ["the pod of its Job ended before it took its tasks"]),
        ({"succeeded": 1}, ["the pod of its Job ended before it took its tasks"]),
    ],
)
async def test_a_job_may_have_no_pod_yet(chunk: Trial, status: dict[str, int], told: list[str]) -> None:
    await chunk.trial.server.put(JOB_PATH, pod(**status))
    assert await chunk.look() == told


async def test_a_pod_that_was_not_made_yet_is_not_missed(chunk: Trial) -> None:
    chunk.is_launched = False
    assert await chunk.look() == []


async def test_a_chunk_is_given_time_and_pods_that_the_watch_sees_are_not_asked_for(chunk: Trial) -> None:
    chunk.trial.queues.older_ms = 0
    assert await chunk.look() == []
    chunk.trial.queues.older_ms = 6_000
    chunk.alive = {("shop", "order-1-rows-0-abc")}
    before = len(chunk.trial.server.requests)
    assert await chunk.look() == []
    assert len(chunk.trial.server.requests) == before


async def test_a_task_that_was_leased_meanwhile_is_not_told_as_lost(chunk: Trial) -> None:
    waiting = await chunk.trial.queues.waiting(KEY, 10)
    await chunk.trial.queues.take(KEY, 3)

    async def told_before(pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        return waiting

    chunk.trial.queues.waiting = told_before  # type: ignore[method-assign]
    await chunk.untaken._look_for(KEY, "shop", "order-1-rows-0-abc")
    assert await chunk.trial.queues.events("a") == []


async def test_queues_of_pods_are_no_pools(trial: PoolTrial) -> None:
    trial.roster.is_complete = True
    await trial.queues.queue(KEY, "a", *TASKS)
    await trial.unserved.look()
    await trial.look()
    assert await trial.queues.events("a") == []
    assert trial.series() == {"reactor_pool_lost_tasks_total": 0.0}
