"""A run driven through the reconciler in this process, over any store, with tasks that have succeeded when they start.

In: manifests as text, a store. Out: the run, ended. Never here: a measurement.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from reactor import documents
from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.cli.check import SoundRun, check_manifests
from reactor_operator.cli.laptop import LaptopBoard, LaptopRun, Manifested, WallClock
from reactor_operator.cli.manifests import Manifests, load_manifests
from reactor_operator.engine.identity import Task
from reactor_operator.ports import Evaluator, Launched, RunRef, TaskOrder
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.meter import Meter
from reactor_operator.reconciling.places import Alone
from reactor_operator.store.port import Store
from reactor_operator.tasks.laptop.messages import outcome_entry
from tests.benchmarks.rows import BenchmarkFailed


@dataclass(frozen=True, slots=True)
class Written:
    """A run as written, and the manifests that it was written in."""

    sound: SoundRun
    manifests: Manifests


def read_run(text: str) -> Written:
    """Read one Reactor and one ReactorRun with the input `who`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "reactor.yaml").write_text(text)
        manifests = load_manifests([folder])
    (sound,) = check_manifests(manifests, runs=manifests.runs).runs
    return Written(sound, manifests)


async def drive(
    written: Written, store: Store, evaluator: Evaluator, name: str, *, most: int = 10, meter: Meter | None = None
) -> None:
    """Reconcile a run of this `name` to its end, at `most` so often. Raises BenchmarkFailed."""
    clock = WallClock()
    ref = RunRef("default", name, str(uuid4()))
    run = LaptopRun(sound=written.sound, inputs={"who": "world"}, ref=ref, created_at=clock.now())
    board = LaptopBoard(run, lambda _: None)
    reconciler = Reconciler(
        store=store,
        definitions=Manifested(run, written.manifests),
        launcher=_AtOnce(store),
        board=board,
        evaluator=evaluator,
        siblings=Alone(),
        clock=clock,
        epoch=1,
        settings=ReconcileSettings(start_deadline_ms=0),
        meter=meter,
    )
    for _ in range(most):
        await reconciler.reconcile(ref)
        if board.last.ended:
            break
    if board.last.phase != "Succeeded":
        raise BenchmarkFailed(f"run {name} is {board.last.phase}, expected Succeeded")


class _AtOnce:
    """Implements `ports.Launcher`: a task has succeeded when it is started."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def has_room(self) -> bool:
        """Always."""
        return True

    async def start(self, order: TaskOrder) -> Launched:
        """Record the outcome."""
        await self._store.append(outcome_entry(order, documents.succeeded("hello"), "in process"))
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
