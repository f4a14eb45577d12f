"""A map with many elements that do nothing, driven through the reconciler in this process.

In: how many elements, a store, who does its tasks. Out: what the operator's part took. Never here: a process started.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import process_time
from typing import Protocol
from uuid import uuid4

import orjson

from reactor import documents
from reactor_operator.api.actions import ActionSpec
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.cli.laptop import LaptopBoard, LaptopRun, Manifested, WallClock
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.record import decode_record
from reactor_operator.outcomes.document import NOTHING, parse_outcome, plain_success
from reactor_operator.ports import Launched, RunRef, TaskOrder
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.places import Alone
from reactor_operator.store.port import Entry, LeasedTask, Pools, Store, worker_binding
from tests.benchmarks.driving import read_run
from tests.benchmarks.rows import BenchmarkFailed

PAGE = 500
POOL = "default/fast"
_WORKER = "worker"
_LEASE_MS = 60_000
_MAP = """apiVersion: reactor.run/v1alpha1
kind: Reactor
metadata: {{name: bench}}
spec:
  parallelism: {window}
  {defaults}
  steps:
  - name: rows
    arguments: {{row: {{element: rows}}}}
    map:
      pages:
        run: {{python: {{handler: "shop.rows:page"}}}}
        arguments: {{total: {{input: total}}}}
        pageSize: {page}
      batchSize: {window}
      elementsPerTask: {chunk}
      undoWindow: {undo_window}
      run: {{python: {{handler: "shop.rows:store"}}}}
    {undo}
---
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {{name: bench}}
spec:
  reactorRef: {{name: bench}}
  inputs: {{total: {elements}}}
"""
_ON_POOL = "defaults: {placement: pool, poolRef: {name: fast}}"


class PooledStore(Store, Pools, Protocol):
    """A store that has queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A map to be driven.

    window:  elements in flight.   on_pool: its tasks are in the queue of a pool, else a launcher starts them.
    undo:    what an element does can be undone; `chunk` elements are one task, `undo_window` of those at once.
    """

    elements: int
    window: int
    on_pool: bool = False
    undo: bool = False
    chunk: int = 1
    undo_window: int = 1

    def text(self) -> str:
        """Return its manifests."""
        undo = 'undo: {python: {handler: "shop.rows:remove"}}' if self.undo else ""
        return _MAP.format(
            window=self.window,
            defaults=_ON_POOL if self.on_pool else "",
            page=PAGE,
            elements=self.elements,
            undo=undo,
            chunk=self.chunk,
            undo_window=self.undo_window,
        )


@dataclass(slots=True)
class Driven:
    """One run of such a map, as the operator drives it. `cpu` is what reconciling took, in seconds."""

    bench: Bench
    store: Store
    evaluator: ProcessEvaluator
    cpu: float = 0.0
    _entries: list[Entry] = field(default_factory=list)
    _ref: RunRef = field(init=False)
    _board: LaptopBoard = field(init=False)
    _reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        clock, written = WallClock(), read_run(self.bench.text())
        self._ref = RunRef("default", "bench", str(uuid4()))
        inputs = {"total": self.bench.elements}
        run = LaptopRun(sound=written.sound, inputs=inputs, ref=self._ref, created_at=clock.now())
        self._board = LaptopBoard(run, lambda _: None)
        self._reconciler = Reconciler(
            store=self.store,
            definitions=Manifested(run, written.manifests),
            launcher=_Together(self._entries),
            board=self._board,
            evaluator=self.evaluator,
            siblings=Alone(),
            clock=clock,
            epoch=1,
            settings=ReconcileSettings(start_deadline_ms=0),
            pools=_Roomy() if self.bench.on_pool else None,
        )

    async def reconcile(self) -> None:
        """Let the operator do what it can."""
        began = process_time()
        await self._reconciler.reconcile(self._ref)
        self.cpu += process_time() - began

    async def started(self) -> list[Entry]:
        """Return the outcomes of what the launcher started meanwhile."""
        entries, self._entries[:] = self._entries.copy(), []
        return entries

    async def to_its_end(self, next_outcomes: Callable[[], Awaitable[list[Entry]]]) -> None:
        """Reconcile, and let tasks succeed, as long as there are any. Raises BenchmarkFailed."""
        await self.reconcile()
        while entries := await next_outcomes():
            await self.store.append_all(entries)
            await self.reconcile()
        if self._board.last.phase != "Succeeded":
            raise BenchmarkFailed(f"a map of {self.bench.elements} is {self._board.last.phase}, expected Succeeded")


async def drive_launched(bench: Bench, store: Store) -> Driven:
    """Drive a map whose tasks a launcher starts."""
    evaluator = ProcessEvaluator(workers=1)
    driven = Driven(bench, store, evaluator)
    await driven.to_its_end(driven.started)
    await evaluator.close()
    return driven


async def drive_pooled(bench: Bench, store: PooledStore, *, at_once: int = 100) -> Driven:
    """Drive a map whose tasks are leased from the queue of a pool, `at_once` so many."""
    evaluator = ProcessEvaluator(workers=1)
    driven = Driven(bench, store, evaluator)

    async def leased() -> list[Entry]:
        leases = await store.lease(POOL, _WORKER, at_once, _LEASE_MS)
        return [_told(lease.run, one) for lease in leases for one in lease.tasks]

    await driven.to_its_end(leased)
    await evaluator.close()
    return driven


def _told(run: str, leased: LeasedTask) -> Entry:
    task = parse_task_key(leased.task)
    assert task is not None
    binding = worker_binding(POOL, _WORKER)
    if "[page-" not in leased.task:
        return plain_success(run, leased.task, binding)
    arguments = decode_record(leased.record).arguments
    assert arguments is not None
    assert arguments.inline is not None
    return parse_outcome(run, task, outcome_of(task, arguments.inline), binding)


class _Roomy:
    """Implements `PoolBook`: there is a pool for every task."""

    def refuse(self, pool: str, path: str, step: Step, action: ActionSpec) -> Failure | None:
        """Refuse none."""
        return None


class _Together:
    """Implements `ports.Launcher`: a task has succeeded when it is started, which is told with others."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    async def start(self, order: TaskOrder) -> Launched:
        """Note the outcome."""
        document = outcome_of(order.task, order.arguments)
        self._entries.append(parse_outcome(order.run.uid, order.task, document, "in process"))
        return Launched()

    async def retire(
        self, run: RunRef, spec: ReactorSpec, step: Step, task: Task, *, stop: bool, failed: bool, chunk: bool = False
    ) -> bool:
        """There is nothing left."""
        return True


def outcome_of(task: Task, arguments: bytes) -> bytes:
    """Return what a task does: one of a page gives elements, the others nothing."""
    if "[page-" not in task.path:
        return NOTHING
    told = orjson.loads(arguments)
    first = int(told["cursor"] or 0)
    following = min(first + PAGE, told["total"])
    items = [{"id": number} for number in range(first, following)]
    return documents.succeeded({"items": items, "next": following if following < told["total"] else None})
