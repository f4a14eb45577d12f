"""One operator's way to the cluster: stops before and after calls, fails, and loses answers of those that took effect.

In: calls of the ports, and looks at pods. Out: what the cluster answers, or Unavailable; entries in the inbox.
Never here: what goes wrong with nodes and objects (`cluster.py`).
"""

from collections.abc import Callable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import TypeVar

from reactor_operator.api.reactor import PodRetention, ReactorSpec, Step
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Task, digest_of, pod_name
from reactor_operator.engine.state import ENDED
from reactor_operator.ports import (
    Launched,
    NotYet,
    ReactorObject,
    Refused,
    Rendering,
    RunObject,
    RunRef,
    TaskOrder,
    ToldRun,
    Unavailable,
)
from reactor_operator.reconciling.signals import Request
from reactor_operator.reconciling.told import told_reactor
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry
from tests.simulation.asked import places_in
from tests.simulation.checkpoints import Checkpoints
from tests.simulation.cluster import FakeCluster, outcome_entry
from tests.simulation.coverage import Fault, Place, Seen
from tests.simulation.pods import Pod

LINGER_MS = 30_000
"""How long a closed task's pod may go on by itself before it is stopped."""
_ENDED = frozenset(phase.value for phase in ENDED)
_NOT_COMPARED = ("store", "duration", "requests")
Answer = TypeVar("Answer")


class Connection:
    """Implements Definitions, Siblings, Launcher, Board and Clock for the operator `owner`.

    in_charge: nobody has taken over from it.
    fenced:    its lease has run out by its own clock, so that it writes no more.
    cut_off_until: until when (int ms) it does not reach the API server.
    """

    def __init__(self, owner: str, cluster: FakeCluster, checkpoints: Checkpoints) -> None:
        self.owner = owner
        self.cluster = cluster
        self.checkpoints = checkpoints
        self.in_charge = True
        self.fenced = False
        self.cut_off_until = 0
        self._seen = set(cluster.runs)
        self._told: dict[str, str] = {}
        self._met: dict[int, Pod] = {}
        self._settled: set[int] = set()
        self._times_forgotten = 0
        self._asked_to_go: dict[str, int] = {}
        self._objects: dict[str, RunObject] = {}
        self._requests: dict[str, list[object] | None] = {}

    def now(self) -> int:
        """The virtual clock."""
        self.cluster.trace.note("now", self.owner, self.cluster.now_ms)
        return self.cluster.now_ms

    # Definitions

    async def get_run(self, ref: RunRef) -> RunObject | None:
        self._seen.add(ref.uid)

        def read() -> RunObject | None:
            self.cluster.ledger.read(self.owner, ref.uid)
            return self.cluster.runs.get(ref.uid)

        return await self._read(Place.GET_RUN, read)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return await self._read(Place.GET_REACTOR, lambda: self.cluster.reactors.get(name))

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        raise AssertionError("no reactor of the simulation names a ConfigMap")

    # Siblings

    def unfinished(self, namespace: str, reactor: str, also: Set[str] = frozenset()) -> Sequence[ToldRun]:
        """Return the reactor's runs as a watch tells them: a new one late, and of some the status is an old one."""
        self._seen |= {uid for uid in self.cluster.runs if self.cluster.faults.random() < 0.5}
        for uid, run in self.cluster.runs.items():
            phase = str(run.status.get("phase", ""))
            if self.cluster.faults.random() < 0.5:
                self._told[uid] = phase
            elif self._told.get(uid, "") != phase:
                self.cluster.coverage.note(Fault.OLD_TOLD)
        return [
            ToldRun(ref=run.ref, reactor=reactor, created_at=run.created_at, phase=phase)
            for uid, run in self.cluster.runs.items()
            if ((phase := self._told.get(uid, "")) not in _ENDED or uid in also)
            and uid in self._seen
            and told_reactor(run) == reactor
        ]

    # Launcher

    @property
    def has_room(self) -> bool:
        """Always."""
        return True

    async def start(self, order: TaskOrder) -> Launched | NotYet | Refused:
        """Create the task's pod, once the one before it is known to be dead."""
        try:
            await self._before(Place.CREATE_POD)
        except Unavailable:
            if not self.fenced and self.cluster.faults.random() < 0.3:
                self.cluster.send_late(order)
            raise
        if order.after is not None:
            before = self.cluster.pods.get(pod_name(order.run.name, order.run.uid, order.after))
            others = [before] if before is not None else self._listed_siblings(order)
            if any(not pod.foreign and not pod.is_known_dead(self.now()) for pod in others):
                return NotYet(again_ms=500)
        name = pod_name(order.run.name, order.run.uid, order.task)
        for pod in [pod for pod in self._met.values() if pod.name == name and not pod.gone]:
            pod.start_told = False  # it was there before its task was opened, and might not have been listened to
            self._settled.discard(pod.uid)
        if self.cluster.refuses_creates and name not in self.cluster.pods:
            return self.cluster.refuse_create()
        answer = self.cluster.create_pod(order, in_charge=self.in_charge)
        await self._after(Place.POD_CREATED)
        return answer

    def _listed_siblings(self, order: TaskOrder) -> list[Pod]:
        return [pod for pod in self.cluster.siblings_of(order.run, order.task) if pod.listed and pod.sealed]

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
        """Remove the task's pod: at once, or when it has ended, or when it lingers."""
        await self._before(Place.DELETE_POD)
        name = pod_name(run.name, run.uid, task)
        pod = self.cluster.pods.get(name)
        if pod is None or not pod.is_ours():
            return True
        if not stop and not pod.is_ended():
            if self.now() < self._asked_to_go.setdefault(name, self.now()) + LINGER_MS:
                return False
            stop = True
        if not stop and failed and spec.defaults.pod_retention is PodRetention.FAILED:
            pod.kept = True
            return True
        self.cluster.delete_pod(pod)
        await self._after(Place.POD_DELETED)
        return True

    # Board

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        """Write the status, unless the object says the same already; never over a request that was not seen."""
        status = rendered = dict(await render())
        there = self.cluster.runs.get(ref.uid)
        whole = "steps" in status
        if there is not None and not whole:  # a merge patch leaves what it does not name
            status = {**there.status, **status}
        if there is None or _compared(there.status) == _compared(status):
            return
        seen = self._requests.setdefault(ref.uid, _requests_in(there))
        await self._before(Place.PATCH_STATUS)
        there = self.cluster.runs.get(ref.uid)
        if there is not None and not whole:
            status = {**there.status, **rendered}
        elif there is not None:
            now = self._requests[ref.uid] = _requests_in(there)
            if (seen is not None or now) and seen != now:  # the test for null of the real board fails on a request
                self.cluster.coverage.note(Seen.REQUESTS_CHANGED)
                raise Unavailable(f"the requests in the status of {ref.name} changed while it was written")
            status["requests"] = self._requests[ref.uid] = seen or []
        self.cluster.write_status(ref, status, in_charge=self.in_charge)
        await self._after(Place.STATUS_PATCHED)

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        await self._before(Place.CREATE_EVENT)
        if announcement.reason.endswith("Refused"):
            self.cluster.ledger.requests.announced(ref.uid, announcement)
        await self._after(Place.EVENT_CREATED)

    # what people ask

    def is_asked(self, run: str) -> bool:
        """Tell whether anything is asked on the object of a run."""
        there = self.cluster.runs.get(run)
        return there is not None and bool(places_in(there))

    def told_run(self, ref: RunRef) -> RunObject | None:
        """Return the object of a run as the watch tells it: as it is, or as it was when it was told before."""
        run, before = self.cluster.runs.get(ref.uid), self._objects.get(ref.uid)
        if run is not None and before is not None and before != run and self.cluster.faults.random() < 0.3:
            self.cluster.coverage.note(Fault.OLD_OBJECT)
            run = before
        elif run is not None:
            self._objects[ref.uid] = run
        if run is not None:
            self._requests[ref.uid] = _requests_in(run)
        return run

    async def take_away(self, ref: RunRef, asked: Request) -> None:
        """Take a request away from the object of its run, if it is still what was read."""
        await self._before(Place.TAKE_AWAY)
        self.cluster.patch_run(ref, asked.removal, in_status=asked.in_status)
        await self._after(Place.TAKEN_AWAY)

    # the watch of pods

    def forget_what_was_told(self) -> None:
        """Tell everything that pods show once more, also what is being told just now."""
        self._times_forgotten += 1
        self._settled.clear()
        for pod in self._met.values():
            pod.start_told = False

    async def look(self, ref: RunRef, launched: list[Task]) -> None:
        """Read the run's pods into the inbox, those that went away too, and tell which `launched` task has none.

        Raises StoreUnavailable, Unavailable.
        """
        self._reach_api("look at pods")
        sought = {pod_name(ref.name, ref.uid, task) for task in launched}
        for pod in self.cluster.pods_of(ref):
            if not pod.sealed:
                if pod.is_ended() and pod.name in sought and pod.uid not in self._settled:
                    self.cluster.coverage.note(Seen.SEAL_BROKEN)
                    await self._tell_end(pod, _lost(pod.task, "its annotations were changed"))
            elif pod.listed or pod.uid in self._met:
                await self._look_at(pod)
            elif pod.name in sought:
                self.cluster.coverage.note(Seen.FOUND_BY_NAME)
                await self._look_at(pod)
        for pod in [pod for pod in self._met.values() if pod.run == ref and pod.gone]:
            if pod.uid not in self._settled:
                if pod.acted and not pod.python and not pod.start_told:
                    self.cluster.coverage.note(Seen.START_UNSEEN)
                await self._tell_end(pod, _lost(pod.task, "its pod was deleted"))
        names = {pod.name for pod in self.cluster.pods_of(ref)}
        for task in launched:
            if pod_name(ref.name, ref.uid, task) not in names:
                await self._tell(ref, _lost(task, "its pod is gone"), f"missing/{task.key}", final=True)

    async def _look_at(self, pod: Pod) -> None:
        first_time = pod.uid not in self._met
        self._met[pod.uid] = pod
        if not pod.python and pod.acted and not pod.start_told:
            times_forgotten = self._times_forgotten
            answer = await self._tell(pod.run, ev.TaskStarted(task=pod.task, at=self.now()), "started", final=False)
            pod.start_told = answer is not Appended.UNKNOWN and times_forgotten == self._times_forgotten
        if pod.is_ended() or pod.is_given_up(self.now()):
            if pod.uid not in self._settled:
                await self._tell_end(pod, _end_of(pod))
            return
        if pod.is_stuck(self.now()):
            reason = "Unschedulable: no node fits"
            turn = f"waiting/{self.now() // 1000}"
            await self._tell(pod.run, ev.TaskWaiting(task=pod.task, reason=reason), turn, final=False)
        if not pod.stopping and (first_time or self.now() >= pod.created_at + LINGER_MS):
            await self._remove_orphan(pod)

    async def _remove_orphan(self, pod: Pod) -> None:
        """Delete a pod whose task is closed: its create came through after all was over, or it does not end."""
        await self.checkpoints.reach(self.owner, Place.OPEN_TASK)
        if await self.cluster.store.open_task(pod.run.uid, pod.task.key) is not None:
            return
        question = encode_event(ev.TaskWaiting(task=pod.task, reason=""))
        asked = Entry(run=pod.run.uid, task=pod.task.key, digest="asked", body=question)
        if await self.cluster.store.append(asked) is not Appended.CLOSED:
            return
        await self._before(Place.DELETE_POD)
        if pod.orphan:
            self.cluster.coverage.note(Seen.ORPHAN)
        self.cluster.delete_pod(pod)
        await self._after(Place.POD_DELETED)

    async def _tell_end(self, pod: Pod, event: ev.Outcome) -> None:
        times_forgotten = self._times_forgotten
        if pod.left is not None and pod.python and not isinstance(event, ev.TaskLost):
            answer = await self._append(outcome_entry(pod, event), event)
        else:
            documents = {} if isinstance(event, ev.TaskLost) else dict(pod.documents)
            answer = await self._tell(pod.run, event, f"end/{pod.uid}", final=True, documents=documents)
        if answer is Appended.RECORDED and isinstance(event, ev.TaskLost):
            pod.told_lost = True
        if answer is not Appended.UNKNOWN and times_forgotten == self._times_forgotten:
            self._settled.add(pod.uid)

    async def _tell(
        self,
        run: RunRef,
        event: ev.TaskEvent,
        digest: str,
        *,
        final: bool,
        documents: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Appended:
        entry = Entry(
            run=run.uid,
            task=event.task.key,
            final=final,
            digest=digest_of(digest, event.task.key),
            body=encode_event(event),
            values=documents,
        )
        return await self._append(entry, event)

    async def _append(self, entry: Entry, event: ev.TaskEvent) -> Appended:
        await self.checkpoints.reach(self.owner, Place.TELL)
        answer = await self.cluster.tell(entry, event)
        await self.checkpoints.reach(self.owner, Place.TOLD)
        return answer

    # what goes wrong on the way

    async def _read(self, place: Place, read: Callable[[], Answer]) -> Answer:
        await self.checkpoints.reach(self.owner, place)
        self._reach_api(place)
        return read()

    async def _before(self, place: Place) -> None:
        await self.checkpoints.reach(self.owner, place)
        if self.fenced:
            raise Unavailable(f"{place}: the lease has run out")
        self._reach_api(place)

    def _reach_api(self, what: str) -> None:
        if self.cluster.now_ms < self.cut_off_until or self.cluster.strikes():
            self.cluster.coverage.note(Fault.CALL_FAILED)
            raise Unavailable(f"{what}: no answer")

    async def _after(self, place: Place) -> None:
        await self.checkpoints.reach(self.owner, place)
        if self.cluster.strikes():
            self.cluster.coverage.note(Fault.ANSWER_LOST)
            raise Unavailable(f"{place}: applied, but the answer was lost")


def _end_of(pod: Pod) -> ev.Outcome:
    """Return what a pod tells that has ended, or whose node was given up."""
    if pod.is_ended() and pod.left is not None:
        return pod.left
    if pod.is_ended() and pod.refused:
        failure = Failure(kind=FailureKind.NO_OUTCOME, message="reported no outcome")
        return ev.TaskFailed(task=pod.task, failure=failure)
    return _lost(pod.task, "its node does not answer" if not pod.is_ended() else "its node ended it")


def _lost(task: Task, message: str) -> ev.TaskLost:
    return ev.TaskLost(task=task, message=message, may_have_started=True)


def _compared(status: object) -> object:
    assert isinstance(status, dict)
    return {name: value for name, value in status.items() if name not in _NOT_COMPARED}


def _requests_in(run: RunObject) -> list[object] | None:
    found = run.status.get("requests")
    return found if isinstance(found, list) else None
