"""The conditions of a run, for `kubectl wait`, Argo CD, Flux and other readers that know no phases.

In: the header of a run. Out: a list of conditions. Never here: the present: each time follows from the state, so the
same state gives the same conditions whoever renders it and however often.

kstatus knows Reconciling and Stalled alone: a run that goes on is Reconciling, and one that Failed is Stalled, for to
Flux whatever is neither is healthy. A run that was cancelled, halted or undone is what was asked for.
"""

from reactor_operator.engine.state import ENDED, Header, RollbackState, RunPhase, Stage
from reactor_operator.kube.moments import render_moment

QUEUED = "Queued"
"""The reason of all conditions of a run that waits because others of its reactor are active."""
_MESSAGE_LIMIT = 1024
Condition = dict[str, object]


def render_conditions(
    header: Header, generation: int, message: str, *, stalled: str = "", queued: bool = False
) -> list[Condition]:
    """Return Finished, Complete, Failed, Paused, RolledBack, Reconciling and Stalled."""
    phase = header.phase
    ended = phase in ENDED
    end_at = header.finished_at if ended and header.finished_at is not None else header.started_at
    reason = QUEUED if queued else phase.value
    told = message[:_MESSAGE_LIMIT]

    def condition(name: str, truth: bool, at: int, why: str, words: str = "") -> Condition:
        return {
            "type": name,
            "status": "True" if truth else "False",
            "reason": why,
            "message": words,
            "observedGeneration": generation,
            "lastTransitionTime": render_moment(at),
        }

    succeeded = phase in (RunPhase.SUCCEEDED, RunPhase.HALTED)
    unsuccessful = ended and not succeeded and phase is not RunPhase.UNDONE
    recovering = phase is RunPhase.RECOVERING
    failed = phase is RunPhase.FAILED
    stuck = stalled or (told if failed else "")
    return [
        condition("Finished", ended, end_at, reason, told if ended else ""),
        condition("Complete", succeeded, end_at, reason),
        condition("Failed", unsuccessful, end_at, reason, told if unsuccessful else ""),
        condition("Paused", phase is RunPhase.PAUSED, header.now if phase is RunPhase.PAUSED else end_at, reason),
        condition("RolledBack", *_rolled_back(header, end_at)),
        condition("Reconciling", not ended and not recovering and not stalled, end_at, reason),
        condition("Stalled", recovering or failed or bool(stalled), header.now if stalled else end_at, reason, stuck),
    ]


def _rolled_back(header: Header, end_at: int) -> tuple[bool, int, str, str]:
    """RolledBack is True when everything was reversed, False with a reason in any other case."""
    reason = header.rollback.value
    over = header.stage is Stage.OVER
    words = {
        RollbackState.COMPLETE: f"{len(header.undone)} reversed, newest first",
        RollbackState.INCOMPLETE: f"{len(header.rollback_failures)} not reversed: see status.rollback.failures",
    }.get(header.rollback, "")
    return header.rollback is RollbackState.COMPLETE and over, end_at, reason, words
