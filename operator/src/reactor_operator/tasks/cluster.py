"""Tasks on a cluster: pods and Jobs made, adopted and removed, each call safe to repeat.

In: `TaskOrder`s. Out: objects on the API server. Never here: what a pod did (it comes back through the inbox), a name
that is not a function of the task, a deletion without the uid it is meant for.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from reactor_operator.api.effective import effective
from reactor_operator.api.reactor import Placement, PodRetention, ReactorSpec, Step
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import Task, pod_name
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, Conflict, Forbidden, Invalid, QuotaExceeded, refusals_as_unavailable
from reactor_operator.kube.fields import JsonObject, int_at, map_at, text_at, texts_at
from reactor_operator.kube.paths import JOB, POD, Kind
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.ports import Clock, Launched, NotYet, Refused, RunRef, TaskOrder
from reactor_operator.tasks.log_keeper import LogKeeper
from reactor_operator.tasks.manifest import RUN_UID, STEP_PATH, label_value, render_manifest
from reactor_operator.tasks.manifest_env import Unlaunchable
from reactor_operator.tasks.manifest_seal import TASK, is_owned_by, open_seal
from reactor_operator.tasks.manifest_spec import GRACE_SECONDS, STEP, TaskSettings

LINGER_MS = 30_000
_AGAIN_MS = 1_000
_BLOCKED_MS = 15_000
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Sighting:
    """A task's own pod as a watch last told it. `dead`: its container runs no longer, which never changes again.
    `began`: it has started."""

    uid: str
    dead: bool
    began: bool = False


class ClusterLauncher:
    """Implements `ports.Launcher` on the API server.

    `sight` tells what the watch knows of a task's pod; it spares most of the requests before a removal.
    `adopted` is told of a pod that was there when it was to be made. `logs` reads those of pods that are to go.
    """

    def __init__(
        self,
        client: KubeClient,
        settings: TaskSettings,
        clock: Clock,
        sight: Callable[[RunRef, Task], Sighting | None] = lambda run, task: None,
        adopted: Callable[[RunRef, Task], None] = lambda run, task: None,
        logs: LogKeeper | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._sight = sight
        self._adopted = adopted
        self._logs = logs
        self._retiring: OrderedDict[str, int] = OrderedDict()
        self._chunks: OrderedDict[str, None] = OrderedDict()

    @property
    def has_room(self) -> bool:
        """Always: the cluster itself says which pods wait for a place."""
        return True

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        """Create the task's pod or Job, or find that it stands already."""
        if order.after is not None and not order.chunk:  # a lease that ran out is proof enough
            with refusals_as_unavailable("look at the pod of the task before"):
                if not await self._is_dead(order, order.after):
                    return NotYet(again_ms=_AGAIN_MS)
        try:
            manifest = render_manifest(order, self._settings)
        except Unlaunchable as problem:
            return Refused(problem.failure)
        kind = JOB if manifest["kind"] == JOB.name else POD
        if order.chunk:
            self._note_chunk(kind.object(order.run.namespace, pod_name(order.run.name, order.run.uid, order.task)))
        try:
            await self._client.create(kind.collection(order.run.namespace), manifest, strict=True)
        except Conflict:
            return await self._adopt(order)
        except Invalid as error:
            return _refuse(f"the API server refuses its pod: {error.message}")
        except QuotaExceeded as error:
            return NotYet(again_ms=_BLOCKED_MS, reason=f"QuotaExceeded: {error.message}")
        except Forbidden as error:
            if "violates PodSecurity" in error.message:
                return _refuse(f"the namespace refuses its pod: {error.message}")
            return NotYet(again_ms=_BLOCKED_MS, reason=f"Forbidden: {error.message}")
        except ApiError as error:
            return NotYet(again_ms=_BLOCKED_MS, reason=f"{error.reason or error.status}: {error.message}")
        return Launched()

    async def retire(
        self,
        run: RunRef,
        spec: ReactorSpec,
        step: Step,
        task: Task,
        *,
        stop: bool,
        failed: bool,
        chunk: bool = False,
        sensitive: bool = False,
    ) -> bool:
        """Remove a closed task's pod or Job as its retention says; False while it still runs."""
        chosen = effective(spec, step, step.action(task.action))
        kind = JOB if chosen.placement is Placement.JOB else POD
        path = kind.object(run.namespace, pod_name(run.name, run.uid, task))
        if chunk:
            kept = _is_kept(chosen.pod_retention, failed=failed)
            return await self._retire_chunk(run, task, kind, path, stop=stop, kept=kept)
        seen = self._sight(run, task) if kind is POD and not stop else None
        if seen is not None and not seen.dead and self._clock.now() < self._first_asked(path) + LINGER_MS:
            return False
        if seen is not None and seen.dead:
            if not self._log_is_settled(run, task, kind, sensitive=sensitive):
                return False
            if not _is_kept(chosen.pod_retention, failed=failed):
                await self._delete(path, seen.uid, None)
            self._retiring.pop(path, None)
            return True
        with refusals_as_unavailable(f"get {path}"):
            found = await self._client.get(path)
        if found is None or not self._is_ours(found, run, task):
            self._retiring.pop(path, None)
            return True
        if not stop and not _has_ended(found):
            since = self._first_asked(path)
            if self._clock.now() < since + LINGER_MS:
                return False
            stop = True
        if not self._log_is_settled(run, task, kind, sensitive=sensitive) and _has_ended(found):
            return False
        self._retiring.pop(path, None)
        if not stop and _is_kept(chosen.pod_retention, failed=failed):
            return True
        grace = None if _has_ended(found) else GRACE_SECONDS
        await self._delete(path, text_at(found, "metadata", "uid"), grace)
        return True

    def _log_is_settled(self, run: RunRef, task: Task, kind: Kind, *, sensitive: bool) -> bool:
        """Tell whether what a task printed is kept, as far as it is to be. One that is to be stopped is not waited
        for: what it printed is read while it ends."""
        return self._logs is None or self._logs.is_settled(run, task, kind, sensitive=sensitive)

    async def _retire_chunk(self, run: RunRef, task: Task, kind: Kind, path: str, *, stop: bool, kept: bool) -> bool:
        """Remove the pod of a chunk, once it has ended or where it has not begun: others than `task` may run in it.

        A task that ended by itself tells that its pod has begun, maybe before the kubelet does. Only the first task of
        a chunk has one. Of the others nothing was seen, and nothing is asked.
        """
        seen = self._sight(run, task)
        if seen is None and path not in self._chunks:
            return True
        if seen is not None and not seen.dead and (seen.began or not stop):
            return False
        with refusals_as_unavailable(f"get {path}"):
            found = await self._client.get(path)
            if found is not None and self._is_ours(found, run, task):
                ended = _has_ended(found)
                if not ended and (not stop or await self._has_begun(found, kind)):
                    return False
                if not (ended and kept):
                    await self._delete(path, text_at(found, "metadata", "uid"), None if ended else GRACE_SECONDS)
        self._chunks.pop(path, None)
        return True

    async def _has_begun(self, found: JsonObject, kind: Kind) -> bool:
        """Return whether the container of a pod, or of a pod of a Job, has started."""
        pods: Sequence[JsonObject] = [found]
        if kind is JOB:
            namespace, name = text_at(found, "metadata", "namespace"), text_at(found, "metadata", "name")
            pods = (await self._client.list(POD.collection(namespace), _pods_of_job(name))).items
        return any(facts.started_at(facts.container_status(pod, STEP)) is not None for pod in pods)

    def _note_chunk(self, path: str) -> None:
        self._chunks[path] = None
        while len(self._chunks) > _REMEMBERED:
            self._chunks.popitem(last=False)

    async def _delete(self, path: str, uid: str, grace_seconds: int | None) -> None:
        with refusals_as_unavailable(f"delete {path}"), suppress(Conflict):  # another uid: not what was to be removed
            await self._client.delete(path, uid=uid, grace_seconds=grace_seconds)

    async def _adopt(self, order: TaskOrder) -> Launched | NotYet | Refused:
        """The name is taken: it is the task's own, made before; or it goes; or it is somebody else's."""
        name = pod_name(order.run.name, order.run.uid, order.task)
        kind = JOB if effective(order.spec, order.step).placement is Placement.JOB else POD
        with refusals_as_unavailable(f"get {name}"):
            found = await self._client.get(kind.object(order.run.namespace, name))
        if found is None:
            return NotYet(again_ms=_AGAIN_MS)
        if self._is_ours(found, order.run, order.task):
            self._adopted(order.run, order.task)
            return Launched()
        if _bears_traces(found, order.run):
            message = (
                f"ForeignPod: labels, annotations or the owner of {kind.name} {name} in namespace "
                f"{order.run.namespace} were changed, so nothing that it tells counts; look at what it did"
            )
            return Refused(Failure(kind=FailureKind.LOST, message=render_message(message)))
        return _refuse(
            f"ForeignPod: a {kind.name} {name} that this run did not make has the name of the task in namespace "
            f"{order.run.namespace}; delete it and start the run again"
        )

    def _is_ours(self, found: JsonObject, run: RunRef, task: Task) -> bool:
        sealed = open_seal(self._settings.key, found)
        return sealed is not None and (sealed.run, sealed.task) == (run, task) and is_owned_by(found, run)

    async def _is_dead(self, order: TaskOrder, previous: Task) -> bool:
        """Return whether the pod of the step's previous task runs no longer (or its node was given up).

        One that is not there may never have been made, because it was closed first. Then nobody has waited for the task
        before that one, so all pods of the step count.
        """
        run = order.run
        name = pod_name(run.name, run.uid, previous)
        if effective(order.spec, order.step).placement is Placement.JOB:
            pods = (await self._client.list(POD.collection(run.namespace), _pods_of_job(name))).items
            job = await self._client.get(JOB.object(run.namespace, name))
            if job is not None or pods:
                return all(self._is_pod_dead(pod) for pod in pods) and (job is None or bool(pods) or _has_ended(job))
        else:
            pod = await self._client.get(POD.object(run.namespace, name))
            if pod is not None:
                return self._is_pod_dead(pod)
        selector = {"labelSelector": f"{RUN_UID}={run.uid},{STEP_PATH}={label_value(order.task.path)}"}
        listed = (await self._client.list(POD.collection(run.namespace), selector)).items
        return all(self._is_pod_dead(pod) for pod in listed if self._is_of_another_task(pod, order))

    def _is_of_another_task(self, pod: JsonObject, order: TaskOrder) -> bool:
        sealed = open_seal(self._settings.key, pod)
        return sealed is not None and sealed.run == order.run and sealed.task != order.task

    def _is_pod_dead(self, pod: JsonObject) -> bool:
        if facts.has_ended(pod, STEP):
            return True
        return facts.is_unreachable(pod, self._clock.now(), self._settings.lost_seconds * 1000)

    def _first_asked(self, path: str) -> int:
        since = self._retiring.setdefault(path, self._clock.now())
        while len(self._retiring) > _REMEMBERED:
            self._retiring.popitem(last=False)
        return since


def _pods_of_job(name: str) -> dict[str, str]:
    return {"labelSelector": f"batch.kubernetes.io/job-name={name}"}


def _bears_traces(found: JsonObject, run: RunRef) -> bool:
    """Return whether the run may have made what does not carry its seal: then a task may have acted in it."""
    names_run = texts_at(found, "metadata", "annotations").get(TASK, "").startswith(f"{run.uid}/")
    return names_run or texts_at(found, "metadata", "labels").get(RUN_UID) == run.uid or is_owned_by(found, run)


def _has_ended(found: JsonObject) -> bool:
    """Return whether a pod's task container, or a Job, has ended."""
    if text_at(found, "kind") == JOB.name:
        status = map_at(found, "status")
        return bool((int_at(status, "succeeded") or 0) + (int_at(status, "failed") or 0)) and not int_at(
            status, "active"
        )
    return facts.has_ended(found, STEP)


def _is_kept(retention: PodRetention, *, failed: bool) -> bool:
    return retention is PodRetention.ALL or (retention is PodRetention.FAILED and failed)


def _refuse(message: str) -> Refused:
    return Refused(Failure(kind=FailureKind.CANNOT_START, message=render_message(message)))
