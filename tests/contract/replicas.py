"""Two replicas of the gateway and an operator over one real Redis, each with a connection of its own.

In: a Redis, signals by HTTP. Out: what each sender is answered, and what was done: which tasks were started, how each
run stands. The gateways, the reconciler, its queue, its look at the incarnation and the store are the real ones;
Kubernetes alone is played. Never here: an expectation.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from prometheus_client import CollectorRegistry

from reactor_operator.api.sources import Source
from reactor_operator.changes.incarnation import follow_incarnation
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.engine.failures import Failure
from reactor_operator.evaluation.environment import Environment
from reactor_operator.gateway.signals import SignalAccess
from reactor_operator.ports import Launched, NotYet, ReactorObject, Refused, Rendering, RunObject, RunRef, TaskOrder
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.redis import RedisStore
from reactor_operator.store.redis_connection import RedisOptions
from tests.contract.gateway_server import running_gateway
from tests.contract.people import SIGNAL, People
from tests.unit.reconciling.conftest import RUN, World

NAMESPACE = "shop"
TIMEOUT_MS = 60_000
ASK: dict[str, Any] = {"name": "ask", "interrupt": {"correlationId": "'id'"}}
TIMED: dict[str, Any] = {"name": "ask", "interrupt": {"timeout": "60s", "strategy": "active"}}
LAZY: dict[str, Any] = {"name": "ask", "interrupt": {"timeout": "60s"}}
SHIP: dict[str, Any] = {"name": "ship", "run": RUN, "waitFor": ["ask"]}
_OPTIONS = RedisOptions(timeout_seconds=2.0)
_LOOK_SECONDS = 0.003
_DEADLINE_SECONDS = 20.0


@dataclass(slots=True)
class Cluster:
    """What outlives every operator: the objects of runs, and which tasks were started. `deaf`: no status is written."""

    steps: Sequence[Mapping[str, Any]]
    statuses: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    started: list[tuple[str, str]] = field(default_factory=list)
    deaf: bool = False


class Operator(World):
    """One operator: its memory goes with it. It looks at its runs every few milliseconds."""

    def __init__(self, store: RedisStore, cluster: Cluster, epoch: int = 1) -> None:
        super().__init__(cast("MemoryStore", store), epoch=epoch)
        self._cluster = cluster
        self._redis = store
        self.runs: list[RunRef] = []
        metrics = ChangeMetrics(CollectorRegistry())
        self._queue = ReconcileQueue(self.reconciler.reconcile, self.clock, metrics)

    async def get_run(self, ref: RunRef) -> RunObject | None:
        spec: Mapping[str, object] = {"reactorRef": {"name": "x"}, "inputs": {"id": ref.name}}
        status = self._cluster.statuses.get(ref.uid, {})
        return RunObject(ref=ref, generation=1, created_at=0, spec=spec, annotations={}, status=status)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = {"steps": self._cluster.steps, "inputsSchema": {"type": "object"}}
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec=spec)

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return dict.fromkeys(sources, cast("Mapping[str, object]", environment.inputs)["id"])

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self._cluster.started.append((order.run.uid, order.task.key))
        return await super().start(order)

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        status = await render()
        if not self._cluster.deaf:
            self._cluster.statuses[ref.uid] = status

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Reconcile until the block ends."""
        incarnation = await self._redis.incarnation()
        parts = (
            self._queue.run(),
            self._look(),
            follow_incarnation(self._redis, incarnation, self._distrust, seconds=0.05),
        )
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            yield
        finally:
            ended = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in ended:
                task.result()

    async def _look(self) -> None:
        while True:
            for ref in self.runs:
                self._queue.mark(ref)
            await asyncio.sleep(_LOOK_SECONDS)

    def _distrust(self) -> None:
        self.reconciler.distrust()


@dataclass(slots=True)
class Replicas:
    """The gateways, the operator of the moment, and those who send signals to runs by name."""

    url: str
    installation: str
    cluster: Cluster
    people: People
    clients: list[httpx.AsyncClient]
    operator: Operator
    _term: AsyncExitStack
    epoch: int = 1

    async def open(self, *names: str) -> None:
        """Begin runs, and return once each waits for a signal."""
        for name in names:
            self.people.runs[NAMESPACE, name] = name
            self.look_at(name)
        await self.until(lambda: all(self.phase(name) == "Paused" for name in names), f"{names} are Paused")

    def look_at(self, name: str) -> None:
        """Have the operator reconcile a run from now on."""
        self.operator.runs.append(RunRef(NAMESPACE, name, name))

    async def leave(self, name: str) -> None:
        """Return once a run is told to wait no more, and look at it no more."""
        await self.until(lambda: self.phase(name) != "Paused", f"{name} waits no more")
        self.operator.runs = [ref for ref in self.operator.runs if ref.name != name]

    async def post(self, replica: int, name: str, action: str = "resume", **said: object) -> tuple[int, dict[str, Any]]:
        """Send a signal to a run by one replica; what has a `correlationId` names no run."""
        body = {"namespace": NAMESPACE, "action": action, **said}
        body |= {"reactor": "x"} if "correlationId" in said else {"run": name}
        answer = await self.clients[replica].post(
            "/v1/signals", json=body, headers={"Authorization": "Bearer token-of-ann"}
        )
        return answer.status_code, answer.json()

    async def insist(
        self, replica: int, name: str, action: str = "resume", **said: object
    ) -> tuple[int, dict[str, Any]]:
        """Send a signal until the answer is one: what says to repeat it is repeated, in the same words."""
        async with asyncio.timeout(_DEADLINE_SECONDS):
            while True:
                code, told = await self.post(replica, name, action, **said)
                if code not in (202, 503):
                    return code, told
                await asyncio.sleep(0.02)

    async def look(self, name: str, id_: str) -> tuple[int, dict[str, Any]]:
        """Ask what became of a signal."""
        path = f"/v1/signals/{NAMESPACE}/{name}/{id_}"
        answer = await self.clients[0].get(path, headers={"Authorization": "Bearer token-of-ann"})
        return answer.status_code, answer.json()

    def status(self, name: str) -> Mapping[str, Any]:
        return self.cluster.statuses.get(name, {})

    def phase(self, name: str) -> str:
        return str(self.status(name).get("phase", ""))

    def step(self, name: str, step: str = "ask") -> Mapping[str, Any]:
        steps = cast("list[Mapping[str, Any]]", self.status(name).get("steps", []))
        return next((one for one in steps if one["name"] == step), {})

    def started(self, name: str) -> list[str]:
        """Return the tasks that were started of a run, each as often as it was."""
        return [task for uid, task in self.cluster.started if uid == name]

    async def until(self, condition: Any, what: str) -> None:
        """Wait for a condition."""
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                while not condition():  # noqa: ASYNC110 - what changes is in Redis, and told by nobody
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            statuses = {ref.name: self.status(ref.name) for ref in self.operator.runs}
            raise AssertionError(f"not within {_DEADLINE_SECONDS:g} s: {what}; the runs: {statuses}") from None

    @asynccontextmanager
    async def without_an_operator(self) -> AsyncIterator[None]:
        """The operator is gone until the block ends; then another one takes over, which remembers nothing."""
        before = self.operator
        await self._term.aclose()
        yield
        self.epoch += 1
        self._term = AsyncExitStack()
        self.operator = await self._term.enter_async_context(
            employed(self.url, self.installation, self.cluster, self.epoch)
        )
        self.operator.clock.time, self.operator.runs = before.clock.time, before.runs

    async def dismiss(self) -> None:
        """End the work of the operator."""
        await self._term.aclose()


@asynccontextmanager
async def employed(url: str, installation: str, cluster: Cluster, epoch: int = 1) -> AsyncIterator[Operator]:
    """Let an operator work until the block ends."""
    store = RedisStore(url, installation, _OPTIONS)
    try:
        operator = Operator(store, cluster, epoch)
        async with operator.working():
            yield operator
    finally:
        await store.close()


@asynccontextmanager
async def replicated(
    url: str, installation: str, steps: Sequence[Mapping[str, Any]], wait_seconds: float = 5.0
) -> AsyncIterator[Replicas]:
    """Serve until the block ends. `wait_seconds`: for how long a sender waits before it is told `pending`."""
    people, cluster = People(), Cluster(steps)
    people.let("ann", SIGNAL.format(NAMESPACE))
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            store = RedisStore(url, installation, _OPTIONS)
            stack.push_async_callback(store.close)
            access = SignalAccess(reviews=people, runs=people, wait_seconds=wait_seconds)
            clients.append((await stack.enter_async_context(running_gateway(store, signals=access))).client)
        term = AsyncExitStack()
        operator = await term.enter_async_context(employed(url, installation, cluster))
        replicas = Replicas(url, installation, cluster, people, clients, operator, term)
        stack.push_async_callback(replicas.dismiss)
        yield replicas
