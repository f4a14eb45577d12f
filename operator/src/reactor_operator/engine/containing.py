"""A failure that stays inside a compose: its steps are reversed, and it is attempted again or fails as a whole.

In: a draft in stage HOLDING and a compose that contains failures. Out: launches of what reverses its inside, then the
next attempt planned, or the compose failed. Never here: what its failure means for the scopes around it (`ending`).
Source of the rules: DESIGN 4, rule 6.
"""

from dataclasses import replace

from reactor_operator.engine.draft import Draft, returns_of
from reactor_operator.engine.failures import Failure, render_message
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import NOT_WAITING, may_attempt_again, schedule_attempt, terminate
from reactor_operator.engine.plan import ROOT, SCOPES, OnFailure, StepKind
from reactor_operator.engine.reverting import listed, reverse_one, revert_order
from reactor_operator.engine.state import RunFailure, StepPhase

_ACTING = frozenset({StepKind.TASK, StepKind.MAP})


def container_of(draft: Draft, path: str) -> str | None:
    """Return the innermost scope around a step that contains failures, None where only the run is left to fail."""
    steps = draft.plan.steps
    return next((scope for scope in draft.plan.enclosing(path) if steps[scope].contains_failures), None)


def contain(draft: Draft, scope: str, failure: RunFailure) -> None:
    """Start nothing more inside the scope, and let what is in flight there drain, or stop it."""
    plan = draft.plan
    draft.set(
        containing=scope,
        contained=failure,
        failing=tuple(path for path in draft.header.failing if not plan.is_inside(path, scope)),
    )
    draft.ready = tuple(path for path in draft.ready if not plan.is_inside(path, scope))
    for path in plan.inside(scope):
        draft.evaluating -= {path, returns_of(path)}
        step = draft.step(path)
        if step.phase in {StepPhase.RETRYING, StepPhase.WAITING}:
            draft.put(path, phase=StepPhase.CANCELLED, finished_at=draft.now, **NOT_WAITING)
        elif step.task is not None and step.phase is StepPhase.RUNNING and plan.on_failure is OnFailure.TERMINATE:
            terminate(draft, path)


def reverse_inside(draft: Draft) -> bool:
    """Reverse the next thing inside the scope once nothing is in flight there; return whether all is reversed."""
    scope = draft.header.containing
    if any(draft.plan.is_inside(path, scope) for path in draft.active):
        return False
    close_scopes(draft, scope)
    return not any(reverse_one(draft, path) for path in revert_order(draft.plan, draft.steps, scope))


def end_containing(draft: Draft) -> Failure | None:
    """Plan the next attempt of the scope and return None; else return the failure with which it finally fails."""
    scope, contained = draft.header.containing, draft.header.contained
    if contained is None:
        raise AssertionError(f"scope {scope!r} is reversed without a failure inside it")
    draft.set(containing=ROOT, contained=None)
    draft.remaining.pop(scope, None)
    inside = list(draft.plan.inside(scope))
    step = draft.step(scope)
    inner = contained.failure
    message = f"{contained.step}: {inner.message}" if contained.step != scope else inner.message
    failure = replace(inner, message=render_message(message))
    draft.put(scope, failure=failure, acted=step.acted or _acted_inside(draft, scope))
    failed = Task(scope, Action.RUN, step.round, step.attempt, 1)
    stands = any(draft.plan.is_inside(path, scope) for path in listed(draft))
    if stands or not may_attempt_again(draft.plan.steps[scope], failed, failure):
        return failure
    for path in inside:
        given = draft.step(path).given  # a person's word for this step, not for one attempt of what is around it
        draft.renew(path, **({} if given is None else {"given": given}))
    schedule_attempt(draft, scope, failed, failure.retry_after_ms)
    return None


def _acted_inside(draft: Draft, scope: str) -> bool:
    """Tell whether a task inside began: a scope that was entered, and a value that was told, changed nothing."""
    steps = ((draft.plan.steps[path], draft.step(path)) for path in draft.plan.inside(scope))
    return any(step.acted or (plan.kind in _ACTING and step.start_order > 0) for plan, step in steps)


def close_scopes(draft: Draft, within: str) -> None:
    """End the scopes inside another that are still open: nothing in them goes forward any more."""
    failure = draft.header.contained if within != ROOT else draft.header.failure
    for path in draft.plan.inside(within):
        step = draft.step(path)
        if draft.plan.steps[path].kind not in SCOPES or step.phase is not StepPhase.RUNNING:
            continue
        inside = list(draft.plan.inside(path))
        draft.remaining.pop(path, None)
        failed_inside = failure is not None and failure.step in inside
        draft.put(
            path,
            phase=StepPhase.FAILED if failed_inside else StepPhase.CANCELLED,
            failure=failure.failure if failed_inside and failure is not None else step.failure,
            acted=step.acted or _acted_inside(draft, path),
            finished_at=draft.now,
        )
