"""One pass over a run: what it gathers, and the fold of events through the engine.

In: a run as it is known, its documents, and what happened. Out: what was decided, and when to come back.
Never here: a commit, an effect; an evaluation has none, so the shell answers it inside the fold.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Effect, EvaluateStep, Evaluation
from reactor_operator.engine.awaited import is_awaited, is_of_element
from reactor_operator.engine.decide import decide_together
from reactor_operator.engine.draft import Filing
from reactor_operator.engine.facts import Fact
from reactor_operator.engine.history import Transition, transitions
from reactor_operator.engine.state import RunPhase, RunState
from reactor_operator.ports import Evaluator
from reactor_operator.reconciling.correlations import OpenIds
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
    ids: OpenIds | None = None
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
        history: list[Transition] = []
        phase = state.header.phase if self.known.revision else RunPhase.PENDING
        filing = Filing()
        waiting: list[Sequence[ev.Event | Evaluation]] = [*groups_of([*events, ev.TimePassed()])]
        begun = 0
        while waiting:
            group, told = await self._told(waiting.pop(0), state, evaluator, pools)
            values |= told
            filing.dropped -= told.keys()  # an evaluation may be made anew
            if not group:
                continue
            decision = decide_together(self.known.plan, state, group, now, begins=begun < _BEGUN_AT_ONCE)
            history += transitions(self.known.plan, state, decision, group, phase=phase)
            state, phase = decision.state, decision.state.header.phase
            touched |= decision.touched
            facts += decision.facts
            if decision.filing is not None:
                filing.add(decision.filing)
                for name in decision.filing.dropped:
                    values.pop(name, None)
                self.documents.pages.file(decision.filing.cold)
            self.wake_at = decision.wake_at
            of_elements, others = [], []
            for action in decision.actions:
                if not isinstance(action, Evaluation):
                    actions.append(action)
                elif is_of_element(self.known.plan, action):
                    of_elements.append(action)
                else:
                    others.append(action)
            begun += len(of_elements)
            if of_elements:
                await asyncio.sleep(0)  # a large map leaves room for the lease, and for other runs
            waiting[:0] = [of_elements, *([action] for action in others)]
        return Decided(
            state=state,
            actions=tuple(actions),
            touched=frozenset(touched),
            values=values,
            facts=facts,
            history=tuple(history),
            filing=filing,
            sources=self.documents.pages.take_fresh(),
        )

    async def _told(
        self, group: Sequence[ev.Event | Evaluation], state: RunState, evaluator: Evaluator, pools: PoolBook | None
    ) -> tuple[list[ev.Event], dict[str, bytes]]:
        """Return a group of events, with answers to the evaluations that are still waited for, and their documents."""
        simple = SimpleElements(self.known, state, self.documents, pools)
        events: list[ev.Event] = []
        values: dict[str, bytes] = {}
        for one in group:
            if not isinstance(one, Evaluation):
                events.append(one)
            elif not is_awaited(self.known.plan, state, one):
                continue  # something that was told before has made it needless
            elif isinstance(one, EvaluateStep) and (event := await simple.answer(one)) is not None:
                events.append(event)
            else:
                told = await answer(one, self.known, state, evaluator, self.documents, pools, self.ids)
                self.documents.add(told.values)
                self.documents.pages.add(told.pages)
                values.update(told.values)
                events.append(told.event)
        self.documents.add(simple.values)
        return events, values | simple.values

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
