"""The pools that exist, as the watch and the lists tell them, with what is known of their workers.

In: events of ReactorPools and of their Deployments. Out: marks, and answers to those who ask. Never here: a request, or
a bad object that keeps others from being told.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.pool import PoolSpec
from reactor_operator.api.reactor import Step
from reactor_operator.engine.failures import Failure
from reactor_operator.kube.fields import JsonObject
from reactor_operator.pools.pool import Pool, parse_pool, pool_key
from reactor_operator.pools.references import refuse_on_pool
from reactor_operator.pools.scaling import ScaleMemory
from reactor_operator.pools.workers import Workers


@dataclass(slots=True)
class Known:
    """A pool and what is known of it; times are seconds of the monotonic clock.

    workers:    None until its Deployment was looked at.           dirty:      something may have changed since.
    looked_at:  when it was looked at last.                        written_at: when its status was written last.
    not_before: until then it is left alone, after `failures` in a row.
    """

    pool: Pool
    workers: Workers | None = None
    memory: ScaleMemory = field(default_factory=ScaleMemory)
    dirty: bool = True
    looked_at: float = 0.0
    written_at: float = 0.0
    not_before: float = 0.0
    failures: int = 0


class PoolRoster:
    """Knows the pools."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._wake = asyncio.Event()
        self.is_complete = False
        """Whether every pool was told at least once: until then one that is missing here may exist."""

    def changed(self, kind: str | None, object_: JsonObject) -> None:
        """Take in one event: `kind` is ADDED, MODIFIED or DELETED, None for what a list or a write tells."""
        pool = parse_pool(object_)
        known = self._known.get(pool.key)
        if kind == "DELETED" or pool.deleting:
            if known is not None and known.pool.uid == pool.uid:
                del self._known[pool.key]
            return
        if known is None or known.pool.uid != pool.uid:
            self._known[pool.key] = Known(pool)
            self._wake.set()
            return
        if pool.generation < known.pool.generation:
            return  # a watch tells late what a list or an answer has told already
        if pool.generation != known.pool.generation:
            known.dirty = True
            known.not_before = 0.0
            self._wake.set()
        known.pool = pool

    def mark(self, namespace: str, name: str) -> None:
        """Look at a pool soon: its Deployment is another by now."""
        known = self._known.get(pool_key(namespace, name))
        if known is not None:
            known.dirty = True
            self._wake.set()

    def forget_but(self, keys: Iterable[str], among: Iterable[str]) -> None:
        """Drop the pools of `among` that are not in `keys`: a list, newer than `among`, does not have them."""
        for key in set(among) - set(keys):
            self._known.pop(key, None)

    def keys(self, namespace: str | None = None) -> list[str]:
        """Return the pools of a namespace, or of all."""
        return [key for key, known in self._known.items() if namespace in (None, known.pool.namespace)]

    def refuse(self, pool: str, path: str, step: Step, action: ActionSpec) -> Failure | None:
        """Return why an action can never start on a pool, as far as the pool is known; one that is missing may come."""
        known = self._known.get(pool)
        if known is None or known.pool.spec is None:
            return None
        return refuse_on_pool(path, step, action, pool, known.pool.spec)

    def names(self, namespace: str) -> list[str]:
        """Return the names of the pools of a namespace."""
        return [self._known[key].pool.name for key in self.keys(namespace)]

    def find(self, key: str) -> Known | None:
        """Return what is known of a pool, None where it is not known to exist."""
        return self._known.get(key)

    def spec_of(self, namespace: str, name: str) -> PoolSpec | None:
        """Return the spec of a pool, None where it is not known to exist, or is not sound."""
        known = self._known.get(pool_key(namespace, name))
        return None if known is None else known.pool.spec

    def all(self) -> list[Known]:
        """Return all pools."""
        return list(self._known.values())

    async def wait(self, seconds: float) -> None:
        """Wait until something was marked, at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()


Mark = Callable[[str, str], None]
