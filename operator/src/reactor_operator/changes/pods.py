"""The pods of our tasks, followed by a thin watcher of our own: list, watch, and never trust either for long.

In: pods as raw JSON, selected by label on the server. Out: what they tell goes to the inbox, and their runs are marked.
Never here: a task declared lost from memory alone (a live GET comes first), or one pod's exception that stops others.

A watch may stall, drop and repeat events, and go stale. So everything is listed again every 15 s while a task runs;
what a list knows and no watch told is counted in `missed_events`.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.stalls import Stalls
from reactor_operator.engine.identity import Task
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, ApiUnavailable, Conflict, Gone
from reactor_operator.kube.fields import JsonObject, map_at, text_at
from reactor_operator.kube.paths import POD
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.pod import is_of_chunk
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.store.port import StoreUnavailable
from reactor_operator.tasks.cluster import Sighting
from reactor_operator.tasks.manifest import SELECTOR
from reactor_operator.tasks.manifest_seal import Sealed, is_owned_by, open_seal
from reactor_operator.tasks.manifest_spec import STEP

RELIST_SECONDS = 15.0
LINGER_SECONDS = 30.0
_QUIET_RELIST_SECONDS = 120.0
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 15.0
_QUERY = {"labelSelector": SELECTOR}
_log = structlog.get_logger("reactor_operator.changes")


@dataclass(slots=True)
class _Seen:
    """A pod as last told: its version, whose it is, and (while its end is not told) its last JSON.

    ours:         its owner is the run that its seal names.
    closed_since: since when (monotonic seconds) it is known to run although nobody waits for its task.
    """

    version: str
    sealed: Sealed
    pod: JsonObject
    ours: bool = False
    dead: bool = False
    read: bool = False
    closed_since: float | None = None


class PodWatch:
    """Follows the pods of one namespace, or (None) of all."""

    def __init__(
        self,
        *,
        client: KubeClient,
        namespace: str | None,
        reader: PodReader,
        stalls: Stalls,
        mark: Callable[[RunRef], None],
        active: Callable[[], bool],
        key: bytes,
        metrics: ChangeMetrics,
        relist_seconds: float = RELIST_SECONDS,
        catch_up_seconds: float = 2.0,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        """`active` tells whether any task is launched, `catch_up_seconds` is what a watch is given to tell what a list
        already knows, and `linger_seconds` what a pod is given to end after its task was closed."""
        self._client = client
        self._path = POD.collection(namespace)
        self._reader = reader
        self._stalls = stalls
        self._mark = mark
        self._active = active
        self._key = key
        self._metrics = metrics
        self._relist_seconds = relist_seconds
        self._catch_up_seconds = catch_up_seconds
        self._linger_seconds = linger_seconds
        self._seen: dict[str, _Seen] = {}
        self._tasks: dict[tuple[str, str], str] = {}
        self._foreign: set[str] = set()
        self._relist_now = asyncio.Event()
        self._listed = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._relist())

    async def wait_listed(self) -> None:
        """Wait until the first list was read."""
        await self._listed.wait()

    def names(self) -> set[tuple[str, str]]:
        """Return (namespace, name of the pod or of its Job) of all pods that were last seen to exist."""
        return {(seen.sealed.run.namespace, seen.sealed.name) for seen in self._seen.values()}

    def distrust(self) -> None:
        """Read every pod again, soon: the store may have lost what they told."""
        for seen in self._seen.values():
            seen.version = ""
        self._relist_now.set()

    def adopted(self, run: RunRef, task: Task) -> None:
        """Read a task's pod again, soon: it was there before its task was opened, and may have spoken to nobody."""
        seen = self._seen.get(self._tasks.get((run.uid, task.key), ""))
        if seen is not None:
            self._reader.forget(seen.pod, seen.sealed)
            seen.version = ""
            self._relist_now.set()

    def sight(self, run: RunRef, task: Task) -> Sighting | None:
        """Return what is known of a task's own pod; None where it was not seen, or may not be what it seems."""
        uid = self._tasks.get((run.uid, task.key), "")
        seen = self._seen.get(uid)
        if seen is None or not seen.ours or (seen.sealed.run, seen.sealed.task) != (run, task):
            return None
        return Sighting(uid, dead=seen.dead and seen.read, began=_has_begun(seen.pod))

    def alive(self) -> set[tuple[str, str]]:
        """Return (namespace, name of the pod or of its Job) of the pods that were last seen to have not ended."""
        return {(seen.sealed.run.namespace, seen.sealed.name) for seen in self._seen.values() if not seen.dead}

    async def _watch(self) -> None:
        version, pause = "", _FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                if not version:
                    version = await self._list(first=not self._listed.is_set())
                async for event in self._client.watch(self._path, version, _QUERY):
                    version = text_at(event.object, "metadata", "resourceVersion") or version
                    if event.type in ("ADDED", "MODIFIED"):
                        await self._met(event.object, new=event.type == "ADDED", live=False)
                    elif event.type == "DELETED":
                        await self._parted(event.object, last=True)
            except Gone:
                self._metrics.watch_breaks.labels("gone").inc()
                version = ""
            except (ApiUnavailable, ApiError) as problem:
                self._metrics.watch_breaks.labels("broken").inc()
                _log.warning("the watch of pods broke", path=self._path, problem=str(problem))
            # One that held is followed up at once; one that ends as it began must not be asked for all the time.
            if time.monotonic() - began >= _LONGEST_PAUSE_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _relist(self) -> None:
        """List again in time, more seldom while no task runs, and soon where something could not be read."""
        compared_at = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(self._relist_seconds):
                    await self._relist_now.wait()
            except TimeoutError:
                busy = self._active() or any(not (seen.dead and seen.read) for seen in self._seen.values())
                if not busy and time.monotonic() - compared_at < _QUIET_RELIST_SECONDS:
                    continue
            else:
                await asyncio.sleep(self._catch_up_seconds)
            self._relist_now.clear()
            if not self._listed.is_set():
                continue
            compared_at = time.monotonic()
            try:
                await self._compare()
            except (ApiUnavailable, ApiError) as problem:
                _log.warning("pods could not be listed again", path=self._path, problem=str(problem))

    async def _list(self, *, first: bool) -> str:
        """Read all pods and tell about each; those that are gone are looked for."""
        before = dict(self._seen)
        listing = await self._client.list(self._path, _QUERY)
        for pod in listing.items:
            await self._met(pod, new=not first)
        there = {text_at(pod, "metadata", "uid") for pod in listing.items}
        for uid, seen in before.items():
            if uid not in there:
                await self._parted(seen.pod, last=False)
        self._listed.set()
        return listing.resource_version

    async def _compare(self) -> None:
        """List, give the watch a moment to catch up, and take what it still has not told."""
        before = {uid: seen.version for uid, seen in self._seen.items()}
        listing = await self._client.list(self._path, _QUERY)
        await asyncio.sleep(self._catch_up_seconds)
        listed = {text_at(pod, "metadata", "uid"): pod for pod in listing.items}
        for uid, pod in listed.items():
            seen = self._seen.get(uid)
            version = text_at(pod, "metadata", "resourceVersion")
            if uid in self._foreign or (seen is None and uid in before):
                continue  # not ours, or the watch has told its end meanwhile
            if seen is None or (seen.version != version and seen.version == before.get(uid)):
                if seen is None or seen.version:
                    self._metrics.missed_events.inc()
                await self._met(pod, new=True)
            elif not seen.read or not seen.dead:
                await self._met(seen.pod, new=False)
                await self._end_overstayed(seen)
        self._foreign &= listed.keys()
        for uid in [uid for uid in before if uid not in listed and uid in self._seen]:
            self._metrics.missed_events.inc()
            await self._parted(self._seen[uid].pod, last=False)

    async def _met(self, pod: JsonObject, *, new: bool, live: bool = True) -> None:
        """Tell what a pod tells; what cannot be told now is told by the next list. `live`: just read, not watched."""
        uid = text_at(pod, "metadata", "uid")
        sealed = self._open(uid, pod)
        if sealed is None:
            self._drop(uid)  # it may have been ours: the audit looks for the pods of launched tasks
            if uid not in self._foreign:
                self._foreign.add(uid)
                self._metrics.foreign.inc()
            return
        seen = self._seen.get(uid)
        first_time = seen is None
        if seen is None:
            seen = self._seen[uid] = _Seen("", sealed, pod)
            self._tasks[sealed.run.uid, sealed.task.key] = uid
        seen.version = text_at(pod, "metadata", "resourceVersion")
        seen.sealed, seen.pod, seen.ours = sealed, pod, is_owned_by(pod, sealed.run)
        try:
            was_dead = seen.dead
            stalled = "" if was_dead else await self._stalls.reason(pod, sealed)
            # Once dead it stays so: a list may be older than what the watch told meanwhile.
            seen.dead = await self._reader.read(pod, sealed, stalled, live=live) or seen.dead
            if seen.dead and not was_dead:
                self._mark(sealed.run)
            if not seen.dead and new and first_time:
                await self._remove_orphan(pod, sealed)
            seen.read = True
            if seen.dead:
                seen.pod = _slim(pod)
        except (StoreUnavailable, Unavailable, ApiError) as problem:
            self._postpone(seen, problem)
        except Exception:
            seen.read = False
            _log.exception("a pod cannot be read: this is a bug", pod=f"{sealed.run.namespace}/{sealed.name}")

    async def _parted(self, pod: JsonObject, *, last: bool) -> None:
        """A pod is said to be gone: look again, and only then tell so. `last`: it was like this when it went."""
        uid = text_at(pod, "metadata", "uid")
        seen = self._seen.get(uid)
        sealed = open_seal(self._key, pod) or (seen.sealed if seen is not None else None)
        if sealed is None:
            return
        try:
            settled = seen is not None and seen.dead and seen.read
            if not settled:
                path = POD.object(text_at(pod, "metadata", "namespace"), text_at(pod, "metadata", "name"))
                found = await self._client.get(path)
                if found is not None and text_at(found, "metadata", "uid") == uid:
                    await self._met(found, new=False)
                    return
                await self._reader.vanished(pod, sealed, last=last)
                self._mark(sealed.run)
            self._drop(uid)
        except (StoreUnavailable, Unavailable, ApiError) as problem:
            if seen is not None:
                self._postpone(seen, problem)
        except Exception:
            where = f"{sealed.run.namespace}/{sealed.name}"
            _log.exception("the end of a pod cannot be read: this is a bug", pod=where)

    def _open(self, uid: str, pod: JsonObject) -> Sealed | None:
        """Open the seal of a pod, or find it as it was: a pod is told half a dozen times, and its marks stay."""
        seen = self._seen.get(uid)
        if seen is not None and _marks(seen.pod) == _marks(pod):
            return seen.sealed
        return open_seal(self._key, pod)

    def _drop(self, uid: str) -> None:
        seen = self._seen.pop(uid, None)
        if seen is not None and self._tasks.get(key := (seen.sealed.run.uid, seen.sealed.task.key)) == uid:
            del self._tasks[key]

    async def _end_overstayed(self, seen: _Seen) -> None:
        """Delete a pod that still runs long after its task was closed, whoever was to remove it."""
        try:
            if seen.dead or _may_go_on(seen.pod, seen.sealed) or not await self._reader.is_closed(seen.sealed):
                seen.closed_since = None
            elif seen.closed_since is None:
                seen.closed_since = time.monotonic()
            elif time.monotonic() - seen.closed_since >= self._linger_seconds:
                await self._delete(seen.pod, "a pod outlived its task, and was deleted")
        except (StoreUnavailable, Unavailable, ApiError) as problem:
            self._postpone(seen, problem)

    async def _remove_orphan(self, pod: JsonObject, sealed: Sealed) -> None:
        """Delete a pod that appeared for a task that is closed: its create came through after all was over."""
        if not _may_go_on(pod, sealed) and await self._reader.is_closed(sealed):
            await self._delete(pod, "a pod appeared for a task that is closed, and was deleted")

    async def _delete(self, pod: JsonObject, why: str) -> None:
        namespace, name = text_at(pod, "metadata", "namespace"), text_at(pod, "metadata", "name")
        if text_at(pod, "metadata", "deletionTimestamp"):
            return
        try:
            await self._client.delete(POD.object(namespace, name), uid=text_at(pod, "metadata", "uid"))
        except Conflict:
            return
        self._metrics.orphans.inc()
        _log.warning(why, pod=f"{namespace}/{name}")

    def _postpone(self, seen: _Seen, problem: Exception) -> None:
        seen.read = False
        self._relist_now.set()
        where = f"{seen.sealed.run.namespace}/{seen.sealed.name}"
        _log.warning("a pod could not be read into the inbox; it is tried again", pod=where, problem=str(problem))


def _marks(pod: JsonObject) -> tuple[object, object]:
    """Return what the seal of a pod is about, and who owns it."""
    metadata = map_at(pod, "metadata")
    return metadata.get("annotations"), metadata.get("ownerReferences")


def _has_begun(pod: JsonObject) -> bool:
    return facts.started_at(facts.container_status(pod, STEP)) is not None


def _may_go_on(pod: JsonObject, sealed: Sealed) -> bool:
    """Return whether a pod may have more to do than the task that its seal names: it ends by itself."""
    return is_of_chunk(sealed) and _has_begun(pod)


def _slim(pod: JsonObject) -> JsonObject:
    """Return what is needed of a pod whose end was told: many finished ones may be kept, for long."""
    metadata = pod["metadata"]
    return {"metadata": {name: metadata.get(name) for name in ("name", "namespace", "uid")}}


def union_of(names: Iterable[set[tuple[str, str]]]) -> set[tuple[str, str]]:
    """Return all names that any watch knows."""
    return set().union(*names)
