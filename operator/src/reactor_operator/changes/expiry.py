"""Finished runs that are deleted: after their TTL, or once they are undone where that was asked for.

In: finished runs as the watch tells them. Out: deletions of objects, each after a live read and a look into the store.
Never here: the deletion of a run that the store calls unfinished, whatever its status says.
"""

import asyncio

import orjson
import structlog

from reactor_operator.api.duration import parse_duration
from reactor_operator.changes.removal import remove_finished
from reactor_operator.changes.timetable import Timetable
from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, ApiUnavailable
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.ports import Clock, Definitions, RunObject, RunRef, Unavailable
from reactor_operator.reconciling.definition import RECORD
from reactor_operator.reconciling.records import read_header
from reactor_operator.store.port import RunStore, StoreUnavailable

_LONGEST_SLEEP_SECONDS = 30.0
_AGAIN_MS = 5_000
_log = structlog.get_logger("reactor_operator.changes")


class Expiry:
    """Deletes finished runs when their time has come."""

    def __init__(
        self,
        client: KubeClient,
        definitions: Definitions,
        store: RunStore,
        clock: Clock,
        *,
        default_ttl_ms: int | None = None,
    ) -> None:
        """`default_ttl_ms` is for runs of which neither they nor their reactor say one."""
        self._default_ttl_ms = default_ttl_ms
        self._client = client
        self._definitions = definitions
        self._store = store
        self._clock = clock
        self._times: Timetable[RunRef] = Timetable()
        self._pinned: dict[str, int | None] = {}
        self._to_go: dict[str, bool] = {}
        self._wake = asyncio.Event()

    async def note(self, run: RunObject) -> None:
        """Take down when the run is to be deleted, if ever. Raises StoreUnavailable."""
        at = await self._time_of(run)
        if at is None:
            self._times.drop(run.ref)
        else:
            self._times.put(run.ref, at)
            self._wake.set()

    def forget(self, ref: RunRef) -> None:
        """Drop what is known of a run that is gone."""
        self._times.drop(ref)
        self._pinned.pop(ref.uid, None)
        self._to_go.pop(ref.uid, None)

    async def run(self) -> None:
        """Delete what is due, until cancelled."""
        while True:
            self._wake.clear()
            for ref in self._times.take_due(self._clock.now()):
                await self._expire(ref)
            try:
                async with asyncio.timeout(self._times.seconds_to_next(self._clock.now(), _LONGEST_SLEEP_SECONDS)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _expire(self, ref: RunRef) -> None:
        where = f"{ref.namespace}/{ref.name}"
        try:
            run = await self._definitions.get_run(ref)
            if run is None or run.deleting:
                return
            at = await self._time_of(run)
            if at is None:
                return
            if at > self._clock.now() or not await remove_finished(self._client, self._store, run):
                self._times.put(ref, max(at, self._clock.now() + _AGAIN_MS))
                return
            _log.info("a finished run was deleted, for its time had come", run=where)
        except (Unavailable, StoreUnavailable, ApiUnavailable, ApiError) as problem:
            _log.warning("a finished run could not be deleted", run=where, problem=str(problem))
            self._times.put(ref, self._clock.now() + _AGAIN_MS)
        except Exception:
            _log.exception("a finished run cannot be deleted: this is a bug", run=where)

    async def _time_of(self, run: RunObject) -> int | None:
        """Return when the run is to go: at once where it was undone to be deleted, else after a TTL.

        Its own TTL counts, else that of its reactor, else the operator's.
        """
        finished_at = parse_moment(text_at(run.status, "finishedAt"))
        if text_at(run.status, "phase") not in ENDED or finished_at is None:
            return None
        if text_at(run.status, "phase") == RunPhase.UNDONE and await self._is_to_go(run.ref):
            return finished_at
        own = run.spec.get("ttlAfterFinished")
        ttl = _parse(own) if isinstance(own, str) else await self._pinned_ttl(run.ref)
        return None if ttl is None else finished_at + ttl

    async def _is_to_go(self, ref: RunRef) -> bool:
        """Tell whether the run was to be deleted once it is undone. That is never changed after its end."""
        if ref.uid not in self._to_go:
            header = read_header(await self._store.load(ref.uid))
            self._to_go[ref.uid] = header is not None and header.delete_undone
        return self._to_go[ref.uid]

    async def _pinned_ttl(self, ref: RunRef) -> int | None:
        """Return what holds for a run that says nothing; None where what its reactor said was lost."""
        if ref.uid not in self._pinned:
            snapshot = await self._store.load(ref.uid)
            record = snapshot.records.get(RECORD) if snapshot is not None and snapshot.records is not None else None
            pinned = orjson.loads(record) if record is not None else {"lost": True}
            ttl = pinned.get("ttl")
            default = None if pinned.get("lost") else self._default_ttl_ms
            self._pinned[ref.uid] = _parse(ttl) if isinstance(ttl, str) else default
        return self._pinned[ref.uid]


def _parse(text: str) -> int | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None
