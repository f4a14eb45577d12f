"""The fields of a run's state that are not stored, made anew from those that are.

In: a plan, the stored header and steps. Out: the `RunState` that `decide` would have at this point.
"""

from reactor_operator.engine.draft import ACTIVE, STARTS_STEPS, is_unblocked
from reactor_operator.engine.plan import Plan, StepPlan
from reactor_operator.engine.reverting import revert_order
from reactor_operator.engine.state import DONE, Header, RunState, Stage, StepPhase, StepState, Timer


def restore(plan: Plan, header: Header, steps: dict[str, StepState]) -> RunState:
    """Make the whole state from what is stored: the inverse of dropping its derived fields."""
    starts = header.stage in STARTS_STEPS
    ready = tuple(path for path, step in plan.steps.items() if starts and _is_ready(step, steps))
    return RunState(
        header=header,
        steps=steps,
        ready=ready,
        active=tuple(path for path in plan.steps if path in steps and steps[path].phase in ACTIVE),
        due={path: step.due_at for path, step in steps.items() if step.due_at is not None},
        remaining=sum(1 for path in plan.steps if path not in steps or steps[path].phase not in DONE),
        revert=revert_order(plan, steps) if header.stage is Stage.REVERTING else (),
    )


def _is_ready(plan: StepPlan, steps: dict[str, StepState]) -> bool:
    step = steps.get(plan.path)
    if step is None or step.phase is StepPhase.PENDING:
        return is_unblocked(plan, steps)
    return step.phase is StepPhase.RETRYING and step.timer is not Timer.RETRY
