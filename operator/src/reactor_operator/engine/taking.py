"""An outcome that one run takes from another: both are the same business transaction, and only the first one acts.

In: the header of a run that has ended. Out: what is kept of it for others, and the end of a run that takes it.
Never here: who the other run is (the shell finds it by its business key), or anything that starts.
"""

from dataclasses import replace

from reactor_operator.engine.actions import Announce
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.state import Header, RunFailure, RunPhase, RunState, Stage, Taken

_UNDONE_KEPT = 500
_FAILURES_KEPT = 20


def outcome_of(header: Header) -> Header:
    """Return what is worth keeping of an ended run: how it ended and what was reversed, a few KiB at most.

    The documents that explain a failure go with the run; its result is the one that is kept.
    """
    return Header(
        stage=Stage.OVER,
        phase=header.phase,
        finished_at=header.finished_at,
        halt_reason=header.halt_reason,
        cancel_reason=header.cancel_reason,
        undo_reason=header.undo_reason,
        failure=_plain(header.failure),
        result=header.result,
        undone=header.undone[:_UNDONE_KEPT],
        rollback=header.rollback,
        rollback_failures=header.rollback_failures[:_FAILURES_KEPT],
    )


def take(uid: str, outcome: Header, taken: Taken, now: int) -> Decision:
    """Return the end of a run that takes the `outcome` of another one, at once and without a step."""
    header = replace(
        outcome, uid=uid, now=now, started_at=now, finished_at=now, announcements=1, taken=taken, stage=Stage.OVER
    )
    told = Announce(
        ordinal=1,
        reason="Taken",
        message=f"took the outcome of run {taken.run} ({taken.uid}), which is {outcome.phase}: nothing was started",
        warning=outcome.phase is RunPhase.FAILED,
    )
    return Decision(state=RunState(header=header, remaining={ROOT: 0}), actions=(told,))


def _plain(failure: RunFailure | None) -> RunFailure | None:
    return None if failure is None else replace(failure, failure=replace(failure.failure, detail=None))
