"""Pools followed over an API server and queues, with a test in the place of the controllers of Deployments."""

import asyncio
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.paths import DEPLOYMENT, POD, REACTOR_POOL
from reactor_operator.pools.loop import PoolLoop
from reactor_operator.pools.lost import LostTasks
from reactor_operator.pools.metrics import PoolMetrics
from reactor_operator.pools.reconciler import PoolReconciler
from reactor_operator.pools.roster import PoolRoster
from reactor_operator.pools.unserved import UnservedTasks
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import FixedClock
from tests.unit.pools.made import Json, running, written
from tests.unit.pools.queues import Queues
from tests.unit.tasks.orders import SETTINGS

NOW = 1_795_348_800_000
POOL = REACTOR_POOL.object("shop", "resize")
WORKERS = DEPLOYMENT.object("shop", "reactor-pool-resize")
KEY = "shop/resize"


async def until(true: Callable[[], bool]) -> None:
    """Wait until it is true."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - these loops ring no bell
            await asyncio.sleep(0.01)


class PoolTrial:
    """What follows pools, without its clocks: a test says when it looks."""

    def __init__(self, server: ApiServer, client: KubeClient) -> None:
        self.server = server
        self.client = client
        self.queues = Queues()
        self.clock = FixedClock(NOW)
        self.roster = PoolRoster()
        self.registry = CollectorRegistry()
        self.metrics = PoolMetrics(self.registry)
        self.reconciler = PoolReconciler(client, SETTINGS, self.clock)
        self.loop = PoolLoop(self.roster, self.reconciler, self.queues, self.clock, self.metrics, look_seconds=0.01)
        self.lost = self.lost_anew(grace_seconds=0.0)
        self.seconds = 1_000.0
        self.unserved = self.unserved_anew()

    def lost_anew(self, grace_seconds: float) -> LostTasks:
        """Return what tells of lost tasks, as a new leader begins with it."""
        return LostTasks(self.queues, self.metrics, look_seconds=0.01, grace_seconds=grace_seconds)

    def unserved_anew(self) -> UnservedTasks:
        """Return what tells tasks why they wait, as a new leader begins with it."""
        return UnservedTasks(
            self.queues, self.roster, self.client, self.clock, look_seconds=0.01, monotonic=lambda: self.seconds
        )

    async def put(self, spec: Json | None = None, *, path: str = POOL, **metadata: Any) -> None:
        """Let somebody write a pool, and the watch tell it."""
        pool = written(spec, name=path.rpartition("/")[2])
        pool["metadata"] |= metadata
        if path in self.server.objects:
            pool["status"] = self.server.objects[path].get("status", {})
        await self.server.put(path, pool)
        self.roster.changed("MODIFIED", self.server.objects[path])

    async def look(self) -> None:
        """Look at all pools, with the depths as they are now."""
        self.loop._depths = await self.queues.depths()
        await self.loop.look()

    async def settle(self, ready: int | None = None) -> None:
        """Let the controllers do their work, and the watch mark the pool."""
        found = self.server.objects[WORKERS]
        await self.server.put(WORKERS, running(found, found["spec"]["replicas"] if ready is None else ready))
        self.mark()

    def mark(self) -> None:
        self.roster.mark("shop", "resize")

    async def pod(self, pod: Json) -> None:
        """Let a pod of the Deployment be there."""
        await self.server.put(POD.object("shop", pod["metadata"]["name"]), pod)

    @property
    def status(self) -> Json:
        status: Json = self.server.objects[POOL]["status"]
        return status

    def condition(self, name: str) -> tuple[str, str]:
        (found,) = [one for one in self.status["conditions"] if one["type"] == name]
        return found["status"], found["reason"]

    @property
    def replicas(self) -> int:
        return int(self.server.objects[WORKERS]["spec"]["replicas"])

    def writes_during(self) -> Callable[[], list[str]]:
        """Return what tells the writes from now on."""
        before = len(self.server.writes)
        return lambda: self.server.writes[before:]

    def series(self) -> dict[str, float]:
        """Return what metrics show of pools."""
        lines = generate_latest(self.registry).decode().splitlines()
        shown = [line.rpartition(" ") for line in lines if line.startswith("reactor_pool") and "_created" not in line]
        return {name: float(value) for name, _, value in shown}
