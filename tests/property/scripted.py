"""A world that follows a script: the engine's run of a written reactor, one task at a time, told as the model tells it.

In: the spec of a reactor and a script (see `reference`). Out: an `End`. Nothing here is left to chance.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

from reactor_operator.api.blueprint import blueprint_of
from reactor_operator.api.check import check_spec
from reactor_operator.api.planning import plan_of
from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import StartTask
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Task
from reactor_operator.engine.plan import Plan, StepKind
from reactor_operator.engine.state import RunState, Stage
from reactor_operator.engine.values import reference_to
from tests.property.words import NEVER, SUSPEND, End, Interruption, Script
from tests.property.world import STEP_LIMIT, World

RESULT = reference_to(b"1")


def plan_from(spec: Mapping[str, Any]) -> Plan:
    """Read a spec as the operator does."""
    checked = check_spec(spec)
    assert not checked.problems, checked.problems
    assert checked.spec is not None
    return plan_of(blueprint_of(checked.spec), pending_timeout_ms=600_000)


def request_of(signal: str, name: str) -> ev.Signal:
    """Say what a person asks for: `cancel`, `undo`, `retry`, or `skip PATH`."""
    word, _, path = signal.partition(" ")
    match word:
        case "cancel":
            return ev.CancelRequested(id=name)
        case "undo":
            return ev.UndoRequested(id=name)
        case "retry":
            return ev.RetryRequested(id=name)
        case _:
            return ev.SkipRequested(id=name, step=path, value=RESULT)


def outcome_of(task: Task, ending: str) -> ev.Outcome:
    """Say how a task ends, in the words of a script."""
    match ending:
        case "ok":
            return ev.TaskSucceeded(task=task, result=RESULT)
        case "skip":
            return ev.TaskSkipped(task=task, result=RESULT)
        case "halt":
            return ev.TaskHalted(task=task, reason="enough")
        case "continue":
            return ev.TaskContinued(task=task, result=RESULT)
        case _:
            return ev.TaskFailed(task=task, failure=Failure(kind=FailureKind(ending), message="as scripted"))


class ScriptedWorld(World):
    """Whatever is asked is answered by the script."""

    def __init__(self, spec: Mapping[str, Any], script: Script, interruption: Interruption = NEVER) -> None:
        super().__init__(plan_from(spec), Random(0), cancels=False)
        self.written = spec
        self.script = {key: list(endings) for key, endings in script.items()}
        self.interruption = interruption
        self.is_suspended = self.is_undone = False
        self.moments: list[int] = []
        self.moves = 0

    def run(self) -> RunState:
        """Let the open task end, and where there is none let time pass, until the run is over."""
        self.feed(ev.TimePassed())
        for _ in range(STEP_LIMIT):
            if self.state.header.stage is Stage.OVER:
                return self.state
            if self.open:
                self.end_of(next(iter(self.open)))
            elif self.is_suspended:
                self.suspend(False)
            else:
                assert self.wake_at is not None, "the run is stuck"
                self.now = max(self.now, self.wake_at)
                self.feed(ev.TimePassed())
        raise AssertionError("the run does not end")

    def evaluated(self, path: str, question: str, round_: int, otherwise: str) -> str:
        """Read the line of the script for a round: what is evaluated twice comes to the same."""
        lines = self.script.get((path, question), [])
        return lines[round_ - 1] if round_ <= len(lines) else otherwise

    def line(self, path: str, action: str, otherwise: str) -> str:
        """Take the next line of the script."""
        left = self.script.get((path, action))
        return left.pop(0) if left else otherwise

    def end_of(self, task: Task) -> None:
        """The task begins, unless it is to fail before that, and ends."""
        number, signal = self.interruption
        if signal and len(self.ledger.started) == number:
            self.interruption = NEVER
            if signal == SUSPEND:
                self.suspend(True)
            else:
                self.feed(request_of(signal, "meanwhile"))
        ending = self.line(task.path, task.action.value, "ok")
        if ending != FailureKind.CANNOT_START:
            self.feed(ev.TaskStarted(task=task, at=self.now))
        self.feed(outcome_of(task, ending))

    def suspend(self, suspended: bool) -> None:
        """Let the run hold still, or go on."""
        self.is_suspended = suspended
        self.feed(ev.SpecChanged(suspended=suspended, generation=self.state.header.generation + 1))

    def start(self, order: StartTask) -> None:
        """Nothing starts while the run holds still; what an undo asks for goes on."""
        assert self.is_undone or not self.is_suspended, f"{order.task.key} starts though the run is suspended"
        self.moments.append(self.moves)
        super().start(order)

    def evaluation(self, path: str, round_: int) -> ev.Event:
        """Answer `when`, and what a transform or a switch comes to."""
        kind = self.plan.steps[path].kind
        proceed, chosen = self.evaluated(path, "when", round_, "true"), ""
        failed = proceed == "Expression"
        if proceed == "true" and kind is StepKind.TRANSFORM:
            failed = self.evaluated(path, "transform", round_, "ok") != "ok"
        if proceed == "true" and kind is StepKind.SWITCH:
            chosen = f"{path}[{self.evaluated(path, 'switch', round_, 'default')}]"
        if failed:
            failure = Failure(kind=FailureKind.EXPRESSION, message="as scripted", retryable=False)
            return ev.StepEvaluationFailed(path=path, round=round_, failure=failure)
        return ev.StepEvaluated(path=path, round=round_, proceed=proceed == "true", chosen=chosen)

    def returns(self, scope: str) -> ev.Event:
        """Every scope returns something."""
        return ev.ReturnsEvaluated(scope=scope, result=RESULT)

    def end(self, *signals: str) -> End:
        """Run to the end, and to one more for each signal that is then given and accepted; tell how it went."""
        state = self.run()
        for number, signal in enumerate(signals):
            self.is_undone = signal == "undo"
            self.feed(request_of(signal, f"ask-{number}"))
            state = self.run()
        assert not self.open
        header = state.header
        return End(
            phase=header.phase.value,
            steps={path: state.step(path).phase.value for path in self.plan.steps},
            launches=[(task.path, task.action.value, task.round, task.attempt) for task in self.ledger.started],
            reversed=list(header.undone),
            failures=[(failure.step, failure.kind.value) for failure in header.rollback_failures],
            rollback=header.rollback.value,
            has_result=header.result is not None,
            failed_step=header.failure.step if header.failure else "",
            answers=[answer.accepted for answer in header.signals],
            moments=[*self.moments, self.moves],
        )
