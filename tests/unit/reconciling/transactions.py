"""Runs of one reactor that name business transactions, over any store, and a person who deletes and applies them."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, cast

from reactor_operator.api.sources import Source
from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import ENDED
from reactor_operator.engine.values import reference_to
from reactor_operator.evaluation.environment import Environment
from reactor_operator.ports import (
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
)
from reactor_operator.reconcile import ReconcileSettings
from reactor_operator.reconciling.keys import KEPT_MS
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry, Store
from tests.unit.reconciling.conftest import RUN, World

T0 = 1_800_000_000_000
KEY = "order-o-1"
_ENDED = {phase.value for phase in ENDED}
STEPS = [{"name": "a", "run": RUN, "undo": RUN}, {"name": "b", "run": RUN, "waitFor": ["a"]}]


class Transactions(World):
    """`acted` lists what was launched: the run, the step, and the idempotency key that the task was given."""

    def __init__(
        self,
        store: Store | None = None,
        epoch: int = 1,
        key_retention_ms: int = KEPT_MS,
        keyring: Keyring = NO_KEYS,
        teller: Teller | None = None,
    ) -> None:
        settings = ReconcileSettings(key_retention_ms=key_retention_ms)
        super().__init__(cast("MemoryStore", store), epoch, settings, teller, keyring)
        self.clock.time = T0
        self.spec: dict[str, Any] = {"steps": STEPS, "returns": {"result": "b"}}
        self.runs: dict[str, RunObject] = {}
        self.acted: list[tuple[str, str, str]] = []
        self.announced: list[str] = []
        self._applied = 0

    def restart(self) -> "Transactions":
        """Return the same world with another operator in it, which knows only what is stored."""
        other = Transactions(self.store, epoch=2)
        other.spec, other.runs, other.acted, other.clock = self.spec, self.runs, self.acted, self.clock
        other._applied = self._applied
        return other

    def apply(self, name: str, key: str | None = KEY, *, reactor: str = "x", uid: str = "", **inputs: object) -> None:
        """Apply a run: under a name that is there no more it is another object."""
        self._applied += 1
        spec: dict[str, object] = {"reactorRef": {"name": reactor}, "inputs": inputs}
        if key is not None:
            spec["idempotencyKey"] = key
        ref = RunRef("shop", name, uid or f"uid-{name}-{self._applied}")
        self.runs[name] = RunObject(
            ref=ref, generation=1, created_at=self.clock.time, spec=spec, annotations={}, status={}
        )

    def delete(self, name: str) -> RunRef:
        """Delete a run; its state stays until it is swept."""
        return self.runs.pop(name).ref

    async def sweep(self, ref: RunRef) -> None:
        """Do as the sweeper does with what is left of a run that is gone."""
        await self.store.forget(ref.uid)
        self.reconciler.forget(ref)

    async def look(self, name: str) -> int | None:
        return await self.reconciler.reconcile(self.runs[name].ref)

    async def submit(
        self, name: str, key: str | None = KEY, *, reactor: str = "x", uid: str = "", **inputs: object
    ) -> None:
        """Apply a run, and look."""
        self.apply(name, key, reactor=reactor, uid=uid, **inputs)
        await self.look(name)

    async def report_success(self, name: str, step: str, value: bytes = b"null", round_: int = 1) -> None:
        """Let a task of the run succeed, and look."""
        task = Task(step, Action.RUN, round_, 1, 1)
        event = ev.TaskSucceeded(task=task, result=reference_to(value))
        await self._tell(name, task, event, {reference_to(value).digest: value})

    async def report_failure(self, name: str, step: str, message: str = "declined") -> None:
        """Let a task of the run fail, and look."""
        task = Task(step, Action.RUN, 1, 1, 1)
        failure = Failure(kind=FailureKind.FATAL, message=message, file="shop.py", line=3)
        await self._tell(name, task, ev.TaskFailed(task=task, failure=failure), {})

    async def report_undone(self, name: str, step: str) -> None:
        """Let the undo of a step succeed, and look."""
        task = Task(step, Action.UNDO, 1, 1, 1)
        await self._tell(name, task, ev.TaskSucceeded(task=task), {})

    async def ask(self, name: str, event: ev.Signal) -> None:
        """Hand in a request of a person, and look."""
        entry = Entry(run=self.runs[name].ref.uid, digest=event.id, body=encode_event(event))
        await self.store.append(entry)
        await self.look(name)

    async def succeed_wholly(self, name: str, value: bytes = b'{"paid":42}') -> None:
        """Drive a run to its success."""
        await self.look(name)
        await self.report_success(name, "a")
        await self.report_success(name, "b", value)

    async def _tell(self, name: str, task: Task, event: ev.Event, values: Mapping[str, bytes]) -> None:
        uid = self.runs[name].ref.uid
        entry = Entry(run=uid, task=task.key, final=True, digest=task.key, body=encode_event(event), values=values)
        await self.store.append(entry)
        await self.look(name)

    def status_of(self, name: str) -> Mapping[str, Any]:
        return self.runs[name].status

    def phase(self, name: str) -> str:
        return str(self.status_of(name).get("phase"))

    def message(self, name: str) -> str:
        return str(self.status_of(name)["message"])

    def who_acted(self) -> list[tuple[str, str]]:
        return [(run, step) for run, step, _ in self.acted]

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun] | None:
        return [
            ToldRun(ref=run.ref, reactor=reactor, created_at=run.created_at, phase=str(run.status.get("phase", "")))
            for run in self.runs.values()
            if run.status.get("phase") not in _ENDED or run.ref.uid in also
        ]

    async def get_run(self, ref: RunRef) -> RunObject | None:
        found = self.runs.get(ref.name)
        return found if found is not None and found.ref == ref else None

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec=self.spec)

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        run = self.runs.get(ref.name)
        if run is not None and run.ref == ref:
            self.runs[ref.name] = replace(run, status=await render())

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return {name: environment.results.get(source.result or "") for name, source in sources.items()}

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        self.announced.append(announcement.message)

    @property
    def has_room(self) -> bool:
        return True

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        self.acted.append((order.run.name, f"{order.task.path}.{order.task.action}", order.idempotency_key))
        return Launched()
