"""What follows runs and pods, each over an API server of its own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.changes.followed import Trial
from tests.unit.changes.watched import PodTrial
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import store_with_task


@pytest_asyncio.fixture
async def trial() -> AsyncIterator[Trial]:
    async with ApiServer().serve() as server:
        yield Trial(server)


@pytest_asyncio.fixture
async def pods() -> AsyncIterator[PodTrial]:
    async with ApiServer().serve() as server:
        yield PodTrial(server, await store_with_task())
