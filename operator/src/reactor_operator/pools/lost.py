"""Tasks whose lease ran out: their worker ended or hung, and nobody will report them.

In: the store's book of leases. Out: `TaskLost` in the inboxes of their runs. Never here: what a loss means, or a task
told as lost that has its outcome (the store passes those over, and its inbox decides the rest), or told as lost
with a worker that lives, because the store was away and took no heartbeat.
"""

import asyncio
import time

import structlog

from reactor_operator.engine.events import TaskLost
from reactor_operator.engine.identity import digest_of, parse_task_key
from reactor_operator.pools.metrics import PoolMetrics
from reactor_operator.pools.ports import PoolStore
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, StoreUnavailable

LOOK_SECONDS = 1.0
AT_ONCE = 500
GRACE_SECONDS = 15.0
"""So long workers have to renew their leases once the store answers again: they ask every 5 s, after a pause of at most
5 s, and a gateway may wait 5 s for a store that has gone."""
_MORE_SECONDS = 0.05
MESSAGE = "its lease ran out: the worker ended or hung"
_log = structlog.get_logger("reactor_operator.pools")


class LostTasks:
    """Tells runs of tasks that were lost with their worker."""

    def __init__(
        self,
        store: PoolStore,
        metrics: PoolMetrics,
        *,
        look_seconds: float = LOOK_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._look_seconds = look_seconds
        self._grace_seconds = grace_seconds

    async def run(self) -> None:
        """Look until cancelled, every second, and sooner where there are more.

        Not at first, and not when the store has been away: workers could not renew their leases then.
        """
        not_before = time.monotonic() + self._grace_seconds
        while True:
            pause = self._look_seconds
            try:
                if time.monotonic() < not_before:
                    await self._store.depths()  # whether it answers
                elif await self.look() >= AT_ONCE:
                    pause = _MORE_SECONDS
            except StoreUnavailable as problem:
                not_before = time.monotonic() + self._grace_seconds
                _log.warning("leases could not be looked at", problem=str(problem))
            except Exception:
                _log.exception("lost tasks cannot be told: this is a bug")
            await asyncio.sleep(pause)

    async def look(self) -> int:
        """Tell of the leases that have run out, and return of how many tasks. Raises StoreUnavailable.

        Where that fails half-way the store tells them again, and the inbox knows what it has.
        """
        expired = await self._store.expired(AT_ONCE)
        entries = [entry for run, key in expired if (entry := lost_entry(run, key)) is not None]
        if entries:
            answers = await self._store.append_all(entries)
            lost = sum(answer is Appended.RECORDED for answer in answers)
            self._metrics.lost.inc(lost)
            _log.info("leases ran out", tasks=lost)
        return len(expired)


def lost_entry(run: str, key: str) -> Entry | None:
    """Return the final entry for a task whose lease ran out, the same each time; None where `key` names none."""
    task = parse_task_key(key)
    if task is None:
        _log.error("a leased task has a key that names none: this is a bug", run=run, task=key)
        return None
    event = TaskLost(task=task, message=MESSAGE)
    return Entry(run=run, task=key, final=True, digest=digest_of("lease", key), body=encode_event(event))
