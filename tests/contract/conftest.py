"""The stores under contract: three implementations, each also with every answer to a write lost."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Pools, Store
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.sqlite import SqliteStore
from tests.contract.gateway_server import Gateway, ServedStore, open_task, running_gateway
from tests.contract.lost_answers import LostAnswers, PatientCaller
from tests.contract.redis_server import RedisServer
from tests.contract.signal_server import Signals, signalling


class StoreWithPools(Store, Pools, Protocol):
    """What MemoryStore and RedisStore are."""


_installations = itertools.count(1)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def installation() -> str:
    """An id under which no other test of this process keeps anything."""
    return f"test-{next(_installations)}"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, installation: str) -> Callable[[], Store]:
    """Opens the same store again and again: another process would see the same."""
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "run.db")
    server: RedisServer = request.getfixturevalue("redis_server")
    return lambda: RedisStore(server.url, installation)


@pytest.fixture(params=["", "answers lost"])
async def store(request: pytest.FixtureRequest, open_store: Callable[[], Store]) -> AsyncIterator[Store]:
    opened = open_store()
    yield PatientCaller(LostAnswers(opened)) if request.param else opened
    await opened.close()


@pytest.fixture(params=["memory", "redis"])
async def pools(request: pytest.FixtureRequest, installation: str) -> AsyncIterator[StoreWithPools]:
    """A store that has queues."""
    store: StoreWithPools = MemoryStore()
    if request.param == "redis":
        store = RedisStore(request.getfixturevalue("redis_server").url, installation)
    yield store
    await store.close()


@pytest.fixture
async def gateway(served_store: ServedStore) -> AsyncIterator[Gateway]:
    async with running_gateway(served_store) as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def served_store(request: pytest.FixtureRequest, installation: str) -> AsyncIterator[ServedStore]:
    """A store that a gateway serves."""
    store: ServedStore = MemoryStore()
    if request.param == "redis":
        store = RedisStore(request.getfixturevalue("redis_server").url, installation)
    yield store
    await store.close()


@pytest.fixture
async def signals(served_store: ServedStore) -> AsyncIterator[Signals]:
    """A gateway that takes signals for a run whose operator answers."""
    async with signalling(served_store) as running, running.run.answering():
        yield running


@pytest.fixture
async def open_gateway() -> AsyncIterator[Gateway]:
    """A gateway with an open task, over the store in memory: for what never reaches the store."""
    store = MemoryStore()
    await open_task(store)
    async with running_gateway(store) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that the test may hurt."""
    with RedisServer(tmp_path / "redis") as server:
        yield server
