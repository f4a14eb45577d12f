"""A run taken up again by a person: undone after all, retried, or carried over a step that failed.

In: a draft and a request that makes sense in its phase. Out: the run going back or forward again; or why it does not.
Never here: the answer that people read (`signals`).
Source of the rules: DESIGN 4, rules 7 and 9.
"""

from collections.abc import Iterator, Mapping

from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import CLEANUP, Draft
from reactor_operator.engine.ending import begin_ending, go_back, stop_everything
from reactor_operator.engine.events import RetryRequested, SkipRequested, SpecChanged
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.forward import skip
from reactor_operator.engine.launching import NOT_WAITING
from reactor_operator.engine.plan import OUTERMOST, ROOT, SCOPES
from reactor_operator.engine.state import Goal, RollbackState, RunPhase, Stage, StepPhase
from reactor_operator.engine.values import ValueRef

_STANDS = frozenset({StepPhase.SUCCEEDED, StepPhase.SKIPPED, StepPhase.IGNORED, StepPhase.PENDING})
"""The phases of steps that a retry leaves as they are, unless they depend on one that begins anew."""
_NEVER_BEGAN = frozenset(
    {
        FailureKind.INVALID_INPUTS,
        FailureKind.INVALID_REACTOR,
        FailureKind.REACTOR_NOT_FOUND,
        FailureKind.TOO_MANY_RUNS,
    }
)


def refuse_undo(draft: Draft) -> str:
    """Return why the run cannot be undone, empty where it can."""
    header = draft.header
    if not draft.plan.steps:
        return "what the run did is not known: its state was lost, or it never started"
    if header.stage is Stage.OVER:
        complete = header.phase is RunPhase.FAILED and header.rollback is RollbackState.COMPLETE
        return "the run was rolled back completely: nothing is left to undo" if complete else ""
    doing = {Goal.CANCEL: "cancelled", Goal.ROLL_BACK: "rolled back", Goal.UNDO: "undone"}.get(header.goal)
    return f"the run is being {doing} already" if doing else ""


def undo(draft: Draft, reason: str) -> None:
    """Take the whole run back. What could not be reversed before is tried again."""
    stage = draft.header.stage
    draft.set(undo_reason=reason, rollback_failures=(), rollback=RollbackState.IN_PROGRESS, finished_at=None)
    for path in [path for path, step in draft.steps.items() if step.phase is StepPhase.ROLLBACK_FAILED]:
        succeeded = draft.step(path).completion > 0 and draft.plan.steps[path].undo is not None
        draft.reopen(path, StepPhase.SUCCEEDED if succeeded else StepPhase.FAILED)
    draft.announce("Undoing", "Undoing the run" + (f": {reason}" if reason else ""))
    if stage is Stage.OVER:
        draft.set(goal=Goal.UNDO)
        go_back(draft)
        return
    begin_ending(draft, Goal.UNDO)
    if stage is Stage.RECOVERING:
        stop_everything(draft)


def refuse_retry(draft: Draft, event: RetryRequested) -> str:
    """Return why the run cannot be retried, empty where it can."""
    failure = draft.header.failure
    if not draft.plan.steps or (failure is not None and failure.failure.kind in _NEVER_BEGAN):
        return "the run could never start, or its definition is lost: start another run"
    if draft.header.stage is Stage.RECOVERING and any(step.phase in CLEANUP for step in draft.steps.values()):
        return "the run was being rolled back when its state was lost: undo it, or cancel it"
    known = draft.plan.steps
    for path in (*event.standing, *event.undone, *([event.step] if event.step else [])):
        if path not in known:
            return f"the run has no step {path}"
    if event.step and event.step in _standing(draft):
        return f"step {event.step} has not failed: its result stands, and other arguments would change nothing"
    assumed = {*event.standing, *event.undone}
    open_ = [path for path, step in draft.steps.items() if step.phase is StepPhase.ROLLBACK_FAILED]
    left = [path for path in open_ if path not in assumed]
    if left:
        return (
            f"{', '.join(left[:5])} could not be reversed: undo the run again, or say assume: "
            f"{{{left[0]}: standing}} or {{{left[0]}: undone}}"
        )
    return ""


def retry(draft: Draft, event: RetryRequested) -> None:
    """Begin a new round of what failed or was reversed, and of all that depends on it; the rest keeps its result.

    Where state was lost that is also what was in flight: nobody can say whether it will ever report.
    """
    if draft.header.stage is Stage.RECOVERING:
        stop_everything(draft)
    for path in event.standing:
        step = draft.step(path)
        if step.phase is StepPhase.ROLLBACK_FAILED:
            number = step.completion or draft.header.completions + 1
            draft.set(completions=max(draft.header.completions, number))
            draft.reopen(path, StepPhase.SUCCEEDED, completion=number, failure=None, uncertain=False)
    _take_up(draft, {event.step: event.arguments} if event.arguments is not None else {})
    draft.announce("Retrying", "Going on after a retry" + (f": {event.reason}" if event.reason else ""))


def refuse_skip(draft: Draft, event: SkipRequested) -> str:
    """Return why a step cannot be skipped, empty where it can."""
    if event.step not in draft.plan.steps:
        return f"the run has no step {event.step}"
    phase = draft.step(event.step).phase
    if event.step in draft.plan.finals:
        return f"step {event.step} is a finally step: it runs at every end, and its failure changes nothing"
    if draft.header.stage is Stage.OVER:
        if phase in _STANDS:
            return f"step {event.step} is {phase}: only one that failed, or was reversed, can be skipped"
        return refuse_retry(draft, RetryRequested(id=event.id))
    if phase is not StepPhase.RETRYING:
        return f"step {event.step} is {phase}: while a run goes on only a step that is Retrying can be skipped"
    return ""


def skip_step(draft: Draft, event: SkipRequested) -> None:
    """Give a step a value, and go on with it."""
    if draft.header.stage is Stage.OVER:
        _take_up(draft, {})
    else:
        draft.put(event.step, **NOT_WAITING)
    if event.step in draft.ready:
        draft.take_ready(event.step)
    skip(draft, event.step, event.value)
    words = f"Step {event.step} was given a value" + (f": {event.reason}" if event.reason else "")
    draft.announce("StepSkipped", words)


def spec_changed(draft: Draft, event: SpecChanged) -> None:
    """Hold still from now on, or go on. A word of an older generation that comes late changes nothing."""
    header, suspended = draft.header, event.suspended
    if event.generation <= header.generation:
        return
    draft.set(generation=event.generation)  # told also when the run is over: `kubectl wait` looks at it
    if header.suspended == suspended or header.stage is Stage.OVER:
        return
    draft.set(suspended=suspended)
    draft.announce("Suspended" if suspended else "Resumed", "spec.suspend is " + ("true" if suspended else "false"))
    draft.tell(FactKind.RUN_SUSPENDED if suspended else FactKind.RUN_RESUMED)


def _standing(draft: Draft) -> set[str]:
    """Return the steps that keep what they have: they stand, and so does everything that they depend on."""
    return set(draft.plan.steps) - _anew(draft)


def _anew(draft: Draft) -> set[str]:
    """Return the steps that begin a new round: what failed or was reversed, what depends on it, the scopes around."""
    finals = set(draft.plan.finals)  # they begin anew at every end
    anew = {path for path, step in draft.steps.items() if step.phase not in _STANDS and path not in finals}
    waiting = list(anew)
    while waiting:
        for path in _follow(draft, waiting.pop()):
            if path not in anew:
                anew.add(path)
                waiting.append(path)
    return anew


def _follow(draft: Draft, path: str) -> Iterator[str]:
    """Yield what begins anew because a step does: what waits for it, all inside that, and the scope around it."""
    plan = draft.plan
    for dependent in plan.steps[path].dependents:
        yield dependent
        yield from plan.inside(dependent)
    if plan.steps[path].scope not in OUTERMOST:
        yield plan.steps[path].scope


def _take_up(draft: Draft, given: Mapping[str, ValueRef]) -> None:
    """Go forward again. `given` are arguments for steps, instead of those that their sources say.

    A scope whose own needs stand is entered where it was left: it keeps its inputs, its choice, and what stands inside.
    """
    plan, anew = draft.plan, _anew(draft)
    draft.set(
        stage=Stage.FORWARD,
        goal=Goal.COMPLETE,
        failure=None,
        result=None,
        halting=False,
        finished_at=None,
        deadline=None if plan.timeout_ms is None else draft.now + plan.timeout_ms,
        rollback_deadline=None,
        rollback=RollbackState.NOT_NEEDED,
        rollback_failures=(),
        undone=(),
    )
    entered, fresh = {ROOT}, dict[str, None]()
    for path in sorted(anew, key=lambda path: plan.steps[path].index):
        planned = plan.steps[path]
        kept = planned.kind in SCOPES and draft.step(path).start_order > 0 and anew.isdisjoint(planned.needs)
        if kept and planned.scope in entered:
            entered.add(path)
            _enter_again(draft, path)
        else:
            fresh |= dict.fromkeys((path, *plan.inside(path)))
    for path in fresh:
        draft.renew(path, **({"given": given[path]} if path in given else {}))
    draft.take_over(restore(plan, draft.header, dict(draft.steps)))


def _enter_again(draft: Draft, path: str) -> None:
    step = draft.step(path)
    order = draft.header.starts + 1
    draft.set(starts=order)
    draft.renew(
        path,
        phase=StepPhase.RUNNING,
        attempt=1,
        run_attempts=1,
        start_order=order,
        arguments=step.arguments,
        inputs=step.inputs,
        fallback=step.fallback,
        started_at=draft.now,
    )
