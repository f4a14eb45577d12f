"""Rule 9, suspend: what comes due while a run holds still."""

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan
from tests.unit.engine.driver import DONE_ONCE, MINUTE, SECOND, Run, attempts, chain, step

QUICK = ActionPlan(timeout_ms=MINUTE)


def test_an_attempt_that_comes_due_meanwhile_starts_as_soon_as_the_run_goes_on() -> None:
    run = Run(step("a", run=attempts(2))).start().fails("a").is_suspended()
    assert run.last.wake_at == run.now + SECOND
    assert run.wakes().open == {}
    assert list(run.is_suspended(False).open) == ["a"]


def test_an_undo_in_flight_times_out_all_the_same() -> None:
    run = Run(*chain("a", "b", undo=QUICK)).start().succeeds("a").fails("b").begins("a").is_suspended()
    assert run.last.wake_at == run.now + MINUTE
    assert run.wakes().unreversed == [("a", FailureKind.TIMEOUT)]


def test_a_compensate_in_flight_that_cannot_start_waits_no_longer_than_any_other() -> None:
    run = Run(step("a", compensate=DONE_ONCE), pending_timeout_ms=MINUTE).start().fails("a").waits("a", "no room")
    assert run.is_suspended().wakes().unreversed == [("a", FailureKind.CANNOT_START)]
