"""Rule 9, retry: what a step that begins anew keeps, and what a scope that is entered again keeps."""

from reactor_operator.engine.state import StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, Run, compose, step, value

UNDO = DONE_ONCE


def test_a_scope_that_is_entered_again_keeps_what_was_evaluated_and_counts_as_started_now() -> None:
    run = Run(compose("s", step("x"), step("y", ["x"]))).start().succeeds("s/x").fails("s/y").later(MINUTE).is_retried()
    scope = run.step("s")
    assert (scope.phase, scope.round, scope.attempt, scope.run_attempts) == (StepPhase.RUNNING, 2, 1, 1)
    assert (scope.arguments, scope.inputs, scope.fallback) == (
        value("s arguments"),
        value("s inputs"),
        value("s fallback"),
    )
    assert (scope.start_order, scope.started_at, run.header.starts) == (4, run.now, 4)
    assert run.begins("s/y").step("s/y").start_order == 5
