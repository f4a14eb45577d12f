"""Chunks that wait for a pod of their own which is gone, or ended before it took them: told as lost, so that they are
launched again.

In: the depths of the queues that pods have for themselves, the pods. Out: `TaskLost` in the inboxes of all tasks that
wait in such a queue. Never here: a pod called gone from memory alone (a live GET comes first), a task told as lost that
a worker has leased (the inbox takes nothing of it: the binding says so), one whose pod was not made yet.
"""

import asyncio
from collections.abc import Callable

import structlog

from reactor_operator.engine.events import TaskLost
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.identity import Task, digest_of, parse_task_key
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import JsonObject, int_at
from reactor_operator.kube.paths import JOB, POD
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.exit_words import exit_words
from reactor_operator.pools.pool import pod_of, unleased_binding
from reactor_operator.pools.ports import WaitingStore
from reactor_operator.ports import Clock, Unavailable
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, StoreUnavailable
from reactor_operator.tasks.manifest_spec import STEP

LOOK_SECONDS = 5.0
PATIENCE_MS = 5_000
_MOST_TASKS = 1_000
"""No chunk has more: the window of a map has not."""
_log = structlog.get_logger("reactor_operator.pools")


class UntakenChunks:
    """Tells tasks that no pod will take them."""

    def __init__(
        self,
        store: WaitingStore,
        client: KubeClient,
        clock: Clock,
        *,
        launched: Callable[[str, Task], bool],
        alive: Callable[[], set[tuple[str, str]]],
        lost_seconds: int,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`launched` tells whether the start of a task of a run (its uid) was performed for certain; `alive` the pods
        (or Jobs) that a watch sees to exist and not to have ended: they are not looked at."""
        self._store = store
        self._client = client
        self._clock = clock
        self._launched = launched
        self._alive = alive
        self._lost_ms = lost_seconds * 1000
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Look until cancelled, every few seconds."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as problem:
                _log.warning("chunks that wait for their pods could not be looked at", problem=str(problem))
            await asyncio.sleep(self._look_seconds)

    async def look(self) -> None:
        """Look at each chunk that has waited for a while; one stops no other. Raises StoreUnavailable."""
        alive: set[tuple[str, str]] | None = None
        for key, depth in (await self._store.depths()).items():
            pod = pod_of(key)
            if pod is None or not depth.queued or depth.oldest_ms < PATIENCE_MS:
                continue
            alive = self._alive() if alive is None else alive
            if pod in alive:
                continue
            try:
                await self._look_for(key, *pod)
            except (Unavailable, ApiError) as problem:
                _log.warning("the pod of a chunk could not be looked for", pod=key, problem=str(problem))
            except StoreUnavailable:
                raise
            except Exception:
                _log.exception("the pod of a chunk cannot be looked for: this is a bug", pod=key)

    async def _look_for(self, key: str, namespace: str, name: str) -> None:
        waiting = await self._store.waiting(key, _MOST_TASKS)
        first = parse_task_key(waiting[0][1]) if waiting else None
        if first is None or not self._launched(waiting[0][0], first):
            return
        why = await self._gone(namespace, name)
        if why:
            answers = await self._store.append_all(
                [entry for run, task in waiting if (entry := _entry(key, run, task, why)) is not None]
            )
            lost = sum(answer is Appended.RECORDED for answer in answers)
            if lost:
                _log.warning("a chunk waited for a pod that does not take it", pod=key, reason=why, tasks=lost)

    async def _gone(self, namespace: str, name: str) -> str:
        """Return why nobody takes the chunk any more; nothing where somebody may."""
        pod = await self._client.get(POD.object(namespace, name))
        if pod is not None:
            return self._ended(pod)
        job = await self._client.get(JOB.object(namespace, name))
        if job is None:
            return "its pod was gone before it took its tasks"
        active, ended = int_at(job, "status", "active"), ("succeeded", "failed")
        if not active and any(int_at(job, "status", one) for one in ended):
            return "the pod of its Job ended before it took its tasks"
        return ""

    def _ended(self, pod: JsonObject) -> str:
        ended = facts.ended_container(facts.container_status(pod, STEP))
        if ended is not None:
            hint = "; does the image carry python3 and reactor-runtime?" if ended.exit_code not in (0, 143) else ""
            return f"its pod {exit_words(ended.exit_code)} before it took its tasks{hint}"
        if facts.is_over(pod):
            return "its pod ended before it took its tasks"
        if facts.is_unreachable(pod, self._clock.now(), self._lost_ms):
            return "the node of its pod does not answer"
        return ""


def _entry(key: str, run: str, task_key: str, why: str) -> Entry | None:
    task = parse_task_key(task_key)
    if task is None:
        return None
    event = TaskLost(task=task, message=render_message(why), may_have_started=False)
    return Entry(
        run=run,
        task=task_key,
        final=True,
        binding=unleased_binding(key),
        digest=digest_of("untaken", task_key),
        body=encode_event(event),
    )
