"""Tasks that wait in the queue of a pool that does not serve them, told why: their `pendingTimeout` sees to the rest.

In: the depths of the queues, the roster, the workers. Out: `TaskWaiting` in the inboxes of the oldest tasks, with a
reason, and without one once all is well. Never here: the end of a task, or a pool called missing from memory alone (a
live GET comes first).

A task is told once of each reason. Who begins anew, as a new leader does, does not know what was told before: queues
that are well then are told so once.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from reactor_operator.api.problems import nearest
from reactor_operator.engine.events import TaskWaiting
from reactor_operator.engine.failures import render_message
from reactor_operator.engine.identity import digest_of, parse_task_key
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import REACTOR_POOL
from reactor_operator.pools.pool import pod_of, pool_of
from reactor_operator.pools.ports import WaitingStore
from reactor_operator.pools.roster import Known, PoolRoster
from reactor_operator.pools.workers import Workers
from reactor_operator.ports import Clock, Unavailable
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Depth, Entry, StoreUnavailable

LOOK_SECONDS = 5.0
AT_ONCE = 200
NOT_FOUND, NOT_READY = "PoolNotFound", "PoolNotReady"
STARTING_MS = 20_000
SILENT_SECONDS = 30.0
REASON_SECONDS = 30.0
"""How long a reason stands before another one takes its place: kubelet's words change with each attempt."""
_REMEMBERED = 5_000
_Key = tuple[str, str]
_log = structlog.get_logger("reactor_operator.pools")


@dataclass(slots=True)
class _Told:
    """What the tasks of one pool were told, since when (monotonic seconds), and which of them."""

    reason: str
    since: float
    tasks: dict[_Key, str] = field(default_factory=dict)


class UnservedTasks:
    """Tells tasks why no worker takes them."""

    def __init__(
        self,
        store: WaitingStore,
        roster: PoolRoster,
        client: KubeClient,
        clock: Clock,
        *,
        look_seconds: float = LOOK_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._roster = roster
        self._client = client
        self._clock = clock
        self._look_seconds = look_seconds
        self._monotonic = monotonic
        self._told: dict[str, _Told] = {}
        self._unsure: set[str] | None = None
        self._silent: dict[str, float] = {}

    async def run(self) -> None:
        """Look until cancelled, every few seconds."""
        while True:
            try:
                await self.look()
            except StoreUnavailable as problem:
                _log.warning("waiting tasks of pools could not be told of", problem=str(problem))
            await asyncio.sleep(self._look_seconds)

    async def look(self) -> None:
        """Tell the oldest tasks of each queue what they wait for; one pool stops no other. Raises StoreUnavailable."""
        found = await self._store.depths()
        depths = {key: depth for key, depth in found.items() if pod_of(key) is None}
        if self._unsure is None:
            self._unsure = {key for key, depth in depths.items() if depth.queued}
        for key in sorted(depths.keys() | self._told.keys()):
            depth = depths.get(key)
            try:
                reason = await self._reason(key, depth) if depth is not None and depth.queued else ""
                if reason is not None:
                    await self._tell(key, reason)
            except (Unavailable, ApiError) as problem:
                _log.warning("a pool could not be looked for", pool=key, problem=str(problem))
            except StoreUnavailable:
                raise
            except Exception:
                _log.exception("the tasks of a pool cannot be told of: this is a bug", pool=key)

    async def _reason(self, key: str, depth: Depth) -> str | None:
        """Return what is wrong with a pool whose queue is not empty: an empty text for nothing, None for not known."""
        known = self._roster.find(key)
        if known is None:
            return await self._missing(key) if self._roster.is_complete else None
        if known.workers is None:
            return None
        if known.workers.ready:
            return self._silence(key, known.pool.name, depth)
        self._silent.pop(key, None)
        trouble = _trouble(known, known.workers, depth)
        return f"{NOT_READY}: ReactorPool {known.pool.name}: {trouble}" if trouble else None

    async def _missing(self, key: str) -> str | None:
        """Look whether there really is no such pool."""
        namespace, name = pool_of(key)
        found = await self._client.get(REACTOR_POOL.object(namespace, name))
        if found is not None and not text_at(found, "metadata", "deletionTimestamp"):
            self._roster.changed(None, found)
            return None
        if found is not None:
            return f"{NOT_FOUND}: ReactorPool {name} is being deleted"
        near = nearest(name, self._roster.names(namespace))
        hint = f"did you mean {near}?" if near is not None else "apply it, or name another one in poolRef"
        return f"{NOT_FOUND}: there is no ReactorPool {name} in namespace {namespace}; {hint}"

    def _silence(self, key: str, name: str, depth: Depth) -> str:
        """Return that workers which run take nothing, where that is so for long: they do not reach the gateway."""
        now = self._monotonic()
        if depth.leased:
            self._silent.pop(key, None)
            return ""
        since = self._silent.setdefault(key, now)
        if now - since < SILENT_SECONDS or depth.oldest_ms < SILENT_SECONDS * 1000:
            return ""
        words = "its workers run and take no task; do they reach the gateway?"
        return f"{NOT_READY}: ReactorPool {name}: NothingTaken: {words}"

    async def _tell(self, key: str, reason: str) -> None:
        assert self._unsure is not None
        told = self._told.get(key)
        if reason:
            self._unsure.discard(key)
            now = self._monotonic()
            if told is None:
                told = self._told[key] = _Told(reason, now)
                _log.warning("tasks wait for a pool that does not serve them", pool=key, reason=reason)
            elif told.reason != reason and now - told.since >= REASON_SECONDS:
                told.reason, told.since = reason, now
            waiting = await self._store.waiting(key, AT_ONCE)
            await self._append(told, [task for task in waiting if told.tasks.get(task) != told.reason], told.reason)
        elif told is not None:
            await self._append(told, list(told.tasks), "")
            del self._told[key]
            self._silent.pop(key, None)
            _log.info("a pool serves its tasks again", pool=key)
        elif key in self._unsure:
            await self._append(_Told("", 0.0), await self._store.waiting(key, AT_ONCE), "")
            self._unsure.discard(key)

    async def _append(self, told: _Told, tasks: Sequence[_Key], reason: str) -> None:
        """Tell tasks, and remember those that can still hear."""
        for place in range(0, len(tasks), AT_ONCE):
            entries = self._entries(tasks[place : place + AT_ONCE], reason)
            answers = await self._store.append_all(entries)
            for entry, answer in zip(entries, answers, strict=True):
                told.tasks.pop((entry.run, entry.task), None)
                if answer in (Appended.RECORDED, Appended.REPEATED):
                    told.tasks[entry.run, entry.task] = reason
        for task in list(told.tasks)[: max(len(told.tasks) - _REMEMBERED, 0)]:
            del told.tasks[task]

    def _entries(self, tasks: Sequence[_Key], reason: str) -> list[Entry]:
        now = self._clock.now()
        entries = []
        for run, key in tasks:
            task = parse_task_key(key)
            if task is not None:
                # The same reason may come, go and come again: each time is an entry of its own.
                digest = digest_of("pool", key, reason, now)
                body = encode_event(TaskWaiting(task=task, reason=render_message(reason)))
                entries.append(Entry(run=run, task=key, digest=digest, body=body))
        return entries


def _trouble(known: Known, workers: Workers, depth: Depth) -> str:
    """Return why a pool has no worker that is ready; empty where they have not had the time yet."""
    if workers.trouble:
        return workers.trouble
    if known.pool.problems:
        return f"its spec is not sound: {known.pool.problems[0]}"
    if not workers.wanted and known.pool.spec is not None and not known.pool.spec.scales_itself:
        return "it has no workers: spec.replicas is 0"
    if depth.oldest_ms < STARTING_MS:
        return ""
    return f"none of {workers.wanted} workers is ready"
