"""Runs as they are when somebody asks something of them."""

from reactor_operator.engine.decide import recovering
from reactor_operator.engine.derive import restore
from reactor_operator.engine.plan import StepPlan
from reactor_operator.engine.state import RollbackState, RunPhase
from tests.unit.engine.driver import DONE_ONCE, Run, chain


def undoable(*names: str) -> list[StepPlan]:
    return chain(*names, undo=DONE_ONCE)


def succeeded(*names: str) -> Run:
    run = Run(*undoable(*names)).start()
    for name in names:
        run.succeeds(name, name)
    assert run.phase is RunPhase.SUCCEEDED
    return run


def failed_incomplete() -> Run:
    """A run whose step b failed, and the undo of whose step a failed."""
    run = Run(*undoable("a", "b")).start().succeeds("a", "1").fails("b").fails("a")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.INCOMPLETE)
    return run


def lose(run: Run) -> Run:
    """The state turns out to be an old one."""
    run.state = restore(run.plan, recovering(run.header, run.now), dict(run.state.steps))
    return run


def recovering_run() -> Run:
    return lose(Run(*undoable("a", "b")).start().succeeds("a"))
