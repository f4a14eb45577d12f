"""A run that takes the outcome of another one: over at once, and nothing of it can be taken up."""

from dataclasses import replace

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import Announce
from reactor_operator.engine.derive import restore
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.state import (
    Header,
    RollbackFailure,
    RollbackState,
    RunFailure,
    RunPhase,
    SignalAnswer,
    Stage,
    Taken,
)
from reactor_operator.engine.taking import outcome_of, take
from reactor_operator.engine.values import reference_to
from reactor_operator.store.codec import decode_header, encode_header
from tests.unit.engine.driver import START, Run, step

TAKEN = Taken(run="checkout-1", uid="uid-1", ended_at=START - 1)
FAILED = Header(
    uid="uid-1",
    stage=Stage.OVER,
    phase=RunPhase.FAILED,
    finished_at=START - 1,
    announcements=7,
    generation=3,
    failure=RunFailure(
        step="ship",
        attempts=2,
        failure=Failure(kind=FailureKind.ERROR, message="no", file="shop.py", line=3, detail=reference_to(b"{}")),
    ),
    rollback=RollbackState.INCOMPLETE,
    undone=tuple(f"s{i}" for i in range(2_000)),
    rollback_failures=(RollbackFailure(step="s", kind=FailureKind.ERROR, message="x" * 1024),) * 2_000,
    signals=(SignalAnswer(id="1", action="cancel", accepted=False),),
)


def test_what_is_kept_says_how_it_ended_and_is_small_however_much_was_reversed() -> None:
    kept = outcome_of(FAILED)
    assert (kept.phase, kept.rollback, kept.finished_at) == (RunPhase.FAILED, RollbackState.INCOMPLETE, START - 1)
    assert kept.failure is not None
    assert (kept.failure.step, kept.failure.failure.line, kept.failure.failure.detail) == ("ship", 3, None)
    assert (kept.uid, kept.signals, kept.generation) == ("", (), 0)
    assert len(encode_header(kept)) < 32_000
    assert decode_header(encode_header(kept)) == kept


def test_what_is_kept_is_all_that_people_are_told_of_an_end() -> None:
    header = Header(
        stage=Stage.OVER,
        phase=RunPhase.UNDONE,
        finished_at=START - 1,
        halt_reason="enough",
        cancel_reason="too late",
        undo_reason="a mistake",
        result=reference_to(b"1"),
        undone=("b", "a"),
        rollback=RollbackState.COMPLETE,
        rollback_failures=(RollbackFailure(step="s", kind=FailureKind.ERROR, message="no"),),
    )
    assert outcome_of(replace(header, uid="uid-1", now=START, starts=3, announcements=7)) == header


def test_no_more_is_listed_than_people_read() -> None:
    kept = outcome_of(FAILED)
    assert (len(kept.undone), len(kept.rollback_failures)) == (500, 20)
    assert kept.undone[-1] == "s499"


def test_whose_outcome_it_is_is_told_in_an_event() -> None:
    decision = take("uid-2", outcome_of(FAILED), TAKEN, START)
    said = "took the outcome of run checkout-1 (uid-1), which is Failed: nothing was started"
    assert decision.actions == (Announce(ordinal=1, reason="Taken", message=said, warning=True),)
    assert (decision.state.header.now, decision.state.header.announcements) == (START, 1)
    assert dict(decision.state.remaining) == {"": 0}


@pytest.mark.parametrize("phase", [RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.HALTED, RunPhase.UNDONE])
def test_it_ends_at_once_in_the_same_phase_and_tells_it_once(phase: RunPhase) -> None:
    outcome = outcome_of(replace(FAILED, phase=phase))
    decision = take("uid-2", outcome, TAKEN, START)
    header = decision.state.header
    assert (header.stage, header.phase, header.uid, header.taken) == (Stage.OVER, phase, "uid-2", TAKEN)
    assert (header.started_at, header.finished_at) == (START, START)
    assert header.failure == outcome.failure
    (told,) = decision.actions
    assert told.warning is (phase is RunPhase.FAILED)  # type: ignore[union-attr]
    assert decode_header(encode_header(header)) == header


@pytest.mark.parametrize(
    "event",
    [
        ev.CancelRequested(id="1", reason="", by=""),
        ev.UndoRequested(id="1", reason="", by=""),
        ev.RetryRequested(id="1", reason="", by=""),
        ev.SkipRequested(id="1", step="a", reason="", by=""),
        ev.SuspendRequested(id="1", reason="", by=""),
        ev.SuspendRequested(id="1", reason="", by="", suspended=False),
    ],
)
@pytest.mark.parametrize("phase", [RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED])
def test_every_request_is_refused_and_names_the_run_to_ask(event: ev.Signal, phase: RunPhase) -> None:
    run = Run(step("a"))
    taken = take("uid-2", outcome_of(replace(FAILED, phase=phase)), TAKEN, START).state
    run.state = restore(run.plan, taken.header, {})
    run.feed(event)
    said = "this run did nothing itself: it took the outcome of run checkout-1, so ask that one"
    assert run.answer == (False, said)
    assert (run.phase, list(run.open)) == (phase, [])
