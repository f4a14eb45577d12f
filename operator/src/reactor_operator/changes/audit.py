"""Tasks that were launched and of which nothing is left: found by looking for each one's pod.

In: the open tasks of all runs, and the names of the pods that the watches know. Out: tasks told as lost, each after a
live GET. Never here: a task whose start is not yet known to have succeeded.

A watch tells the end of a pod it saw. This finds what no watch can: a pod that was deleted while nobody watched.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import Placement
from reactor_operator.engine.identity import Task, pod_name
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.kube.paths import JOB, POD
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import Unavailable
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.port import StoreUnavailable
from reactor_operator.tasks.manifest_seal import Sealed

AUDIT_SECONDS = 15.0
_log = structlog.get_logger("reactor_operator.changes")


class Audit:
    """Looks for the pods of launched tasks."""

    def __init__(
        self,
        client: KubeClient,
        reader: PodReader,
        *,
        launched: Callable[[], Iterable[tuple[KnownRun, Task]]],
        seen: Callable[[], set[tuple[str, str]]],
        seconds: float = AUDIT_SECONDS,
    ) -> None:
        self._client = client
        self._reader = reader
        self._launched = launched
        self._seen = seen
        self._seconds = seconds

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.look()
            except (Unavailable, StoreUnavailable, ApiError) as problem:
                _log.warning("launched tasks could not be looked for", problem=str(problem))

    async def look(self) -> None:
        """Look once. Raises Unavailable, StoreUnavailable."""
        seen = self._seen()
        for known, task in list(self._launched()):
            run = known.definition.run
            name = pod_name(run.name, run.uid, task)
            if (run.namespace, name) in seen:
                continue
            if await self._is_gone(run.namespace, name, _placement(known, task)):
                await self._reader.missing(Sealed(run, task, name, ""))
                _log.warning("a launched task has no pod any more", pod=f"{run.namespace}/{name}")

    async def _is_gone(self, namespace: str, name: str, placement: Placement) -> bool:
        """Return whether neither the pod nor, for a Job, a Job that may still make one is there."""
        if placement is Placement.POD:
            return await self._client.get(POD.object(namespace, name)) is None
        pods = await self._client.list(
            POD.collection(namespace), {"labelSelector": f"batch.kubernetes.io/job-name={name}"}
        )
        if pods.items:
            return False
        job = await self._client.get(JOB.object(namespace, name))
        return job is None or has_failed(job)


def _placement(known: KnownRun, task: Task) -> Placement:
    return effective(known.spec, known.spec.step(task.path)).placement if known.spec is not None else Placement.POD


def has_failed(job: object) -> bool:
    """Return whether a Job has a condition Failed, so that it makes no pod any more."""
    return any(
        text_at(condition, "type") == "Failed" and text_at(condition, "status") == "True"
        for condition in maps_at(job, "status", "conditions")
    )
