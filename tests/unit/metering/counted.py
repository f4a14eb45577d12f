"""A world whose operator counts: what its series say, by name and labels."""

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from reactor_operator.api.sources import Source
from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.evaluation.environment import Environment
from reactor_operator.metering.reactors import ReactorLabels
from reactor_operator.metering.runs import RunMetrics
from reactor_operator.metering.unfinished import UnfinishedRuns
from reactor_operator.ports import ReactorObject
from reactor_operator.reconciling.meter import Meter, Meters
from reactor_operator.reconciling.signals import request_of
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry
from tests.unit.reconciling.conftest import REF, RUN, World

UNDONE = {"name": "a", "run": RUN, "undo": RUN}
FAILING = [UNDONE, {"name": "b", "run": RUN, "waitFor": ["a"]}]


class Counted(World):
    """One run of the reactor `x` in `shop`. `spec` is what the reactor has beside its steps; `also` counts too."""

    def __init__(
        self,
        steps: Sequence[Mapping[str, Any]] = (),
        store: MemoryStore | None = None,
        epoch: int = 1,
        spec: Mapping[str, Any] | None = None,
        also: Meter | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        reactors = ReactorLabels()
        self.metrics = RunMetrics(self.registry, reactors)
        super().__init__(store, epoch, meter=self.metrics if also is None else Meters(self.metrics, also))
        UnfinishedRuns(self.registry, reactors).known = self.reconciler.known
        self.steps = list(steps)
        self.spec = dict(spec or {})
        self.source: object = []

    def replaced(self) -> "Counted":
        """Return the same world with another operator in it, which has counted nothing yet."""
        other = Counted(self.steps, self.store, epoch=2, spec=self.spec)
        other.source, other.status = self.source, self.status
        other.clock.time = self.clock.time
        return other

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        found = await super().get_reactor(namespace, name)
        assert found is not None
        steps = self.steps or found.spec["steps"]
        return ReactorObject(namespace=namespace, name=name, uid="x", generation=1, spec={**self.spec, "steps": steps})

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return dict.fromkeys(sources, self.source)

    async def after(self, milliseconds: int) -> "Counted":
        """Reconcile so much later."""
        self.clock.time += milliseconds
        await self.reconcile()
        return self

    async def tell(self, event: ev.TaskEvent, *, final: bool = True) -> None:
        """Record what a task tells."""
        digest = f"{type(event).__name__} {event.task.key}"
        entry = Entry(run=REF.uid, task=event.task.key, final=final, digest=digest, body=encode_event(event))
        await self.store.append(entry)

    async def began(self, path: str, action: Action = Action.RUN, attempt: int = 1) -> None:
        """Record that a task began to act now."""
        task = Task(path, action, 1, attempt, 1)
        await self.tell(ev.TaskStarted(task=task, at=self.clock.now()), final=False)

    async def did(self, path: str, action: Action = Action.RUN, attempt: int = 1, launch: int = 1) -> None:
        """Record that a task succeeded."""
        await self.tell(ev.TaskSucceeded(task=Task(path, action, 1, attempt, launch)))

    async def did_not(self, path: str, action: Action = Action.RUN, attempt: int = 1, *, again: bool = False) -> None:
        """Record that a task failed."""
        failure = Failure(kind=FailureKind.ERROR, message="no stock", retryable=again)
        await self.tell(ev.TaskFailed(task=Task(path, action, 1, attempt, 1), failure=failure))

    async def ask(self, action: str, name: str = "1", **body: object) -> None:
        """Record what a person asks."""
        await self.store.append(request_of(name, action, body, "ann").entry_for(REF))

    def says(self, name: str, **labels: str) -> float | None:
        """Return a sample of a series of the reactor, None where there is none."""
        return self.registry.get_sample_value(name, {"namespace": "shop", "reactor": "x", **labels})
