"""A run whose state was lost in the midst of a cleanup, and is taken up again: nothing of the cleanup is left over."""

from reactor_operator.engine.decide import recovering
from reactor_operator.engine.derive import restore
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.state import RunPhase, Stage, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, Run, attempts, chain, compose, step


def lose(run: Run) -> Run:
    """The state turns out to be an old one."""
    run.state = restore(run.plan, recovering(run.header, run.now), dict(run.state.steps))
    return run


def test_a_compose_that_drained_when_the_state_was_lost_goes_on_after_a_retry() -> None:
    run = Run(compose("s", step("x"), step("y"), run=attempts(3)), step("z", ["s"])).start().begins("s/y").fails("s/x")
    assert run.header.containing == "s"
    lose(run).is_retried()
    assert (run.header.containing, run.header.contained, list(run.open)) == (ROOT, None, ["s/x", "s/y"])
    assert run.succeeds("s/x").succeeds("s/y").succeeds("z").phase is RunPhase.SUCCEEDED


def test_a_step_that_waited_for_its_own_cleanup_when_the_state_was_lost_is_not_waited_for_after_a_retry() -> None:
    run = Run(step("a", compensate=DONE_ONCE), step("b"), step("c", ["b"])).start().is_suspended().fails("a")
    assert "a" in run.header.failing
    lose(run).is_suspended(False).is_retried()
    assert not run.header.failing
    run.fails("b").fails("a")
    assert (run.why_it_failed[0], run.reversals) == ("b", ["a compensate"])
    assert run.succeeds("a").phase is RunPhase.FAILED


def test_an_undo_that_waited_for_its_next_attempt_when_the_state_was_lost_is_made_again() -> None:
    run = Run(step("a", undo=attempts(3)), step("b", ["a"])).start().succeeds("a").fails("b").fails("a")
    lose(run).is_to_be_undone()
    assert (run.stage, list(run.open), run.launches[-1]) == (Stage.REVERTING, ["a"], "a.undo.1.2.1")
    run.succeeds("a")
    assert (run.phase, run.unreversed) == (RunPhase.UNDONE, [])


def test_a_compensate_that_waited_for_its_next_attempt_when_the_state_was_lost_is_made_again() -> None:
    run = Run(step("a", compensate=attempts(3))).start().fails("a").fails("a")
    lose(run).is_to_be_undone().succeeds("a")
    assert (run.phase, run.at("a"), run.unreversed) == (RunPhase.UNDONE, StepPhase.COMPENSATED, [])


def test_a_finally_step_that_waited_for_its_next_attempt_when_the_state_was_lost_waits_for_the_next_end() -> None:
    run = Run(*chain("a", "b"), finals=[step("tell", run=attempts(2))]).start().succeeds("a").fails("b").fails("tell")
    assert run.at("tell") is StepPhase.RETRYING
    lose(run).is_retried().later(MINUTE)
    assert (list(run.open), run.at("tell"), run.last.wake_at) == (["b"], StepPhase.CANCELLED, None)
    assert run.succeeds("b").launches[-1] == "tell.run.2.1.1"
