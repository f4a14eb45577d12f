"""What the store of a world is kept in: this process's memory, a real SQLite file, or a real redis-server.

In: nothing, a folder, or the address of a server. Out: the store as it is `now`, which can be copied as a backup would,
emptied, and brought back to a copy. Never here: a fault of its own accord.
"""

import copy
import itertools
import sqlite3
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from redis.asyncio import Redis

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Store
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.sqlite import SqliteStore

_numbers = itertools.count(1)


class StoreKind(StrEnum):
    """Which store a world has."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    REDIS = "redis"


class Disk(Protocol):
    """Keeps the store of one world."""

    @property
    def now(self) -> Store:
        """The store as it is."""

    @property
    def copies(self) -> int:
        """How many copies there are to go back to."""

    async def copy(self) -> None:
        """Keep a copy, as a backup would."""

    async def empty(self) -> None:
        """Forget everything (FLUSHALL, a lost file)."""

    async def roll_back(self, number: int) -> None:
        """Go back to a copy, which is used up."""

    async def close(self) -> None:
        """Let go of the store, and of what it left."""


class MemoryDisk:
    """Implements `Disk` in this process."""

    def __init__(self) -> None:
        self.now = MemoryStore()
        self._copies: list[MemoryStore] = []

    @property
    def copies(self) -> int:
        return len(self._copies)

    async def copy(self) -> None:
        self._copies.append(copy.deepcopy(self.now))

    async def empty(self) -> None:
        self.now = MemoryStore()

    async def roll_back(self, number: int) -> None:
        self.now = self._copies.pop(number)

    async def close(self) -> None:
        await self.now.close()


class SqliteDisk:
    """Implements `Disk` in a folder: each state of it has a file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: list[Path] = []
        self._path = self._new_path()
        self.now = SqliteStore(self._path)
        self._copies: list[Path] = []

    @property
    def copies(self) -> int:
        return len(self._copies)

    async def copy(self) -> None:
        self._copies.append(_copy_of(self._path, self._new_path()))

    async def empty(self) -> None:
        await self._open(self._new_path())

    async def roll_back(self, number: int) -> None:
        await self._open(self._copies.pop(number))

    async def close(self) -> None:
        await self.now.close()
        for path in self._paths:
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink()

    async def _open(self, path: Path) -> None:
        await self.now.close()
        self._path, self.now = path, SqliteStore(path)

    def _new_path(self) -> Path:
        self._paths.append(self._folder / f"{next(_numbers)}.db")
        return self._paths[-1]


def _copy_of(path: Path, target: Path) -> Path:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copied:
        source.backup(copied)
    return target


class RedisDisk:
    """Implements `Disk` in a server that others share: all its keys are those of one installation."""

    def __init__(self, url: str) -> None:
        installation = f"world-{next(_numbers)}"
        self._keys = f"reactor:{installation}:*"
        self._client: Any = Redis.from_url(url)
        self.now = RedisStore(url, installation)
        self._copies: list[dict[bytes, bytes]] = []

    @property
    def copies(self) -> int:
        return len(self._copies)

    async def copy(self) -> None:
        keys = await self._client.keys(self._keys)
        self._copies.append({key: await self._client.dump(key) for key in keys})

    async def empty(self) -> None:
        keys = await self._client.keys(self._keys)
        if keys:
            await self._client.delete(*keys)

    async def roll_back(self, number: int) -> None:
        await self.empty()
        for key, body in self._copies.pop(number).items():
            await self._client.restore(key, 0, body)

    async def close(self) -> None:
        await self.empty()
        await self._client.aclose()
        await self.now.close()
