"""The table of a step's moves: every move that happens is in it, and every move in it happens."""

from random import Random

import pytest

from reactor_operator.engine.draft import Draft, IllegalTransition
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan
from reactor_operator.engine.state import StepPhase as P
from reactor_operator.engine.transitions import LEGAL, may_follow
from tests.property.world import World
from tests.unit.engine.driver import DONE_ONCE, START, Run, attempts, interrupt, step
from tests.unit.engine.fold_worlds import random_plan


class Noted(frozenset[P]):
    """A row of the table that notes which of its moves were looked up."""

    asked: set[P]

    def __contains__(self, phase: object) -> bool:
        assert isinstance(phase, P)
        self.asked.add(phase)
        return super().__contains__(phase)


def test_the_table_covers_every_phase() -> None:
    assert set(LEGAL) == set(P)


def test_every_move_in_the_table_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {phase: Noted(legal) for phase, legal in LEGAL.items()}
    for phase, row in rows.items():
        row.asked = set()
        monkeypatch.setitem(LEGAL, phase, row)
    for seed in range(150):
        random = Random(seed)
        World(random_plan(random), random).run()
    for compensate, undo in ((DONE_ONCE, None), (None, DONE_ONCE), (None, None)):  # rarer than chance finds them
        skips_after_an_uncertain_attempt(compensate, undo)
    Run(step("a", run=attempts(2))).start().fails("a").is_carried_over("a")
    Run(interrupt("a")).start().is_resumed("a")
    Run(interrupt("a")).start().is_carried_over("a")
    Run(interrupt("a")).start().is_cancelled()
    Run(interrupt("a", timeout_ms=1, active=True)).start().wakes()
    assert {phase: row.asked for phase, row in rows.items()} == {phase: set(row) for phase, row in rows.items()}


def skips_after_an_uncertain_attempt(compensate: ActionPlan | None, undo: ActionPlan | None) -> None:
    uncertain = step("a", run=attempts(2), compensate=compensate, undo=undo)
    Run(uncertain, step("b", ["a"])).start().fails("a", FailureKind.TIMEOUT).wakes().skips("a").fails("b")


@pytest.mark.parametrize("phase", list(P))
def test_a_step_may_always_stay(phase: P) -> None:
    assert may_follow(phase, phase)


def test_a_move_that_is_not_in_the_table_is_a_bug_that_is_told() -> None:
    run = Run(step("a")).start()
    draft = Draft(run.plan, run.state, START)
    with pytest.raises(IllegalTransition, match="'a' may not go from Running to Undone"):
        draft.put("a", phase=P.UNDONE)
