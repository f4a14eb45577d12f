"""Going forward: which steps start, and what the success of one sets free.

In: a draft in stage FORWARD. Out: evaluations, launches, and the numbered completions that undo walks back.
"""

from reactor_operator.engine.actions import EvaluateReturns, EvaluateStep
from reactor_operator.engine.draft import Draft
from reactor_operator.engine.identity import Action
from reactor_operator.engine.launching import launch
from reactor_operator.engine.state import StepPhase
from reactor_operator.engine.values import ValueRef

RETURNS = ""
"""The path that stands for the run itself among those being evaluated."""


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
    """There was nothing to do: dependents may start, and there is nothing to undo."""
    draft.put(path, phase=StepPhase.SKIPPED, result=result, finished_at=draft.now)
    draft.unblock_dependents(path)


def ignore(draft: Draft, path: str) -> None:
    """The step failed and said `onError: Continue`: its fallback stands for its result."""
    step = draft.step(path)
    draft.put(path, phase=StepPhase.IGNORED, result=step.fallback, finished_at=draft.now)
    draft.unblock_dependents(path)


def go_forward(draft: Draft) -> None:
    """Start what may start, up to `parallelism`; when all is done, ask for the result."""
    for path in draft.ready:
        if len(draft.active) + len(draft.evaluating) >= draft.plan.parallelism:
            break
        if path in draft.evaluating:
            continue
        step = draft.step(path)
        if step.phase is StepPhase.RETRYING:
            draft.take_ready(path)
            launch(draft, path, Action.RUN, step.attempt, step.launch)
        else:
            draft.evaluating.add(path)
            draft.act(EvaluateStep(path=path, round=step.round))
    if draft.remaining == 0 and not draft.evaluating:
        draft.evaluating.add(RETURNS)
        draft.act(EvaluateReturns())
