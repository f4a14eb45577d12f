"""The fields of a run's state that are not stored, made anew from those that are.

In: a plan, the stored header and steps. Out: the `RunState` that `decide` would have at this point.
"""

from reactor_operator.engine.draft import STARTS_STEPS, is_active, is_unblocked
from reactor_operator.engine.plan import FINALLY, ROOT, SCOPES, Plan, StepPlan
from reactor_operator.engine.reverting import revert_order
from reactor_operator.engine.state import DONE, Header, RunState, Stage, StepPhase, StepState, Timer


def restore(plan: Plan, header: Header, steps: dict[str, StepState]) -> RunState:
    """Make the whole state from what is stored: the inverse of dropping its derived fields."""
    finishing = header.stage is Stage.FINISHING
    starts = finishing or header.stage in STARTS_STEPS
    scopes = [ROOT] + [path for path in plan.steps if _is_open(plan.steps[path], steps)]
    starting = [FINALLY] if finishing else scopes
    ready = tuple(
        path
        for path, step in plan.steps.items()
        if starts and step.scope in starting and _is_ready(step, steps) and not _is_contained(plan, path, header)
    )
    return RunState(
        header=header,
        steps=steps,
        ready=ready,
        active=tuple(path for path, step in plan.steps.items() if path in steps and is_active(step, steps[path])),
        due={path: step.due_at for path, step in steps.items() if step.due_at is not None},
        remaining={scope: _remaining(plan.children_of(scope), steps) for scope in scopes},
        revert=revert_order(plan, steps) if header.stage is Stage.REVERTING else (),
    )


def _is_open(plan: StepPlan, steps: dict[str, StepState]) -> bool:
    return plan.kind in SCOPES and plan.path in steps and steps[plan.path].phase is StepPhase.RUNNING


def _is_contained(plan: Plan, path: str, header: Header) -> bool:
    return header.containing != ROOT and plan.is_inside(path, header.containing)


def _remaining(children: tuple[str, ...], steps: dict[str, StepState]) -> int:
    return sum(1 for path in children if path not in steps or steps[path].phase not in DONE)


def _is_ready(plan: StepPlan, steps: dict[str, StepState]) -> bool:
    step = steps.get(plan.path)
    if step is None or step.phase is StepPhase.PENDING:
        return is_unblocked(plan, steps)
    return step.phase is StepPhase.RETRYING and step.timer is not Timer.RETRY
