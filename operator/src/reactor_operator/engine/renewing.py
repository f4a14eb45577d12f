"""Rounds: what begins anew when a run is taken up again, and what keeps its result.

In: a draft of a run that goes forward once more. Out: its steps renewed, its scopes entered where they were left.
Source of the rules: DESIGN 4, rule 9; decision 17.
"""

from collections.abc import Collection, Iterator, Mapping

from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import Draft
from reactor_operator.engine.plan import OUTERMOST, ROOT, SCOPES
from reactor_operator.engine.state import Goal, RollbackState, Stage, StepPhase
from reactor_operator.engine.values import ValueRef

STANDS = frozenset({StepPhase.SUCCEEDED, StepPhase.SKIPPED, StepPhase.IGNORED, StepPhase.PENDING})
"""The phases of steps that a retry leaves as they are, unless they depend on one that begins anew."""


def standing(draft: Draft) -> set[str]:
    """Return the steps that keep what they have: they stand, and so does everything that they depend on."""
    return set(draft.plan.steps) - anew_of(draft)


def anew_of(draft: Draft, assumed: Collection[str] = ()) -> set[str]:
    """Return the steps that begin a new round: what failed or was reversed, what depends on it, the scopes around.

    Those that are `assumed` to stand keep what they have, whatever else begins anew.
    """
    finals = set(draft.plan.finals)  # they begin anew at every end
    anew = {
        path
        for path, step in draft.steps.items()
        if step.phase not in STANDS
        and path not in finals
        and path not in assumed
        and not _is_inside_ignored(draft, path)
    }
    waiting = list(anew)
    while waiting:
        for path in _follow(draft, waiting.pop()):
            if path not in anew and path not in assumed:
                anew.add(path)
                waiting.append(path)
    return anew


def _is_inside_ignored(draft: Draft, path: str) -> bool:
    """Tell whether a scope around the step was optional, and is ignored with all that is inside."""
    return any(draft.step(scope).phase is StepPhase.IGNORED for scope in draft.plan.enclosing(path))


def _follow(draft: Draft, path: str) -> Iterator[str]:
    """Yield what begins anew because a step does: what waits for it, all inside that, and the scope around it."""
    plan = draft.plan
    for dependent in plan.steps[path].dependents:
        yield dependent
        yield from plan.inside(dependent)
    if plan.steps[path].scope not in OUTERMOST:
        yield plan.steps[path].scope


def take_up(
    draft: Draft,
    given: Mapping[str, ValueRef],
    undone: frozenset[str] = frozenset(),
    assumed: frozenset[str] = frozenset(),
) -> None:
    """Go forward again. `given` are arguments for steps, instead of those that their sources say.

    What is `assumed` to stand has succeeded. What is inside a scope of that kind has been reversed, and is skipped.
    A scope whose own needs stand is entered where it was left: it keeps its inputs, its choice, and what stands inside.
    What is done without having succeeded and is listed as not reversed stays so, for an `undo` to repeat its reversal;
    unless it begins anew, or a person says that it is `undone`.
    """
    plan, anew = draft.plan, anew_of(draft, assumed)
    still = [one for one in draft.header.rollback_failures if _stays_listed(draft, one.step, anew | undone)]
    draft.set(
        stage=Stage.FORWARD,
        goal=Goal.COMPLETE,
        failing=(),  # a run whose state was lost may have been in the midst of a cleanup
        containing=ROOT,
        contained=None,
        failure=None,
        result=None,
        halting=False,
        finished_at=None,
        deadline=None if plan.timeout_ms is None else draft.now + plan.timeout_ms,
        rollback_deadline=None,
        rollback=RollbackState.NOT_NEEDED,
        rollback_failures=tuple(still),
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
            fresh |= dict.fromkeys(one for one in (path, *plan.inside(path)) if one not in assumed)
    for path in fresh:
        if any(scope in assumed for scope in plan.enclosing(path)):
            draft.renew(path, phase=StepPhase.SKIPPED, finished_at=draft.now)
        else:
            draft.renew(path, **({"given": given[path]} if path in given else {}))
    draft.take_over(restore(plan, draft.header, dict(draft.steps)))


def _stays_listed(draft: Draft, path: str, settled: set[str]) -> bool:
    return path not in settled and draft.step(path).phase is not StepPhase.SUCCEEDED


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
