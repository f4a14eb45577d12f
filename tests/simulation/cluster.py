"""A cluster that exists in memory: objects, pods that check in and report, and an API that fails as real ones do.

In: launches and reads of operators. Out: pods that act (in the ledger) and report through the inbox.
Scripted: how an attempt of an action ends depends on the seed, the run and the attempt alone, never on faults.
"""

from dataclasses import dataclass, field
from random import Random

from reactor_operator.api.reactor import ReactorSpec, Step
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task, digest_of, pod_name
from reactor_operator.engine.values import reference_to
from reactor_operator.ports import (
    Launched,
    NotYet,
    ReactorObject,
    Refused,
    Rendering,
    RunObject,
    RunRef,
    TaskOrder,
    Unavailable,
)
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, Store, StoreUnavailable
from tests.simulation.checkpoints import Checkpoints


@dataclass
class Pod:
    """A pod: `Pending`, `Running` once checked in, `Reported` once its outcome is recorded, `Ended`."""

    name: str
    run: RunRef
    task: Task
    phase: str = "Pending"
    acted: bool = False
    killed: bool = False
    foreign: bool = False


@dataclass(frozen=True)
class Act:
    """One handler that really ran."""

    run: str
    task: Task
    at: int


@dataclass
class Ledger:
    """What the outside world saw, in order."""

    acts: list[Act] = field(default_factory=list)
    announced: set[tuple[str, int]] = field(default_factory=set)


class FakeCluster:
    """The API server, the kubelet and the gateway in one."""

    def __init__(self, store: Store, checkpoints: Checkpoints, seed: int) -> None:
        self.store = store
        self.checkpoints = checkpoints
        self.seed = seed
        self.faults = Random(seed ^ 0xFA17)
        self.fault_rate = 0.0
        self.now_ms = 1_700_000_000_000
        self.runs: dict[str, RunObject] = {}
        self.reactors: dict[str, ReactorObject] = {}
        self.pods: dict[str, Pod] = {}
        self.ledger = Ledger()
        self.rung: set[str] = set()

    def now(self) -> int:
        """The virtual clock."""
        return self.now_ms

    async def get_run(self, ref: RunRef) -> RunObject | None:
        await self._cross("get run")
        return self.runs.get(ref.uid)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        await self._cross("get reactor")
        return self.reactors.get(name)

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        raise AssertionError("no reactor of the simulation names a ConfigMap")

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        """Create the task's pod."""
        await self._cross("create pod")
        if order.after is not None:
            before = self.pods.get(pod_name(order.run.name, order.run.uid, order.after))
            if before is not None and before.phase != "Ended":
                return NotYet(again_ms=500)
        name = pod_name(order.run.name, order.run.uid, order.task)
        there = self.pods.get(name)
        if there is not None and there.foreign:
            return Refused(Failure(kind=FailureKind.CANNOT_START, message="ForeignPod"))
        if there is None:
            self.pods[name] = Pod(name=name, run=order.run, task=order.task)
        await self._lose_answer("create pod")
        return Launched()

    async def retire(self, run: RunRef, spec: ReactorSpec, step: Step, task: Task, *, stop: bool, failed: bool) -> bool:
        """Remove the task's pod."""
        await self._cross("delete pod")
        name = pod_name(run.name, run.uid, task)
        pod = self.pods.get(name)
        if pod is not None and not pod.foreign:
            if not stop and pod.phase != "Ended":
                return False
            del self.pods[name]
        await self._lose_answer("delete pod")
        return True

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        status = await render()
        await self._cross("patch status")
        run = self.runs.get(ref.uid)
        if run is not None:
            self.runs[ref.uid] = RunObject(
                ref=run.ref,
                generation=run.generation,
                created_at=run.created_at,
                spec=run.spec,
                annotations=run.annotations,
                status=dict(status),
            )
        await self._lose_answer("patch status")

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        await self._cross("create event")
        self.ledger.announced.add((ref.uid, announcement.ordinal))
        await self._lose_answer("create event")

    async def move_pod(self, pod: Pod) -> None:
        """Let one pod make its next move."""
        if pod.phase == "Pending":
            event: ev.Event = ev.TaskStarted(task=pod.task, at=self.now_ms)
            answer = await self._append(pod, event, final=False, binding=pod.name)
            if answer in {Appended.RECORDED, Appended.REPEATED}:
                pod.phase = "Running"
            elif answer is not None:
                pod.phase = "Ended"
        elif pod.phase == "Running":
            if not pod.acted:
                pod.acted = True
                self.ledger.acts.append(Act(pod.run.uid, pod.task, self.now_ms))
            answer = await self._append(pod, self.outcome(pod), final=True)
            if answer is not None:
                pod.phase = "Reported"
        elif pod.phase == "Reported":
            pod.phase = "Ended"
            self.rung.add(pod.run.uid)

    def kill(self, pod: Pod) -> None:
        """The node takes the pod away, whatever it was doing."""
        pod.phase = "Ended"
        pod.killed = True
        self.rung.add(pod.run.uid)

    async def look_at_pods(self, run: RunRef) -> None:
        """What the pod watcher does after a change or a relist: report pods that ended without an outcome as lost."""
        for pod in list(self.pods.values()):
            if pod.run == run and pod.killed and not pod.foreign:
                event = ev.TaskLost(task=pod.task, message="node gone", may_have_started=pod.acted)
                await self._append(pod, event, final=True)

    def outcome(self, pod: Pod) -> ev.Event:
        """How this attempt ends, by the script."""
        task = pod.task
        dice = Random(digest_of(self.seed, pod.run.name, task.path, task.action, task.round, task.attempt)).random()
        if task.action is Action.RUN:
            if dice < 0.72:
                return ev.TaskSucceeded(task=task, result=reference_to(b"1"))
            if dice < 0.77:
                return ev.TaskSkipped(task=task)
        elif dice < 0.8:
            return ev.TaskSucceeded(task=task)
        elif dice < 0.85 and task.action is Action.COMPENSATE:
            return ev.TaskContinued(task=task, result=reference_to(b"1"))
        kind = FailureKind.ERROR if dice < 0.95 else FailureKind.NO_OUTCOME
        return ev.TaskFailed(task=task, failure=Failure(kind=kind, message="scripted", retryable=dice < 0.93))

    async def _append(self, pod: Pod, event: ev.Event, *, final: bool, binding: str = "") -> Appended | None:
        """Report through the inbox as the gateway does; None where the store was away and the pod will try again."""
        body = encode_event(event)
        entry = Entry(
            run=pod.run.uid,
            task=pod.task.key,
            final=final,
            binding=binding,
            digest=digest_of(pod.name, final, type(event).__name__ if final else "start"),
            body=body,
            values={reference_to(b"1").digest: b"1"},
        )
        try:
            answer = await self.store.append(entry)
        except StoreUnavailable:
            return None
        if self.faults.random() >= self.fault_rate:
            self.rung.add(pod.run.uid)
        return answer

    async def _cross(self, what: str) -> None:
        await self.checkpoints.reach("operator", what)
        if self.faults.random() < self.fault_rate:
            raise Unavailable(f"{what}: no answer")

    async def _lose_answer(self, what: str) -> None:
        await self.checkpoints.reach("operator", f"after {what}")
        if self.faults.random() < self.fault_rate:
            raise Unavailable(f"{what}: applied, but the answer was lost")
