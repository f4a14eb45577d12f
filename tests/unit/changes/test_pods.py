"""The watcher of pods: whatever a watch loses, repeats or delays, each task's end is told once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.changes.audit import Audit
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.pods import PodWatch
from reactor_operator.changes.stalls import CREATING_MS, SILENT_MS, Stalls
from reactor_operator.engine.events import TaskLost, TaskStarted, TaskSucceeded, TaskWaiting
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState
from reactor_operator.kube.paths import EVENT, JOB, POD
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.memory import MemoryStore
from reactor_operator.tasks.cluster import Sighting
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.pods import STARTED, Json, deleted, ended, made, running, sealed_of, waiting
from tests.unit.outcomes.stores import FixedClock, close_task, inbox_of, store_with_task
from tests.unit.tasks.orders import KEY, python

PATH = POD.object("shop", made()["metadata"]["name"])
CREATED_MS = 1_795_348_800_000


class Trial:
    """A watch over an API server and a store, and what it marked."""

    def __init__(self, server: ApiServer, store: MemoryStore) -> None:
        self.server = server
        self.store = store
        self.clock = FixedClock(CREATED_MS + 1_000)
        self.metrics = ChangeMetrics(CollectorRegistry())
        self.marked: list[RunRef] = []
        self.has_marked = asyncio.Event()
        self.active = False
        self.rings = store.rings()

    @asynccontextmanager
    async def watching(self, relist_seconds: float = 60.0) -> AsyncIterator[PodWatch]:
        async with self.server.client(timeout_seconds=2.0) as client:
            reader = PodReader(self.store, self.clock, lost_ms=300_000)
            watch = PodWatch(
                client=client,
                namespace="shop",
                reader=reader,
                stalls=Stalls(client, reader, self.clock),
                mark=self.mark,
                active=lambda: self.active,
                linger_seconds=0.2,
                key=KEY,
                metrics=self.metrics,
                relist_seconds=relist_seconds,
                catch_up_seconds=0.1,
            )
            task = asyncio.create_task(watch.run())
            try:
                async with asyncio.timeout(5):
                    await watch.wait_listed()
                yield watch
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def mark(self, run: RunRef) -> None:
        self.marked.append(run)
        self.has_marked.set()

    async def wait_for(self, kind: type) -> None:
        """Wait until an event of this kind is in the inbox."""
        async with asyncio.timeout(8):
            while not any(isinstance(event, kind) for event in await inbox_of(self.store)):
                await anext(self.rings)

    async def kinds(self) -> list[type]:
        return [type(event) for event in await inbox_of(self.store)]

    def missed(self) -> float:
        return float(self.metrics.missed_events._value.get())


@pytest_asyncio.fixture
async def trial() -> AsyncIterator[Trial]:
    async with ApiServer().serve() as server:
        yield Trial(server, await store_with_task())


async def test_a_pod_is_followed_from_its_start_to_its_end(trial: Trial) -> None:
    async with trial.watching():
        await trial.server.put(PATH, made())
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)
    assert await trial.kinds() == [TaskStarted, TaskSucceeded]
    assert trial.marked == [sealed_of(made()).run]
    assert trial.missed() == 0


async def test_what_happened_before_the_operator_came_is_read_from_the_list(trial: Trial) -> None:
    await trial.server.put(PATH, ended(made(), 0, "1"))
    async with trial.watching():
        assert await trial.kinds() == [TaskStarted, TaskSucceeded]


async def test_an_end_that_no_watch_told_is_found_by_the_next_list_and_counted(trial: Trial) -> None:
    async with trial.watching(relist_seconds=0.05):
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        trial.server.mute_watches = True
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)
    assert trial.missed() >= 1


async def test_while_a_task_is_launched_a_pod_that_no_watch_ever_told_is_found_by_the_next_list(trial: Trial) -> None:
    trial.active = True
    async with trial.watching(relist_seconds=0.05):
        trial.server.mute_watches = True
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)
    assert trial.missed() >= 1


async def test_a_deletion_that_no_watch_told_is_found_too(trial: Trial) -> None:
    async with trial.watching(relist_seconds=0.05):
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        await trial.server.remove(PATH, tell=False)
        await trial.wait_for(TaskLost)
    assert trial.missed() >= 1


async def test_what_is_known_of_a_tasks_own_pod(trial: Trial) -> None:
    sealed = sealed_of(made())
    async with trial.watching() as watch:
        assert watch.sight(sealed.run, sealed.task) is None
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        assert watch.sight(sealed.run, sealed.task) == Sighting("pod-uid", dead=False)
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)
        async with asyncio.timeout(2):
            await trial.has_marked.wait()
        assert watch.sight(sealed.run, sealed.task) == Sighting("pod-uid", dead=True)


async def test_a_deleted_pod_is_lost(trial: Trial) -> None:
    async with trial.watching():
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        await trial.server.remove(PATH)
        await trial.wait_for(TaskLost)


@pytest.mark.parametrize("told", [True, False])
async def test_a_pod_last_seen_without_a_node_never_started_only_where_its_deletion_was_told(
    trial: Trial, told: bool
) -> None:
    """Where no watch told it, the pod may have been put on a node, and have run there, since it was seen."""
    pod = made()
    del pod["spec"]["nodeName"]
    async with trial.watching(relist_seconds=60.0 if told else 0.05):
        await trial.server.put(PATH, waiting(pod, "Unschedulable"))
        await trial.wait_for(TaskWaiting)
        await trial.server.remove(PATH, tell=told)
        await trial.wait_for(TaskLost)
    lost = [event for event in await inbox_of(trial.store) if isinstance(event, TaskLost)]
    assert [event.may_have_started for event in lost] == [not told]


async def test_a_deletion_that_did_not_happen_is_not_believed(trial: Trial) -> None:
    async with trial.watching():
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        await trial.server.tell("DELETED", PATH, trial.server.objects[PATH])
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)
    assert TaskLost not in await trial.kinds()


async def test_a_watch_that_went_stale_starts_over(trial: Trial) -> None:
    await trial.server.put(PATH, running(made()))
    trial.server.expire_watches = True
    async with trial.watching():
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)


async def test_a_server_in_trouble_is_outlasted(trial: Trial) -> None:
    trial.server.script = [(500, {}, {}), (503, {}, {}), (403, {"message": "not yet"}, {})]
    async with trial.watching():
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)


async def test_a_pod_that_is_not_ours_is_left_alone(trial: Trial) -> None:
    foreign = running(made())
    foreign["metadata"]["annotations"]["reactor.run/seal"] = "forged"
    await trial.server.put(PATH, foreign)
    async with trial.watching():
        await trial.server.remove(PATH)
    assert await trial.kinds() == []
    assert trial.server.writes == []


async def test_a_pod_that_appears_for_a_closed_task_is_deleted(trial: Trial) -> None:
    await close_task(trial.store)
    async with trial.watching():
        await trial.server.put(PATH, made())
        await trial.server.wait_until(lambda: PATH not in trial.server.objects)


async def test_a_pod_that_still_runs_after_its_task_was_closed_is_deleted(trial: Trial) -> None:
    """Whoever watched when it was closed may be gone: it stood already when this operator came."""
    await trial.server.put(PATH, running(made()))
    await close_task(trial.store)
    async with trial.watching(relist_seconds=0.05):
        assert PATH in trial.server.objects
        await trial.server.wait_until(lambda: PATH not in trial.server.objects)


async def test_watches_that_end_at_once_are_not_asked_for_all_the_time(trial: Trial) -> None:
    trial.server.close_watches = True
    async with trial.watching():
        await asyncio.sleep(1.0)
    assert len([path for method, path, _ in trial.server.requests if method == "GET"]) <= 6


@pytest.mark.parametrize("stored", [True, False])
async def test_a_pod_of_an_open_task_or_of_a_lost_run_is_not_deleted(stored: bool) -> None:
    async with ApiServer().serve() as server:
        trial = Trial(server, await store_with_task() if stored else MemoryStore())
        async with trial.watching():
            await server.put(PATH, running(made()))
            await server.put(PATH, ended(made(), 0))
            await server.wait_until(lambda: PATH in server.objects)
        assert not any(write.startswith("DELETE") for write in server.writes)


async def test_a_store_that_is_away_loses_nothing(trial: Trial) -> None:
    class Away(MemoryStore):
        """Refuses the first calls, and then is the store of the trial."""

        refusals = 2

        async def append(self, entry):  # type: ignore[no-untyped-def]
            from reactor_operator.store.port import StoreUnavailable

            if self.refusals:
                self.refusals -= 1
                raise StoreUnavailable("away")
            return await kept.append(entry)

    kept = trial.store
    away = Away()
    trial.store = away
    async with trial.watching():
        await trial.server.put(PATH, ended(made(), 0, "1"))
        trial.store = kept
        await trial.wait_for(TaskSucceeded)


async def test_a_late_word_of_a_watch_gives_no_pod_up(trial: Trial) -> None:
    """The pod was evicted and ended well; the watch stood still meanwhile and tells both only now."""
    async with trial.watching():
        await trial.server.put(PATH, running(made()))
        await trial.wait_for(TaskStarted)
        trial.clock.time = CREATED_MS + 3_600_000
        await trial.server.put(PATH, deleted(running(made())))
        await trial.server.put(PATH, deleted(ended(made(), 0, "1"), at="2026-11-22T12:01:00Z"))
        await trial.wait_for(TaskSucceeded)
    assert TaskLost not in await trial.kinds()


async def test_an_end_that_the_store_has_lost_is_told_again(trial: Trial) -> None:
    async with trial.watching() as watch:
        await trial.server.put(PATH, ended(made(), 0, "1"))
        await trial.wait_for(TaskSucceeded)
        older = await store_with_task()
        trial.store.__dict__.update(older.__dict__ | {"_bell": trial.store._bell})
        watch._reader.distrust()
        watch.distrust()
        await trial.wait_for(TaskSucceeded)
    assert trial.missed() == 0


async def test_the_pod_of_a_task_that_is_opened_late_is_told_again(trial: Trial) -> None:
    opened = await store_with_task()
    await close_task(trial.store)
    sealed = sealed_of(made())
    async with trial.watching() as watch:
        await trial.server.put(PATH, ended(made(), 0, "1"))
        async with asyncio.timeout(5):
            await trial.has_marked.wait()
        trial.store.__dict__.update(opened.__dict__ | {"_bell": trial.store._bell})
        watch.adopted(sealed.run, sealed.task)
        await trial.wait_for(TaskSucceeded)


class TestStalls:
    async def reason(self, trial: Trial, pod: Json, age_ms: int) -> str:
        trial.clock.time = CREATED_MS + age_ms
        async with trial.server.client() as client:
            reader = PodReader(trial.store, trial.clock, lost_ms=1)
            return await Stalls(client, reader, trial.clock).reason(pod, sealed_of(pod))

    async def test_a_pod_that_takes_long_is_explained_by_its_newest_warning(self, trial: Trial) -> None:
        for at, message in (("2026-11-22T12:00:01Z", "old"), ("2026-11-22T12:00:09Z", 'configmap "mods" not found')):
            event = {
                "involvedObject": {"uid": "pod-uid"},
                "reason": "FailedMount",
                "message": message,
                "lastTimestamp": at,
            }
            await trial.server.put(EVENT.object("shop", message[:3]), event)
        pod = waiting(made(), "ContainerCreating")
        assert await self.reason(trial, pod, CREATING_MS) == ""
        assert await self.reason(trial, pod, CREATING_MS + 1) == 'FailedMount: configmap "mods" not found'

    async def test_without_a_warning_or_the_right_to_read_it_stalls_all_the_same(self, trial: Trial) -> None:
        pod = waiting(made(), "ContainerCreating")
        assert await self.reason(trial, pod, CREATING_MS + 1) == "ContainerCreating"
        trial.server.script = [(403, {}, {})]
        assert await self.reason(trial, pod, CREATING_MS + 1) == "ContainerCreating"

    async def test_an_agent_that_never_checks_in_is_told(self, trial: Trial) -> None:
        assert (await self.reason(trial, running(made(python())), SILENT_MS + 1)).startswith("NotCheckedIn")
        assert await self.reason(trial, running(made()), SILENT_MS + 1) == ""

    async def test_a_reason_in_the_status_needs_no_other(self, trial: Trial) -> None:
        assert await self.reason(trial, waiting(made(), "ErrImagePull"), CREATING_MS + 1) == ""

    async def test_a_stall_is_told_by_the_watch(self, trial: Trial) -> None:
        trial.clock.time = CREATED_MS + CREATING_MS + 1
        async with trial.watching():
            await trial.server.put(PATH, waiting(made(), "ContainerCreating"))
            await trial.wait_for(TaskWaiting)


class TestAudit:
    step: ClassVar[Json] = {"name": "work", "run": {"container": {"image": "busybox:1"}}}

    async def look(
        self, trial: Trial, seen: set[tuple[str, str]], *, placement: str = "pod", runs: tuple[str, ...] = ("shop",)
    ) -> None:
        task = sealed_of(made()).task
        run = sealed_of(made()).run
        launched = [
            KnownRun(
                definition=Definition(
                    run=RunRef(namespace, run.name, run.uid), created_at=0, generation=1, reactor_name="x"
                ),
                blueprint=blueprint_of(
                    ReactorSpec.model_validate({"defaults": {"placement": placement}, "steps": [self.step]})
                ),
                plan=Plan(steps={}),
                state=RunState(),
            )
            for namespace in runs
        ]
        async with trial.server.client() as client:
            reader = PodReader(trial.store, trial.clock, lost_ms=1)
            stalls = Stalls(client, reader, trial.clock)
            await Audit(
                client,
                reader,
                stalls,
                key=KEY,
                launched=lambda: [(known, task) for known in launched],
                seen=lambda: seen,
            ).look()

    async def test_a_launched_task_without_a_pod_is_lost(self, trial: Trial) -> None:
        await self.look(trial, set())
        assert await trial.kinds() == [TaskLost]

    async def test_a_pod_that_is_there_is_asked_for_only_where_no_watch_knows_it(self, trial: Trial) -> None:
        await trial.server.put(PATH, made())
        await self.look(trial, {("shop", made()["metadata"]["name"])})
        assert trial.server.requests == []
        await self.look(trial, set())
        assert await trial.kinds() == []

    async def test_a_pod_that_was_tampered_with_is_believed_no_more_and_not_waited_for(self, trial: Trial) -> None:
        async with trial.watching() as watch:
            await trial.server.put(PATH, running(made()))
            await trial.wait_for(TaskStarted)
            for changed in (running(made()), ended(made(), 0, "forged")):
                changed["metadata"]["annotations"]["reactor.run/reads"] = '{"form":"container"} '
                await trial.server.put(PATH, changed)
                async with asyncio.timeout(5):
                    while watch.names():  # noqa: ASYNC110 - nothing tells that a pod became foreign
                        await asyncio.sleep(0.01)
                assert TaskLost not in await trial.kinds()
                await self.look(trial, watch.names())
        assert await trial.kinds() == [TaskStarted, TaskLost]
        assert trial.server.writes == []

    async def test_a_namespace_that_refuses_stops_no_other(self, trial: Trial) -> None:
        trial.server.script = [(403, {"message": "no role here"}, {})]
        await self.look(trial, set(), runs=("elsewhere", "shop"))
        assert await trial.kinds() == [TaskLost]

    async def test_a_job_that_may_make_no_pod_waits_with_the_reason_that_its_events_tell(self, trial: Trial) -> None:
        job = {"metadata": {"uid": "job-uid", "creationTimestamp": STARTED}}
        await trial.server.put(JOB.object("shop", made()["metadata"]["name"]), job)
        refused = 'Error creating: pods "x" is forbidden: exceeded quota: small'
        event = {"involvedObject": {"uid": "job-uid"}, "reason": "FailedCreate", "message": refused}
        await trial.server.put(EVENT.object("shop", "refused"), event)
        await self.look(trial, set(), placement="job")
        assert await trial.kinds() == []
        trial.clock.time = CREATED_MS + CREATING_MS + 1
        await self.look(trial, set(), placement="job")
        (told,) = await inbox_of(trial.store)
        assert isinstance(told, TaskWaiting)
        assert told.reason == f"FailedCreate: {refused}"

    @pytest.mark.parametrize("job", [None, {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}])
    async def test_a_job_that_will_never_make_a_pod_is_lost(self, trial: Trial, job: Json | None) -> None:
        if job is not None:
            await trial.server.put(JOB.object("shop", made()["metadata"]["name"]), job)
        await self.look(trial, set(), placement="job")
        assert await trial.kinds() == [TaskLost]
