"""An API server for each test, and over it what follows runs, and what watches pods."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.changes.followed import Trial
from tests.unit.changes.watched import PodTrial
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import store_with_task


@pytest_asyncio.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer().serve() as serving:
        yield serving


@pytest_asyncio.fixture
async def trial(server: ApiServer) -> Trial:
    return Trial(server)


@pytest_asyncio.fixture
async def pods(server: ApiServer) -> PodTrial:
    return PodTrial(server, await store_with_task())
