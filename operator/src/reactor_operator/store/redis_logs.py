"""The logs of tasks in Redis, with the rest of what a run has.

In and out: as `port.Logs` says. Never here: what is in a log.
"""

from reactor_operator.store.redis_connection import RedisConnection, Script
from reactor_operator.store.redis_keys import Keys


class RedisLogs:
    """Implements `Logs`, for a store that has a connection and keys."""

    _redis: RedisConnection
    _keys: Keys
    _put_log = Script("put_log")

    async def put_log(self, run: str, task: str, body: bytes, most_bytes: int) -> bool:
        """Keep the log of a task."""
        keys = self._keys.of_run(run, "header", "logs", "logged")
        return bool(await self._redis.write_script(self._put_log, keys, (task, body, most_bytes)))

    async def get_log(self, run: str, task: str) -> bytes | None:
        """Return the log of a task."""
        found: bytes | None = await self._redis.read("HGET", *self._keys.of_run(run, "logs"), task)
        return found

    async def logged_tasks(self, run: str) -> frozenset[str]:
        """Return the tasks of which a log is kept."""
        return frozenset(task.decode() for task in await self._redis.read("HKEYS", *self._keys.of_run(run, "logs")))
