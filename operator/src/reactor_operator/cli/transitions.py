"""What changed between two looks at a run, as a person would tell it.

In: two views of one run. Out: `Transition`s in the order in which they are told. Never here: printing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from reactor_operator.cli.elements import render_counts
from reactor_operator.cli.run_view import RunView, StepView
from reactor_operator.cli.stopwatch import Stopwatch


class Mood(Enum):
    """How a transition is felt: it decides the colour and the sign."""

    GOOD = "good"
    BAD = "bad"
    QUIET = "quiet"
    BUSY = "busy"
    UNDO = "undo"


MOODS = {
    "Pending": Mood.QUIET,
    "Running": Mood.BUSY,
    "Retrying": Mood.BUSY,
    "Waiting": Mood.BUSY,
    "Succeeded": Mood.GOOD,
    "Skipped": Mood.QUIET,
    "Ignored": Mood.QUIET,
    "Failed": Mood.BAD,
    "Compensating": Mood.UNDO,
    "Compensated": Mood.UNDO,
    "Undoing": Mood.UNDO,
    "Undone": Mood.UNDO,
    "RollbackFailed": Mood.BAD,
    "Cancelled": Mood.QUIET,
    "RollingBack": Mood.UNDO,
    "Recovering": Mood.BUSY,
    "Halted": Mood.GOOD,
    "Paused": Mood.BUSY,
    "Suspended": Mood.BUSY,
}

_AFTER_FAILURE = frozenset({"Failed", "Compensating", "Compensated", "Ignored", "Undoing", "RollbackFailed"})
_TOLD_ORDER = {"Succeeded": 0, "Skipped": 1, "Ignored": 1, "Failed": 1, "Retrying": 2, "Compensated": 3, "Undone": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of the story: a step (or, `step` empty, the run) reached `phase`."""

    step: str
    phase: str
    took: float | None = None
    detail: str = ""

    @property
    def mood(self) -> Mood:
        """How it is felt."""
        return MOODS.get(self.phase, Mood.QUIET)


def transitions(before: RunView | None, after: RunView, watch: Stopwatch) -> list[Transition]:
    """Return what happened to the steps between two looks, successes in the order of their completion.

    `watch` gets its look at what changed.
    """
    changed = [(before.step(step.name) if before is not None else None, step) for step in after.changed_since(before)]
    watch.look(step for _, step in changed)
    undone = {name: place for place, name in enumerate(after.undone)}
    told = [(old, new) for old, new in changed if _look(old) != _look(new)]
    told.sort(key=lambda pair: (_TOLD_ORDER.get(pair[1].phase, 2), undone.get(pair[1].name, 0), pair[1].completion))
    return [transition for old, new in told for transition in _tell(old, new, watch)]


def _look(step: StepView | None) -> tuple[str, int, int, str]:
    return ("Pending", 1, 0, "") if step is None else (step.phase, step.round, step.attempts, step.message)


def _tell(old: StepView | None, new: StepView, watch: Stopwatch) -> Iterator[Transition]:
    was = old.phase if old is not None else "Pending"
    if _fails_now(was, new):
        again = f" (after {new.attempts} attempts)" if new.attempts > 1 else ""
        if new.map is not None:
            again = f" ({render_counts('Failed', new.map)})"
        yield Transition(step=new.name, phase="Failed", took=watch.seconds(new, "Failed"), detail=_failure(new) + again)
        if new.phase in ("Failed", "Compensating", "Undoing"):
            return
    match new.phase:
        case "Pending" | "Running" | "Compensating" | "Undoing":
            if new.message and not new.failed:
                yield Transition(step=new.name, phase="Waiting", detail=new.message)
        case "Retrying":
            yield Transition(step=new.name, phase="Retrying", detail=f"attempt {new.attempts} failed: {_failure(new)}")
        case "RollbackFailed":
            yield Transition(step=new.name, phase=new.phase, detail=new.cleanup)
        case "Succeeded" if was in _AFTER_FAILURE:
            yield Transition(step=new.name, phase=new.phase, detail="repaired by its compensate")
        case "Ignored" if was not in _AFTER_FAILURE:
            yield Transition(step=new.name, phase=new.phase, detail="the run goes on without it")
        case _:
            yield Transition(
                step=new.name, phase=new.phase, took=watch.seconds(new), detail=render_counts(new.phase, new.map)
            )


def _fails_now(was: str, new: StepView) -> bool:
    """Say whether the step's own failure is news: it shows in whatever phase the step is found next."""
    return (
        new.failed and new.phase in _AFTER_FAILURE and was not in _AFTER_FAILURE and was not in ("Succeeded", "Undone")
    )


def _failure(step: StepView) -> str:
    if step.kind in ("", "Error") or step.message.startswith(step.kind):
        return step.message or step.kind
    return f"{step.kind}: {step.message}" if step.message else step.kind
