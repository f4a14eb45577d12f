"""The watcher of pods: whatever a watch loses, repeats or delays, each task's end is told once."""

import asyncio

import pytest

from reactor_operator.engine.events import TaskLost, TaskStarted, TaskSucceeded, TaskWaiting
from reactor_operator.store.memory import MemoryStore
from reactor_operator.tasks.cluster import Sighting
from tests.unit.changes.watched import CREATED_MS, PATH, PodTrial
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.pods import deleted, ended, made, running, sealed_of, waiting
from tests.unit.outcomes.stores import close_task, inbox_of, store_with_task


async def test_a_pod_is_followed_from_its_start_to_its_end(pods: PodTrial) -> None:
    async with pods.watching():
        await pods.server.put(PATH, made())
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)
    assert await pods.kinds() == [TaskStarted, TaskSucceeded]
    assert pods.marked == [sealed_of(made()).run]
    assert pods.missed() == 0


async def test_what_happened_before_the_operator_came_is_read_from_the_list(pods: PodTrial) -> None:
    await pods.server.put(PATH, ended(made(), 0, "1"))
    async with pods.watching():
        assert await pods.kinds() == [TaskStarted, TaskSucceeded]


async def test_an_end_that_no_watch_told_is_found_by_the_next_list_and_counted(pods: PodTrial) -> None:
    async with pods.watching(relist_seconds=0.05):
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        pods.server.mute_watches = True
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)
    assert pods.missed() >= 1


async def test_while_a_task_is_launched_a_pod_that_no_watch_ever_told_is_found_by_the_next_list(pods: PodTrial) -> None:
    pods.active = True
    async with pods.watching(relist_seconds=0.05):
        pods.server.mute_watches = True
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)
    assert pods.missed() >= 1


async def test_a_deletion_that_no_watch_told_is_found_too(pods: PodTrial) -> None:
    async with pods.watching(relist_seconds=0.05):
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        await pods.server.remove(PATH, tell=False)
        await pods.wait_for(TaskLost)
    assert pods.missed() >= 1


async def test_what_is_known_of_a_tasks_own_pod(pods: PodTrial) -> None:
    sealed = sealed_of(made())
    async with pods.watching() as watch:
        assert watch.sight(sealed.run, sealed.task) is None
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        assert watch.sight(sealed.run, sealed.task) == Sighting("pod-uid", dead=False, began=True)
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)
        async with asyncio.timeout(2):
            await pods.has_marked.wait()
        assert watch.sight(sealed.run, sealed.task) == Sighting("pod-uid", dead=True)


async def test_a_deleted_pod_is_lost(pods: PodTrial) -> None:
    async with pods.watching():
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        await pods.server.remove(PATH)
        await pods.wait_for(TaskLost)


@pytest.mark.parametrize("told", [True, False])
async def test_a_pod_last_seen_without_a_node_never_started_only_where_its_deletion_was_told(
    pods: PodTrial, told: bool
) -> None:
    """Where no watch told it, the pod may have been put on a node, and have run there, since it was seen."""
    pod = made()
    del pod["spec"]["nodeName"]
    async with pods.watching(relist_seconds=60.0 if told else 0.05):
        await pods.server.put(PATH, waiting(pod, "Unschedulable"))
        await pods.wait_for(TaskWaiting)
        await pods.server.remove(PATH, tell=told)
        await pods.wait_for(TaskLost)
    lost = [event for event in await inbox_of(pods.store) if isinstance(event, TaskLost)]
    assert [event.may_have_started for event in lost] == [not told]


async def test_a_deletion_that_did_not_happen_is_not_believed(pods: PodTrial) -> None:
    async with pods.watching():
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        await pods.server.tell("DELETED", PATH, pods.server.objects[PATH])
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)
    assert TaskLost not in await pods.kinds()


async def test_a_watch_that_went_stale_starts_over(pods: PodTrial) -> None:
    await pods.server.put(PATH, running(made()))
    pods.server.expire_watches = True
    async with pods.watching():
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)


async def test_a_server_in_trouble_is_outlasted(pods: PodTrial) -> None:
    pods.server.script = [(500, {}, {}), (503, {}, {}), (403, {"message": "not yet"}, {})]
    async with pods.watching():
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)


async def test_a_pod_that_is_not_ours_is_left_alone(pods: PodTrial) -> None:
    foreign = running(made())
    foreign["metadata"]["annotations"]["reactor.run/seal"] = "forged"
    await pods.server.put(PATH, foreign)
    async with pods.watching():
        await pods.server.remove(PATH)
    assert await pods.kinds() == []
    assert pods.server.writes == []


async def test_a_pod_that_appears_for_a_closed_task_is_deleted(pods: PodTrial) -> None:
    await close_task(pods.store)
    async with pods.watching():
        await pods.server.put(PATH, made())
        await pods.server.wait_until(lambda: PATH not in pods.server.objects)


async def test_a_pod_that_still_runs_after_its_task_was_closed_is_deleted(pods: PodTrial) -> None:
    """Whoever watched when it was closed may be gone: it stood already when this operator came."""
    await pods.server.put(PATH, running(made()))
    await close_task(pods.store)
    async with pods.watching(relist_seconds=0.05):
        assert PATH in pods.server.objects
        await pods.server.wait_until(lambda: PATH not in pods.server.objects)


async def test_watches_that_end_at_once_are_not_asked_for_all_the_time(pods: PodTrial) -> None:
    pods.server.close_watches = True
    async with pods.watching():
        await asyncio.sleep(1.0)
    assert len([path for method, path, _ in pods.server.requests if method == "GET"]) <= 6


@pytest.mark.parametrize("stored", [True, False])
async def test_a_pod_of_an_open_task_or_of_a_lost_run_is_not_deleted(stored: bool) -> None:
    async with ApiServer().serve() as server:
        pods = PodTrial(server, await store_with_task() if stored else MemoryStore())
        async with pods.watching():
            await server.put(PATH, running(made()))
            await server.put(PATH, ended(made(), 0))
            await server.wait_until(lambda: PATH in server.objects)
        assert not any(write.startswith("DELETE") for write in server.writes)


async def test_a_store_that_is_away_loses_nothing(pods: PodTrial) -> None:
    class Away(MemoryStore):
        """Refuses the first calls, and then is the store of the trial."""

        refusals = 2

        async def append(self, entry):  # type: ignore[no-untyped-def]
            from reactor_operator.store.port import StoreUnavailable

            if self.refusals:
                self.refusals -= 1
                raise StoreUnavailable("away")
            return await kept.append(entry)

    kept = pods.store
    away = Away()
    pods.store = away
    async with pods.watching():
        await pods.server.put(PATH, ended(made(), 0, "1"))
        pods.store = kept
        await pods.wait_for(TaskSucceeded)


async def test_a_late_word_of_a_watch_gives_no_pod_up(pods: PodTrial) -> None:
    """The pod was evicted and ended well; the watch stood still meanwhile and tells both only now."""
    async with pods.watching():
        await pods.server.put(PATH, running(made()))
        await pods.wait_for(TaskStarted)
        pods.clock.time = CREATED_MS + 3_600_000
        await pods.server.put(PATH, deleted(running(made())))
        await pods.server.put(PATH, deleted(ended(made(), 0, "1"), at="2026-11-22T12:01:00Z"))
        await pods.wait_for(TaskSucceeded)
    assert TaskLost not in await pods.kinds()


async def test_an_end_that_the_store_has_lost_is_told_again(pods: PodTrial) -> None:
    async with pods.watching() as watch:
        await pods.server.put(PATH, ended(made(), 0, "1"))
        await pods.wait_for(TaskSucceeded)
        older = await store_with_task()
        pods.store.__dict__.update(older.__dict__ | {"_bell": pods.store._bell})
        watch._reader.distrust()
        watch.distrust()
        await pods.wait_for(TaskSucceeded)
    assert pods.missed() == 0


async def test_the_pod_of_a_task_that_is_opened_late_is_told_again(pods: PodTrial) -> None:
    opened = await store_with_task()
    await close_task(pods.store)
    sealed = sealed_of(made())
    async with pods.watching() as watch:
        await pods.server.put(PATH, ended(made(), 0, "1"))
        async with asyncio.timeout(5):
            await pods.has_marked.wait()
        pods.store.__dict__.update(opened.__dict__ | {"_bell": pods.store._bell})
        watch.adopted(sealed.run, sealed.task)
        await pods.wait_for(TaskSucceeded)


def of_chunk() -> dict[str, object]:
    """Return a pod that takes more than the task that its seal names."""
    return made({"run": {"python": {"handler": "a:b"}}}, chunk=True)


async def test_the_pod_of_a_chunk_outlives_its_first_task_and_its_end_tells_nothing(pods: PodTrial) -> None:
    await close_task(pods.store)
    async with pods.watching(relist_seconds=0.05) as watch:
        await pods.server.put(PATH, running(of_chunk()))
        async with asyncio.timeout(5):
            while not watch.alive():  # noqa: ASYNC110 - the watch rings no bell
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert PATH in pods.server.objects
        assert watch.alive() == watch.names()
        await pods.server.put(PATH, ended(of_chunk(), 1))
        async with asyncio.timeout(2):
            await pods.has_marked.wait()
        assert watch.alive() == set()
    assert await pods.kinds() == []


async def test_the_pod_of_a_chunk_that_has_not_begun_goes_with_its_first_task(pods: PodTrial) -> None:
    await close_task(pods.store)
    async with pods.watching(relist_seconds=0.05):
        await pods.server.put(PATH, of_chunk())
        await pods.server.wait_until(lambda: PATH not in pods.server.objects)
    assert await pods.kinds() == []


async def test_the_end_of_the_pod_of_a_chunk_is_left_to_the_leases(pods: PodTrial) -> None:
    async with pods.watching():
        await pods.server.put(PATH, running(of_chunk()))
        await pods.server.remove(PATH)
        async with asyncio.timeout(2):
            await pods.has_marked.wait()
    assert await pods.kinds() == []
