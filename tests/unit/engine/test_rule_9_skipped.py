"""Rule 9: a step that is given a value starts nothing early, and its value reaches whatever stands for it."""

from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, Run, attempts, chooses, compose, step, switch, value

UNDO = DONE_ONCE


def rolled_back() -> Run:
    """A run that failed inside a compose, and what the compose depends on was undone."""
    inside = compose("pay", step("auth"), step("capture", ["auth"]), needs=["reserve"])
    run = Run(step("reserve", undo=UNDO), inside).start().succeeds("reserve").fails("pay/auth").succeeds("reserve")
    assert (run.phase, run.at("pay")) == (RunPhase.FAILED, StepPhase.FAILED)
    return run


def test_what_waits_for_it_does_not_start_before_the_compose_around_does() -> None:
    run = rolled_back().is_carried_over("pay/auth", "by hand")
    assert (run.answer, list(run.open), run.at("pay")) == ((True, ""), ["reserve"], StepPhase.PENDING)


def test_what_waits_for_it_starts_with_the_compose_around() -> None:
    run = rolled_back().is_carried_over("pay/auth", "by hand").succeeds("reserve")
    assert (list(run.open), run.step("pay/auth").result) == (["pay/capture"], value("by hand"))
    assert run.succeeds("pay/capture").phase is RunPhase.SUCCEEDED


def test_a_body_of_a_switch_gives_its_value_to_the_switch() -> None:
    run = Run(switch("r", step("[0]"), step("[1]")), step("z", ["r"])).start({"r": chooses("[1]")}).fails("r[1]")
    run.is_carried_over("r[1]", "mine")
    assert (run.at("r"), run.step("r").result, list(run.open)) == (StepPhase.SKIPPED, value("mine"), ["z"])


def test_a_body_that_waits_for_its_next_attempt_does_so_too() -> None:
    run = Run(switch("r", step("[0]", run=attempts(2)), step("[1]")), step("z", ["r"])).start({"r": chooses("[0]")})
    run.fails("r[0]").is_carried_over("r[0]", "mine")
    assert (run.step("r").result, list(run.open)) == (value("mine"), ["z"])


def test_a_body_that_was_given_a_value_is_forgotten_where_the_switch_chooses_another() -> None:
    either = switch("r", step("[0]"), step("[1]"), needs=["a"])
    run = Run(step("a", undo=UNDO), either).start({"r": chooses("[0]")}).succeeds("a").fails("r[0]").succeeds("a")
    run.answers["r"] = chooses("[1]")
    run.is_carried_over("r[0]", "mine").succeeds("a").succeeds("r[1]", "other")
    assert (run.phase, run.step("r").result) == (RunPhase.SUCCEEDED, value("other"))
