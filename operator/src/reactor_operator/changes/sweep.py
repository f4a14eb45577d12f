"""State of runs whose objects are gone: swept after two live reads, far enough apart, found nothing.

In: runs that were said to be deleted, and runs of the store that no object was found for. Out: `forget`.
Never here: a sweep after one look, because a watch said so, or because the wall clock jumped.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from reactor_operator.ports import Definitions, RunRef, Unavailable
from reactor_operator.store.port import RunStore, StoreUnavailable

_log = structlog.get_logger("reactor_operator.changes")


class Sweeper:
    """Forgets runs that are gone for certain."""

    def __init__(
        self,
        definitions: Definitions,
        store: RunStore,
        *,
        grace_seconds: float,
        forgotten: Callable[[RunRef], None],
        found: Callable[[RunRef], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._definitions = definitions
        self._store = store
        self._monotonic = monotonic
        self._grace_seconds = grace_seconds
        self._forgotten = forgotten
        self._found = found
        self._missing: dict[RunRef, float | None] = {}

    def suspect(self, ref: RunRef) -> None:
        """Look whether the run is still there, now and again after the grace."""
        self._missing.setdefault(ref, None)

    async def run(self) -> None:
        """Look at suspects until cancelled."""
        pause = min(max(self._grace_seconds / 4, 0.2), 30.0)
        while True:
            await asyncio.sleep(pause)
            for ref in list(self._missing):
                try:
                    await self._look(ref)
                except (Unavailable, StoreUnavailable) as problem:
                    where = f"{ref.namespace}/{ref.name}"
                    _log.warning("a deleted run could not be looked at", run=where, problem=str(problem))
                except Exception:
                    _log.exception("a deleted run cannot be swept: this is a bug", run=f"{ref.namespace}/{ref.name}")

    async def _look(self, ref: RunRef) -> None:
        now = self._monotonic()
        first = self._missing.get(ref)
        if first is not None and now - first < self._grace_seconds:
            return
        if await self._definitions.get_run(ref) is not None:
            del self._missing[ref]
            self._found(ref)
        elif first is None:
            self._missing[ref] = now
        else:
            await self._store.forget(ref.uid)
            del self._missing[ref]
            self._forgotten(ref)
            _log.info("the state of a deleted run was swept", run=f"{ref.namespace}/{ref.name}", uid=ref.uid)
