"""A run that writes down every decision: the world of the engine's unit tests, with the plan of a real reactor.

In: the spec of a Reactor, then the verbs of `Run`. Out: the steps of a history.
Never here: randomness, a clock, or anything else that would make two recordings differ.

As in the shell, documents of an element of a map have names of their own: a history tells when they are dropped.
"""

from dataclasses import replace

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import EvaluatePage
from reactor_operator.engine.elements import owner_of, saga_of
from reactor_operator.engine.plan import StepKind
from reactor_operator.engine.state import RunState
from reactor_operator.engine.values import INLINE_BYTES, ValueRef, reference_to
from reactor_operator.outcomes.names import name_of
from tests.replay.filed import Document
from tests.replay.history import HistoryStep, describe, plan_from
from tests.unit.engine.driver import Run, value

_LARGE = b'"' + b"x" * INLINE_BYTES + b'"'
"""A document that is no reference to itself."""


class RecordedRun(Run):
    """A run of the unit tests' world that writes down every decision. Its steps evaluate to what their kind needs."""

    def __init__(self, spec: Document, uid: str) -> None:
        self.history: list[HistoryStep] = []
        self._begin(plan_from(spec), uid)

    def opens(self, path: str, *, correlation: str = "", otherwise: str | None = None) -> "RecordedRun":
        """Say what an interrupt is evaluated to when it opens."""
        self.answers[path] = lambda path, round_: ev.StepEvaluated(
            path=path,
            round=round_,
            proceed=True,
            correlation=correlation,
            otherwise=None if otherwise is None else value(otherwise),
        )
        return self

    def gives(self, path: str) -> "RecordedRun":
        """End the open task of an element well, with a result that has a name."""
        task = self.open[path]
        return self.feed(ev.TaskSucceeded(task=task, result=reference_to(_LARGE, name_of(task, "result"))))

    def _check(self, before: RunState, events: tuple[ev.Event, ...]) -> None:
        super()._check(before, events)
        stored = before.header if self.history else None
        self.history.append(describe(stored, events, self.now, self.last))

    def _evaluate(self, path: str, round_: int) -> ev.Event:
        """Answer: to go, with nothing that the kind of the step does not use."""
        if path in self.answers:
            return super()._evaluate(path, round_)
        step = saga_of(self.plan, self.state, path)[0].steps[path]
        return ev.StepEvaluated(
            path=path,
            round=round_,
            proceed=True,
            arguments=self._document(path, "arguments", round_),
            inputs=self._document(path, "inputs", round_) if step.kind is StepKind.COMPOSE else None,
            result=self._document(path, "value", round_) if step.kind is StepKind.TRANSFORM else None,
            chosen=step.children[0] if step.kind is StepKind.SWITCH else "",
            fallback=self._document(path, "fallback", round_) if step.continues_on_error else None,
        )

    def _page(self, asked: EvaluatePage) -> ev.Event:
        page = super()._page(asked)
        assert isinstance(page, ev.PageEvaluated)
        if page.cursor is None:
            return page
        return replace(page, cursor=self._document(f"{asked.path}[page-{asked.page}]", "cursor", asked.round))

    def _document(self, path: str, what: str, round_: int) -> ValueRef:
        """Return the reference to what is known of a step before it starts."""
        if owner_of(self.plan, path) is None:
            return value(f"{path} {what}")
        return reference_to(_LARGE, f"{path}.{what}.{round_}")
