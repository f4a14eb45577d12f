"""What is told to the world outside about a run: facts.

In: nothing. Out: frozen values. A fact has no values of inputs or results, only what a status shows in words.
Never here: to whom a fact is sent (`plan`), or how.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RunPhase


class FactKind(StrEnum):
    """What happened, as `events` of a notification names it."""

    RUN_STARTED = "run.started"
    RUN_SUSPENDED = "run.suspended"
    RUN_RESUMED = "run.resumed"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    RUN_HALTED = "run.halted"
    RUN_UNDONE = "run.undone"
    STEP_FAILED = "step.failed"
    INTERRUPT_OPENED = "interrupt.opened"
    ROLLBACK_FAILED = "rollback.failed"


ENDS: Mapping[RunPhase, FactKind] = MappingProxyType(
    {
        RunPhase.SUCCEEDED: FactKind.RUN_SUCCEEDED,
        RunPhase.FAILED: FactKind.RUN_FAILED,
        RunPhase.CANCELLED: FactKind.RUN_CANCELLED,
        RunPhase.HALTED: FactKind.RUN_HALTED,
        RunPhase.UNDONE: FactKind.RUN_UNDONE,
    }
)
"""What is told of the end of a run, by the phase in which it ends."""

PENDING_LIMIT = 1_000
"""Notices of one run that may wait; one more is dead at once, so that a run of many failing steps stays small."""
LOST_FACTS = 1_000_000
"""More facts than a state that was lost can have told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened. `sequence` numbers what is told of a run, from 1; `at` is int ms.

    `step` is the path of the step it is about, empty where it is about the run. `failure` and `message` say why.
    """

    sequence: int
    kind: FactKind
    at: int
    phase: RunPhase
    step: str = ""
    failure: FailureKind | None = None
    message: str = ""
