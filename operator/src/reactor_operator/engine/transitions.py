"""The legal moves of a step, as a table.

In: two phases. Out: whether one may follow the other. A move that is not here is a bug of ours, never an event's fault.
"""

from reactor_operator.engine.state import StepPhase as P

LEGAL: dict[P, frozenset[P]] = {
    P.PENDING: frozenset({P.RUNNING, P.WAITING, P.SKIPPED, P.FAILED, P.SUCCEEDED}),
    P.RUNNING: frozenset({P.SUCCEEDED, P.SKIPPED, P.IGNORED, P.FAILED, P.RETRYING, P.CANCELLED}),
    P.RETRYING: frozenset({P.RUNNING, P.CANCELLED, P.SKIPPED}),
    P.FAILED: frozenset({P.COMPENSATING, P.UNDOING, P.IGNORED, P.ROLLBACK_FAILED}),
    P.CANCELLED: frozenset({P.COMPENSATING, P.UNDOING, P.ROLLBACK_FAILED}),
    P.COMPENSATING: frozenset({P.COMPENSATED, P.ROLLBACK_FAILED, P.SUCCEEDED}),
    P.COMPENSATED: frozenset({P.IGNORED}),
    P.SUCCEEDED: frozenset({P.UNDOING}),
    P.SKIPPED: frozenset({P.COMPENSATING, P.UNDOING, P.ROLLBACK_FAILED}),
    P.IGNORED: frozenset(),
    P.UNDOING: frozenset({P.UNDONE, P.ROLLBACK_FAILED}),
    P.UNDONE: frozenset({P.IGNORED}),
    P.ROLLBACK_FAILED: frozenset({P.IGNORED}),
    P.WAITING: frozenset({P.SUCCEEDED, P.SKIPPED, P.FAILED, P.CANCELLED}),
}


def may_follow(before: P, after: P) -> bool:
    """Tell whether a step in phase `before` may move to `after`; staying is always legal."""
    return before is after or after in LEGAL[before]
