"""An API server for each test, and over it what follows pools."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.kube.api_server import ApiServer
from tests.unit.pools.followed import PoolTrial


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest_asyncio.fixture
async def trial(server: ApiServer) -> AsyncIterator[PoolTrial]:
    async with server.client(timeout_seconds=2.0) as client:
        yield PoolTrial(server, client)
