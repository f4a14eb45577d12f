"""Runs of a staged cluster: the real reconciler over a real store; what tasks would report is told by a script.

In: a reactor, what each task comes to. Out: the state of the run in the store, its status at the API server. Never
here: a state that no engine decided on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from reactor_operator.api.reactor import Step
from reactor_operator.api.sources import Source
from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.evaluation.environment import Environment
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.kube.moments import render_moment
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import Evaluated, ReactorObject, Rendering, RunObject, RunRef
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Entry
from tests.contract.gateway_server import ServedStore
from tests.contract.signal_server import KEYS
from tests.unit.kube.api_server import ApiServer
from tests.unit.reconciling.conftest import World

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """What a task comes to that fails, with what explains it."""

    message: str
    kind: FailureKind = FailureKind.ERROR
    retryable: bool = False
    file: str | None = None
    line: int | None = None
    detail: Mapping[str, object] | None = None


class Hangs:
    """What a task comes to that goes on for ever."""


HANGS = Hangs()
Script = Callable[[Task], object]
"""Gives the result of a task, `Fails` or `HANGS`."""


class Clock:
    """The time of day, moved on by whoever does not want to wait."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


class StagedRun(World):
    """One run. `reactors` are all reactors of its namespace by name."""

    def __init__(
        self,
        store: ServedStore,
        server: ApiServer,
        ref: RunRef,
        reactors: Mapping[str, Spec],
        *,
        reactor: str,
        script: Script,
        inputs: object,
        evaluator: ProcessEvaluator,
    ) -> None:
        super().__init__(cast("MemoryStore", store), keyring=KEYS)
        self.ref = ref
        self.moving = Clock()
        self._server = server
        self._reactors = reactors
        self._reactor = reactor
        self.script = script
        self.spec: dict[str, Any] = {"reactorRef": {"name": reactor}, "inputs": inputs}
        self._evaluator = evaluator
        self._played = 0
        self._one_at_a_time = asyncio.Lock()
        self._shown: object = None
        self.created_at = self.moving.now()

    @property
    def path(self) -> str:
        return REACTOR_RUN.object(self.ref.namespace, self.ref.name)

    async def play(self) -> None:
        """Let everything happen that can: reconcile, report what started tasks come to, until nothing new starts."""
        async with self._one_at_a_time:
            while True:
                self.clock.time = self.moving.now()
                await self.reconciler.reconcile(self.ref)
                started = self.started[self._played :]
                if not started:
                    break
                self._played = len(self.started)
                for task in started:
                    await self.report_task(task, self.script(task))
            await self.show()

    async def report_task(self, task: Task, outcome: object) -> None:
        """Record what a task came to, as the gateway would."""
        if isinstance(outcome, Hangs):
            await self._append(task, ev.TaskStarted(task=task, at=self.moving.now()), {}, final=False)
            return
        values: dict[str, bytes] = {}
        if isinstance(outcome, Fails):
            document = orjson.dumps(outcome.detail) if outcome.detail is not None else None
            if document is not None:
                values[reference_to(document).digest] = document
            failure = Failure(
                kind=outcome.kind,
                message=outcome.message,
                retryable=outcome.retryable,
                file=outcome.file,
                line=outcome.line,
                detail=reference_to(document) if document is not None else None,
            )
            await self._append(task, ev.TaskFailed(task=task, failure=failure), values)
            return
        document = orjson.dumps(outcome)
        reference = reference_to(document)
        if task.action is Action.RUN:
            values[reference.digest] = document
        result = reference if task.action is Action.RUN else None
        await self._append(task, ev.TaskSucceeded(task=task, result=result), values)

    async def _append(self, task: Task, event: ev.Event, values: Mapping[str, bytes], *, final: bool = True) -> None:
        body = encode_event(event)
        digest = f"{task.key} {final}"
        await self.store.append(
            Entry(run=self.ref.uid, task=task.key, final=final, digest=digest, body=body, values=values)
        )

    async def show(self) -> None:
        """Put the object of the run, with its status, where people look, if it says anything new."""
        said = orjson.dumps([self.spec, self.status])
        if said == self._shown:
            return
        self._shown = said
        metadata = {
            "name": self.ref.name,
            "namespace": self.ref.namespace,
            "uid": self.ref.uid,
            "generation": 1,
            "creationTimestamp": render_moment(self.created_at),
        }
        await self._server.put(self.path, {"metadata": metadata, "spec": self.spec, "status": dict(self.status)})

    async def get_run(self, ref: RunRef) -> RunObject | None:
        return RunObject(
            ref=ref, generation=1, created_at=self.created_at, spec=self.spec, annotations={}, status=self.status
        )

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        spec = self._reactors.get(name)
        if spec is None:
            return None
        return ReactorObject(namespace=namespace, name=name, uid=f"{name}-uid", generation=1, spec=spec)

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        self.status = await render()

    async def evaluate_step(self, step: Step, environment: Environment) -> Evaluated | Failure:
        return await self._evaluator.evaluate_step(step, environment)

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return await self._evaluator.evaluate_sources(sources, environment, subject)

    async def choose(self, conditions: Sequence[str], environment: Environment, subject: str) -> int | Failure | None:
        return await self._evaluator.choose(conditions, environment, subject)
