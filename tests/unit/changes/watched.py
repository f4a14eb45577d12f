"""A watcher of pods over an API server and a store, and what it marked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.pods import PodWatch
from reactor_operator.changes.stalls import Stalls
from reactor_operator.kube.paths import POD
from reactor_operator.outcomes.reader import PodReader
from reactor_operator.ports import RunRef
from reactor_operator.store.memory import MemoryStore
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.pods import made
from tests.unit.outcomes.stores import FixedClock, inbox_of
from tests.unit.tasks.orders import KEY

PATH = POD.object("shop", made()["metadata"]["name"])
CREATED_MS = 1_795_348_800_000


class PodTrial:
    """A watch over an API server and a store, and what it marked."""

    def __init__(self, server: ApiServer, store: MemoryStore) -> None:
        self.server = server
        self.store = store
        self.clock = FixedClock(CREATED_MS + 1_000)
        self.metrics = ChangeMetrics(CollectorRegistry())
        self.marked: list[RunRef] = []
        self.has_marked = asyncio.Event()
        self.active = False
        self.rings = store.rings()

    @asynccontextmanager
    async def watching(self, relist_seconds: float = 60.0) -> AsyncIterator[PodWatch]:
        async with self.server.client(timeout_seconds=2.0) as client:
            reader = PodReader(self.store, self.clock, lost_ms=300_000)
            watch = PodWatch(
                client=client,
                namespace="shop",
                reader=reader,
                stalls=Stalls(client, reader, self.clock),
                mark=self.mark,
                active=lambda: self.active,
                linger_seconds=0.2,
                key=KEY,
                metrics=self.metrics,
                relist_seconds=relist_seconds,
                catch_up_seconds=0.1,
            )
            task = asyncio.create_task(watch.run())
            try:
                async with asyncio.timeout(5):
                    await watch.wait_listed()
                yield watch
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def mark(self, run: RunRef) -> None:
        self.marked.append(run)
        self.has_marked.set()

    async def wait_for(self, kind: type) -> None:
        """Wait until an event of this kind is in the inbox."""
        async with asyncio.timeout(8):
            while not any(isinstance(event, kind) for event in await inbox_of(self.store)):
                await anext(self.rings)

    async def kinds(self) -> list[type]:
        return [type(event) for event in await inbox_of(self.store)]

    def missed(self) -> float:
        return float(self.metrics.missed_events._value.get())
