"""A run that writes down every decision: the world of the engine's unit tests, with the plan of a real reactor.

In: the spec of a Reactor, then the verbs of `Run`. Out: the steps of a history.
Never here: randomness, a clock, or anything else that would make two recordings differ.
"""

from reactor_operator.engine import events as ev
from reactor_operator.engine.plan import StepKind, StepPlan
from reactor_operator.engine.state import RunState
from tests.replay.history import Document, HistoryStep, describe, plan_from
from tests.unit.engine.driver import Evaluation, Run, value


class RecordedRun(Run):
    """A run of the unit tests' world that writes down every decision. Its steps evaluate to what their kind needs."""

    def __init__(self, spec: Document, uid: str) -> None:
        self.history: list[HistoryStep] = []
        self._begin(plan_from(spec), uid)
        self.answers.update({path: _answer_of(step) for path, step in self.plan.steps.items()})

    def _check(self, before: RunState, events: tuple[ev.Event, ...]) -> None:
        super()._check(before, events)
        stored = before.header if self.history else None
        self.history.append(describe(stored, events, self.now, self.last))


def _answer_of(step: StepPlan) -> Evaluation:
    """Return how a step evaluates: to go, with nothing that its kind does not use."""

    def answer(path: str, round_: int) -> ev.Event:
        return ev.StepEvaluated(
            path=path,
            round=round_,
            proceed=True,
            arguments=value(f"{path} arguments"),
            inputs=value(f"{path} inputs") if step.kind is StepKind.COMPOSE else None,
            result=value(f"{path} value") if step.kind is StepKind.TRANSFORM else None,
            chosen=step.children[0] if step.kind is StepKind.SWITCH else "",
            fallback=value(f"{path} fallback") if step.continues_on_error else None,
        )

    return answer
