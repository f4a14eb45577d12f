"""Whether an evaluation that was asked for is still waited for: what else was decided may have made it needless.

In: a state and what was asked before. Out: yes or no. Never here: the evaluation.
"""

from typing import assert_never

from reactor_operator.engine.actions import (
    EvaluatePage,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    Evaluation,
    JudgePayload,
    LoadOutcomes,
)
from reactor_operator.engine.draft import outcomes_of, page_of, returns_of
from reactor_operator.engine.elements import owner_of, saga_of
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import RunState


def is_awaited(plan: Plan, state: RunState, asked: Evaluation) -> bool:
    """Tell whether the answer would change anything. What nobody waits for would leave documents that nobody drops."""
    if isinstance(asked, JudgePayload):
        return True  # whoever asks is answered, whatever has become of the interrupt
    path = _path_of(asked)
    element = state.elements.get(path[: path.rfind("[")], {}).get(path)  # what most evaluations are about
    saga = element if element is not None else saga_of(plan, state, path)[1]
    match asked:
        case EvaluateStep():
            return path in saga.evaluating
        case EvaluateReturns():
            return returns_of(path) in saga.evaluating
        case EvaluatePage():
            return page_of(path) in saga.evaluating
        case LoadOutcomes():
            return outcomes_of(path) in saga.evaluating
        case EvaluateRequest(task=task):
            return saga.step(path).task == task
        case _:
            assert_never(asked)


def is_of_element(plan: Plan, asked: Evaluation) -> bool:
    """Tell whether an evaluation is about an element of a map, or a task of a map itself."""
    path = _path_of(asked)
    return "[" in path and owner_of(plan, path) is not None


def _path_of(asked: Evaluation) -> str:
    match asked:
        case EvaluateReturns():
            return asked.scope
        case EvaluateRequest():
            return asked.task.path
        case JudgePayload():
            return asked.request.step
        case _:
            return asked.path
