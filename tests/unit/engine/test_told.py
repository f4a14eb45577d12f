"""What people are told, word by word: each Event of a run says what happened, and which of them are warnings."""

from collections.abc import Callable

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import ActionPlan
from reactor_operator.engine.state import RunPhase
from tests.unit.engine.driver import DONE_ONCE, MINUTE, TERMINATE, Run, attempts, chain, step, value

UNDO = DONE_ONCE
Told = tuple[str, str, bool]
"""The reason, the message, and whether it is a warning."""

FAILED: Told = ("StepFailed", "Step b failed: Error: bad", True)
GOES_BACK: Told = ("RollingBack", "Rolling back after step b failed: bad", True)
NOT_UNDONE: Told = ("UndoFailed", "Step a could not be reversed: Timeout: no answer", True)


def two_steps() -> Run:
    """The first of two steps has succeeded, and can be undone."""
    return Run(*chain("a", "b", undo=UNDO)).start().succeeds("a")


def failed() -> Run:
    return Run(step("b")).start().fails("b")


def is_to_be_undone(run: Run, reason: str) -> Run:
    return run.feed(ev.UndoRequested(id="undo", reason=reason))


def is_carried_over(run: Run, reason: str) -> Run:
    return run.feed(ev.SkipRequested(id="skip", step="b", value=value("by hand"), reason=reason))


ENDS: dict[str, tuple[Callable[[], Run], list[Told]]] = {
    "a success": (lambda: two_steps().succeeds("b"), [("Succeeded", "Run Succeeded", False)]),
    "a rollback": (
        lambda: two_steps().fails("b").succeeds("a"),
        [FAILED, GOES_BACK, ("Failed", "bad (1 reversed)", True)],
    ),
    "a rollback that is incomplete": (
        lambda: two_steps().fails("b").fails("a", FailureKind.TIMEOUT, "no answer"),
        [FAILED, GOES_BACK, NOT_UNDONE, ("Failed", "bad (rollback incomplete)", True)],
    ),
    "nothing to reverse": (failed, [FAILED, GOES_BACK, ("Failed", "bad", True)]),
    "a step that is ignored": (
        lambda: Run(step("b", continues_on_error=True)).start().fails("b"),
        [FAILED, ("Succeeded", "Run Succeeded", False)],
    ),
    "an ignored step that may have acted": (
        lambda: Run(step("b", continues_on_error=True)).start().fails("b", FailureKind.TIMEOUT),
        [
            ("StepFailed", "Step b failed: Timeout: bad", True),
            ("Succeeded", "Run Succeeded (rollback incomplete)", True),
        ],
    ),
    "a timeout of the run": (
        lambda: Run(step("a", ["b"]), step("b"), timeout_ms=90_500).start().later(90_500).succeeds("b"),
        [
            ("RollingBack", "Rolling back after the run failed: the run took longer than its timeout of 90.5s", True),
            ("Failed", "the run took longer than its timeout of 90.5s", True),
        ],
    ),
    "a cancel": (
        lambda: Run(step("b")).start().is_cancelled(reason="").succeeds("b"),
        [("Cancelled", "cancelled on request", True)],
    ),
    "a cancel during a rollback": (
        lambda: two_steps().fails("b").is_cancelled(reason="").succeeds("a"),
        [FAILED, GOES_BACK, ("Cancelled", "cancelled during the rollback (rollback incomplete)", True)],
    ),
    "a cancel with a reason during a rollback": (
        lambda: two_steps().fails("b").is_cancelled(reason="enough").succeeds("a"),
        [FAILED, GOES_BACK, ("Cancelled", "enough (rollback incomplete)", True)],
    ),
    "a halt": (lambda: Run(step("b")).start().halts("b"), [("Halted", "halted by a step", False)]),
    "a step that fails at the end": (
        lambda: Run(step("b"), finals=[step("tell")]).start().succeeds("b").fails("tell"),
        [("FinallyFailed", "Step tell failed: Error: bad", True), ("Succeeded", "Run Succeeded", False)],
    ),
}


def told(run: Run) -> list[Told]:
    assert [one.ordinal for one in run.told] == list(range(1, len(run.told) + 1))
    return [(one.reason, one.message, one.warning) for one in run.told]


@pytest.mark.parametrize(("run", "expected"), ENDS.values(), ids=ENDS)
def test_an_end_is_told_with_what_led_to_it(run: Callable[[], Run], expected: list[Told]) -> None:
    assert told(run()) == expected


REQUESTS: dict[str, tuple[Callable[[], Run], list[Told]]] = {
    "undo, and why": (
        lambda: is_to_be_undone(two_steps(), "a mistake").succeeds("b").succeeds("b").succeeds("a"),
        [("Undoing", "Undoing the run: a mistake", False), ("Undone", "a mistake (2 reversed)", False)],
    ),
    "undo": (
        lambda: is_to_be_undone(two_steps(), "").succeeds("b").succeeds("b").succeeds("a"),
        [("Undoing", "Undoing the run", False), ("Undone", "undone on request (2 reversed)", False)],
    ),
    "an undo that is incomplete": (
        lambda: is_to_be_undone(two_steps(), "").fails("b").fails("a", FailureKind.TIMEOUT, "no answer"),
        [
            ("Undoing", "Undoing the run", False),
            NOT_UNDONE,
            ("Failed", "could not be undone completely (rollback incomplete)", True),
        ],
    ),
    "an undo that is incomplete, and why it was asked for": (
        lambda: is_to_be_undone(two_steps(), "a mistake").fails("b").fails("a", FailureKind.TIMEOUT, "no answer"),
        [
            ("Undoing", "Undoing the run: a mistake", False),
            NOT_UNDONE,
            ("Failed", "a mistake (rollback incomplete)", True),
        ],
    ),
    "retry": (lambda: failed().is_retried(), [("Retrying", "Going on after a retry", False)]),
    "retry, and why": (
        lambda: failed().is_retried(reason="the disk is mended"),
        [("Retrying", "Going on after a retry: the disk is mended", False)],
    ),
    "skip": (
        lambda: is_carried_over(failed(), ""),
        [("StepSkipped", "Step b was given a value", False), ("Succeeded", "Run Succeeded", False)],
    ),
    "skip, and why": (
        lambda: is_carried_over(failed(), "done by hand"),
        [("StepSkipped", "Step b was given a value: done by hand", False), ("Succeeded", "Run Succeeded", False)],
    ),
    "suspend": (
        lambda: Run(step("b")).start().is_suspended().is_suspended(False),
        [("Suspended", "spec.suspend is true", False), ("Resumed", "spec.suspend is false", False)],
    ),
    "suspend on request": (
        lambda: Run(step("b")).start().is_held().is_held(False, "on", ""),
        [("Suspended", "on request (ann: wait)", False), ("Resumed", "on request (ann)", False)],
    ),
    "suspend on request of nobody in particular": (
        lambda: Run(step("b")).start().is_held(reason="", by=""),
        [("Suspended", "on request", False)],
    ),
    "a suspend that is refused": (
        lambda: Run(step("b")).start().succeeds("b").is_held(),
        [("SuspendRefused", "suspend is refused: the run has ended: Succeeded", True)],
    ),
    "a request that is refused": (
        lambda: Run(step("b")).start().is_retried(),
        [("RetryRefused", "retry is refused: the run goes on: cancel it first, or wait for its end", True)],
    ),
    "a request without a meaning": (
        lambda: Run(step("b")).start().feed(ev.RequestUnreadable(id="x", action="undo", reason="")),
        [("UndoRefused", "undo is refused: it has no meaning", True)],
    ),
}


@pytest.mark.parametrize(("run", "expected"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_told_and_what_came_of_it(run: Callable[[], Run], expected: list[Told]) -> None:
    assert told(run())[-len(expected) :] == expected


STOPPED = "it was stopped while it ran"
NOTHING_DECLARED = "it declares no compensate or undo"
QUICK = ActionPlan(timeout_ms=30_500)


def uploads_text() -> Run:
    """A task that uploaded text, and was to upload JSON."""
    run = Run(step("a")).start()
    task = run.open["a"]
    run.feed(ev.TaskUploaded(task=task, result=value("text"), text=True))
    return run.feed(ev.TaskSucceeded(task=task, uploaded=True, json_only=True))


FAILURES: dict[str, tuple[Callable[[], Run], str, FailureKind]] = {
    "a task that took too long": (
        lambda: Run(step("a", run=QUICK)).start().begins("a").later(30_500),
        "run took longer than its timeout of 30.5s",
        FailureKind.TIMEOUT,
    ),
    "a task that waited too long": (
        lambda: Run(step("a"), pending_timeout_ms=MINUTE).start().waits("a", "no room").later(MINUTE),
        "no room",
        FailureKind.CANNOT_START,
    ),
    "a task that waited too long, and nobody said why": (
        lambda: (
            Run(step("a"), pending_timeout_ms=MINUTE)
            .start()
            .is_lost("a", may_have_started=False, message="")
            .later(MINUTE)
        ),
        "could not start",
        FailureKind.CANNOT_START,
    ),
    "no output": (
        lambda: Run(step("a")).start().succeeds("a", uploaded=True),
        "exited with success but uploaded no output",
        FailureKind.INVALID_RESULT,
    ),
    "text for JSON": (
        uploads_text,
        "output.format is json: found text in the uploaded output, expected one JSON document",
        FailureKind.INVALID_RESULT,
    ),
    "Continue of the step itself": (
        lambda: Run(step("a", run=attempts(3))).start().continues("a"),
        "Continue means nothing in run",
        FailureKind.ERROR,
    ),
}


@pytest.mark.parametrize(("run", "message", "kind"), FAILURES.values(), ids=FAILURES)
def test_a_failure_that_the_engine_finds_says_what_is_wrong(
    run: Callable[[], Run], message: str, kind: FailureKind
) -> None:
    found = run()
    assert (found.phase, found.why("a").message, found.why("a").kind) == (RunPhase.FAILED, message, kind)


LISTED: dict[str, tuple[Callable[[], Run], list[tuple[str, str]]]] = {
    "a failure of which nobody knows what it did": (
        lambda: Run(step("a")).start().fails("a", FailureKind.TIMEOUT, "no answer"),
        [("a", f"may have acted (no answer); {NOTHING_DECLARED}")],
    ),
    "a task that was stopped": (
        lambda: Run(step("a"), step("b"), on_failure=TERMINATE).start().begins("a").fails("b"),
        [("a", f"may have acted ({STOPPED}); {NOTHING_DECLARED}")],
    ),
    "what came too late": (
        lambda: (
            Run(*chain("a", "b", "c", undo=UNDO), rollback_deadline_ms=MINUTE)
            .start()
            .succeeds("a")
            .succeeds("b")
            .fails("c")
            .later(MINUTE)
            .fails("b", message="no route")
        ),
        [("b", "no route"), ("a", "the rollback deadline passed before its reversal started")],
    ),
    "Halt of an undo": (
        lambda: Run(*chain("a", "b", undo=attempts(3))).start().succeeds("a").fails("b").halts("a"),
        [("a", "Halt means nothing in undo")],
    ),
    "Continue of an undo": (
        lambda: Run(*chain("a", "b", undo=attempts(3))).start().succeeds("a").fails("b").continues("a"),
        [("a", "Continue means nothing in undo")],
    ),
    "an undo that took too long": (
        lambda: Run(*chain("a", "b", undo=QUICK)).start().succeeds("a").fails("b").begins("a").later(30_500),
        [("a", "undo took longer than its timeout of 30.5s")],
    ),
}


@pytest.mark.parametrize(("run", "expected"), LISTED.values(), ids=LISTED)
def test_what_is_not_reversed_is_listed_with_the_reason(
    run: Callable[[], Run], expected: list[tuple[str, str]]
) -> None:
    assert [(one.step, one.message) for one in run().header.rollback_failures] == expected
