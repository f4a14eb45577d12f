"""Where people look: the status of runs and Kubernetes Events, `ports.Board` on the API server.

In: renderings of statuses, and announcements. Out: at most one status write a second for each run, at once where the
phase changes, and none where the object has that status already. Never here: a read of the object before a write (the
watch tells it), a status that waits longer than a second, a write to an object with another uid, or over a request.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import structlog

from reactor_operator.engine.actions import Announce
from reactor_operator.kube.client import KubeClient, PatchType
from reactor_operator.kube.errors import Conflict, Forbidden, Invalid, refusals_as_unavailable
from reactor_operator.kube.fields import map_at, text_at
from reactor_operator.kube.paths import EVENT, REACTOR_RUN
from reactor_operator.ports import Clock, Rendering, RunRef, Unavailable
from reactor_operator.status.events import render_event
from reactor_operator.store.port import StoreUnavailable

Status = Mapping[str, object]
_log = structlog.get_logger("reactor_operator.status")
_LOOKS = 3
_BESIDE = frozenset({"store", "duration", "requests"})
_SMALLEST, _TOO_LARGE = -(2**63), 2**64


@dataclass(slots=True)
class _Shown:
    """What is known of one run's status: what the object has, when we last wrote, what still waits to be written.

    `requests` are those that people wrote into it, as last seen; None where it has no place for them yet. `exists`: the
    object has a status.
    """

    digest: bytes = b""
    phase: str = ""
    written_at: float = 0.0
    waiting: Rendering | None = None
    flush: asyncio.Task[None] | None = None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    requests: list[object] | None = None
    exists: bool = False


class ClusterBoard:
    """Writes statuses and Events through one client."""

    def __init__(self, client: KubeClient, clock: Clock, *, instance: str, pause_seconds: float = 1.0) -> None:
        self._client = client
        self._clock = clock
        self._instance = instance
        self._pause = pause_seconds
        self._shown: dict[str, _Shown] = {}

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        """Write the status now where its phase is new or the last write was a while ago, else within a second."""
        shown = self._shown.setdefault(ref.uid, _Shown())
        shown.waiting = render
        idle = time.monotonic() - shown.written_at
        if phase != shown.phase or (idle >= self._pause and shown.flush is None):
            await self._write(ref, shown)
            return
        if shown.flush is None:
            shown.flush = asyncio.create_task(self._flush_later(ref, shown, self._pause - idle))

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        """Post an Event; one that is there already is the same one."""
        event = render_event(ref, announcement, self._instance, self._clock.now())
        try:
            await self._client.create(EVENT.collection(ref.namespace), event)
        except Conflict:
            return
        except (Forbidden, Invalid) as error:
            # A namespace that is going away refuses new objects; nobody is left to read the Event.
            _log.warning("an Event was refused", run=f"{ref.namespace}/{ref.name}", problem=str(error))

    def observe(self, ref: RunRef, status: Status) -> None:
        """Take down what the object has, as a watch told it: the next report repairs what differs."""
        shown = self._shown.setdefault(ref.uid, _Shown())
        shown.digest = _digest(status)
        shown.phase = text_at(status, "phase")
        shown.requests, shown.exists = _requests_in(status), bool(status)

    def is_current(self, ref: RunRef, status: Status) -> bool:
        """Return whether this is the status that was last written or observed."""
        shown = self._shown.get(ref.uid)
        return shown is not None and shown.digest == _digest(status)

    def forget(self, uid: str) -> None:
        """Drop what is known of a run that is gone."""
        shown = self._shown.pop(uid, None)
        if shown is not None and shown.flush is not None:
            shown.flush.cancel()

    async def close(self) -> None:
        """Stop writing; what still waits is written by whoever reconciles next."""
        for uid in list(self._shown):
            self.forget(uid)

    async def _flush_later(self, ref: RunRef, shown: _Shown, seconds: float) -> None:
        """Write what waits, once the pause is over; while the API server is away, each second again."""
        try:
            await asyncio.sleep(max(seconds, 0.0))
            while shown.waiting is not None:
                try:
                    await self._write(ref, shown)
                except (Unavailable, StoreUnavailable) as problem:
                    _log.warning("a status waits", run=f"{ref.namespace}/{ref.name}", problem=str(problem))
                    await asyncio.sleep(self._pause)
        finally:
            shown.flush = None

    async def _write(self, ref: RunRef, shown: _Shown) -> None:
        """Write what waits, one write at a time, so that an older status never overtakes a newer one."""
        async with shown.writing:
            render = shown.waiting
            if render is None:
                return
            status = await render()
            if (digest := _digest(status)) == shown.digest:
                if shown.waiting is render:
                    shown.waiting = None
                return
            shown.written_at = time.monotonic()
            with refusals_as_unavailable(f"write the status of {ref.namespace}/{ref.name}"):
                await self._patch(ref, status, shown)
            if shown.waiting is render:
                shown.waiting = None
            shown.digest = digest
            shown.phase = text_at(status, "phase")

    async def _patch(self, ref: RunRef, status: Status, shown: _Shown) -> None:
        """Replace the status but for `requests`, which are not ours.

        A merge patch would drop every null in a result; a JSON patch keeps them. A status without `steps` speaks of a
        run whose state was lost: what the object has beside it stays. Raises Unavailable where somebody asks for
        something again and again meanwhile.
        """
        path = REACTOR_RUN.object(ref.namespace, ref.name, "status")
        for _ in range(_LOOKS):
            requests = shown.requests
            try:
                if "steps" in status:
                    await self._client.patch(path, _whole(ref, status, shown), PatchType.JSON)
                    shown.requests = requests or []
                else:
                    await self._client.patch(path, {"metadata": {"uid": ref.uid}, "status": status}, PatchType.MERGE)
                shown.exists = True
            except (Conflict, Invalid) as error:
                if error.causes:
                    raise  # the schema refuses what we rendered: our bug, and worth every line of log
                if await self._is_there(ref, shown):
                    continue
            return
        where = f"{ref.namespace}/{ref.name}"
        raise Unavailable(f"the requests in the status of {where} changed each time that it was written")

    async def _is_there(self, ref: RunRef, shown: _Shown) -> bool:
        """A test of a patch failed: take down what somebody has asked for. False: the name belongs to another run."""
        found = await self._client.get(REACTOR_RUN.object(ref.namespace, ref.name))
        if found is None or text_at(found, "metadata", "uid") != ref.uid:
            where = f"{ref.namespace}/{ref.name}"
            _log.info("a status was not written: another object has the run's name", run=where)
            return False
        shown.requests, shown.exists = _requests_in(map_at(found, "status")), "status" in found
        return True


def _whole(ref: RunRef, status: Status, shown: _Shown) -> list[object]:
    """Return a patch that replaces the status, if people have asked for nothing but what was seen.

    A test for null succeeds where nothing is; but what it is looked for in must be there.
    """
    asked_in = "/status/requests" if shown.exists else "/status"
    return [
        {"op": "test", "path": "/metadata/uid", "value": ref.uid},
        {"op": "test", "path": asked_in, "value": shown.requests},
        {"op": "add", "path": "/status", "value": {**status, "requests": shown.requests or []}},
    ]


def _requests_in(status: Status) -> list[object] | None:
    """Return the requests that people wrote into a status, None where there is no place for any yet."""
    found = status.get("requests")
    return found if isinstance(found, list) else None


def _given_back(value: object) -> object:
    """Return a document as the API server gives it back: a whole double is an integer there, however large.

    What has no 64 bits stays, or becomes, a double: nothing else could be written. A status has thousands of texts.
    """
    if isinstance(value, dict):
        return {name: member if type(member) is str else _given_back(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_given_back(item) for item in value]
    if type(value) is float and value.is_integer() and _SMALLEST <= value < _TOO_LARGE:
        return int(value)
    if type(value) is int and not _SMALLEST <= value < _TOO_LARGE:
        return float(value)
    return value


def _digest(status: Status) -> bytes:
    """Return what tells statuses apart. A newer revision or a longer duration alone is not worth a write."""
    said = {name: _given_back(value) for name, value in status.items() if name not in _BESIDE}
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
