"""Open interrupts as status shows them: what waits for a signal, since when, until when.

In: the plan and the state of a run. Out: JSON objects, elements of maps among them. Never here: more than `SHOWN`.
"""

from collections.abc import Iterator
from itertools import islice

from reactor_operator.engine.interrupting import open_interrupts
from reactor_operator.engine.plan import Plan, StepPlan
from reactor_operator.engine.state import RunState, Stage, StepState
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.moments import render_moment

SHOWN = 100
"""Open interrupts that a status lists."""


def render_interrupts(plan: Plan, state: RunState) -> list[JsonObject]:
    """Return what the status lists, the first ones where there are many."""
    return [render_interrupt(*one) for one in islice(taking_payloads(plan, state), SHOWN)]


def taking_payloads(plan: Plan, state: RunState) -> Iterator[tuple[str, StepPlan, StepState]]:
    """Yield the interrupts that take a payload: none of a run that recovers, where it may have been taken before."""
    if state.header.stage is not Stage.RECOVERING:
        yield from open_interrupts(plan, state)


def render_interrupt(path: str, plan: StepPlan, step: StepState) -> JsonObject:
    """Return an interrupt that waits."""
    waits, state = plan.interrupt, step.interrupt
    assert waits is not None
    assert state is not None
    rendered: dict[str, object] = {"step": path}
    if state.correlation:
        rendered["correlationId"] = state.correlation
    if step.started_at is not None:
        rendered["openedAt"] = render_moment(step.started_at)
    if state.expires_at is not None:
        rendered["expiresAt"] = render_moment(state.expires_at)
    if waits.max_attempts is not None:
        rendered["attemptsLeft"] = waits.max_attempts - state.rejected
    if waits.approvers:
        rendered["approvers"] = True
    if state.rejection:
        rendered["lastRejection"] = state.rejection
    return rendered
