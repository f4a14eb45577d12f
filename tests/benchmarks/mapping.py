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
from reactor_operator.cli.laptop import LaptopRun, Manifested, WallClock
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.record import decode_record
from reactor_operator.outcomes.document import NOTHING, parse_outcome, plain_success
from reactor_operator.ports import Launched, Rendering, RunRef, TaskOrder
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
      {source}
      batchSize: {window}
      elementsPerTask: {chunk}
      run: {{python: {{handler: "rows:store"}}}}
    {undo}
---
apiVersion: reactor.run/v1alpha1
kind: ReactorRun
metadata: {{name: bench}}
spec:
  reactorRef: {{name: bench}}
"""
_ARRAY = "source: {input: rows}"
_PAGES = (
    'pages: {{run: {{python: {{handler: "rows:page"}}}}, arguments: {{total: {{value: {total}}}}}, pageSize: {page}}}'
)
_ON_POOL = "defaults: {placement: pool, poolRef: {name: fast}}"


class PooledStore(Store, Pools, Protocol):
    """A store that has queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A map to be driven.

    window:  elements in flight.   on_pool: its tasks are in the queue of a pool, else a launcher starts them.
    paged:   its elements are fetched, else they are in the inputs.
    undo:    what an element does can be undone, `chunk` elements in one task.
    """

    elements: int
    window: int
    on_pool: bool = False
    paged: bool = True
    undo: bool = False
    chunk: int = 1

    def text(self) -> str:
        """Return its manifests."""
        undo = 'undo: {python: {handler: "rows:remove"}}' if self.undo else ""
        return _MAP.format(
            window=self.window,
            defaults=_ON_POOL if self.on_pool else "",
            source=_PAGES.format(total=self.elements, page=PAGE) if self.paged else _ARRAY,
            undo=undo,
            chunk=self.chunk,
        )

    def inputs(self) -> dict[str, object]:
        """Return the inputs of its run."""
        return {} if self.paged else {"rows": list(range(self.elements))}


@dataclass(slots=True)
class Driven:
    """One run of such a map, as the operator drives it. `cpu` is what reconciling took, in seconds."""

    bench: Bench
    store: Store
    evaluator: ProcessEvaluator
    cpu: float = 0.0
    ref: RunRef = field(default_factory=lambda: RunRef("default", "bench", str(uuid4())))
    board: "Board" = field(default_factory=lambda: Board())
    _entries: list[Entry] = field(default_factory=list)
    _reconciler: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        clock, written = WallClock(), read_run(self.bench.text())
        run = LaptopRun(sound=written.sound, inputs=self.bench.inputs(), ref=self.ref, created_at=clock.now())
        self._reconciler = Reconciler(
            store=self.store,
            definitions=Manifested(run, written.manifests),
            launcher=_Together(self._entries),
            board=self.board,
            evaluator=self.evaluator,
            siblings=Alone(),
            clock=clock,
            epoch=1,
            settings=ReconcileSettings(start_deadline_ms=0),
            pools=_Roomy() if self.bench.on_pool else None,
        )

    async def reconcile(self) -> int | None:
        """Let the operator do what it can, and return when it wants to look again."""
        began = process_time()
        wake_at = await self._reconciler.reconcile(self.ref)
        self.cpu += process_time() - began
        return wake_at

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
        self.board.expect("Succeeded")


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


class Board:
    """Implements `ports.Board`: keeps the phase. On a cluster too a status is rendered only now and then."""

    def __init__(self) -> None:
        self.phase = ""

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        """Take the phase."""
        self.phase = phase

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        """Take no notice."""

    def expect(self, phase: str) -> None:
        """Raise BenchmarkFailed for a run that ended otherwise."""
        if self.phase != phase:
            raise BenchmarkFailed(f"the run of a map is {self.phase}, expected {phase}")


class _Roomy:
    """Implements `PoolBook`: there is a pool for every task."""

    def refuse(self, pool: str, path: str, step: Step, action: ActionSpec) -> Failure | None:
        """Refuse none."""
        return None


class _Together:
    """Implements `ports.Launcher`: a task has succeeded when it is started, which is told with others."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    @property
    def has_room(self) -> bool:
        """Always."""
        return True

    async def start(self, order: TaskOrder) -> Launched:
        """Note the outcome."""
        document = outcome_of(order.task, order.arguments)
        self._entries.append(parse_outcome(order.run.uid, order.task, document, "in process"))
        return Launched()

    async def retire(
        self,
        run: RunRef,
        spec: ReactorSpec,
        step: Step,
        task: Task,
        *,
        stop: bool,
        failed: bool,
        chunk: bool = False,
        sensitive: bool = False,
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
