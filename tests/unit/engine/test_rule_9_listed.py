"""Rules 4, 6, 7 and 9: an optional step whose effect may still stand is neither forgotten nor acted upon again."""

import pytest

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import StepPlan
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, Run, attempts, compose, step, value

UNDO = COMPENSATE = DONE_ONCE
LISTED = [("mail", FailureKind.ERROR)]


def optional(name: str = "mail", needs: tuple[str, ...] = ()) -> StepPlan:
    return step(name, needs, continues_on_error=True, compensate=COMPENSATE)


def succeeded() -> Run:
    """A run that succeeded, though its optional step failed, and could not be compensated."""
    run = Run(optional(), step("z", ["mail"])).start().fails("mail").fails("mail").succeeds("z")
    assert (run.phase, run.at("mail"), run.unreversed) == (RunPhase.SUCCEEDED, StepPhase.IGNORED, LISTED)
    return run


def failed() -> Run:
    """The same, but the step after it failed."""
    run = Run(optional(), step("z", ["mail"])).start().fails("mail").fails("mail").fails("z")
    assert (run.phase, run.unreversed) == (RunPhase.FAILED, LISTED)
    return run


def test_undo_repeats_the_compensate_of_an_ignored_step() -> None:
    run = succeeded().is_to_be_undone()
    assert run.launches[-1] == "mail.compensate.1.2.1"
    run.succeeds("mail")
    assert (run.phase, run.at("mail"), run.unreversed) == (RunPhase.UNDONE, StepPhase.COMPENSATED, [])


def test_an_ignored_step_that_nothing_can_reverse_is_listed_again() -> None:
    run = Run(step("mail", continues_on_error=True)).start().fails("mail", FailureKind.TIMEOUT)
    assert (run.phase, run.rollback) == (RunPhase.SUCCEEDED, RollbackState.INCOMPLETE)
    run.is_to_be_undone()
    assert (run.phase, run.unreversed) == (RunPhase.FAILED, [("mail", FailureKind.UNCERTAIN)])


def test_an_ignored_step_that_was_compensated_is_left_alone() -> None:
    run = Run(optional()).start().fails("mail").succeeds("mail").is_to_be_undone()
    assert (run.phase, run.at("mail"), run.reversals) == (RunPhase.UNDONE, StepPhase.IGNORED, ["mail compensate"])


def test_a_retry_leaves_an_ignored_step_as_it_is_and_it_stays_listed() -> None:
    run = failed().is_retried().succeeds("z")
    assert (run.phase, run.at("mail"), run.step("mail").round) == (RunPhase.SUCCEEDED, StepPhase.IGNORED, 1)
    assert (run.unreversed, run.rollback) == (LISTED, RollbackState.INCOMPLETE)
    assert run.is_to_be_undone().succeeds("mail").phase is RunPhase.UNDONE


def test_a_person_may_say_that_an_ignored_step_is_undone() -> None:
    run = failed().is_retried(undone=("mail",)).succeeds("z")
    assert (run.phase, run.unreversed, run.rollback) == (RunPhase.SUCCEEDED, [], RollbackState.NOT_NEEDED)


def begins_anew() -> Run:
    """A run that failed, whose listed optional step depends on one that was undone."""
    run = Run(step("a", undo=UNDO), optional("mail", ("a",)), step("z", ["mail"])).start()
    return run.succeeds("a").fails("mail").fails("mail").fails("z").succeeds("a")


def test_an_ignored_step_that_would_begin_anew_on_top_of_what_may_stand_holds_a_retry_up() -> None:
    accepted, reason = begins_anew().is_retried().answer
    assert not accepted
    assert "mail could not be reversed: undo the run again, or say assume: {mail: standing} or {mail: undone}" in reason


def test_unless_a_person_says_that_it_is_undone() -> None:
    run = begins_anew().is_retried(undone=("mail",)).succeeds("a").succeeds("mail").succeeds("z")
    assert "mail.run.2.1.1" in run.launches
    assert (run.phase, run.unreversed) == (RunPhase.SUCCEEDED, [])


def test_or_that_it_stands_and_then_it_does_not_begin_anew() -> None:
    run = begins_anew().is_retried(standing=("mail",)).succeeds("a").succeeds("z")
    assert "mail.run.2.1.1" not in run.launches
    assert (run.at("mail"), run.step("mail").result) == (StepPhase.SUCCEEDED, value("mail fallback"))
    assert (run.phase, run.unreversed) == (RunPhase.SUCCEEDED, [])


def test_a_compose_is_not_attempted_again_on_top_of_an_optional_step_that_may_stand() -> None:
    inside = (optional(), step("z", ["mail"]))
    run = Run(compose("s", *inside, run=attempts(3))).start()
    run.fails("s/mail").fails("s/mail").fails("s/z")
    assert (run.phase, run.step("s").round) == (RunPhase.FAILED, 1)
    assert run.unreversed == [("s/mail", FailureKind.ERROR)]


def test_an_optional_compose_that_is_ignored_keeps_what_happened_inside_over_a_retry() -> None:
    inside = (step("x", undo=UNDO), step("y", ["x"]))
    run = Run(compose("s", *inside, continues_on_error=True), step("z", ["s"])).start()
    run.succeeds("s/x").fails("s/y").succeeds("s/x").fails("z").is_retried()
    assert (run.at("s"), run.at("s/x"), list(run.open)) == (StepPhase.IGNORED, StepPhase.UNDONE, ["z"])


def test_what_could_not_be_undone_inside_an_ignored_compose_stays_listed_too() -> None:
    inside = (step("x", undo=UNDO), step("y", ["x"]))
    run = Run(compose("s", *inside, continues_on_error=True), step("z", ["s"])).start()
    run.succeeds("s/x").fails("s/y").fails("s/x").fails("z").is_retried().succeeds("z")
    assert (run.phase, run.unreversed) == (RunPhase.SUCCEEDED, [("s/x", FailureKind.ERROR)])
    run.is_to_be_undone().succeeds("s/x")
    assert (run.phase, run.unreversed) == (RunPhase.UNDONE, [])


@pytest.mark.parametrize("path", ["s/x", "s/y"])
def test_what_is_inside_an_ignored_compose_is_not_skipped(path: str) -> None:
    inside = (step("x", undo=UNDO), step("y", ["x"]))
    run = Run(compose("s", *inside, continues_on_error=True), step("z", ["s"])).start()
    run.succeeds("s/x").fails("s/y").fails("s/x").fails("z").is_carried_over(path)
    assert run.answer == (False, f"step {path} is inside a step that is Ignored: the run goes on without it")
    assert (run.at("s/x"), run.at("s/y")) == (StepPhase.ROLLBACK_FAILED, StepPhase.FAILED)


def test_a_step_whose_cleanup_came_too_late_does_not_begin_anew_unasked() -> None:
    steps = (step("a", compensate=COMPENSATE), step("b", undo=UNDO), step("c", ["b"]))
    run = Run(*steps, rollback_deadline_ms=MINUTE).start().succeeds("b").fails("c").later(2 * MINUTE).fails("a")
    assert ("a", FailureKind.TIMEOUT) in run.unreversed
    assert not run.is_retried().answer[0]
    assert run.is_retried("again", undone=("a",)).answer[0]


def test_a_compose_in_which_no_task_began_has_nothing_to_compensate() -> None:
    inner = compose("inner", step("x"), run=attempts(2))
    run = Run(compose("s", inner, compensate=COMPENSATE)).start()
    run.fails("s/inner/x", FailureKind.CANNOT_START)
    assert (run.phase, run.reversals, run.rollback) == (RunPhase.FAILED, [], RollbackState.NOT_NEEDED)


def test_a_run_that_failed_without_anything_to_reverse_has_nothing_to_undo() -> None:
    run = Run(step("a")).start().fails("a").is_to_be_undone()
    assert run.answer == (False, "the run was rolled back already: nothing is left to undo")


def test_after_a_repeated_compensate_that_repaired_the_step_its_undo_has_attempts_of_its_own() -> None:
    run = Run(step("a", compensate=COMPENSATE, undo=attempts(2))).start().fails("a").fails("a")
    run.is_to_be_undone().continues("a")
    assert run.launches[-2:] == ["a.compensate.1.2.1", "a.undo.1.1.1"]
    run.fails("a").wakes().succeeds("a")
    assert run.phase is RunPhase.UNDONE
