"""The audit: a task that was launched and has no pod is found, and told as lost or waiting."""

import asyncio
from typing import ClassVar

import pytest

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.reactor import ReactorSpec
from reactor_operator.changes.audit import Audit
from reactor_operator.changes.stalls import CREATING_MS, Stalls
from reactor_operator.engine.events import TaskLost, TaskStarted, TaskSucceeded, TaskWaiting
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState
from reactor_operator.kube.paths import EVENT, JOB
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import Definition
from reactor_operator.reconciling.records import KnownRun
from tests.unit.changes.watched import CREATED_MS, PATH, PodTrial
from tests.unit.outcomes.pods import STARTED, Json, ended, made, running, sealed_of
from tests.unit.outcomes.stores import inbox_of
from tests.unit.tasks.orders import KEY


class TestAudit:
    step: ClassVar[Json] = {"name": "work", "run": {"container": {"image": "busybox:1"}}}

    async def look(
        self, pods: PodTrial, seen: set[tuple[str, str]], *, placement: str = "pod", runs: tuple[str, ...] = ("shop",)
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
        async with pods.server.client() as client:
            reader = PodReader(pods.store, pods.clock, lost_ms=1)
            stalls = Stalls(client, reader, pods.clock)
            await Audit(
                client,
                reader,
                stalls,
                key=KEY,
                launched=lambda: [(known, task) for known in launched],
                seen=lambda: seen,
            ).look()

    async def test_a_launched_task_without_a_pod_is_lost(self, pods: PodTrial) -> None:
        await self.look(pods, set())
        assert await pods.kinds() == [TaskLost]

    async def test_a_pod_that_is_there_is_asked_for_only_where_no_watch_knows_it(self, pods: PodTrial) -> None:
        await pods.server.put(PATH, made())
        await self.look(pods, {("shop", made()["metadata"]["name"])})
        assert pods.server.requests == []
        await self.look(pods, set())
        assert await pods.kinds() == []

    async def test_a_pod_that_was_tampered_with_is_believed_no_more_and_not_waited_for(self, pods: PodTrial) -> None:
        async with pods.watching() as watch:
            await pods.server.put(PATH, running(made()))
            await pods.wait_for(TaskStarted)
            for changed in (running(made()), ended(made(), 0, "forged")):
                changed["metadata"]["annotations"]["reactor.run/reads"] = '{"form":"container"} '
                await pods.server.put(PATH, changed)
                async with asyncio.timeout(5):
                    while watch.names():  # noqa: ASYNC110 - nothing tells that a pod became foreign
                        await asyncio.sleep(0.01)
                assert TaskLost not in await pods.kinds()
                await self.look(pods, watch.names())
        assert await pods.kinds() == [TaskStarted, TaskLost]
        assert pods.server.writes == []

    async def test_a_pod_whose_labels_are_gone_tells_its_end_though_no_watch_of_this_process_ever_met_it(
        self, pods: PodTrial
    ) -> None:
        pod = ended(made(), 0, "42")
        pod["metadata"]["labels"] = {}
        await pods.server.put(PATH, pod)
        await self.look(pods, set())
        assert await pods.kinds() == [TaskStarted, TaskSucceeded]

    async def test_a_namespace_that_refuses_stops_no_other(self, pods: PodTrial) -> None:
        pods.server.script = [(403, {"message": "no role here"}, {})]
        await self.look(pods, set(), runs=("elsewhere", "shop"))
        assert await pods.kinds() == [TaskLost]

    async def test_a_job_that_may_make_no_pod_waits_with_the_reason_that_its_events_tell(self, pods: PodTrial) -> None:
        job = {"metadata": {"uid": "job-uid", "creationTimestamp": STARTED}}
        await pods.server.put(JOB.object("shop", made()["metadata"]["name"]), job)
        refused = 'Error creating: pods "x" is forbidden: exceeded quota: small'
        event = {"involvedObject": {"uid": "job-uid"}, "reason": "FailedCreate", "message": refused}
        await pods.server.put(EVENT.object("shop", "refused"), event)
        await self.look(pods, set(), placement="job")
        assert await pods.kinds() == []
        pods.clock.time = CREATED_MS + CREATING_MS + 1
        await self.look(pods, set(), placement="job")
        (told,) = await inbox_of(pods.store)
        assert isinstance(told, TaskWaiting)
        assert told.reason == f"FailedCreate: {refused}"

    @pytest.mark.parametrize("job", [None, {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}])
    async def test_a_job_that_will_never_make_a_pod_is_lost(self, pods: PodTrial, job: Json | None) -> None:
        if job is not None:
            await pods.server.put(JOB.object("shop", made()["metadata"]["name"]), job)
        await self.look(pods, set(), placement="job")
        assert await pods.kinds() == [TaskLost]
