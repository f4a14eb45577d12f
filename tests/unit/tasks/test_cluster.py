"""Starting, adopting and retiring tasks on an API server."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action, Task, pod_name
from reactor_operator.kube.errors import ApiUnavailable
from reactor_operator.kube.paths import JOB, POD
from reactor_operator.ports import Launched, NotYet, Refused, TaskOrder
from reactor_operator.tasks.cluster import LINGER_MS, ClusterLauncher, Sighting
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.pods import ENDED_MS
from tests.unit.outcomes.stores import FixedClock
from tests.unit.tasks.orders import BUSYBOX, SETTINGS, UID, order

FIRST = Task("work", Action.RUN, 1, 1, 1)
PATH = POD.object("shop", pod_name("order-1", UID, FIRST))
RUNNING = {"phase": "Running", "containerStatuses": [{"name": "step", "state": {"running": {}}}]}
ENDED = {"phase": "Running", "containerStatuses": [{"name": "step", "state": {"terminated": {"exitCode": 0}}}]}
BEGUN = {
    "phase": "Running",
    "containerStatuses": [{"name": "step", "state": {"running": {"startedAt": "2026-11-22T12:00:00Z"}}}],
}
JOB_STEP = {"placement": "job", "run": {"container": BUSYBOX}}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(ENDED_MS)


@pytest_asyncio.fixture
async def launcher(server: ApiServer, clock: FixedClock) -> AsyncIterator[ClusterLauncher]:
    async with server.client(timeout_seconds=2.0) as client:
        yield ClusterLauncher(client, SETTINGS, clock)


async def retire(launcher: ClusterLauncher, one: TaskOrder | None = None, **how: bool) -> bool:
    one = one or order()
    return await launcher.retire(one.run, one.spec, one.step, one.task, **{"stop": False, "failed": False, **how})


async def test_a_task_is_started_once_however_often_it_is_ordered(server: ApiServer, launcher: ClusterLauncher) -> None:
    for _ in range(3):
        assert await launcher.start(order()) == Launched()
    assert list(server.objects) == [PATH]


async def test_a_create_whose_answer_was_lost_is_found_done(server: ApiServer, launcher: ClusterLauncher) -> None:
    server.lose_answers = 1
    with pytest.raises(ApiUnavailable):
        await launcher.start(order())
    assert await launcher.start(order()) == Launched()


async def test_a_pod_of_somebody_else_is_not_adopted(server: ApiServer, launcher: ClusterLauncher) -> None:
    await server.put(PATH, {"spec": {}})
    answer = await launcher.start(order())
    assert isinstance(answer, Refused)
    assert answer.failure.kind is FailureKind.CANNOT_START
    assert "ForeignPod" in answer.failure.message


@pytest.mark.parametrize("spoil", ["owner", "seal", "all but the owner", "all but the labels", "all but the task"])
async def test_our_pod_is_not_adopted_once_it_was_tampered_with(
    server: ApiServer, launcher: ClusterLauncher, spoil: str
) -> None:
    await launcher.start(order())
    metadata = server.objects[PATH]["metadata"]
    if spoil in ("owner", "all but the labels", "all but the task"):
        metadata["ownerReferences"][0]["uid"] = "another run"
    if spoil in ("all but the owner", "all but the task"):
        del metadata["labels"]
    if spoil in ("all but the owner", "all but the labels"):
        del metadata["annotations"]
    if spoil == "seal":
        metadata["annotations"]["reactor.run/seal"] = "0" * 64
    answer = await launcher.start(order())
    assert isinstance(answer, Refused)
    assert answer.failure.kind is FailureKind.LOST, "it may have acted"


async def test_a_pod_that_the_server_calls_invalid_never_starts(server: ApiServer, launcher: ClusterLauncher) -> None:
    server.script = [(400, {"message": 'strict decoding error: unknown field "spec.nodeSelectr"'}, {})]
    answer = await launcher.start(order())
    assert isinstance(answer, Refused)
    assert answer.failure.kind is FailureKind.CANNOT_START
    assert "nodeSelectr" in answer.failure.message


@pytest.mark.parametrize(
    ("message", "reason"),
    [("exceeded quota: small", "QuotaExceeded"), ("cannot create resource pods", "Forbidden")],
)
async def test_what_may_be_allowed_later_waits_with_a_reason(
    server: ApiServer, launcher: ClusterLauncher, message: str, reason: str
) -> None:
    server.script = [(403, {"message": message}, {})]
    answer = await launcher.start(order())
    assert isinstance(answer, NotYet)
    assert answer.reason.startswith(reason)


async def test_a_namespace_that_forbids_such_pods_refuses(server: ApiServer, launcher: ClusterLauncher) -> None:
    server.script = [(403, {"message": 'violates PodSecurity "restricted:latest": hostNetwork'}, {})]
    answer = await launcher.start(order())
    assert isinstance(answer, Refused)
    assert answer.failure.kind is FailureKind.CANNOT_START
    assert answer.failure.message.endswith('violates PodSecurity "restricted:latest": hostNetwork')


async def test_a_server_in_trouble_is_unavailable(server: ApiServer, launcher: ClusterLauncher) -> None:
    server.script = [(503, {}, {})]
    with pytest.raises(ApiUnavailable):
        await launcher.start(order())


async def test_a_task_that_fits_no_pod_is_refused(launcher: ClusterLauncher, server: ApiServer) -> None:
    step = {"run": {"container": {**BUSYBOX, "output": {"path": "/r"}}}}
    assert isinstance(await launcher.start(order(step)), Refused)
    assert server.objects == {}


class TestAfter:
    """The next task of a step waits until the pod of the one before is known dead."""

    second = order(task=Task("work", Action.RUN, 1, 2, 1), after=FIRST)

    async def test_while_it_runs(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        await launcher.start(order())
        server.objects[PATH]["status"] = RUNNING
        assert isinstance(await launcher.start(self.second), NotYet)
        server.objects[PATH]["status"] = ENDED
        assert await launcher.start(self.second) == Launched()

    async def test_unless_it_is_gone(self, launcher: ClusterLauncher) -> None:
        assert await launcher.start(self.second) == Launched()

    async def test_one_that_was_never_made_hides_none_before_it(
        self, server: ApiServer, launcher: ClusterLauncher
    ) -> None:
        await launcher.start(order())
        server.objects[PATH]["status"] = RUNNING
        third = order(task=Task("work", Action.RUN, 1, 3, 1), after=self.second.task)
        assert isinstance(await launcher.start(third), NotYet)
        server.objects[PATH]["status"] = ENDED
        assert await launcher.start(third) == Launched()
        assert await launcher.start(third) == Launched(), "its own pod is no other"

    async def test_unless_its_node_was_given_up(
        self, server: ApiServer, launcher: ClusterLauncher, clock: FixedClock
    ) -> None:
        await launcher.start(order())
        server.objects[PATH]["status"] = RUNNING
        server.objects[PATH]["metadata"] |= {"deletionTimestamp": "2026-11-22T12:00:05Z"}
        assert isinstance(await launcher.start(self.second), NotYet)
        clock.time += 301_000
        assert await launcher.start(self.second) == Launched()

    async def test_for_the_pod_of_a_job(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        await launcher.start(order(JOB_STEP))
        job = server.objects[JOB.object("shop", pod_name("order-1", UID, FIRST))]
        second = order(JOB_STEP, task=self.second.task, after=FIRST)
        assert isinstance(await launcher.start(second), NotYet)
        job["status"] = {"failed": 1}
        assert await launcher.start(second) == Launched()


class TestRetire:
    async def put(
        self, server: ApiServer, launcher: ClusterLauncher, status: Any, retention: str = "failed"
    ) -> TaskOrder:
        one = order(defaults={"podRetention": retention})
        await launcher.start(one)
        server.objects[PATH]["status"] = status
        return one

    @pytest.mark.parametrize(
        ("retention", "failed", "kept"),
        [
            ("failed", False, False),
            ("failed", True, True),
            ("all", False, True),
            ("all", True, True),
            ("none", False, False),
            ("none", True, False),
        ],
    )
    async def test_ended_pods_are_kept_as_their_retention_says(
        self, server: ApiServer, launcher: ClusterLauncher, retention: str, failed: bool, kept: bool
    ) -> None:
        one = await self.put(server, launcher, ENDED, retention)
        assert await retire(launcher, one, failed=failed)
        assert (PATH in server.objects) is kept

    async def test_a_pod_that_still_runs_is_given_half_a_minute(
        self, server: ApiServer, launcher: ClusterLauncher, clock: FixedClock
    ) -> None:
        one = await self.put(server, launcher, RUNNING, "all")
        assert not await retire(launcher, one)
        clock.time += LINGER_MS - 1
        assert not await retire(launcher, one)
        clock.time += 1
        assert await retire(launcher, one)
        assert server.objects == {}

    async def test_a_task_that_is_stopped_goes_at_once(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        one = await self.put(server, launcher, RUNNING)
        assert await retire(launcher, one, stop=True)
        assert server.objects == {}

    async def test_what_is_gone_or_not_ours_is_left_alone(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        assert await retire(launcher, stop=True)
        await server.put(PATH, {"spec": {}})
        assert await retire(launcher, stop=True)
        assert PATH in server.objects

    async def test_a_job_goes_with_its_pods(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        one = order(JOB_STEP)
        await launcher.start(one)
        job = server.objects[JOB.object("shop", pod_name("order-1", UID, FIRST))]
        assert not await retire(launcher, one)
        job["status"] = {"succeeded": 1}
        assert await retire(launcher, one)
        assert server.objects == {}
        assert server.requests[-1][2]["propagationPolicy"] == "Background"

    async def test_missing_rights_are_unavailable_not_a_crash(
        self, server: ApiServer, launcher: ClusterLauncher
    ) -> None:
        server.script = [(403, {"message": "cannot get pods"}, {})]
        with pytest.raises(ApiUnavailable):
            await retire(launcher)


class TestSightings:
    async def retired(self, server: ApiServer, clock: FixedClock, *, dead: bool, **how: bool) -> tuple[bool, list[str]]:
        """What comes of a removal where the watch knows the pod, and what was asked for it."""
        async with server.client() as client:
            one = order()
            await ClusterLauncher(client, SETTINGS, clock).start(one)
            uid = server.objects[PATH]["metadata"]["uid"]
            launcher = ClusterLauncher(client, SETTINGS, clock, lambda run, task: Sighting(uid, dead=dead))
            before = len(server.requests)
            done = await retire(launcher, one, **how)
            return done, [request[0] for request in server.requests[before:]]

    async def test_a_pod_that_ended_is_removed_without_a_look(self, server: ApiServer, clock: FixedClock) -> None:
        assert await self.retired(server, clock, dead=True) == (True, ["DELETE"])
        assert server.objects == {}

    async def test_a_pod_that_ended_and_is_kept_costs_nothing(self, server: ApiServer, clock: FixedClock) -> None:
        assert await self.retired(server, clock, dead=True, failed=True) == (True, [])

    async def test_a_pod_that_is_seen_to_run_is_waited_for(self, server: ApiServer, clock: FixedClock) -> None:
        assert await self.retired(server, clock, dead=False) == (False, [])

    async def test_a_task_that_is_stopped_is_looked_at_all_the_same(self, server: ApiServer, clock: FixedClock) -> None:
        assert await self.retired(server, clock, dead=False, stop=True) == (True, ["GET", "DELETE"])


class TestChunks:
    """Pods that others than the first task of a chunk may run in."""

    @staticmethod
    def of_chunk(step: dict[str, Any] | None = None) -> TaskOrder:
        return order({**(step or {}), "run": {"python": {"handler": "a:b"}}}, chunk=True)

    async def retired(
        self, server: ApiServer, launcher: ClusterLauncher, one: TaskOrder, **how: bool
    ) -> tuple[bool, list[str]]:
        before = len(server.requests)
        done = await retire(launcher, one, chunk=True, **how)
        return done, [request[0] for request in server.requests[before:]]

    @pytest.mark.parametrize("stop", [True, False])
    async def test_one_that_runs_is_left_alone_until_it_has_ended(
        self, server: ApiServer, launcher: ClusterLauncher, clock: FixedClock, stop: bool
    ) -> None:
        one = self.of_chunk()
        await launcher.start(one)
        server.objects[PATH]["status"] = BEGUN
        for _ in range(2):
            assert await self.retired(server, launcher, one, stop=stop) == (False, ["GET"])
            clock.time += 2 * LINGER_MS
        server.objects[PATH]["status"] = ENDED
        assert await self.retired(server, launcher, one, stop=stop) == (True, ["GET", "DELETE"])
        assert server.objects == {}

    async def test_one_that_ended_is_kept_as_its_retention_says(
        self, server: ApiServer, launcher: ClusterLauncher
    ) -> None:
        one = self.of_chunk()
        await launcher.start(one)
        server.objects[PATH]["status"] = ENDED
        assert await self.retired(server, launcher, one, failed=True) == (True, ["GET"])
        assert PATH in server.objects

    async def test_one_that_never_began_goes_with_its_first_task(
        self, server: ApiServer, launcher: ClusterLauncher
    ) -> None:
        one = self.of_chunk()
        await launcher.start(one)
        server.objects[PATH]["status"] = {"phase": "Pending"}
        assert await self.retired(server, launcher, one, stop=True) == (True, ["GET", "DELETE"])

    @pytest.mark.parametrize("sighting", [None, Sighting("u", dead=False, began=False)])
    async def test_one_whose_first_task_ended_has_begun_whatever_the_kubelet_knows(
        self, server: ApiServer, clock: FixedClock, sighting: Sighting | None
    ) -> None:
        async with server.client() as client:
            launcher = ClusterLauncher(client, SETTINGS, clock, lambda run, task: sighting)
            await launcher.start(self.of_chunk())
            server.objects[PATH]["status"] = {"phase": "Pending"}
            assert (await self.retired(server, launcher, self.of_chunk()))[0] is False
            assert PATH in server.objects

    async def test_nothing_is_asked_for_the_other_tasks_of_a_chunk(
        self, server: ApiServer, launcher: ClusterLauncher
    ) -> None:
        assert await self.retired(server, launcher, self.of_chunk(), stop=True) == (True, [])

    async def test_while_the_watch_sees_it_run_nothing_is_asked(self, server: ApiServer, clock: FixedClock) -> None:
        async with server.client() as client:
            sighting = Sighting("u", dead=False, began=True)
            launcher = ClusterLauncher(client, SETTINGS, clock, lambda run, task: sighting)
            await launcher.start(self.of_chunk())
            assert await self.retired(server, launcher, self.of_chunk(), stop=True) == (False, [])

    async def test_a_job_is_left_alone_while_its_pod_runs(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        one = self.of_chunk({"placement": "job"})
        await launcher.start(one)
        path = JOB.object("shop", pod_name("order-1", UID, FIRST))
        server.objects[path]["status"] = {"active": 1}
        name = pod_name("order-1", UID, FIRST)
        labels = {"batch.kubernetes.io/job-name": name}
        await server.put(PATH + "-x", {"metadata": {"name": f"{name}-x", "labels": labels}, "status": BEGUN})
        assert (await self.retired(server, launcher, one, stop=True))[0] is False
        server.objects[path]["status"] = {"succeeded": 1}
        assert await self.retired(server, launcher, one) == (True, ["GET", "DELETE"])

    async def test_it_does_not_wait_for_the_pod_before(self, server: ApiServer, launcher: ClusterLauncher) -> None:
        await launcher.start(self.of_chunk())
        server.objects[PATH]["status"] = BEGUN
        again = Task("work", Action.RUN, 1, 2, 1)
        one = order({"run": {"python": {"handler": "a:b"}}}, chunk=True, task=again, after=FIRST)
        assert await launcher.start(one) == Launched()
