"""What really happened in a world, in order, and the rules that must hold at every moment (not only at the end).

In: every applied commit, recorded entry, created pod and act. Out: nothing, or an AssertionError that names the rule.
Never here: what an operator believes.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from reactor_operator.engine import events as ev
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.state import ENDED, Goal, Stage
from reactor_operator.ports import TaskOrder
from reactor_operator.store.codec import decode_header
from reactor_operator.store.port import Commit
from tests.simulation.asked import Asked
from tests.simulation.coverage import Coverage, Seen
from tests.simulation.documents import Documents
from tests.simulation.mapped_moments import Moments
from tests.simulation.pods import Pod
from tests.simulation.resumes import Resumes

_ENDED = frozenset(phase.value for phase in ENDED)
_DONE = (ev.TaskSucceeded, ev.TaskSkipped, ev.TaskContinued, ev.TaskHalted)


@dataclass(frozen=True)
class Act:
    """One handler that really ran. `superseded`: its task was closed, or told as lost, when it did."""

    run: str
    task: Task
    at: int
    superseded: bool
    orphan: bool


@dataclass
class Ledger:
    """The outside's view.

    spared:      runs of which state was lost in a way that nobody can know.
    asked:       runs that somebody took up again.
    skipped:     runs, and steps to which somebody gave a value.
    limits:      how many runs of a reactor may be active.
    reactor_of:  the reactor of each run.
    requests:    what people asked, and what they were answered.
    resumes:     what was sent to interrupts, and what came of it.
    _active:     runs that are active, and as the how-manieth one of this world each was taken up again (0: it was not).
    """

    coverage: Coverage
    acts: list[Act] = field(default_factory=list)
    phases: dict[str, list[str]] = field(default_factory=dict)
    spared: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    skipped: set[tuple[str, str]] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    epoch: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    reactor_of: dict[str, str] = field(default_factory=dict)
    requests: Asked = field(default_factory=Asked)
    documents: Documents = field(default_factory=Documents)
    moments: Moments = field(init=False)
    resumes: Resumes = field(init=False)
    _active: dict[str, int] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _looked: dict[tuple[str, str], int] = field(default_factory=dict)
    _times_reopened: int = 0
    _recovering: set[str] = field(default_factory=set)
    _cancelled: set[str] = field(default_factory=set)
    _asks: Counter[str] = field(default_factory=Counter)
    _asks_read: dict[tuple[str, str], int] = field(default_factory=dict)
    _asks_before: dict[str, int] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _opened: set[tuple[str, str]] = field(default_factory=set)
    _closed: set[tuple[str, str]] = field(default_factory=set)
    _created: set[tuple[str, str]] = field(default_factory=set)
    _entries: set[tuple[str, str, str]] = field(default_factory=set)
    _finals: set[tuple[str, str]] = field(default_factory=set)
    _done: dict[tuple[str, str, str, int], str] = field(default_factory=dict)
    _keys: dict[tuple[str, str, str, int], str] = field(default_factory=dict)
    _requests: dict[tuple[str, str, str, int], bytes | None] = field(default_factory=dict)
    _users: dict[str, tuple[str, str, str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.moments = Moments(self.coverage)
        self.resumes = Resumes(self.coverage)

    def looked(self, owner: str, run: str) -> None:
        """An operator looks at a run: what it decides of it is decided from here on."""
        self._looked[owner, run] = self._times_reopened

    def read(self, owner: str, run: str) -> None:
        """An operator reads the object of a run, and what is asked of it."""
        self._asks_read[owner, run] = self._asks[run]

    def committed(self, commit: Commit, owner: str) -> None:
        """A commit of the operator `owner` was applied."""
        run = commit.run
        assert commit.epoch >= self.epoch, (
            f"F10: epoch {commit.epoch} committed {run} after {self.epoch} had taken over"
        )
        self._note_header(commit, owner)
        self.documents.committed(commit)
        if run not in self.lost:
            self.moments.committed(commit)
            self.resumes.committed(commit)
        for key in commit.opens:
            if run not in self.lost:
                assert (run, key) not in self._closed, f"O2: {run}: {key} was closed and is opened again"
            self._opened.add((run, key))
        for key in commit.closes:
            self._closed.add((run, key))
        if run in self._gone:
            return
        if not commit.active:
            self._active.pop(run, None)
            self._ended.add(run)
        elif run not in self._active:
            self._activated(run, owner)

    def _note_header(self, commit: Commit, owner: str) -> None:
        """Note what a run answered. F11: one that recovers waits for somebody who asks after its object was read."""
        run, header = commit.run, commit.records.get("header")
        if header is None:
            return
        told = decode_header(header)
        self.requests.committed(run, told)
        stage = told.stage
        if stage is Stage.RECOVERING and run not in self._recovering:
            self._recovering.add(run)
            self._asks_before[run] = self._asks_read.get((owner, run), 0)
        elif stage is not Stage.RECOVERING and run in self._recovering:
            asked_since = self._asks[run] > self._asks_before[run]
            ends = told.goal is Goal.CANCEL and run in self._cancelled  # it may be as old as it likes
            assert asked_since or ends, f"F11: {run} recovered, and goes on though nobody asked for it since"
            self._recovering.discard(run)

    def ask(self, run: str, request: object) -> None:
        """Somebody asks for something."""
        if not isinstance(request, ev.SuspendRequested | ev.SpecChanged):  # neither takes a run up that recovers
            self._asks[run] += 1
        if isinstance(request, ev.CancelRequested):
            self._cancelled.add(run)
        else:
            self.asked.add(run)
        if isinstance(request, ev.SkipRequested):
            self.skipped.add((run, request.step))

    def deleted(self, run: str) -> None:
        """The object of a run is gone, and with it its place."""
        self._active.pop(run, None)
        self._gone.add(run)

    def _activated(self, run: str, owner: str) -> None:
        """O6: a run starts only where it and all that are active fit under the limit of its reactor.

        One that a person takes up again after its end asks nobody (docs/decisions/0012), but counts for the others from
        then on: for all that are looked at later. A lost store may have forgotten which runs are active.
        """
        reactor = self.reactor_of[run]
        active = {other for other in self._active if self.reactor_of[other] == reactor}
        reopened = run in self._ended
        if reopened:
            misled = run in self._recovering and run in self.requests.excused  # its status was made to be ahead
            asked = run in self.asked or run in self.lost or misled
            assert asked, f"{run} had ended, and goes on though nobody asked for it"
            self._times_reopened += 1
        self._active[run] = self._times_reopened if reopened else 0
        if reopened or (active | {run}) & self.lost:
            return
        counted = {other for other in active if self._active[other] <= self._looked[owner, run]}
        limit = self.limits.get(reactor, len(counted) + 1)
        assert len(counted) < limit, f"O6: {run} of {reactor} starts beside {sorted(counted)}, {limit} may be active"

    def recorded(self, run: str, event: ev.TaskEvent, digest: str, *, final: bool) -> None:
        """The inbox took an entry for new."""
        key = event.task.key
        assert (run, key, digest) not in self._entries, f"an entry of {run}: {key} was recorded twice"
        self._entries.add((run, key, digest))
        assert (run, key) not in self._closed or run in self.lost, f"{run}: {key} is closed and still reports"
        assert (run, key) not in self._finals, f"{run}: {key} reports after its outcome was recorded"
        if final:
            self._finals.add((run, key))
            if isinstance(event, _DONE):
                self._done.setdefault(_what(run, event.task), key)

    def created(self, order: TaskOrder, pod: Pod, others: Iterable[Pod], now: int, *, in_charge: bool) -> None:
        """A pod came to be. `in_charge`: by the operator of the newest epoch, which still waits for the answer."""
        run, task = order.run.uid, order.task
        where = f"{order.run.name}: {task.key}"
        self._created.add((run, task.key))
        what, key = _what(run, task), order.idempotency_key
        assert self._keys.setdefault(what, key) == key, f"rule 12: {where} has another key than the launch before it"
        assert self._users.setdefault(key, what) == what, f"rule 12: {where} has the key of {self._users[key]}"
        action = order.step.action(task.action)
        assert action is not None
        assert (order.request is not None) == (action.http is not None), f"{where} has a request, or has none"
        sent = self._requests.setdefault(what, order.request)
        assert sent == order.request, f"{where} sends something else than the launch before it"
        if run in self.spared:
            return
        assert (run, task.key) in self._opened, f"{where} acts before it is saved"
        pod.orphan = (run, task.key) in self._closed
        if not in_charge:
            return
        assert not pod.orphan, f"O2: {where} is launched though it is closed"
        assert run not in self._recovering, f"F11: {where} is launched while its run is recovering"
        done = self._done.get(what, task.key)
        assert done == task.key, f"rule 12: {where} is launched though {done} recorded its success"
        alive = [other.task.key for other in others if not other.is_known_dead(now) and not other.orphan]
        assert not alive, f"O2: {where} is launched while {alive} may still run"

    def acted(self, pod: Pod, now: int) -> None:
        """A handler ran."""
        superseded = pod.told_lost or (pod.run.uid, pod.task.key) in self._closed
        if superseded:
            self.coverage.note(Seen.ZOMBIE_ACTED)
        self.acts.append(Act(pod.run.uid, pod.task, now, superseded, pod.orphan))

    def has_succeeded(self, run: str, path: str, round_: int) -> bool:
        """Tell whether a step did its action in a round."""
        return (run, path, Action.RUN.value, round_) in self._done

    def is_closed(self, pod: Pod) -> bool:
        """Tell whether the pod's task was closed."""
        return (pod.run.uid, pod.task.key) in self._closed

    def was_created(self, run: str, task: Task) -> bool:
        """Tell whether the task ever had a pod."""
        return (run, task.key) in self._created

    def told(self, run: str, phase: str, *, outdated: bool) -> None:
        """People read another phase. `outdated`: an older one, by an operator that was replaced; it does not last."""
        told = self.phases.setdefault(run, [])
        if not told or told[-1] != phase:
            over = bool(told) and told[-1] in _ENDED and run not in self.asked and not outdated
            assert not over, f"{run} was told as {told[-1]} and is now told as {phase}"
            told.append(phase)
            if phase == "Recovering":
                self.coverage.note(Seen.RECOVERING)

    def lose(self, run: str, *, detectable: bool) -> None:
        """The store forgot something of a run: what was recorded may be recorded again; nothing else is excused."""
        self.lost.add(run)
        self.moments.lose(run)
        self.resumes.lose(run)
        self._recovering.discard(run)
        if not detectable:
            self.spared.add(run)
        self._entries = {entry for entry in self._entries if entry[0] != run}
        self._finals = {final for final in self._finals if final[0] != run}


def _what(run: str, task: Task) -> tuple[str, str, str, int]:
    return run, task.path, task.action.value, task.round
