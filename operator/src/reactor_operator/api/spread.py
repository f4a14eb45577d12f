"""A plan with what is inside its maps spread out, one element standing for all: what pictures and lists are made of.

In: a plan. Out: a plan, in templates of paths. Never here: a plan that anything is decided on.
"""

from collections.abc import Iterator
from dataclasses import replace

from reactor_operator.engine.plan import ROOT, MapPlan, Plan, StepPlan


def spread_out(plan: Plan) -> Plan:
    """Return the plan in which a map is a scope: first a page, then an element, then what collects the results."""
    steps = [step for path in plan.steps for step in _spread(plan, path)]
    return replace(plan, steps={step.path: replace(step, index=index) for index, step in enumerate(steps)})


def _spread(plan: Plan, path: str) -> Iterator[StepPlan]:
    """Yield a step, and in the order in which they run all steps inside it that are in plans of their own."""
    step = plan.steps[path]
    if step.map is None:
        yield step
        return
    parts = list(_parts(step.map))
    firsts = [part.children[0] for part in parts]
    yield replace(step, children=tuple(firsts))
    for number, part in enumerate(parts):
        for inner in spread_out(part).steps.values():
            if inner.scope != ROOT:
                yield inner
                continue
            before, after = tuple(firsts[max(number - 1, 0) : number]), tuple(firsts[number + 1 : number + 2])
            yield replace(inner, scope=path, needs=before, dependents=after)


def _parts(plan: MapPlan) -> Iterator[Plan]:
    yield from (part for part in (plan.page, plan.element, plan.collect) if part is not None)
