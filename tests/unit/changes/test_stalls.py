"""Why a pod takes long, as its task's reason tells it."""

from reactor_operator.changes.stalls import CREATING_MS, SILENT_MS, Stalls
from reactor_operator.engine.events import TaskWaiting
from reactor_operator.kube.paths import EVENT
from reactor_operator.outcomes.reader import PodReader
from tests.unit.changes.watched import CREATED_MS, PATH, PodTrial
from tests.unit.outcomes.pods import Json, made, running, sealed_of, waiting
from tests.unit.tasks.orders import python


class TestStalls:
    async def reason(self, pods: PodTrial, pod: Json, age_ms: int) -> str:
        pods.clock.time = CREATED_MS + age_ms
        async with pods.server.client() as client:
            reader = PodReader(pods.store, pods.clock, lost_ms=1)
            return await Stalls(client, reader, pods.clock).reason(pod, sealed_of(pod))

    async def test_a_pod_that_takes_long_is_explained_by_its_newest_warning(self, pods: PodTrial) -> None:
        for at, message in (("2026-11-22T12:00:01Z", "old"), ("2026-11-22T12:00:09Z", 'configmap "mods" not found')):
            event = {
                "involvedObject": {"uid": "pod-uid"},
                "reason": "FailedMount",
                "message": message,
                "lastTimestamp": at,
            }
            await pods.server.put(EVENT.object("shop", message[:3]), event)
        pod = waiting(made(), "ContainerCreating")
        assert await self.reason(pods, pod, CREATING_MS) == ""
        assert await self.reason(pods, pod, CREATING_MS + 1) == 'FailedMount: configmap "mods" not found'

    async def test_without_a_warning_or_the_right_to_read_it_stalls_all_the_same(self, pods: PodTrial) -> None:
        pod = waiting(made(), "ContainerCreating")
        assert await self.reason(pods, pod, CREATING_MS + 1) == "ContainerCreating"
        pods.server.script = [(403, {}, {})]
        assert await self.reason(pods, pod, CREATING_MS + 1) == "ContainerCreating"

    async def test_an_agent_that_never_checks_in_is_told(self, pods: PodTrial) -> None:
        assert (await self.reason(pods, running(made(python())), SILENT_MS + 1)).startswith("NotCheckedIn")
        assert await self.reason(pods, running(made()), SILENT_MS + 1) == ""

    async def test_a_reason_in_the_status_needs_no_other(self, pods: PodTrial) -> None:
        assert await self.reason(pods, waiting(made(), "ErrImagePull"), CREATING_MS + 1) == ""

    async def test_a_stall_is_told_by_the_watch(self, pods: PodTrial) -> None:
        pods.clock.time = CREATED_MS + CREATING_MS + 1
        async with pods.watching():
            await pods.server.put(PATH, waiting(made(), "ContainerCreating"))
            await pods.wait_for(TaskWaiting)
