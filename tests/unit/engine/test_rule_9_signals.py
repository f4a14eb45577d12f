"""Rule 9: repeated requests, skip, and every phase with every request, where it makes sense and where it does not."""

from collections.abc import Callable

import pytest

from reactor_operator.engine.signals import TABLE
from reactor_operator.engine.state import RunPhase, StepPhase
from tests.unit.engine.driver import Run, attempts, compose, interrupt, step, value
from tests.unit.engine.situations import failed_incomplete, recovering_run, succeeded, undoable


@pytest.mark.parametrize(
    "asked",
    [
        lambda run: run.is_retried("one"),
        lambda run: run.is_carried_over("a", request="one"),
        lambda run: run.is_to_be_undone("one"),
        lambda run: run.is_held(request="one"),
    ],
)
def test_repeating_an_undo_a_retry_or_a_skip_changes_nothing(asked: Callable[[Run], Run]) -> None:
    run = Run(step("a"), step("b", ["a"])).start().fails("a")
    asked(run)
    while run.open:
        run.fails(next(iter(run.open)))
    before = run.state
    assert run.phase is RunPhase.FAILED
    assert asked(run).state is before


# skip


def test_a_failed_step_is_given_a_value_and_the_run_goes_on() -> None:
    run = Run(*undoable("a", "b"), step("c", ["b"])).start().succeeds("a").fails("b").succeeds("a")
    run.is_carried_over("b", "by hand")
    assert (run.at("b"), run.step("b").result) == (StepPhase.SKIPPED, value("by hand"))
    assert set(run.open) == {"a", "c"}
    run.succeeds("a").succeeds("c")
    assert run.phase is RunPhase.SUCCEEDED


def test_a_step_inside_a_scope_is_given_a_value() -> None:
    run = Run(compose("s", step("x"), step("y", ["x"]))).start().fails("s/x").is_carried_over("s/x", "v")
    assert list(run.open) == ["s/y"]
    assert run.succeeds("s/y").phase is RunPhase.SUCCEEDED


def test_a_step_that_waits_for_its_next_attempt_is_given_a_value() -> None:
    run = Run(step("a", run=attempts(3)), step("b", ["a"])).start().fails("a").is_carried_over("a", "v")
    assert (run.at("a"), list(run.open)) == (StepPhase.SKIPPED, ["b"])


@pytest.mark.parametrize(
    ("run", "path", "told"),
    [
        (Run(step("a")).start(), "a", "step a is Running: while a run goes on only a step that is Retrying or Waiting"),
        (Run(step("a")).start(), "b", "the run has no step b"),
        (Run(step("a"), step("b", ["a"])).start().succeeds("a").fails("b"), "a", "step a is Succeeded: only one that"),
    ],
)
def test_other_steps_are_not_skipped(run: Run, path: str, told: str) -> None:
    accepted, reason = run.is_carried_over(path).answer
    assert not accepted
    assert told in reason


# every pair


def in_phase(phase: RunPhase) -> Run:
    """Return a run in this phase."""
    match phase:
        case RunPhase.RUNNING:
            return Run(step("a")).start()
        case RunPhase.SUSPENDED:
            return Run(step("a")).start().is_suspended()
        case RunPhase.PAUSED:
            return Run(interrupt("a")).start()
        case RunPhase.ROLLING_BACK:
            return Run(*undoable("a", "b")).start().succeeds("a").fails("b")
        case RunPhase.RECOVERING:
            return recovering_run()
        case RunPhase.SUCCEEDED:
            return succeeded("a")
        case RunPhase.FAILED:
            return failed_incomplete()
        case RunPhase.CANCELLED:
            return Run(step("a")).start().is_cancelled("first").succeeds("a")
        case RunPhase.HALTED:
            return Run(step("a")).start().halts("a")
        case RunPhase.UNDONE:
            return succeeded("a").is_to_be_undone("first").succeeds("a")
        case RunPhase.PENDING:
            raise AssertionError("the engine knows no run that has not started")


def ask(run: Run, action: str) -> Run:
    match action:
        case "cancel":
            return run.is_cancelled("asked")
        case "undo":
            return run.is_to_be_undone("asked")
        case "retry":
            return run.is_retried("asked", undone=("a",) if run.phase is RunPhase.FAILED else ())
        case "suspend":
            return run.is_held(request="asked")
        case "go on":
            return run.is_held(False, request="asked")
        case "resume":
            return run.is_resumed("a", request="asked")
        case _:
            return run.is_carried_over("b" if run.phase is RunPhase.FAILED else "a", request="asked")


@pytest.mark.parametrize("action", ["cancel", "undo", "retry", "skip", "resume", "suspend", "go on"])
@pytest.mark.parametrize("phase", [phase for phase in RunPhase if phase is not RunPhase.PENDING])
def test_every_pair_of_phase_and_request_is_answered_as_the_table_says(phase: RunPhase, action: str) -> None:
    run = in_phase(phase)
    assert run.phase is phase
    refused = TABLE[phase][action].format(phase=phase)
    accepted, reason = ask(run, action).answer
    if refused:
        assert (accepted, reason) == (False, refused)
    elif action in {"skip", "resume"}:
        # What else speaks against it is told by tests of its own; a person reads the reason.
        assert accepted or reason
    else:
        assert accepted, reason


def test_the_table_has_every_phase() -> None:
    assert set(TABLE) == set(RunPhase)
    assert all(set(row) == {"cancel", "undo", "retry", "skip", "resume", "suspend", "go on"} for row in TABLE.values())
