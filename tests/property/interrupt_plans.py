"""Random plans some of whose tasks and values became interrupts, also in composes and in elements of maps.

In: plans as `strategies` and `map_plans` draw them. Out: the same ones, with at least one interrupt. Steps at every end
are none, as in the API.
"""

from dataclasses import replace

from hypothesis import strategies as st

from reactor_operator.engine.plan import ActionPlan, InterruptPlan, Plan, StepKind, StepPlan
from tests.property.map_plans import plans_with_maps, reverses
from tests.property.strategies import booleans, one_in_five, plans

waits = st.builds(
    InterruptPlan,
    timeout_ms=st.sampled_from([None, 300, 3000]),
    active=booleans,
    continues=booleans,
    judged=booleans,
    strict=one_in_five,
    max_attempts=st.sampled_from([None, 1, 2, 3]),
    approvers=one_in_five,
)
one_in_three = st.integers(0, 2).map(lambda drawn: drawn == 0)
_LEAVES = (StepKind.TASK, StepKind.TRANSFORM)


@st.composite
def plans_with_interrupts(draw: st.DrawFn) -> Plan:
    """Draw a plan of a run without maps."""
    return draw(with_interrupts(draw(plans())))


@st.composite
def maps_with_interrupts(draw: st.DrawFn) -> Plan:
    """Draw a plan of a run with a map."""
    return draw(with_interrupts(draw(plans_with_maps())))


@st.composite
def with_interrupts(draw: st.DrawFn, plan: Plan) -> Plan:
    """Draw which steps wait for people, and how; in each element of a map as well."""
    leaves = [path for path, step in plan.steps.items() if step.kind in _LEAVES and path not in plan.finals]
    sure = draw(st.sampled_from(leaves)) if leaves else ""
    steps = {path: draw(_changed(step)) for path, step in plan.steps.items()}
    for path in leaves:
        if path == sure or draw(one_in_three):
            steps[path] = draw(_waiting(plan.steps[path]))
    return replace(plan, steps=steps)


@st.composite
def _changed(draw: st.DrawFn, step: StepPlan) -> StepPlan:
    if step.map is None:
        return step
    element = draw(with_interrupts(step.map.element)) if draw(booleans) else step.map.element
    again = any(reverses(one) for one in element.steps.values())
    return replace(step, map=replace(step.map, element=element, reverses=again, chunk=1))


@st.composite
def _waiting(draw: st.DrawFn, step: StepPlan) -> StepPlan:
    alone = {"kind": StepKind.INTERRUPT, "run": ActionPlan(), "compensate": None, "undo": None}
    return replace(step, **alone, interrupt=draw(waits))  # type: ignore[arg-type]
