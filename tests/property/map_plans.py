"""Random plans with maps, as `api.planning` makes them: each element has a plan of its own, in templates of paths."""

from dataclasses import replace

from hypothesis import strategies as st

from reactor_operator.engine.plan import ROOT, ActionPlan, MapPlan, OnFailure, Plan, StepKind, StepPlan
from tests.property.strategies import (
    action_plans,
    booleans,
    counts,
    draw_step,
    one_in_five,
    optional_actions,
    optional_retries,
)

one_in_two = booleans
limits = st.fixed_dictionaries(
    {
        "parallelism": st.sampled_from([4, 3, 2, 5, 1]),
        "on_failure": st.sampled_from(OnFailure),
        "infrastructure_retries": st.integers(0, 2),
        "rollback_deadline_ms": st.sampled_from([86_400_000, 86_400_000, 2000]),
        "pending_timeout_ms": st.sampled_from([100, 600_000]),
    }
)
bounds = st.one_of(
    st.just({"fail_fast": True}),
    st.just({"fail_fast": True}),
    st.just({"fail_fast": False}),
    st.fixed_dictionaries({"fail_fast": st.just(False), "max_failures": st.integers(0, 2)}),
    st.fixed_dictionaries({"fail_fast": st.just(False), "max_failures_percent": st.sampled_from([0, 30, 60])}),
)
windows = st.fixed_dictionaries(
    {
        "batch_size": st.sampled_from([3, 2, 4, 1]),
        "barrier": one_in_five,
        "page_size": st.sampled_from([3, 2, 1]),
        "undo_window": st.sampled_from([1, 1, 1, 2]),
        "chunk": st.sampled_from([1, 1, 1, 2, 3]),
        "timeout_ms": st.sampled_from([None, None, None, 3000]),
    }
)
bodies = st.sampled_from(["task", "task", "task", "steps", "steps", "map", "transform"])


@st.composite
def plans_with_maps(draw: st.DrawFn) -> Plan:
    """Draw a plan of up to three steps, of which at least one is a map."""
    shared = draw(limits)
    names = [f"s{number}" for number in range(draw(counts[3]))]
    place = draw(st.integers(0, len(names) - 1))
    flat: list[StepPlan] = []
    for number, name in enumerate(names):
        needs = tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=2))) if number else ()
        draw_any(draw, flat, name, ROOT, needs, shared, nested=0, mapped=number == place or draw(one_in_five))
    timeout = draw(st.sampled_from([None, None, 3000]))
    return plan_of(flat, shared, timeout_ms=timeout)


def plan_of(flat: list[StepPlan], shared: dict[str, object], **more: object) -> Plan:
    """Return the plan of steps drawn in the order of a manifest."""
    steps = {
        one.path: replace(
            one,
            index=index,
            dependents=tuple(other.path for other in flat if one.path in other.needs),
            children=tuple(other.path for other in flat if other.scope == one.path),
        )
        for index, one in enumerate(flat)
    }
    return Plan(steps=steps, **{**shared, **more})  # type: ignore[arg-type]


def draw_any(
    draw: st.DrawFn,
    flat: list[StepPlan],
    path: str,
    scope: str,
    needs: tuple[str, ...],
    shared: dict[str, object],
    *,
    nested: int,
    mapped: bool,
) -> None:
    """Draw a step; a map where it is to be one, sometimes inside of a compose."""
    if not mapped:
        draw_step(draw, flat, path, scope, needs)
    elif "/" not in path and draw(one_in_five):
        flat.append(draw_compose(draw, path, scope, needs))
        draw_any(draw, flat, f"{path}/a", path, (), shared, nested=nested, mapped=True)
        if draw(one_in_two):
            draw_step(draw, flat, f"{path}/b", path, (f"{path}/a",))
    else:
        flat.append(draw_map(draw, path, scope, needs, shared, nested))


def draw_compose(draw: st.DrawFn, path: str, scope: str, needs: tuple[str, ...]) -> StepPlan:
    """Draw a compose without what is inside it."""
    retries, compensate, optional = draw(optional_retries), draw(optional_actions), draw(one_in_five)
    return StepPlan(
        path=path,
        index=0,
        kind=StepKind.COMPOSE,
        scope=scope,
        needs=needs,
        run=retries or ActionPlan(),
        compensate=compensate,
        continues_on_error=optional,
        contains_failures=retries is not None or compensate is not None or optional,
    )


def draw_map(
    draw: st.DrawFn, path: str, scope: str, needs: tuple[str, ...], shared: dict[str, object], nested: int
) -> StepPlan:
    """Draw a map: its elements do one task, tell a value, or have steps inside; at most one is in another one."""
    element = draw_element(draw, f"{path}[]", shared, nested)
    page, collect = draw(one_in_two), draw(one_in_five)
    plan = MapPlan(
        element=element,
        page=draw_task_of_map(draw, f"{path}[page]", shared) if page else None,
        collect=draw_task_of_map(draw, f"{path}[collect]", shared) if collect else None,
        reverses=any(reverses(step) for step in element.steps.values()),
        **draw(windows),  # type: ignore[arg-type]
        **draw(bounds),
    )
    optional = draw(one_in_five)
    return StepPlan(
        path=path, index=0, kind=StepKind.MAP, scope=scope, needs=needs, map=plan, continues_on_error=optional
    )


def reverses(step: StepPlan) -> bool:
    """Tell whether something of a step can be taken back."""
    return step.compensate is not None or step.undo is not None or (step.map is not None and step.map.reverses)


def draw_task_of_map(draw: st.DrawFn, path: str, shared: dict[str, object]) -> Plan:
    """Draw the task that fetches pages, or collects."""
    return plan_of([StepPlan(path=path, index=0, run=draw(action_plans))], shared)


def draw_element(draw: st.DrawFn, root: str, shared: dict[str, object], nested: int) -> Plan:
    """Draw the plan of an element."""
    body = draw(bodies)
    flat: list[StepPlan] = []
    if body == "transform":
        flat.append(StepPlan(path=root, index=0, kind=StepKind.TRANSFORM))
    elif body == "task" or (body == "map" and nested):
        compensate, undo = draw(optional_actions), draw(optional_actions)
        flat.append(StepPlan(path=root, index=0, run=draw(action_plans), compensate=compensate, undo=undo))
    else:
        compensate, retries = draw(optional_actions), draw(optional_retries)
        flat.append(
            StepPlan(
                path=root,
                index=0,
                kind=StepKind.COMPOSE,
                run=retries or ActionPlan(),
                compensate=compensate,
                contains_failures=True,
            )
        )
        names = [f"{root}/{name}" for name in "ab"[: draw(counts[2])]]
        for number, name in enumerate(names):
            needs = (names[0],) if number and draw(one_in_two) else ()
            is_map = body == "map" and name == names[-1]
            draw_any(draw, flat, name, root, needs, shared, nested=nested + 1, mapped=is_map)
    return plan_of(flat, shared)
