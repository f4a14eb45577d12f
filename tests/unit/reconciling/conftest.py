"""A reconciler of one run over a store in memory, in a world that does what it is asked."""

from collections.abc import Mapping, Sequence, Set

import pytest

from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.api.sources import Source
from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import (
    Evaluated,
    Launched,
    NotYet,
    ReactorObject,
    Refused,
    Rendering,
    RunObject,
    RunRef,
    TaskOrder,
    Teller,
    ToldRun,
    Unavailable,
)
from reactor_operator.reconcile import Reconciler, ReconcileSettings
from reactor_operator.reconciling.meter import Meter
from reactor_operator.reconciling.signals import Request
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Entry
from tests.unit.outcomes.stores import FixedClock

REF = RunRef("shop", "r", "uid")
RUN = {"python": {"handler": "shop:work"}}
STEPS = [{"name": "a", "run": RUN}, {"name": "b", "run": RUN, "waitFor": ["a"]}]


class World:
    """Every port but the store. `status` is what people were told, `annotations` what they ask, `signals` what they ask
    by objects of their own; `away`: no Events."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        epoch: int = 1,
        settings: ReconcileSettings | None = None,
        teller: Teller | None = None,
        keyring: Keyring = NO_KEYS,
        meter: Meter | None = None,
    ) -> None:
        self.store = store if store is not None else MemoryStore()
        self.status: Mapping[str, object] = {}
        self.annotations: Mapping[str, str] = {}
        self.signals: list[Request] = []
        self.started: list[Task] = []
        self.away = False
        self.clock = FixedClock(1_000)
        self.reconciler = Reconciler(
            store=self.store,
            definitions=self,
            launcher=self,
            board=self,
            evaluator=self,
            siblings=self,
            clock=self.clock,
            epoch=epoch,
            settings=settings or ReconcileSettings(),
            teller=teller,
            keyring=keyring,
            signalled=lambda ref: self.signals,
            meter=meter,
        )

    def take_over(self) -> "World":
        """Return the same world with another operator in it."""
        return World(self.store, epoch=2)

    async def reconcile(self) -> None:
        await self.reconciler.reconcile(REF)

    async def succeed(self, step: str) -> Appended:
        """Record that a step's first task succeeded."""
        task = Task(step, Action.RUN, 1, 1, 1)
        body = encode_event(ev.TaskSucceeded(task=task))
        return await self.store.append(Entry(run=REF.uid, task=task.key, final=True, digest=step, body=body))

    async def fail(self, step: str) -> Appended:
        """Record that a step's first task failed for good."""
        task = Task(step, Action.RUN, 1, 1, 1)
        body = encode_event(ev.TaskFailed(task=task, failure=Failure(kind=FailureKind.ERROR, message="no stock")))
        return await self.store.append(Entry(run=REF.uid, task=task.key, final=True, digest=step, body=body))

    async def get_run(self, ref: RunRef) -> RunObject | None:
        spec: Mapping[str, object] = {"reactorRef": {"name": "x"}}
        return RunObject(
            ref=ref, generation=1, created_at=0, spec=spec, annotations=self.annotations, status=self.status
        )

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec={"steps": STEPS})

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        return None

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun] | None:
        return ()

    @property
    def has_room(self) -> bool:
        return True

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self.started.append(order.task)
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
        return True

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        self.status = await render()

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        if self.away:
            raise Unavailable("500")

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        return Evaluated(True, b"{}")

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return dict.fromkeys(sources)

    async def choose(self, conditions: Sequence[str], environment: Environment, subject: str) -> int | Failure | None:
        return None


@pytest.fixture
def world() -> World:
    return World()
