"""Pods into the inbox: once each, whatever is repeated, lost or late."""

import pytest

from reactor_operator.engine.events import TaskFailed, TaskLost, TaskStarted, TaskSucceeded, TaskWaiting
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Entry, OpenTask
from tests.unit.outcomes.pods import ENDED_MS, deleted, ended, made, read, running, sealed_of, waiting
from tests.unit.outcomes.stores import FixedClock, close_task, inbox_of, store_with_task
from tests.unit.tasks.orders import python


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(ENDED_MS)


def reader_of(store: MemoryStore, clock: FixedClock) -> PodReader:
    return PodReader(store, clock, lost_ms=300_000)


async def test_a_task_is_told_to_start_wait_and_end_once_each(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    seen = [waiting(made(), "ImagePullBackOff", "x"), running(made()), ended(made(), 0, "1")]
    for pod in [pod for pod in seen for _ in range(3)]:
        await reader.read(pod, sealed_of(pod), live=True)
    assert [type(event) for event in await inbox_of(store)] == [TaskWaiting, TaskStarted, TaskSucceeded]


async def test_another_operator_repeats_nothing(clock: FixedClock) -> None:
    store = await store_with_task()
    pod = ended(made(), 0, "1")
    for _ in range(2):
        await reader_of(store, clock).read(pod, sealed_of(pod), live=True)
    assert [type(event) for event in await inbox_of(store)] == [TaskStarted, TaskSucceeded]


async def test_a_start_is_never_told_earlier_than_it_was(clock: FixedClock) -> None:
    store = await store_with_task()
    pod = running(made())
    await reader_of(store, clock).read(pod, sealed_of(pod), live=True)
    (started,) = await inbox_of(store)
    assert isinstance(started, TaskStarted)
    assert started.at == ENDED_MS - 5000 + 999


async def test_a_reason_that_goes_is_taken_back_and_may_come_again(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    for version, pod in enumerate(
        [waiting(made(), "ErrImagePull"), waiting(made(), "ContainerCreating"), waiting(made(), "ErrImagePull")]
    ):
        pod["metadata"]["resourceVersion"] = str(version)
        await reader.read(pod, sealed_of(pod), live=True)
    reasons = [event.reason for event in await inbox_of(store) if isinstance(event, TaskWaiting)]
    assert reasons == ["ErrImagePull", "", "ErrImagePull"]


async def test_a_stall_is_told_until_it_ends(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    pod = waiting(made(), "ContainerCreating")
    for _ in range(3):
        await reader.read(pod, sealed_of(pod), "FailedMount: no ConfigMap", live=True)
    assert [event.reason for event in await inbox_of(store) if isinstance(event, TaskWaiting)] == [
        "FailedMount: no ConfigMap"
    ]


async def test_a_task_that_ended_is_known_dead(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    assert not await reader.read(running(made()), sealed_of(made()), live=True)
    assert await reader.read(ended(made(), 0), sealed_of(made()), live=True)


async def test_a_pod_on_a_node_that_does_not_answer_is_lost(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    pod = deleted(running(made()))
    assert not await reader.read(pod, sealed_of(pod), live=True)
    clock.time += 301_000
    assert not await reader.read(pod, sealed_of(pod), live=False)  # a watch may tell late
    assert await reader.read(pod, sealed_of(pod), live=True)
    assert isinstance((await inbox_of(store))[-1], TaskLost)


async def test_an_outcome_that_was_recorded_first_stands(clock: FixedClock) -> None:
    store = await store_with_task()
    done = ended(made(python()), 0, '{"type":"succeeded","result":1}')
    recorded = read(done).outcome
    assert recorded is not None
    await store.append(recorded)
    only_digest = ended(made(python()), 0, '{"digest":"' + "a" * 64 + '"}')
    await reader_of(store, clock).read(only_digest, sealed_of(only_digest), live=True)
    assert [type(event) for event in await inbox_of(store)] == [TaskSucceeded]


async def test_both_ways_of_one_outcome_are_one_entry(clock: FixedClock) -> None:
    store = await store_with_task()
    done = ended(made(python()), 0, '{"type":"failed","failure":{"kind":"Error","message":"no"}}')
    recorded = read(done).outcome
    assert recorded is not None
    await store.append(recorded)
    await reader_of(store, clock).read(done, sealed_of(done), live=True)
    assert [type(event) for event in await inbox_of(store)] == [TaskFailed]


async def test_a_task_whose_pod_vanished_or_is_missing_is_lost(clock: FixedClock) -> None:
    store = await store_with_task()
    pod = running(made())
    await reader_of(store, clock).vanished(pod, sealed_of(pod), last=True)
    assert isinstance((await inbox_of(store))[-1], TaskLost)
    store = await store_with_task()
    await reader_of(store, clock).missing(sealed_of(pod))
    assert isinstance((await inbox_of(store))[-1], TaskLost)


async def test_only_a_stored_run_can_say_that_a_task_is_closed(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    sealed = sealed_of(made())
    assert not await reader.is_closed(sealed)
    await close_task(store)
    assert await reader.is_closed(sealed)
    assert not await reader_of(MemoryStore(), clock).is_closed(sealed)


async def test_what_a_job_waited_for_is_over_once_its_pod_is_there(clock: FixedClock) -> None:
    store = await store_with_task()
    reader = reader_of(store, clock)
    pod = made()
    for _ in range(2):
        await reader.podless({"metadata": {"uid": "job-uid"}}, sealed_of(pod), "FailedCreate: exceeded quota")
    for _ in range(2):
        await reader.read(pod, sealed_of(pod), live=True)
    told = await inbox_of(store)
    assert [event.reason for event in told if isinstance(event, TaskWaiting)] == ["FailedCreate: exceeded quota", ""]


async def test_what_is_known_of_a_task_without_a_call_spares_the_calls() -> None:
    class Untouched(MemoryStore):
        async def append(self, entry: Entry) -> Appended:
            raise AssertionError("asked the inbox")

        async def open_task(self, run: str, task: str) -> OpenTask | None:
            raise AssertionError("asked the inbox")

    def reader_that_knows(awaited: bool) -> PodReader:
        return PodReader(Untouched(), FixedClock(0), lost_ms=1, awaited=lambda run, task: awaited)

    sealed = sealed_of(made())
    assert await reader_that_knows(False).read(ended(made(), 0, "1"), sealed, live=True)
    assert not await reader_that_knows(False).read(running(made()), sealed, live=True)
    assert await reader_that_knows(False).is_closed(sealed)
    assert not await reader_that_knows(True).is_closed(sealed)
