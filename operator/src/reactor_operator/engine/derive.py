"""The fields of a run's state that are not stored, made anew from those that are.

In: a plan, the stored header and steps. Out: the `RunState` that `decide` would have at this point.
"""

from collections.abc import Mapping

from reactor_operator.engine.draft import STARTS_STEPS, is_active, is_unblocked
from reactor_operator.engine.elements import index_of, plan_at
from reactor_operator.engine.plan import FINALLY, ROOT, SCOPES, Plan, StepKind, StepPlan
from reactor_operator.engine.reverting import revert_order
from reactor_operator.engine.state import DONE, Header, OutcomePage, RunState, Stage, StepPhase, StepState, Timer

Stored = tuple[Header, dict[str, StepState]]
"""What is stored of an element."""


def restore(
    plan: Plan,
    header: Header,
    steps: dict[str, StepState],
    elements: Mapping[str, Stored] | None = None,
    pages: Mapping[tuple[str, int], OutcomePage] | None = None,
) -> RunState:
    """Make the whole state from what is stored: the inverse of dropping its derived fields.

    `elements` are those of maps at whatever depth, by path; `pages` those of outcomes, by path of the map and number.
    """
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
        elements=_elements(plan, steps, elements or {}, pages or {}),
        pages=_pages(plan, pages or {}),
        ready=ready,
        active=tuple(path for path, step in plan.steps.items() if path in steps and is_active(step, steps[path])),
        waiting=tuple(path for path in plan.steps if path in steps and steps[path].phase is StepPhase.WAITING),
        due={path: step.due_at for path, step in steps.items() if step.due_at is not None},
        remaining={scope: _remaining(plan.children_of(scope), steps) for scope in scopes},
        revert=revert_order(plan, steps) if header.stage is Stage.REVERTING else (),
    )


def _elements(
    plan: Plan,
    steps: dict[str, StepState],
    stored: Mapping[str, Stored],
    pages: Mapping[tuple[str, int], OutcomePage],
) -> dict[str, dict[str, RunState]]:
    """Return what is in flight of each map of a plan: an entry for each map that is active."""
    active = (path for path, step in plan.steps.items() if step.kind is StepKind.MAP and path in steps)
    found: dict[str, dict[str, RunState]] = {}
    for path in active:
        planned = plan.steps[path]
        if not is_active(planned, steps[path]) or planned.map is None:
            continue
        goes_back = steps[path].phase is not StepPhase.RUNNING
        inside: dict[str, dict[str, Stored]] = {}
        for key, one in stored.items():
            if key.startswith(f"{path}["):
                inside.setdefault(key[: key.find("]", len(path)) + 1], {})[key] = one
        found[path] = {
            key: restore(
                plan_at(planned.map, path, key),
                *group[key],
                {inner: one for inner, one in group.items() if inner != key},
                {place: page for place, page in pages.items() if place[0].startswith(f"{key}/")},
            )
            for key, group in sorted(inside.items(), key=lambda item: _place(path, item[0]), reverse=goes_back)
        }
    return found


def _place(of: str, key: str) -> tuple[int, str]:
    """Return where an element comes among those in flight, whatever order a store tells them in."""
    index = index_of(of, key)
    return (-1 if index is None else index, key)


def _pages(plan: Plan, stored: Mapping[tuple[str, int], OutcomePage]) -> dict[str, dict[int, OutcomePage]]:
    found: dict[str, dict[int, OutcomePage]] = {}
    for (path, number), page in sorted(stored.items(), key=lambda item: item[0]):
        if path in plan.steps:
            found.setdefault(path, {})[number] = page
    return found


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
