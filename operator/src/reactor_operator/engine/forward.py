"""Going forward: which steps start, and what the success of one sets free.

In: a draft in stage FORWARD. Out: evaluations, launches, and the numbered completions that undo walks back.
"""

from reactor_operator.engine.actions import EvaluateReturns, EvaluateStep
from reactor_operator.engine.draft import Draft, is_unblocked, returns_of
from reactor_operator.engine.identity import Action
from reactor_operator.engine.launching import launch
from reactor_operator.engine.plan import ROOT, SCOPES, StepKind
from reactor_operator.engine.state import DONE, StepPhase, StepState, is_held
from reactor_operator.engine.values import ValueRef

_NOT_DONE_INSIDE = frozenset({StepPhase.PENDING, StepPhase.RUNNING})
"""Inside a step that is skipped nothing is in flight: a scope may be open there, for a retry enters it again."""


def complete(draft: Draft, path: str, result: ValueRef | None) -> None:
    """The step succeeded: it gets the next completion number, and its dependents may start."""
    number = draft.header.completions + 1
    draft.set(completions=number)
    draft.put(
        path,
        phase=StepPhase.SUCCEEDED,
        completion=number,
        uncertain=False,
        failure=None,
        result=result,
        finished_at=draft.now,
    )
    draft.unblock_dependents(path)


def skip(draft: Draft, path: str, result: ValueRef | None) -> None:
    """There was nothing to do: dependents may start, and there is nothing to undo. All inside is skipped with it."""
    draft.remaining.pop(path, None)
    for inside in draft.plan.inside(path):
        draft.remaining.pop(inside, None)
        if inside in draft.ready:
            draft.take_ready(inside)
        if draft.step(inside).phase in _NOT_DONE_INSIDE:
            draft.put(inside, phase=StepPhase.SKIPPED, finished_at=draft.now)
    draft.put(path, phase=StepPhase.SKIPPED, result=result, finished_at=draft.now)
    draft.unblock_dependents(path)


def ignore(draft: Draft, path: str) -> None:
    """The step failed and said `onError: Continue`: its fallback stands for its result."""
    step = draft.step(path)
    draft.put(path, phase=StepPhase.IGNORED, result=step.fallback, finished_at=draft.now)
    draft.unblock_dependents(path)


def enter(draft: Draft, path: str, chosen: str = "") -> None:
    """Start the steps inside a scope; of a switch the `chosen` body alone, and the others are skipped.

    A body that stands already, because a person said so, is the one that was chosen.
    """
    step = draft.step(path)
    order = step.start_order or draft.header.starts + 1
    draft.set(starts=max(draft.header.starts, order))
    attempt = max(step.attempt, 1)
    draft.put(
        path,
        phase=StepPhase.RUNNING,
        attempt=attempt,
        run_attempts=attempt,
        start_order=order,
        started_at=draft.now if step.started_at is None else step.started_at,
    )
    children = draft.plan.steps[path].children
    draft.remaining[path] = sum(1 for child in children if draft.step(child).phase not in DONE)
    if chosen:
        chosen = next((child for child in children if draft.step(child).phase is StepPhase.SUCCEEDED), chosen)
    for child in children:
        if chosen and child != chosen:
            skip(draft, child, None)
        elif draft.step(child).phase is StepPhase.PENDING and is_unblocked(draft.plan.steps[child], draft.steps):
            draft.make_ready(child)  # what it waits for may stand from an earlier round, or was given a value


def go_forward(draft: Draft) -> None:
    """End the scopes in which all is done, then start what may start, up to `parallelism`; nothing while suspended."""
    if is_held(draft.header):
        return
    while _end_switch(draft):
        pass
    start_ready(draft)
    for scope in draft.ended_scopes():
        if scope == ROOT and draft.parent is not None:
            continue  # of an element the only outermost step tells the result
        if returns_of(scope) not in draft.evaluating:
            draft.evaluating.add(returns_of(scope))
            draft.act(EvaluateReturns(scope=scope))


def finish_up(draft: Draft) -> bool:
    """Start the `finally` steps that may start; return whether nothing is left of them to wait for. Elements of a map
    have none."""
    if is_held(draft.header) and draft.parent is None:
        return False
    start_ready(draft)
    return not (draft.active or draft.ready or draft.due)  # what is being evaluated is still in the queue


def start_ready(draft: Draft) -> None:
    """Start what waits, as far as there is room."""
    place = 0
    while place < len(draft.ready) and draft.room() > 0:
        path = draft.ready[place]
        step = draft.step(path)
        if step.phase is not StepPhase.RETRYING:
            place += 1
            if path not in draft.evaluating:
                draft.evaluating.add(path)
                draft.act(EvaluateStep(path=path, round=step.round))
            continue
        draft.take_ready(path)
        if draft.plan.steps[path].kind in SCOPES:
            enter(draft, path)
        else:
            launch(draft, path, Action.RUN, step.attempt, step.launch)


def _end_switch(draft: Draft) -> bool:
    """End one switch whose chosen body has ended, as that body ended; return whether there was one."""
    switches = (scope for scope in draft.ended_scopes() if _is_switch(draft, scope))
    scope = next(switches, None)
    if scope is None:
        return False
    del draft.remaining[scope]
    bodies = [draft.step(child) for child in draft.plan.steps[scope].children]
    body = next((one for one in bodies if _was_chosen(one)), None)
    if body is None or body.phase is StepPhase.SKIPPED:
        skip_after_all = body.result if body is not None else None
        draft.put(scope, phase=StepPhase.SKIPPED, result=skip_after_all, finished_at=draft.now)
        draft.unblock_dependents(scope)
    elif body.phase is StepPhase.IGNORED:
        draft.put(scope, fallback=body.result)
        ignore(draft, scope)
    else:
        complete(draft, scope, body.result)
    return True


def _was_chosen(body: StepState) -> bool:
    """Tell whether a body is the one that was chosen. It may be skipped: it had nothing to do, or was given a value."""
    return body.phase is not StepPhase.SKIPPED or body.attempt > 0 or body.result is not None


def _is_switch(draft: Draft, scope: str) -> bool:
    return scope != ROOT and draft.plan.steps[scope].kind is StepKind.SWITCH
