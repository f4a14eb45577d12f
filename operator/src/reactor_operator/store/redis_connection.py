"""One way to Redis: scripts and commands in one round trip each, and writes that are on disk when they are answered.

In: scripts, commands. Out: their answers, or `StoreUnavailable`. Never here: a repetition of what got no answer (the
caller knows how to ask whether it took effect), or what the keys mean.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib import resources
from typing import Any, TypeVar

import hiredis
import redis.exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from reactor_operator.store.port import StoreUnavailable

T = TypeVar("T")
Argument = str | bytes | int
Observe = Callable[[str, float, bool], None]
"""Takes an operation, for how long it took, and whether the store answered."""
_WAITAOF_SINCE = (7, 2)
_INCLUDE = b"--include "
_AWAY = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.NoPermissionError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
    OSError,
)
_AWAY_PREFIXES = ("MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE")


class NotDurable(StoreUnavailable):
    """Redis answers writes before they are on disk, and cannot be asked to wait; nothing was written."""


class Durability(Enum):
    """How it is known that a write is on disk."""

    ALWAYS = "appendfsync always"
    WAITAOF = "WAITAOF after each write"
    NONE = "not known"


class Script:
    """A Lua script from `redis_scripts/`, named by its SHA-1 as Redis does.

    The lines after the first may be `--include NAME`: the text of another file is put in the place of each.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        flags, _, text = _script_text(name).partition(b"\n")
        shared = b""
        while text.startswith(_INCLUDE):
            included, _, text = text.removeprefix(_INCLUDE).partition(b"\n")
            shared += _script_text(included.decode())
        self.text = flags + b"\n" + shared + text
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """How Redis is spoken to.

    require_durable: refuse to write (NotDurable) where a write might be lost after its answer. False is for caches
                     of other people's tests only.
    """

    timeout_seconds: float = 5.0
    connections: int = 64
    require_durable: bool = True


class _PackedByHiredis:
    """Mixed into redis-py's connections, which write a command of thousands of words in Python, eight times slower."""

    def pack_command(self, *words: Any) -> list[bytes]:
        if " " in words[0]:  # two words, as in CONFIG GET
            words = (*words[0].split(), *words[1:])
        return [hiredis.pack_command(words)]


class RedisConnection:
    """A pool of connections to one Redis.

    doubts:  how many writes may be, or were, in Redis's memory and not on its disk.
    settled: how many of them are. Another write that is on disk settles those before it, for the file is written in
             order; until then nothing may follow from what is read.
    """

    def __init__(self, url: str, options: RedisOptions, observe: Observe | None = None) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=options.connections,
            timeout=options.timeout_seconds,
            socket_timeout=options.timeout_seconds,
            socket_connect_timeout=options.timeout_seconds,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        pool.connection_class = type("FastConnection", (_PackedByHiredis, pool.connection_class), {})
        self.client: Any = Redis.from_pool(pool)
        self._options = options
        self._observe: Observe = observe if observe is not None else _unobserved
        self._durability: Durability | None = None
        self._replication_id = ""
        self._checking = asyncio.Lock()
        self.doubts = 0
        self.settled = 0

    async def read(self, *command: Argument) -> Any:
        """Send one command that writes nothing and return its answer."""
        return await self._observed("read", self._twice(lambda: self.client.execute_command(*command)))

    async def read_script(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script that writes nothing, in one round trip."""
        rest = (len(keys), *keys, *arguments)
        return await self._observed(script.name, self._twice(lambda: self._evaluate(script, rest, wait=False)))

    async def write_script(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script in one round trip; what it wrote is on disk when this returns. Raises NotDurable."""
        wait = await self.durability() is Durability.WAITAOF
        rest = (len(keys), *keys, *arguments)
        written = self._written(lambda: self._evaluate(script, rest, wait=wait), wait=wait)
        return await self._observed(script.name, written)

    async def write(self, *command: Argument) -> Any:
        """Send one writing command; what it wrote is on disk when this returns. Raises NotDurable."""
        wait = await self.durability() is Durability.WAITAOF
        return await self._observed("write", self._written(lambda: self._send(command, wait=wait), wait=wait))

    async def durability(self) -> Durability:
        """Return how writes are known to be on disk, asking Redis the first time. Raises NotDurable."""
        if self._durability is not None:
            return self._durability
        async with self._checking:
            if self._durability is None:
                self._durability = await self._check_durability()
            return self._durability

    async def identity(self, key: str) -> tuple[bytes | None, str]:
        """Return what `key` holds and the id of Redis's data set as replicas know it (empty where INFO is forbidden).

        Where the second is new, Redis was restarted, perhaps with other settings: the next write asks for them again.
        """
        stored, replication_id = await self._twice(lambda: self._ask_identity(key))
        if replication_id != self._replication_id:
            self._replication_id, self._durability = replication_id, None
        return stored, replication_id

    async def close(self) -> None:
        """Close every connection."""
        await self.client.aclose()
        await self.client.connection_pool.disconnect()

    async def _observed(self, operation: str, call: Awaitable[T]) -> T:
        """Wait for a call, and tell how long it took. One that was given up tells nothing of the store."""
        began = time.perf_counter()
        try:
            answer = await call
        except StoreUnavailable:
            self._observe(operation, time.perf_counter() - began, False)
            raise
        self._observe(operation, time.perf_counter() - began, True)
        return answer

    async def _written(self, call: Callable[[], Awaitable[T]], *, wait: bool) -> T:
        """As `_once`; where the disk is waited for, a write that failed or was given up may be in memory alone."""
        try:
            return await self._once(call)
        except (StoreUnavailable, asyncio.CancelledError):
            self.doubts += 1 if wait else 0
            raise

    async def _once(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call whose effect nobody may repeat but the caller. Raises StoreUnavailable."""
        try:
            return await cancellable(call())
        except Exception as problem:
            if isinstance(problem, redis.exceptions.ConnectionError):
                await self.client.connection_pool.disconnect(inuse_connections=False)
            raise _translated(problem) from problem

    async def _twice(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call without effects: after a restart of Redis every idle connection is a dead one. As `_once`."""
        try:
            return await cancellable(call())
        except redis.exceptions.ConnectionError:
            await self.client.connection_pool.disconnect(inuse_connections=False)
            return await self._once(call)
        except Exception as problem:
            raise _translated(problem) from problem

    async def _evaluate(self, script: Script, rest: tuple[Argument, ...], *, wait: bool) -> Any:
        try:
            return await self._send(("EVALSHA", script.sha, *rest), wait=wait)
        except redis.exceptions.NoScriptError:
            return await self._send(("EVAL", script.text, *rest), wait=wait)

    async def _send(self, command: tuple[Argument, ...], *, wait: bool) -> Any:
        if not wait:
            return await self.client.execute_command(*command)
        timeout_ms = int(self._options.timeout_seconds * 1000)
        async with self.client.pipeline(transaction=False) as pipeline:
            pipeline.execute_command(*command)
            pipeline.execute_command("WAITAOF", 1, 0, timeout_ms)
            answer, waited = await pipeline.execute(raise_on_error=False)
        for found in (answer, waited):
            if isinstance(found, Exception):
                raise found
        if waited[0] < 1:
            raise StoreUnavailable(f"Redis: the write was not on disk after {timeout_ms} ms; repeat it")
        return answer

    async def _check_durability(self) -> Durability:
        version, found = await self._twice(self._version), await self._twice(self._persistence)
        if found == ("yes", "always"):
            return Durability.ALWAYS
        if version >= _WAITAOF_SINCE and (found is None or found[0] == "yes"):
            return Durability.WAITAOF
        if not self._options.require_durable:
            return Durability.NONE
        described = "CONFIG GET is not allowed" if found is None else f"appendonly {found[0]}, appendfsync {found[1]}"
        raise NotDurable(
            f"Redis {'.'.join(map(str, version))}: found {described}; expected appendonly yes with appendfsync always, "
            "or Redis 7.2 or newer with appendonly yes (then WAITAOF is used); set them in its configuration"
        )

    async def _ask_identity(self, key: str) -> tuple[bytes | None, str]:
        async with self.client.pipeline(transaction=False) as pipeline:
            pipeline.get(key)
            pipeline.info("replication")
            stored, replication = await pipeline.execute(raise_on_error=False)
        if isinstance(stored, Exception):
            raise stored
        if isinstance(replication, redis.exceptions.NoPermissionError):
            return stored, ""
        if isinstance(replication, Exception):
            raise replication
        return stored, str(replication.get("master_replid", ""))

    async def _version(self) -> tuple[int, ...]:
        try:
            server = await self.client.info("server")
        except redis.exceptions.NoPermissionError:
            return (0,)
        return tuple(int(part) for part in str(server["redis_version"]).split(".")[:2])

    async def _persistence(self) -> tuple[str, str] | None:
        try:
            found = await self.client.config_get("appendonly", "appendfsync")
        except redis.exceptions.ResponseError:
            return None  # managed services forbid CONFIG; WAITAOF serves where it is known
        settings = {_text(name): _text(value) for name, value in found.items()}
        return settings["appendonly"], settings["appendfsync"]


async def cancellable(call: Awaitable[T]) -> T:
    """Wait for a call. Who is cancelled meanwhile ends, though redis-py may not hear of it.

    It waits with `asyncio.wait_for`, which until Python 3.12 returns as if nothing had been asked where it is cancelled
    in the very moment that it is done: a loop over such calls would go on for ever.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    answer = await call
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return answer


def _script_text(name: str) -> bytes:
    return (resources.files("reactor_operator.store") / "redis_scripts" / f"{name}.lua").read_bytes()


def _unobserved(operation: str, seconds: float, answered: bool) -> None:
    """Nobody looks."""


def _text(found: str | bytes) -> str:
    return found.decode() if isinstance(found, bytes) else found


def _translated(problem: Exception) -> Exception:
    if isinstance(problem, _AWAY) or str(problem).startswith(_AWAY_PREFIXES):
        return StoreUnavailable(f"Redis: {type(problem).__name__}: {problem}")
    return problem
