"""A cluster that exists in memory: objects, kubelets, the gateway, and what goes wrong with each.

In: writes and reads of operators (`connection.py`), moves of pods. Out: pods that act (in the ledger) and report.
Never here: an operator; pods are started and reports are taken whoever is in charge.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import jsonpatch
import orjson

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Task, digest_of, pod_name
from reactor_operator.ports import Launched, ReactorObject, Refused, RunObject, RunRef, TaskOrder
from reactor_operator.reconciling.told import told_sequence
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, StoreUnavailable
from tests.simulation.called import check_called
from tests.simulation.coverage import Fault, Seen
from tests.simulation.ledger import Ledger
from tests.simulation.pods import LOST_MS, Pod, PodPhase, Script
from tests.simulation.shared_store import SharedStore
from tests.simulation.trace import Trace

LATE_MS = 60_000
"""How long a request may be under way."""
_TAKEN = (Appended.RECORDED, Appended.REPEATED)


class FakeCluster:
    """The API server, the kubelets and the gateway in one.

    told_first: the first status of each run.
    rung:      runs of which something changed that watches tell.      sent: what was told so far.
    under_way: creates that nobody waits for any more, and when they were sent.
    refuses_creates: the next create is told to be invalid (422).
    strayed:   a pod was refused as the second of its launch, so that runs may end otherwise than without faults.
    """

    def __init__(self, store: SharedStore, ledger: Ledger, script: Script, trace: Trace) -> None:
        self.store = store
        self.ledger = ledger
        self.coverage = ledger.coverage
        self.script = script
        self.trace = trace
        self.seed = script.seed
        self.faults = Random(script.seed ^ 0xFA17)
        self.fault_rate = 0.0
        self.now_ms = 1_700_000_000_000
        self.runs: dict[str, RunObject] = {}
        self.told_first: dict[str, Mapping[str, object]] = {}
        self.deleted: dict[str, RunRef] = {}
        self.reactors: dict[str, ReactorObject] = {}
        self.pods: dict[str, Pod] = {}
        self.rung: set[str] = set()
        self.sent: list[tuple[Entry, ev.TaskEvent]] = []
        self.under_way: list[tuple[TaskOrder, int]] = []
        self.strayed = False
        self.refuses_creates = False
        self._uids = 0
        self._outdated: set[str] = set()

    def now(self) -> int:
        """The virtual clock."""
        return self.now_ms

    def strikes(self) -> bool:
        """Tell whether a fault strikes this call."""
        return self.fault_rate > 0 and self.faults.random() < self.fault_rate

    def pass_to(self, now_ms: int) -> None:
        """Time passes."""
        self.now_ms = now_ms
        self.trace.note("time", now_ms)

    def changed(self, run: str) -> None:
        """Something about the run or its pods can be seen to have changed."""
        self.rung.add(run)

    # what the API server does

    def pods_of(self, run: RunRef) -> list[Pod]:
        """Return the pod objects of a run."""
        return [pod for pod in self.pods.values() if pod.run == run and not pod.foreign]

    def siblings_of(self, run: RunRef, task: Task) -> list[Pod]:
        """Return the pod objects of the other tasks of a step."""
        return [pod for pod in self.pods_of(run) if pod.task.path == task.path and pod.task != task]

    def create_pod(self, order: TaskOrder, *, in_charge: bool) -> Launched | Refused:
        """Create the task's pod, or find it there."""
        name = pod_name(order.run.name, order.run.uid, order.task)
        there = self.pods.get(name)
        if there is not None and not there.is_ours():
            self.coverage.note(Seen.FOREIGN_REFUSED)
            kind = FailureKind.CANNOT_START if there.foreign else FailureKind.LOST
            return Refused(Failure(kind=kind, message="ForeignPod"))
        if there is not None:
            self.coverage.note(Seen.ORDER_REPEATED)
            return Launched()
        check_called(self.seed, order)
        self._uids += 1
        pod = self.script.make_pod(order, name, self._uids, self.now_ms)
        self.ledger.created(order, pod, self.siblings_of(order.run, order.task), self.now_ms, in_charge=in_charge)
        if pod.is_stuck(self.now_ms):
            self.coverage.note(Fault.STUCK)
        if order.task.launch > 1:
            self.coverage.note(Seen.REPLACED)
        self.trace.note("create", name, pod.uid, order.idempotency_key, order.arguments, order.request)
        self.pods[name] = pod
        self.changed(order.run.uid)
        return Launched()

    def refuse_create(self) -> Refused:
        """A webhook, or a rule of the API server, calls one pod invalid."""
        self.refuses_creates = False
        self.coverage.note(Fault.CREATE_REFUSED)
        return Refused(Failure(kind=FailureKind.CANNOT_START, message="Invalid"))

    def overwrite_status(self, uid: str, status: dict[str, object]) -> None:
        """Somebody who may, or a tool gone wrong, replaces the status of a run."""
        self.coverage.note(Fault.STATUS_OVERWRITTEN)
        before = self.runs[uid]
        self.runs[uid] = replace(before, status=status)
        self.ledger.requests.changed_by_others(before, self.runs[uid])
        self.changed(uid)

    def corrupt_pod(self, pod: Pod, fault: Fault) -> None:
        """Somebody who may, or a tool gone wrong, changes what tells whose a pod is: to another task's, or to nothing.

        Another owner exists, so that the garbage collector leaves the pod alone.
        """
        self.coverage.note(fault)
        match fault:
            case Fault.POD_LABELS:
                pod.listed = False
            case Fault.POD_OWNER:
                pod.owned = False
            case _:
                pod.sealed = False
        self.changed(pod.run.uid)

    def remove_corrupted(self) -> None:
        """People delete the pods that they changed: the operator leaves them alone, and waits for their end."""
        for pod in list(self.pods.values()):
            if not pod.foreign and not pod.is_ours():
                self.delete_pod(pod)

    def overwrite_annotations(self, uid: str, annotations: dict[str, str]) -> None:
        """Somebody replaces the annotations of a run."""
        self.coverage.note(Fault.RUN_ANNOTATIONS)
        before = self.runs[uid]
        self.runs[uid] = replace(before, annotations=annotations)
        self.ledger.requests.changed_by_others(before, self.runs[uid])
        self.changed(uid)

    def delete_pod(self, pod: Pod) -> None:
        """Ask for a pod to go: at once where nothing of it runs, else once its kubelet has stopped it."""
        if pod.stopping:
            return
        self.trace.note("delete", pod.name, pod.uid)
        if pod.is_ended():
            self._remove(pod)
        else:
            pod.stopping = True
        self.changed(pod.run.uid)

    def write_status(self, ref: RunRef, status: dict[str, object], *, in_charge: bool) -> None:
        """Replace a run's status, if the run is there. `in_charge`: by the operator of the newest epoch."""
        run = self.runs.get(ref.uid)
        if run is None:
            return
        before, after = told_sequence(run), told_sequence(replace(run, status=status))
        told = {name: value for name, value in status.items() if name != "store"}  # its incarnation is random
        self.trace.note("status", ref.uid, after, orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
        if ref.uid in self._outdated and after > before:
            self._outdated.discard(ref.uid)
            self.coverage.note(Seen.STATUS_REPAIRED)
        elif after < before:
            self._outdated.add(ref.uid)
        self.runs[ref.uid] = replace(run, status=status)
        self.ledger.requests.told(ref.uid, status, lost=ref.uid in self.ledger.lost)
        self.ledger.resumes.told(ref.uid, status, lost=ref.uid in self.ledger.lost)
        self.ledger.requests.taken_away(run, self.runs[ref.uid])
        self.told_first.setdefault(ref.uid, status)
        if str(status.get("message", "")).startswith("waiting: "):
            self.coverage.note(Seen.QUEUED)
        self.ledger.told(ref.uid, str(status.get("phase")), outdated=after < before and not in_charge)
        self.changed(ref.uid)

    def patch_run(self, ref: RunRef, operations: list[dict[str, object]], *, in_status: bool) -> None:
        """Change what is asked of a run by a JSON patch, as a whole or not at all."""
        before = self.runs.get(ref.uid)
        if before is None:
            return
        object_ = {"metadata": {"annotations": dict(before.annotations)}, "status": dict(before.status)}
        try:
            changed = jsonpatch.apply_patch(object_, operations)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
            self.coverage.note(Seen.NOT_TAKEN_AWAY)
            return
        after = replace(before, annotations=changed["metadata"]["annotations"])
        if in_status:
            after = replace(before, status=changed["status"])
        self.trace.note("take away", ref.uid, orjson.dumps(operations))
        self.runs[ref.uid] = after
        self.ledger.requests.taken_away(before, after)
        self.changed(ref.uid)

    def delete_run(self, ref: RunRef) -> None:
        """Somebody deletes a run; its pods follow when the garbage collector comes to them."""
        del self.runs[ref.uid]
        self.deleted[ref.uid] = ref
        self.ledger.deleted(ref.uid)
        self.coverage.note(Fault.DELETE_RUN)
        self.changed(ref.uid)

    def next_times(self) -> list[int]:
        """Return the times at which a pod will be able to move, or be given up."""
        times = [pod.sleeps_until for pod in self.pods.values()]
        times += [pod.stuck_until for pod in self.pods.values() if pod.stuck_until is not None]
        return times + [pod.cut_off_at + LOST_MS for pod in self.pods.values() if pod.cut_off_at is not None]

    def collect_garbage(self) -> None:
        """Delete pods whose run is gone."""
        for pod in list(self.pods.values()):
            if pod.run.uid in self.deleted and not pod.foreign and pod.owned and not pod.stopping:
                self.delete_pod(pod)

    def add_foreign_pod(self, run: RunRef, task: Task) -> None:
        """Somebody else takes the name that a task's pod would have."""
        name = pod_name(run.name, run.uid, task)
        if name not in self.pods:
            self.pods[name] = Pod(name=name, uid=0, run=run, task=task, python=False, foreign=True)
            self.coverage.note(Fault.FOREIGN_POD)

    def send_late(self, order: TaskOrder) -> None:
        """Nobody waits for this create any more, and it may still come through."""
        self.under_way.append((order, self.now_ms))

    def land_late_create(self) -> None:
        """A create that nobody waits for any more is applied after all, unless it was sent too long ago."""
        order, sent_at = self.under_way.pop(self.faults.randrange(len(self.under_way)))
        if self.now_ms < sent_at + LATE_MS:
            self.create_pod(order, in_charge=False)
            self.coverage.note(Fault.LATE_CREATE)

    # what nodes and processes do

    async def move_pod(self, pod: Pod) -> None:
        """Let one pod make its next move."""
        self.trace.note("move", pod.name, pod.uid, pod.phase.value)
        if pod.stopping and pod.cut_off_at is None and self.faults.random() < 0.5:
            pod.phase = PodPhase.ENDED
            self._remove(pod)
            self.changed(pod.run.uid)
        elif pod.phase is PodPhase.PENDING:
            await self._begin(pod)
        elif pod.phase is PodPhase.RUNNING and not pod.acted:
            self._act(pod)
        elif pod.phase is PodPhase.RUNNING and pod.hangs:
            return
        elif pod.phase is PodPhase.RUNNING and pod.python:
            await self._report(pod)
        else:
            pod.left = self.script.outcome(pod)
            self._end(pod)

    def kill(self, pod: Pod) -> None:
        """The node ends the pod, whatever it was doing; the object stays and says so."""
        self.coverage.note(Fault.KILL)
        self._end(pod)

    def vanish(self, pod: Pod) -> None:
        """Somebody deletes the pod by force."""
        self.coverage.note(Fault.VANISH)
        pod.phase = PodPhase.ENDED
        self._remove(pod)
        self.changed(pod.run.uid)

    def cut_off(self, pod: Pod, *, asleep: bool) -> None:
        """The pod's node answers no more. Its process goes on: at once, or (`asleep`) after it was given up."""
        self.coverage.note(Fault.CUT_OFF)
        pod.cut_off_at = self.now_ms
        if asleep:
            pod.sleeps_until = self.now_ms + LOST_MS + self.faults.randrange(60_000)

    def heal(self) -> None:
        """Every node answers again; those whose pods were given up stop what is left of them."""
        for pod in self.pods.values():
            if pod.cut_off_at is not None:
                if pod.is_given_up(self.now_ms):
                    pod.stopping = True
                pod.cut_off_at = None
                self.changed(pod.run.uid)

    async def tell(self, entry: Entry, event: ev.TaskEvent) -> Appended:
        """Append an entry, and keep a copy that may be sent again. Raises StoreUnavailable."""
        if self.strikes():
            self.coverage.note(Fault.CALL_FAILED)
            raise StoreUnavailable("append: not applied")
        answer = await self.store.append(entry)
        if answer is Appended.RECORDED:
            self.ledger.recorded(entry.run, event, entry.digest, final=entry.final)
            self.ledger.documents.recorded(entry)
            self.sent.append((entry, event))
            if self.strikes():
                self.coverage.note(Fault.EVENT_LOST)
            else:
                self.changed(entry.run)
        if self.strikes():
            self.coverage.note(Fault.ANSWER_LOST)
            raise StoreUnavailable("append: applied, but the answer was lost")
        return answer

    async def send_again(self) -> None:
        """Something that was told before is told again, late."""
        entry, event = self.faults.choice(self.sent[-40:])
        self.coverage.note(Fault.ENTRY_REPEATED)
        if await self.store.append(entry) is Appended.RECORDED:
            self.ledger.recorded(entry.run, event, entry.digest, final=entry.final)
            self.ledger.documents.recorded(entry)
            self.changed(entry.run)

    async def tell_stale_reason(self, pod: Pod) -> None:
        """An old snapshot of a pod says that it cannot start, whatever it does by now."""
        event = ev.TaskWaiting(task=pod.task, reason="Unschedulable: an old story")
        digest = digest_of("stale", pod.uid, len(self.sent))
        entry = Entry(run=pod.run.uid, task=pod.task.key, digest=digest, body=encode_event(event))
        self.coverage.note(Fault.STALE_WAITING)
        if await self.store.append(entry) is Appended.RECORDED:
            self.ledger.recorded(entry.run, event, digest, final=False)
            self.changed(pod.run.uid)

    async def _begin(self, pod: Pod) -> None:
        """A container starts. A Python task checks in first, and exits where it is told to."""
        if not pod.python:
            pod.phase = PodPhase.RUNNING
            self.changed(pod.run.uid)
            return
        event = ev.TaskStarted(task=pod.task, at=self.now_ms)
        binding = binding_of(pod)
        entry = Entry(
            run=pod.run.uid,
            task=pod.task.key,
            binding=binding,
            digest=digest_of("check-in", binding),
            body=encode_event(event),
        )
        try:
            answer = await self.tell(entry, event)
        except StoreUnavailable:
            return  # the agent asks again
        if answer in _TAKEN:
            assert not self._is_superseded(pod), f"{pod.name}: a superseded pod checked in"
            pod.phase = PodPhase.RUNNING
            return
        if answer is Appended.CONFLICT and not pod.told_lost:
            self.strayed = True  # a second pod of the same launch; its end counts as one without an outcome
        self.coverage.note(Seen.LATE_CHECK_IN)
        pod.refused = True
        self._end(pod)

    def _act(self, pod: Pod) -> None:
        pod.acted = True
        self.ledger.acted(pod, self.now_ms)
        pod.hangs = self.script.hangs(pod)
        if pod.hangs:
            self.coverage.note(Fault.HANG)

    async def _report(self, pod: Pod) -> None:
        """A Python task PUTs its outcome; whatever is answered, its termination message has it too."""
        event = self.script.outcome(pod)
        pod.left = event
        try:
            answer = await self.tell(outcome_entry(pod, event, binding=binding_of(pod)), event)
        except StoreUnavailable:
            return  # the agent sends it again
        if answer is Appended.REPEATED:
            self.coverage.note(Seen.REPORT_REPEATED)
        elif answer is not Appended.RECORDED:
            self.coverage.note(Seen.LATE_REPORT)
        assert answer not in _TAKEN or not pod.told_lost, f"{pod.name}: was lost, and its report was taken"
        pod.phase = PodPhase.REPORTED

    def _is_superseded(self, pod: Pod) -> bool:
        return (pod.told_lost or self.ledger.is_closed(pod)) and pod.run.uid not in self.ledger.lost

    def _end(self, pod: Pod) -> None:
        pod.phase = PodPhase.ENDED
        if pod.stopping:
            self._remove(pod)
        self.changed(pod.run.uid)

    def _remove(self, pod: Pod) -> None:
        pod.gone = True
        if self.pods.get(pod.name) is pod:
            del self.pods[pod.name]


def binding_of(pod: Pod) -> str:
    """Return who speaks for the task: the process in this pod."""
    return f"10.0.0.1/{pod.uid}"


def outcome_entry(pod: Pod, event: ev.Outcome, *, binding: str = "") -> Entry:
    """Return the outcome of a Python task as the inbox takes it: the same from the agent and from its pod's status."""
    body = encode_event(event)
    return Entry(
        run=pod.run.uid,
        task=pod.task.key,
        final=True,
        binding=binding,
        digest=digest_of("outcome", body.hex()),
        body=body,
        values=dict(pod.documents),
    )
