"""The logs of pods that are about to go: read once, bounded, and never waited for by a run."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.paths import JOB, POD
from reactor_operator.ports import RunRef
from reactor_operator.store.kept_logs import LOG_BYTES, KeptLog, LogSettings, decode_log
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from reactor_operator.tasks.cluster import ClusterLauncher
from reactor_operator.tasks.log_keeper import LogKeeper
from tests.unit.kube.api_server import ApiServer
from tests.unit.mirror.made import until
from tests.unit.outcomes.pods import ENDED_MS
from tests.unit.outcomes.stores import FixedClock
from tests.unit.tasks.orders import SETTINGS, UID, order
from tests.unit.tasks.test_cluster import ENDED, PATH, RUNNING, retire

TASK = Task("work", Action.RUN, 1, 1, 1)
RUN = RunRef("shop", "order-1", UID)
LOG = POD.object("shop", pod_name("order-1", UID, TASK), "log")


@pytest_asyncio.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.commit(Commit(run=UID, revision=0, epoch=1))
    return made


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest_asyncio.fixture
async def client(server: ApiServer) -> AsyncIterator[KubeClient]:
    async with server.client(timeout_seconds=2.0) as opened:
        yield opened


async def kept(store: MemoryStore, task: Task = TASK) -> KeptLog | None:
    body = await store.get_log(UID, task.key)
    return decode_log(body) if body is not None else None


async def settle(keeper: LogKeeper, task: Task = TASK, *, sensitive: bool = False) -> None:
    await until(lambda: keeper.is_settled(RUN, task, POD, sensitive=sensitive))


async def test_it_is_read_in_the_background_and_then_the_pod_may_go(
    server: ApiServer, client: KubeClient, store: MemoryStore
) -> None:
    server.logs[LOG] = [b"one\n", b"two\n"]
    moved: list[RunRef] = []
    keeper = LogKeeper(client, store, LogSettings(), moved.append)
    assert not keeper.is_settled(RUN, TASK, POD, sensitive=False)
    await settle(keeper)
    assert await kept(store) == KeptLog(b"one\ntwo\n")
    assert moved == [RUN]
    assert sum(path == LOG for _, path, _ in server.requests) == 1


async def test_of_a_long_one_the_end_is_kept(server: ApiServer, client: KubeClient, store: MemoryStore) -> None:
    lines = [b"%06d %s\n" % (number, b"x" * 93) for number in range(4_000)]
    server.logs[LOG] = [b"".join(lines)]
    keeper = LogKeeper(client, store, LogSettings())
    await settle(keeper)
    found = await kept(store)
    assert found is not None
    assert found.cut
    assert b"".join(lines).endswith(found.text)
    assert LOG_BYTES - 200 < len(found.text) <= LOG_BYTES


@pytest.mark.parametrize("task", [Task("rows[100]", Action.RUN, 1, 1, 1), Task("rows[7]/a[10]", Action.RUN, 1, 1, 1)])
async def test_those_of_most_elements_are_not_read(client: KubeClient, store: MemoryStore, task: Task) -> None:
    assert LogKeeper(client, store, LogSettings()).is_settled(RUN, task, POD, sensitive=False)


async def test_one_with_sensitive_values_is_read_where_that_was_asked_for(
    server: ApiServer, client: KubeClient, store: MemoryStore
) -> None:
    server.logs[LOG] = [b"secret\n"]
    assert LogKeeper(client, store, LogSettings()).is_settled(RUN, TASK, POD, sensitive=True)
    assert await kept(store) is None
    await settle(LogKeeper(client, store, LogSettings(sensitive=True)), sensitive=True)
    assert await kept(store) == KeptLog(b"secret\n")


async def test_one_that_cannot_be_read_is_lost_and_that_is_all(client: KubeClient, store: MemoryStore) -> None:
    keeper = LogKeeper(client, store, LogSettings())
    await settle(keeper)
    assert await kept(store) is None


async def test_one_that_takes_too_long_is_lost(server: ApiServer, client: KubeClient, store: MemoryStore) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    server.logs[LOG] = [b"one\n"]
    server._log = never  # type: ignore[assignment,method-assign]
    keeper = LogKeeper(client, store, LogSettings(seconds=0.05))
    await settle(keeper)
    assert await kept(store) is None
    await keeper.close()


async def test_that_of_a_job_is_the_log_of_its_newest_pod(
    server: ApiServer, client: KubeClient, store: MemoryStore
) -> None:
    labels = {"batch.kubernetes.io/job-name": pod_name("order-1", UID, TASK)}
    for number, name in enumerate(("first", "second")):
        created = f"2026-01-01T00:00:0{number}Z"
        await server.put(POD.object("shop", name), {"metadata": {"labels": labels, "creationTimestamp": created}})
        server.logs[POD.object("shop", name, "log")] = [name.encode()]
    keeper = LogKeeper(client, store, LogSettings())
    await until(lambda: keeper.is_settled(RUN, TASK, JOB, sensitive=False))
    assert await kept(store) == KeptLog(b"second")


class TestRetiring:
    @pytest.fixture
    def read(self) -> asyncio.Event:
        """A log was read."""
        return asyncio.Event()

    @pytest.fixture
    def launcher(self, client: KubeClient, store: MemoryStore, read: asyncio.Event) -> ClusterLauncher:
        keeper = LogKeeper(client, store, LogSettings(), lambda run: read.set())
        return ClusterLauncher(client, SETTINGS, FixedClock(ENDED_MS), logs=keeper)

    async def test_a_pod_that_has_ended_goes_once_its_log_is_kept(
        self, server: ApiServer, launcher: ClusterLauncher, store: MemoryStore, read: asyncio.Event
    ) -> None:
        await launcher.start(order())
        server.objects[PATH]["status"] = ENDED
        server.logs[LOG] = [b"done\n"]
        assert not await retire(launcher)
        assert PATH in server.objects
        await asyncio.wait_for(read.wait(), 5)
        assert await retire(launcher)
        assert PATH not in server.objects
        assert await kept(store) == KeptLog(b"done\n")

    async def test_one_that_is_to_be_stopped_is_stopped_at_once(
        self, server: ApiServer, launcher: ClusterLauncher, store: MemoryStore, read: asyncio.Event
    ) -> None:
        await launcher.start(order())
        server.objects[PATH]["status"] = RUNNING
        server.logs[LOG] = [b"still at it\n"]
        assert await retire(launcher, stop=True)
        assert any(method == "DELETE" for method, _, _ in server.requests)
        await asyncio.wait_for(read.wait(), 5)
        assert await kept(store) == KeptLog(b"still at it\n")
