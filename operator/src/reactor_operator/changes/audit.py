"""Tasks that were launched and of which nothing is left, or nothing has come yet: found by looking for each one's pod.

In: the open tasks of all runs, and the names of the pods that the watches know. Out: tasks told as lost, each after a
live GET, where the pod is gone or not ours any more; what a pod tells that no watch has met; Jobs without a pod told as
waiting. Never here: a task whose start
is not yet known to have succeeded.

A watch tells the end of a pod it saw. This finds what no watch can: a pod that was deleted while nobody watched, and
one that a Job was never allowed to make.
"""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import Placement
from reactor_operator.changes.stalls import Stalls
from reactor_operator.engine.identity import Task, pod_name
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.kube.paths import JOB, POD
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import Unavailable
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.port import StoreUnavailable
from reactor_operator.tasks.manifest_seal import Sealed, open_seal
from reactor_operator.tasks.manifest_spec import STEP

AUDIT_SECONDS = 15.0
_log = structlog.get_logger("reactor_operator.changes")


class Audit:
    """Looks for the pods of launched tasks."""

    def __init__(
        self,
        client: KubeClient,
        reader: PodReader,
        stalls: Stalls,
        *,
        key: bytes,
        launched: Callable[[], Iterable[tuple[KnownRun, Task]]],
        seen: Callable[[], set[tuple[str, str]]],
        seconds: float = AUDIT_SECONDS,
    ) -> None:
        self._client = client
        self._reader = reader
        self._stalls = stalls
        self._key = key
        self._launched = launched
        self._seen = seen
        self._seconds = seconds

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.look()
            except (Unavailable, StoreUnavailable) as problem:
                _log.warning("launched tasks could not be looked for", problem=str(problem))

    async def look(self) -> None:
        """Look once; what is refused for one task stops no other. Raises Unavailable, StoreUnavailable."""
        seen = self._seen()
        for known, task in list(self._launched()):
            run = known.definition.run
            sealed = Sealed(run, task, pod_name(run.name, run.uid, task), "")
            if (run.namespace, sealed.name) in seen:
                continue
            try:
                await self._look_for(sealed, _placement(known, task))
            except ApiError as problem:
                where = f"{run.namespace}/{sealed.name}"
                _log.warning("a launched task could not be looked for", pod=where, problem=str(problem))
            except (Unavailable, StoreUnavailable):
                raise
            except Exception:
                where = f"{run.namespace}/{sealed.name}"
                _log.exception("a launched task cannot be looked for: this is a bug", pod=where)

    async def _look_for(self, sealed: Sealed, placement: Placement) -> None:
        """Look whether the pod is there or, for a Job, one may still come."""
        namespace, name = sealed.run.namespace, sealed.name
        if placement is Placement.POD:
            found = await self._client.get(POD.object(namespace, name))
            gone = found is None
            opened = open_seal(self._key, found) if found is not None else None
            if found is not None and opened is not None:
                # Its labels were changed: no list that selects by them has it, and no watch of ours tells its end.
                await self._reader.read(found, opened, live=True)
            # While it runs it may still report to the gateway, which does not ask for a seal.
            elif found is not None and facts.has_ended(found, STEP):
                await self._reader.tampered(sealed)
                _log.warning("the pod of a launched task does not carry our seal any more", pod=f"{namespace}/{name}")
        else:
            query = {"labelSelector": f"batch.kubernetes.io/job-name={name}"}
            if (await self._client.list(POD.collection(namespace), query)).items:
                return
            job = await self._client.get(JOB.object(namespace, name))
            gone = job is None or has_failed(job)
            if job is not None and not gone:
                await self._reader.podless(job, sealed, await self._stalls.podless(job))
        if gone:
            await self._reader.missing(sealed)
            _log.warning("a launched task has no pod any more", pod=f"{namespace}/{name}")


def _placement(known: KnownRun, task: Task) -> Placement:
    if known.blueprint is None:
        return Placement.POD
    node = known.blueprint.at(task.path).node
    return effective(node.scope.reactor, node.step).placement


def has_failed(job: object) -> bool:
    """Return whether a Job has a condition Failed, so that it makes no pod any more."""
    return any(
        text_at(condition, "type") == "Failed" and text_at(condition, "status") == "True"
        for condition in maps_at(job, "status", "conditions")
    )
