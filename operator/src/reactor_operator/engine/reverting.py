"""Going back: what is cleaned up and undone, in which order, one at a time.

In: a draft whose run is failing. Out: launches of compensate and undo, and the list of what could not be reversed.
Source of the rules: DESIGN 4, rules 3, 4, 5 and 7.
"""

from collections.abc import Mapping

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.flight import Flight
from reactor_operator.engine.identity import Action
from reactor_operator.engine.launching import launch
from reactor_operator.engine.plan import FINALLY, ROOT, SCOPES, Plan, StepKind, StepPlan
from reactor_operator.engine.state import RollbackFailure, StepPhase, StepState

_NOT_SUCCEEDED = frozenset({StepPhase.FAILED, StepPhase.CANCELLED})
_MAPS_STAND = frozenset({StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.CANCELLED})


def revert_order(plan: Plan, steps: Mapping[str, StepState], within: str = ROOT) -> tuple[str, ...]:
    """Return the steps inside `within` that are still to be reversed, in order.

    First what started and did not succeed, newest start first; then what succeeded, newest completion first. A compose
    cleans up after itself once all that is inside it is reversed.
    """
    unfinished: list[tuple[int, str]] = []
    log: list[tuple[int, str]] = []
    for path, step in steps.items():
        if plan.steps[path].scope == FINALLY or (within != ROOT and not plan.is_inside(path, within)):
            continue
        if plan.steps[path].kind is StepKind.MAP:
            if step.map is not None and step.map.kept and step.phase in _MAPS_STAND:
                log.append((-step.completion, path))
        elif needs_cleanup(step) and (step.uncertain or plan.steps[path].compensate is not None):
            unfinished.append((-step.start_order, path))
        elif step.phase is StepPhase.SUCCEEDED and plan.steps[path].undo is not None:
            log.append((-step.completion, path))
    order = [path for _, path in sorted(unfinished)] + [path for _, path in sorted(log)]
    for _, scope in sorted(unfinished):
        if plan.steps[scope].kind in SCOPES:
            _put_after_inside(plan, order, scope)
    return tuple(order)


def _put_after_inside(plan: Plan, order: list[str], scope: str) -> None:
    """Move a scope behind the last step inside it. Those of newer start, which may be inside it, were moved before."""
    place = order.index(scope)
    last = max((at for at, path in enumerate(order) if plan.is_inside(path, scope)), default=place)
    if last > place:
        order.insert(last, order.pop(place))


def needs_cleanup(step: StepState) -> bool:
    """Tell whether a step may have acted without succeeding.

    A skipped one counts only where an earlier attempt left it uncertain: that attempt may have acted.
    """
    if step.phase in _NOT_SUCCEEDED:
        return step.acted
    return step.phase is StepPhase.SKIPPED and step.uncertain


def cleanup_action(plan: StepPlan, step: StepState) -> Action | None:
    """Return what cleans up after a step that did not succeed; None where nothing is declared that could.

    An uncertain step without a compensate is undone, as if it had succeeded with an unknown result.
    """
    if plan.compensate is not None:
        return Action.COMPENSATE
    return Action.UNDO if step.uncertain and plan.undo is not None else None


def start_cleanup(draft: Draft, path: str) -> bool:
    """Launch the step's own cleanup and return True; else list it where it may have acted, and return False."""
    step = draft.step(path)
    if (
        draft.plan.steps[path].kind is StepKind.MAP
    ):  # its elements are in the order of completions, unless it is ignored
        return draft.plan.steps[path].continues_on_error and begin_reversing_map(draft, path)
    if not needs_cleanup(step):
        return False
    action = cleanup_action(draft.plan.steps[path], step)
    if action is None:
        if step.uncertain:
            why = step.failure.message if step.failure else "it was stopped while it ran"
            draft.put(path, phase=StepPhase.ROLLBACK_FAILED)
            list_unreversed(
                draft, path, FailureKind.UNCERTAIN, f"may have acted ({why}); it declares no compensate or undo"
            )
        return False
    draft.put(path, losses=0, result=None)
    launch(draft, path, action, step.cleanup_attempts + 1, 1)
    return True


def begin_reversing_map(draft: Draft, path: str) -> bool:
    """Begin to reverse the elements of a map, from the highest index down; return whether there are any."""
    step = draft.step(path)
    if step.map is None or not step.map.kept:
        return False
    listed = draft.header.rollback_failures
    if any(failure.step == path for failure in listed):  # those are tried again with the others
        draft.set(rollback_failures=tuple(failure for failure in listed if failure.step != path))
    draft.elements[path] = Flight()
    draft.put(
        path,
        phase=StepPhase.UNDOING if step.phase is StepPhase.SUCCEEDED else StepPhase.COMPENSATING,
        map=evolve(step.map, {"below": step.map.opened, "unreversed": 0}),
    )
    return True


def list_unreversed(draft: Draft, path: str, kind: FailureKind, message: str) -> None:
    """Add to what a person has to look at."""
    listed = RollbackFailure(step=path, kind=kind, message=message)
    draft.set(rollback_failures=(*draft.header.rollback_failures, listed))
    draft.tell(FactKind.ROLLBACK_FAILED, step=path, failure=Failure(kind=kind, message=message))


def listed(draft: Draft) -> frozenset[str]:
    """Return the steps that are listed as not reversed: what they did may still stand."""
    return frozenset(failure.step for failure in draft.header.rollback_failures)


def reversed_one(draft: Draft, path: str, phase: StepPhase) -> None:
    """A compensate or undo did its work."""
    draft.put(path, phase=phase, cleanup_failure=None)
    draft.set(undone=(*draft.header.undone, path))


def cleanup_failed(draft: Draft, path: str, failure: Failure) -> None:
    """A compensate or undo has finally failed: it is listed, and the rollback goes on."""
    attempts = draft.step(path).attempt
    draft.put(path, phase=StepPhase.ROLLBACK_FAILED, cleanup_failure=failure, cleanup_attempts=attempts)
    list_unreversed(draft, path, failure.kind, failure.message)
    draft.announce("UndoFailed", f"Step {path} could not be reversed: {failure.kind}: {failure.message}", warning=True)


def reverse_one(draft: Draft, path: str) -> bool:
    """Launch what reverses a step and return True; False where nothing is declared that could, which is listed."""
    if draft.plan.steps[path].kind is StepKind.MAP:
        return begin_reversing_map(draft, path)
    if draft.step(path).phase is not StepPhase.SUCCEEDED:
        return start_cleanup(draft, path)
    step = draft.put(path, losses=0)
    launch(draft, path, Action.UNDO, step.cleanup_attempts + 1, 1)
    return True


def revert_next(draft: Draft) -> bool:
    """Launch the next reversal and return True; False where nothing is left."""
    while draft.revert:
        path, draft.revert = draft.revert[0], draft.revert[1:]
        if reverse_one(draft, path):
            return True
    return False


def list_remaining(draft: Draft, message: str) -> None:
    """List everything that is not reversed yet: the rollback may go on no longer."""
    for path in draft.revert:
        list_unreversed(draft, path, FailureKind.TIMEOUT, message)
    draft.revert = ()
