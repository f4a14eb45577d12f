"""The pods of the simulation, and the script by which they act.

In: a task and the seed. Out: what its pod does. How an attempt of an action goes depends on the seed, the run and the
attempt alone, never on faults: so a run ends the same whatever happens to its pods.
"""

from dataclasses import dataclass, field
from enum import Enum
from random import Random

import orjson

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task, digest_of
from reactor_operator.engine.values import ValueRef
from reactor_operator.outcomes.names import keep
from reactor_operator.ports import RunRef, TaskOrder
from tests.simulation.mapped import page_of

RESULT = b"1"
LOST_MS = 300_000
"""How long a node is silent before its pods count as gone (`lostTimeout`)."""


class PodPhase(Enum):
    """A pod: created; running (a Python task: checked in); its outcome told; ended."""

    PENDING = "Pending"
    RUNNING = "Running"
    REPORTED = "Reported"
    ENDED = "Ended"


@dataclass(eq=False)
class Pod:
    """One pod object.

    left:         what it leaves behind for whoever reads its end; None where nothing is left to tell.
    documents:    what that refers to, by name.
    told_lost:    its loss was recorded, whether or not it goes on.
    orphan:       it was created when its task was closed already.
    refused:      its check-in was refused, so that it ended without doing anything.
    start_told:   its start was told by a watch (of a container; a Python task tells itself).
    cut_off_at:   since when its node does not answer. Its processes go on.
    sleeps_until: its processes do nothing before (int ms).
    listed:       its labels are those that it was made with, so that a list that selects by them has it.
    owned:        its owner reference names its run.
    sealed:       the annotations under its seal are those that it was made with.
    """

    name: str
    uid: int
    run: RunRef
    task: Task
    python: bool
    created_at: int = 0
    may_hang: bool = False
    phase: PodPhase = PodPhase.PENDING
    acted: bool = False
    left: ev.Outcome | None = None
    documents: dict[str, bytes] = field(default_factory=dict)
    hangs: bool = False
    told_lost: bool = False
    orphan: bool = False
    refused: bool = False
    start_told: bool = False
    foreign: bool = False
    gone: bool = False
    kept: bool = False
    stopping: bool = False
    cut_off_at: int | None = None
    stuck_until: int | None = None
    sleeps_until: int = 0
    listed: bool = True
    owned: bool = True
    sealed: bool = True

    def is_ours(self) -> bool:
        """Tell whether it proves that it is the pod of its task."""
        return not self.foreign and self.owned and self.sealed

    def is_ended(self) -> bool:
        """Tell whether its containers run no longer."""
        return self.gone or self.phase is PodPhase.ENDED

    def is_known_dead(self, now: int) -> bool:
        """Tell whether the API shows that it runs no longer, or that its node was given up."""
        return self.is_ended() or self.is_given_up(now)

    def is_given_up(self, now: int) -> bool:
        """Tell whether its node has been silent for too long."""
        return self.cut_off_at is not None and now >= self.cut_off_at + LOST_MS

    def is_stuck(self, now: int) -> bool:
        """Tell whether it cannot start now."""
        return self.phase is PodPhase.PENDING and self.stuck_until is not None and now < self.stuck_until

    def can_move(self, now: int) -> bool:
        """Tell whether it would do something if it were let."""
        if self.foreign or self.is_ended():
            return False
        if self.stopping and self.cut_off_at is None:
            return True
        return now >= self.sleeps_until and not self.hangs and not self.is_stuck(now)


FOREVER = 1 << 60


def is_of_map(task: Task) -> bool:
    """Tell whether what a task tells has a name of its own: that of an element, or of a body of a switch."""
    return "[" in task.path


def large(task: Task) -> bytes:
    """Return what a task of an element tells: too large to be its own reference, so it has a name, and is dropped."""
    return orjson.dumps(task.key.ljust(400, "x"))


class Script:
    """How attempts go, by the seed. `slow`: some pods cannot start for a while, or ever, and pages may fail."""

    def __init__(self, seed: int, *, slow: bool) -> None:
        self.seed = seed
        self._slow = slow

    def make_pod(self, order: TaskOrder, name: str, uid: int, now: int) -> Pod:
        """Return the pod of a task."""
        action = order.step.action(order.task.action)
        assert action is not None
        dice = self._dice("start", order.run, order.task)
        stuck = FOREVER if dice < 0.02 else now + int(dice * 2_000_000) if dice < 0.08 else None
        return Pod(
            name=name,
            uid=uid,
            run=order.run,
            task=order.task,
            python=action.by_agent,
            created_at=now,
            may_hang=order.spec.defaults.timeout is not None,
            stuck_until=stuck if self._slow else None,
        )

    def hangs(self, pod: Pod) -> bool:
        """Tell whether the attempt never ends by itself."""
        return pod.may_hang and self._dice("hang", pod.run, pod.task) < 0.07

    def outcome(self, pod: Pod) -> ev.Outcome:
        """Return how the attempt ends; what that refers to is among the documents of the pod."""
        task = pod.task
        dice = self._dice("outcome", pod.run, task)
        pod.documents.clear()
        if "[page-" in task.path and (dice < 0.9 or not self._slow):
            # Else hardly any element would be met; and a page that fails beside elements ends them as its time is.
            return ev.TaskSucceeded(task=task, result=self._result(pod))
        if task.action is Action.RUN:
            if dice < 0.72:
                return ev.TaskSucceeded(task=task, result=self._result(pod))
            if dice < 0.77:
                return ev.TaskSkipped(task=task)
            if dice < 0.78:
                return ev.TaskHalted(task=task, reason="scripted")
        elif dice < 0.8:
            return ev.TaskSucceeded(task=task, result=self._result(pod) if is_of_map(task) else None)
        elif dice < 0.85 and task.action is Action.COMPENSATE:
            return ev.TaskContinued(task=task, result=self._result(pod))
        kind = FailureKind.ERROR if dice < 0.95 else FailureKind.NO_OUTCOME
        detail = keep(large(task), task, "detail", pod.documents) if is_of_map(task) else None
        failure = Failure(kind=kind, message="scripted", retryable=dice < 0.93, detail=detail)
        return ev.TaskFailed(task=task, failure=failure)

    def _result(self, pod: Pod) -> ValueRef:
        path, document = pod.task.path, large(pod.task) if is_of_map(pod.task) else RESULT
        if "[page-" in path:
            document = orjson.dumps(page_of(self.seed, pod.run.name, path))
        return keep(document, pod.task, "result", pod.documents)

    def _dice(self, what: str, run: RunRef, task: Task) -> float:
        return Random(digest_of(what, self.seed, run.name, task.path, task.action, task.round, task.attempt)).random()
