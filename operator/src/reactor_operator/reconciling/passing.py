"""One pass over a run: what it gathers, and the fold of events through the engine.

In: a run as it is known, its documents, and what happened. Out: what was decided, and when to come back.
Never here: a commit, an effect; an evaluation has none, so the shell answers it inside the fold.
"""

import asyncio
from dataclasses import dataclass, field

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Effect, EvaluateStep, Evaluation
from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.draft import Filing
from reactor_operator.engine.facts import Fact
from reactor_operator.ports import Evaluator
from reactor_operator.reconciling.documents import Documents
from reactor_operator.reconciling.effects import Performed
from reactor_operator.reconciling.evaluations import answer
from reactor_operator.reconciling.inbox import groups_of
from reactor_operator.reconciling.pooled import PoolBook
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.reconciling.simple_elements import SimpleElements

_BEGUN_AT_ONCE = 5_000
"""Evaluations of elements between two commits: those that launch nothing would never come to one."""


@dataclass(slots=True)
class Pass:
    """What one reconcile gathers: the run, what is acknowledged but not committed, and when to come back."""

    known: KnownRun
    documents: Documents
    acknowledged: set[str] = field(default_factory=set)
    again_at: int | None = None
    wake_at: int | None = None

    async def fold(
        self, events: list[ev.Event], now: int, evaluator: Evaluator, pools: PoolBook | None = None
    ) -> Decided:
        """Fold events, then the clock, and every evaluation the engine asks for on the way."""
        state = self.known.state
        actions: list[Effect] = []
        touched: set[str] = set()
        values: dict[str, bytes] = {}
        facts: tuple[Fact, ...] = ()
        filing = Filing()
        waiting = groups_of([*events, ev.TimePassed()])
        begun = 0
        while waiting:
            begins = begun < _BEGUN_AT_ONCE
            decision = decide_together(self.known.plan, state, waiting.pop(0), now, begins=begins)
            state = decision.state
            touched |= decision.touched
            facts += decision.facts
            if decision.filing is not None:
                filing.add(decision.filing)
                self.documents.pages.file(decision.filing.cold)
            self.wake_at = decision.wake_at
            answers: list[ev.Event] = []
            of_elements: list[ev.Event] = []
            simple = SimpleElements(self.known, state, self.documents, pools)
            for action in decision.actions:
                if isinstance(action, EvaluateStep) and (event := await simple.answer(action)) is not None:
                    of_elements.append(event)
                elif isinstance(action, Evaluation):
                    told = await answer(action, self.known, state, evaluator, self.documents, pools)
                    self.documents.add(told.values)
                    self.documents.pages.add(told.pages)
                    values.update(told.values)
                    (of_elements if told.of_element else answers).append(told.event)
                else:
                    actions.append(action)
            self.documents.add(simple.values)
            values.update(simple.values)
            begun += len(of_elements)
            if of_elements:
                await asyncio.sleep(0)  # a large map leaves room for the lease, and for other runs
            waiting[:0] = [*([of_elements] if of_elements else []), *([event] for event in answers)]
        return Decided(
            state=state,
            actions=tuple(actions),
            touched=frozenset(touched),
            values=values,
            facts=facts,
            filing=filing,
            sources=self.documents.pages.take_fresh(),
        )

    def note(self, performed: dict[str, Performed], now: int) -> list[ev.Event]:
        """Take down what came of the orders, and return what happened at once."""
        events: list[ev.Event] = []
        for name, result in performed.items():
            if result.done:
                self.acknowledged.add(name)
            if result.event is not None:
                events.append(result.event)
            if result.again_ms is not None:
                at = now + result.again_ms
                self.again_at = at if self.again_at is None else min(at, self.again_at)
        return events
