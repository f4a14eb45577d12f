"""What a commit tells of a single step: how long it took to begin and to end, and how it ended.

In: a step before and after a commit. Out: milliseconds and words. Pure, but for what is remembered of launches.
Never here: a step inside an element of a map: there may be millions, and their map counts them.
"""

from dataclasses import dataclass, field

from reactor_operator.engine.actions import StartTask
from reactor_operator.engine.identity import Action
from reactor_operator.engine.state import StepPhase, StepState
from reactor_operator.reconciling.records import Decided, KnownRun

_OPEN = frozenset({StepPhase.PENDING, StepPhase.RUNNING, StepPhase.RETRYING, StepPhase.WAITING})
_AS_THEY_ARE = frozenset({StepPhase.SKIPPED, StepPhase.CANCELLED})


@dataclass(slots=True)
class Launches:
    """When steps were first launched in their round, as far as this process did it: the state does not tell."""

    _at: dict[str, dict[str, int]] = field(default_factory=dict)

    def note(self, known: KnownRun, decided: Decided) -> None:
        """Remember what a commit launches for the first time."""
        for action in decided.actions:
            if isinstance(action, StartTask) and _is_first(action) and action.task.path in known.plan.steps:
                at = self._at.setdefault(known.definition.run.uid, {})
                at[action.task.path] = decided.state.header.now

    def of(self, uid: str) -> dict[str, int]:
        """Return the launches (int ms) of steps of a run that have not ended, by path."""
        return self._at.get(uid, {})

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a run that is over or gone."""
        self._at.pop(uid, None)


def _is_first(action: StartTask) -> bool:
    task = action.task
    return task.attempt == 1 and task.launch == 1 and task.action is Action.RUN


def has_begun(was: StepState, now: StepState) -> bool:
    """Tell whether a commit says for the first time in this round that the step acted."""
    return now.started_at is not None and (was.started_at is None or was.round != now.round)


def has_ended(was: StepState, now: StepState) -> bool:
    """Tell whether a commit ends the step. What is done to it afterwards, its cleanup or its undo, is no other end."""
    return now.phase not in _OPEN and (was.phase in _OPEN or was.round != now.round)


def outcome_of(step: StepState) -> str:
    """Return how a step ended, which may be in its cleanup already by the same commit."""
    if step.phase in _AS_THEY_ARE:
        return step.phase.value
    return StepPhase.SUCCEEDED.value if step.completion and step.failure is None else StepPhase.FAILED.value
