"""What came of resumes: the rules that hold for interrupts at every moment, and in the end.

In: each payload as it is sent, each commit, each answer as it is told. Out: nothing, or an AssertionError that names
the rule. Never here: how an operator comes to an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.interrupting import open_interrupts
from reactor_operator.engine.state import Header, StepPhase
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.codec import decode_header, decode_step
from reactor_operator.store.port import Commit
from tests.simulation.coverage import Coverage, Seen

_DRY = "it would be accepted"
Step = tuple[str, str]
"""A run, and the path of a step of it."""


@dataclass
class Resumes:
    """All resumes of a world.

    sent:     what may be the result of an interrupt: payloads as they are and with defaults.
    taken:    which request resumed a step in a round of it, of the steps of the run itself.
    _known:   the header of each run as it was committed last.   _consumed: requests that resumed something.
    """

    coverage: Coverage
    sent: dict[Step, set[ValueRef | None]] = field(default_factory=dict)
    taken: dict[tuple[str, str, int], str] = field(default_factory=dict)
    _known: dict[str, Header] = field(default_factory=dict)
    _consumed: set[tuple[str, str]] = field(default_factory=set)
    _accepted: set[tuple[str, str]] = field(default_factory=set)

    def asked(self, run: str, step: str, *payloads: ValueRef | None) -> None:
        """Somebody sends a payload, which becomes one of these."""
        self.sent.setdefault((run, step), set()).update(payloads)

    def lose(self, run: str) -> None:
        """The store forgot something of a run: what it knew may be told again."""
        self._known.pop(run, None)
        self._consumed = {one for one in self._consumed if one[0] != run}
        self.taken = {one: name for one, name in self.taken.items() if one[0] != run}

    def committed(self, commit: Commit) -> None:
        """A commit was applied: what it answers is true with it."""
        run, record = commit.run, commit.records.get("header")
        self._note_ends(commit)
        if record is None:
            return
        header = decode_header(record)
        before = {(one.id, one.action) for one in self._known.get(run, Header()).signals}
        self._known[run] = header
        for answer in header.signals:
            if answer.action != "resume" or (answer.id, answer.action) in before:
                continue
            if not answer.accepted:
                self.coverage.note(Seen.PAYLOAD_REFUSED if answer.errors else Seen.RESUME_REFUSED)
                continue
            self._accepted.add((run, answer.id))
            if answer.reason != _DRY:
                self.coverage.note(Seen.RESUME_ACCEPTED)
                assert (run, answer.id) not in self._consumed, f"{run}: {answer.id} resumes {answer.step} once more"
                self._consumed.add((run, answer.id))
                self._check_taken(commit, answer.id, answer.step)

    def _check_taken(self, commit: Commit, name: str, path: str) -> None:
        """The step has succeeded with that payload in the same commit, and took no other in this round."""
        if "[" in path:
            return  # told by its outcome
        where, record = f"{commit.run}: {path}", commit.records.get(f"step/{path}")
        assert record is not None, f"{where} is told as resumed by {name}, and nothing of it is committed"
        step = decode_step(record)
        if step.phase is StepPhase.PENDING:
            return  # what is around it is attempted again
        assert step.phase is StepPhase.SUCCEEDED, f"{where} is told as resumed by {name}, and is {step.phase}"
        assert step.result in self.sent.get((commit.run, path), ()), f"{where}: nobody sent {step.result}"
        first = self.taken.setdefault((commit.run, path, step.round), name)
        assert first == name, f"{where} is resumed by {first}, and by {name}"

    def _note_ends(self, commit: Commit) -> None:
        for name, record in commit.records.items():
            if name.startswith("step/") and record is not None:
                step = decode_step(record)
                late = step.failure is not None and step.failure.kind is FailureKind.TIMEOUT
                if step.interrupt is not None and late and step.phase is not StepPhase.WAITING:
                    self.coverage.note(Seen.INTERRUPT_TIMED_OUT)

    def told(self, run: str, status: Mapping[str, object], *, lost: bool) -> None:
        """People read that a payload was taken, or would be: that is committed by then."""
        for one in maps_at(status, "signals"):
            if text_at(one, "action") == "resume" and text_at(one, "phase") == "Accepted" and not lost:
                name = text_at(one, "id")
                assert (run, name) in self._accepted, f"{run}: {name} is told as accepted, and is not committed so"


def check_waits(status: Mapping[str, object], known: KnownRun) -> None:
    """O1: a run may rest where an interrupt is open, and says which."""
    name, waiting = known.definition.run.name, [path for path, _, _ in open_interrupts(known.plan, known.state)]
    assert waiting, f"O1: {name} is told to wait for people, and no interrupt of it is open"
    told = [text_at(one, "step") for one in maps_at(status, "interrupts")]
    assert told == waiting, f"O1: {name} tells that {told} are open, and {waiting} are"


def check_resumed(known: KnownRun, resumes: Resumes) -> None:
    """What was resumed has its payload in the end, where it was not asked again since."""
    uid = known.definition.run.uid
    for path, step in known.state.steps.items():
        name = resumes.taken.get((uid, path, step.round))
        if name is not None and step.phase is not StepPhase.PENDING:
            assert step.phase is StepPhase.SUCCEEDED, f"{uid}: {path} was resumed by {name}, and is {step.phase}"
            assert step.result in resumes.sent[uid, path], f"{uid}: {path} has lost its payload"
