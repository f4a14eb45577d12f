"""The queues of pools and the book of leases in Redis, which `commit.lua` fills and `append.lua` ends.

In: what workers take and renew. Out: leases, what has run out, depths. Never here: a clock but that of Redis (TIME).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reactor_operator.store.port import TOLD_AGAIN_MS, Depth, Lease, LeasedTask, worker_binding
from reactor_operator.store.redis_connection import Argument, RedisConnection, Script
from reactor_operator.store.redis_keys import Keys


class RedisPools:
    """Implements `Pools`; each call is one script."""

    def __init__(self, connection: RedisConnection, keys: Keys) -> None:
        self._redis = connection
        self._keys = keys
        self._lease, self._extend = Script("lease"), Script("extend")
        self._expired, self._depths, self._waiting = Script("expired"), Script("depths"), Script("waiting")

    async def lease(self, pool: str, worker: str, limit: int, for_ms: int) -> tuple[Lease, ...]:
        """Take chunks from the queue of a pool."""
        keys = (self._keys.pool(pool), self._keys.leases, self._keys.depths)
        arguments = (self._keys.prefix, pool, worker, worker_binding(pool, worker), limit, for_ms)
        return tuple(_leases(await self._redis.write_script(self._lease, keys, arguments)))

    async def extend(self, pool: str, worker: str, leases: frozenset[str], for_ms: int) -> Mapping[str, frozenset[str]]:
        """Renew leases."""
        asked = [id_ for id_ in sorted(leases) if "/" in id_]
        if not asked:
            return {}
        arguments: list[Argument] = [self._keys.prefix, pool, worker, for_ms]
        for id_ in asked:
            arguments += id_.split("/", 1)
        found = await self._redis.write_script(self._extend, (self._keys.leases, self._keys.depths), arguments)
        return {asked[number]: frozenset(task.decode() for task in closed) for number, *closed in found}

    async def expired(self, limit: int) -> tuple[tuple[str, str], ...]:
        """End leases that have run out."""
        arguments = (self._keys.prefix, limit, TOLD_AGAIN_MS)
        found = await self._redis.write_script(self._expired, (self._keys.leases, self._keys.depths), arguments)
        words = [word.decode() for word in found]
        return tuple(zip(words[::2], words[1::2], strict=True))

    async def depths(self) -> Mapping[str, Depth]:
        """Return how much waits in each pool."""
        found = await self._redis.read_script(self._depths, (self._keys.depths,), (self._keys.prefix,))
        return {
            pool.decode(): Depth(queued=queued, leased=leased, oldest_ms=oldest_ms)
            for pool, queued, leased, oldest_ms in found
        }

    async def waiting(self, pool: str, limit: int) -> tuple[tuple[str, str], ...]:
        """Return tasks that wait in the queue of a pool."""
        arguments = (self._keys.prefix, pool, limit)
        found = await self._redis.read_script(self._waiting, (self._keys.pool(pool),), arguments)
        words = [word.decode() for word in found]
        return tuple(zip(words[::2], words[1::2], strict=True))


def _leases(words: Sequence[Any]) -> Iterator[Lease]:
    """Parse what `lease.lua` answers."""
    at, run = 0, ""
    while at < len(words):
        run, first = words[at].decode() or run, at + 2
        at = first + 2 * words[at + 1]
        tasks = tuple(LeasedTask(task=words[i].decode(), record=words[i + 1]) for i in range(first, at, 2))
        yield Lease(id=f"{run}/{tasks[-1].task}", run=run, tasks=tasks)
