"""A run taken up again by a person: undone after all, retried, or carried over a step that failed.

In: a draft and a request that makes sense in its phase. Out: the run going back or forward again; or why it does not.
Never here: the answer that people read (`signals`).
Source of the rules: DESIGN 4, rules 7 and 9.
"""

from collections.abc import Collection, Mapping

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.ending import abandon_cleanups, begin_ending, go_back, stop_everything
from reactor_operator.engine.events import RetryRequested, SkipRequested
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.forward import skip
from reactor_operator.engine.interrupting import over_already
from reactor_operator.engine.launching import NOT_WAITING
from reactor_operator.engine.plan import FINALLY, StepKind
from reactor_operator.engine.renewing import STANDS, anew_of, standing, take_up
from reactor_operator.engine.reverting import listed
from reactor_operator.engine.state import CLEANUP, Goal, RollbackState, RunPhase, RunState, Stage, StepPhase, StepState

_NEVER_BEGAN = frozenset(
    {
        FailureKind.INVALID_INPUTS,
        FailureKind.INVALID_REACTOR,
        FailureKind.REACTOR_NOT_FOUND,
        FailureKind.TOO_MANY_RUNS,
        FailureKind.KEY_CONFLICT,
    }
)


def refuse_undo(draft: Draft) -> str:
    """Return why the run cannot be undone, empty where it can."""
    header = draft.header
    if not draft.plan.steps:
        return "what the run did is not known: its state was lost, or it never started"
    if header.stage is Stage.OVER:
        complete = header.phase is RunPhase.FAILED and header.rollback is not RollbackState.INCOMPLETE
        return "the run was rolled back already: nothing is left to undo" if complete else ""
    if header.stage is Stage.RECOVERING:
        return ""  # whatever it was doing, it does no more
    doing = {Goal.CANCEL: "cancelled", Goal.ROLL_BACK: "rolled back"}.get(header.goal)
    return f"the run is being {doing} already" if doing else ""


def undo(draft: Draft, reason: str, *, delete: bool) -> None:
    """Take the whole run back. What could not be reversed before is tried again, also of a step that was ignored.

    It has a deadline of its own: that of an earlier rollback may be long past.
    """
    stage = draft.header.stage
    if stage is Stage.RECOVERING:
        abandon_cleanups(draft)
        stop_everything(draft)
    open_ = _open(draft)
    draft.set(
        undo_reason=reason,
        delete_undone=delete,
        rollback_failures=(),
        rollback=RollbackState.IN_PROGRESS,
        rollback_deadline=None,
        finished_at=None,
    )
    for path in open_:
        if draft.step(path).phase not in {StepPhase.ROLLBACK_FAILED, StepPhase.IGNORED}:
            continue
        draft.reopen(path, StepPhase.SUCCEEDED if _had_succeeded(draft, path) else StepPhase.FAILED)
    draft.announce("Undoing", "Undoing the run" + (f": {reason}" if reason else ""))
    if stage is Stage.OVER:
        draft.set(goal=Goal.UNDO)
        go_back(draft)
        return
    begin_ending(draft, Goal.UNDO)


def _had_succeeded(draft: Draft, path: str) -> bool:
    """Tell whether it is a success that is left to be reversed. A map that stopped half way completed too."""
    plan, step = draft.plan.steps[path], draft.step(path)
    if plan.map is not None:
        return step.result is not None and step.failure is None
    return step.completion > 0 and plan.undo is not None


def refuse_retry(draft: Draft, event: RetryRequested) -> str:
    """Return why the run cannot be retried, empty where it can."""
    failure = draft.header.failure
    if not draft.plan.steps or (failure is not None and failure.failure.kind in _NEVER_BEGAN):
        return "the run could never start, or its definition is lost: start another run"
    if draft.header.stage is Stage.RECOVERING and _cleans_up(draft.steps, draft.elements):
        return "the run was being rolled back when its state was lost: undo it, or cancel it"
    known = draft.plan.steps
    for path in (*event.standing, *event.undone, *([event.step] if event.step else [])):
        if path not in known:
            return f"the run has no step {path}"
    assumed = _assumed(draft, event)
    anew = anew_of(draft, assumed)
    if event.step and event.step not in anew:
        return f"step {event.step} has not failed: its result stands, and other arguments would change nothing"
    if event.arguments is not None and (kind := known[event.step].kind) is not StepKind.TASK:
        return f"step {event.step} is a {kind}, expected a task: only what a task is called with can be given"
    left = [path for path in _open(draft) if path in anew and path not in event.undone]
    if left:
        return (
            f"{', '.join(left[:5])} could not be reversed: undo the run again, or say assume: "
            f"{{{left[0]}: standing}} or {{{left[0]}: undone}}"
        )
    for path in sorted(assumed, key=lambda path: known[path].index):
        reader = None if _has_result(draft, path) else _reader_of(draft, path, anew)
        if reader is not None:
            return (
                f"step {path} never succeeded, so its result is not known, and step {reader} reads it: "
                f"undo the run again, or reverse it by hand and say assume: {{{path}: undone}}"
            )
    return ""


def _cleans_up(steps: Mapping[str, StepState], elements: Mapping[str, Mapping[str, RunState]]) -> bool:
    """Tell whether something is being reversed, also in elements of maps."""
    return any(step.phase in CLEANUP for step in steps.values()) or any(
        _cleans_up(element.steps, element.elements) for flight in elements.values() for element in flight.values()
    )


def _assumed(draft: Draft, event: RetryRequested) -> frozenset[str]:
    """Return the steps that are to keep standing: of those that a person named, what is not reversed."""
    return frozenset(_open(draft)).intersection(event.standing)


def _has_result(draft: Draft, path: str) -> bool:
    """Tell whether the result of a step that could not be reversed is known; one that is ignored has its fallback.

    A map has its place in the order of completions also where it stopped half-way.
    """
    step = draft.step(path)
    return (step.result is not None if step.map is not None else step.completion > 0) or step.phase is StepPhase.IGNORED


def _reader_of(draft: Draft, path: str, anew: Collection[str]) -> str | None:
    """Return a step that is still to run and reads the result of another; a `finally` step is content with null."""
    for reader, plan in draft.plan.steps.items():
        to_run = reader in anew or draft.step(reader).phase is StepPhase.PENDING
        if path in plan.reads and plan.scope != FINALLY and to_run:
            return reader
    return None


def retry(draft: Draft, event: RetryRequested) -> None:
    """Begin a new round of what failed or was reversed, and of all that depends on it; the rest keeps its result.

    Where state was lost that is also what was in flight: nobody can say whether it will ever report.
    """
    if draft.header.stage is Stage.RECOVERING:
        stop_everything(draft)
    assumed = _assumed(draft, event)
    for path in event.standing:
        if path in assumed:
            number = draft.step(path).completion or draft.header.completions + 1
            draft.set(completions=max(draft.header.completions, number))
            draft.reopen(path, StepPhase.SUCCEEDED, completion=number, failure=None, uncertain=False)
    given = {event.step: event.arguments} if event.arguments is not None else {}
    take_up(draft, given, undone=frozenset(event.undone) - assumed, assumed=assumed)
    draft.announce("Retrying", "Going on after a retry" + (f": {event.reason}" if event.reason else ""))


def no_such_step(path: str) -> str:
    """Return what is said of a path at which the run has nothing now."""
    return f"the run has no step {path}" + (" that is open" if "[" in path else "")


def refuse_skip(draft: Draft, inner: Draft | None, event: SkipRequested) -> str:
    """Return why a step cannot be skipped, empty where it can. `inner`: the run or element in flight that it is in."""
    if inner is None:
        return no_such_step(event.step)
    step = inner.step(event.step)
    phase = step.phase
    if event.round and (event.round != step.round or phase is not StepPhase.WAITING):
        return over_already(event.step, event.round)
    if event.step in draft.plan.finals:
        return f"step {event.step} is a finally step: it runs at every end, and its failure changes nothing"
    if draft.header.stage is Stage.OVER:
        if phase in STANDS:
            return f"step {event.step} is {phase}: only one that failed, or was reversed, can be skipped"
        if event.step in standing(draft):
            return f"step {event.step} is inside a step that is Ignored: the run goes on without it"
        return refuse_retry(draft, RetryRequested(id=event.id))
    if phase not in {StepPhase.RETRYING, StepPhase.WAITING}:
        return (
            f"step {event.step} is {phase}: while a run goes on only a step that is Retrying or Waiting can be skipped"
        )
    return ""


def skip_step(draft: Draft, inner: Draft, event: SkipRequested) -> None:
    """Give a step a value, and go on with it. `inner`: what it is in."""
    if draft.header.stage is Stage.OVER:
        take_up(draft, {})
    else:
        inner.put(event.step, **NOT_WAITING)
    if event.step in inner.ready:
        inner.take_ready(event.step)
    skip(inner, event.step, event.value)
    words = f"Step {event.step} was given a value" + (f": {event.reason}" if event.reason else "")
    draft.announce("StepSkipped", words)


def _open(draft: Draft) -> list[str]:
    """Return the steps whose effect may still stand: a reversal failed or came too late, or none is declared."""
    named = listed(draft)
    return [
        path
        for path, step in draft.steps.items()
        if step.phase is StepPhase.ROLLBACK_FAILED or (path in named and step.phase is not StepPhase.SUCCEEDED)
    ]
