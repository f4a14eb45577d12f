"""Pods into the inbox: each thing a pod tells is appended once, as if the task had reported it itself.

In: pods, their seals opened. Out: entries in the inbox. Never here: a request to the API server, a decision.
The inbox knows repetitions by digest: forgetting what was told (a restart, a full memory) costs a call, nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable

from reactor_operator.engine.events import TaskEvent, TaskStarted, TaskWaiting
from reactor_operator.engine.identity import Task, digest_of
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.pod import (
    is_of_chunk,
    read_missing,
    read_pod,
    read_tampered,
    read_unreachable,
    read_vanished,
)
from reactor_operator.ports import Clock, RunRef
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, Inbox
from reactor_operator.tasks.manifest_seal import Sealed

_REMEMBERED = 20_000
_SECOND_MS = 999
_SETTLED = "settled"
_STARTED = "started"


class PodReader:
    """Tells the inbox what pods tell. Raises StoreUnavailable; calling again repeats nothing."""

    def __init__(
        self,
        inbox: Inbox,
        clock: Clock,
        *,
        lost_ms: int,
        awaited: Callable[[RunRef, Task], bool | None] = lambda run, task: None,
    ) -> None:
        """`awaited` tells without a call whether anybody waits for a task; None where that is not known."""
        self._inbox = inbox
        self._clock = clock
        self._lost_ms = lost_ms
        self._awaited = awaited
        self._told: OrderedDict[str, str] = OrderedDict()

    async def read(self, pod: JsonObject, sealed: Sealed, stalled: str = "", *, live: bool) -> bool:
        """Tell what a pod tells now; return whether its container is known dead (or its node lost).

        `stalled` is why it does not start, where its status names no reason. `live`: it was just read from the API
        server. A watch may tell late, so its word alone gives no node up.
        """
        reading = read_pod(pod, sealed)
        if self._awaited(sealed.run, sealed.task) is False:
            return reading.dead or (live and self._is_given_up(pod))  # nothing that it tells counts any more
        key = self._key(pod, sealed)
        if reading.started_at is not None and self._told.get(key) not in (_STARTED, _SETTLED):
            # Kubelet rounds down to the second; rounding up keeps a timeout from firing early.
            at = min(reading.started_at + _SECOND_MS, self._clock.now())
            started = TaskStarted(task=sealed.task, at=at)
            if await self._append(sealed, started, digest_of("started", sealed.task.key)) is not Appended.UNKNOWN:
                self._remember(key, _STARTED)
        outcome = reading.outcome
        given_up = live and outcome is None and not reading.dead and self._is_given_up(pod)
        if given_up and not is_of_chunk(sealed):
            outcome = read_unreachable(pod, sealed)
        if outcome is not None:
            await self._settle(key, outcome)
        else:
            await self._tell_waiting(key, pod, sealed, reading.waiting or stalled)
        return reading.dead or outcome is not None or given_up

    def _is_given_up(self, pod: JsonObject) -> bool:
        return facts.is_unreachable(pod, self._clock.now(), self._lost_ms)

    def distrust(self) -> None:
        """Tell everything again: the store may have lost what was told."""
        self._told.clear()

    def forget(self, pod: JsonObject, sealed: Sealed) -> None:
        """Tell again what this pod tells."""
        self._told.pop(self._key(pod, sealed), None)

    async def vanished(self, pod: JsonObject, sealed: Sealed, *, last: bool) -> None:
        """Tell that a pod is gone. Call this only after a live GET said so; `pod` is what was seen of it.

        `last`: it was so when it went, as the watch of its deletion tells.
        """
        if not is_of_chunk(sealed):
            await self._settle(self._key(pod, sealed), read_vanished(pod, sealed, last=last))

    async def missing(self, sealed: Sealed) -> None:
        """Tell that a task that was launched has no pod. Call this only after a live GET said so."""
        await self._settle(_key_of(sealed), read_missing(sealed))

    async def tampered(self, sealed: Sealed) -> None:
        """Tell that the pod of a task cannot be believed any more, because somebody changed what is under its seal."""
        await self._settle(_key_of(sealed), read_tampered(sealed))

    async def podless(self, job: JsonObject, sealed: Sealed, reason: str) -> None:
        """Tell why a Job has no pod yet, or (an empty reason) that nothing is known to be wrong with it."""
        await self._tell_waiting(_key_of(sealed), job, sealed, reason)

    async def is_checked_in(self, sealed: Sealed) -> bool:
        """Return whether somebody speaks for the task at the gateway (or it is closed, and nobody needs to)."""
        open_ = await self._inbox.open_task(sealed.run.uid, sealed.task.key)
        return open_ is None or bool(open_.binding)

    async def is_closed(self, sealed: Sealed) -> bool:
        """Return whether the task is closed for certain: its run is stored, and nobody waits for the task."""
        awaited = self._awaited(sealed.run, sealed.task)
        if awaited is not None:
            return not awaited
        if await self._inbox.open_task(sealed.run.uid, sealed.task.key) is not None:
            return False
        # Only an append tells a closed task from a run that is not stored (which may be a loss: keep its pods).
        asked = TaskWaiting(task=sealed.task, reason="")
        return await self._append(sealed, asked, digest_of("asked", sealed.task.key)) is Appended.CLOSED

    async def _tell_waiting(self, key: str, pod: JsonObject, sealed: Sealed, reason: str) -> None:
        before = self._told.get(key)
        if before is None:
            before = self._told.get(_key_of(sealed), "")  # what its Job was said to wait for
        if before in (reason, _STARTED, _SETTLED):
            return
        # The same reason may come, go and come again: each time is an entry of its own.
        turn = (text_at(pod, "metadata", "resourceVersion"), self._clock.now() // 1000)
        digest = digest_of("waiting", sealed.task.key, reason, *turn)
        await self._append(sealed, TaskWaiting(task=sealed.task, reason=reason), digest)
        self._remember(key, reason)

    async def _settle(self, key: str, outcome: Entry) -> None:
        if self._told.get(key) != _SETTLED and await self._inbox.append(outcome) is not Appended.UNKNOWN:
            self._remember(key, _SETTLED)

    async def _append(self, sealed: Sealed, event: TaskEvent, digest: str) -> Appended:
        return await self._inbox.append(
            Entry(run=sealed.run.uid, task=sealed.task.key, digest=digest, body=encode_event(event))
        )

    def _key(self, pod: JsonObject, sealed: Sealed) -> str:
        return _key_of(sealed) + text_at(pod, "metadata", "uid")

    def _remember(self, key: str, told: str) -> None:
        self._told[key] = told
        self._told.move_to_end(key)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _key_of(sealed: Sealed) -> str:
    """Return what a task is remembered under; a pod of it adds its uid."""
    return f"{sealed.run.uid}/{sealed.task.key}/"
