"""Elements of a map as small sagas of their own: their paths, their plans, and how they begin.

In: a map's plan and the path of an element. Out: a `Plan` whose paths are real ones, and a `RunState` that begins.
Never here: which element is begun when (`mapping`), or what its end means for the map.
"""

from collections.abc import Callable

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.plan import ROOT, MapPlan, Plan, StepKind, StepPlan
from reactor_operator.engine.state import Header, RunState, StepState, is_held

Advance = Callable[[Draft], None]
"""Lets an element do what follows from what it was told (`decide`)."""

_REMEMBERED = 2_048
_instances: dict[tuple[int, str], tuple[Plan, Plan]] = {}
_ROUNDS, _ROUNDS_INSIDE = 1_000_000, 1_000
"""Rounds that a step inside an element can have for each round of its map, so that no key is used again; fewer where
the map is in an element itself, whose rounds are numbered so already: those of a map in maps stay below 10^19."""


def element_path(of: str, index: int) -> str:
    """Return the path of an element of a map."""
    return f"{of}[{index}]"


def page_path(of: str, number: int) -> str:
    """Return the path of the task that fetches a page."""
    return f"{of}[page-{number}]"


def collect_path(of: str) -> str:
    """Return the path of the task that reduces the results of a map."""
    return f"{of}[collect]"


def index_of(of: str, path: str) -> int | None:
    """Return the index of an element of a map, None where the path is that of its page or collect task."""
    word = path[len(of) + 1 : -1]
    return int(word) if word.isdecimal() else None


def owner_of(plan: Plan, path: str) -> tuple[str, str] | None:
    """Return the map of `plan` that a path leads into, and the path of the element; None where it leads into none."""
    place = path.find("[")
    while place > 0:
        owner = plan.steps.get(path[:place])
        if owner is not None and owner.kind is StepKind.MAP:
            end = path.find("]", place)
            return (owner.path, path[: end + 1]) if end > 0 else None
        place = path.find("[", place + 1)
    return None


def plan_at(map_plan: MapPlan, of: str, path: str) -> Plan:
    """Return the plan of what has this path in the map `of`: an element, or the task that fetches or collects."""
    if index_of(of, path) is not None:
        return instance(map_plan.element, path)
    template = map_plan.collect if path == collect_path(of) else map_plan.page
    if template is None:
        raise AssertionError(f"map {of!r} has nothing at {path!r}")
    return instance(template, path)


def instance(template: Plan, root: str) -> Plan:
    """Return a template with the paths of one element. Made anew where it was not used lately."""
    key = (id(template), root)
    found = _instances.get(key)
    if found is not None:
        return found[1]
    if len(_instances) >= _REMEMBERED:
        _instances.clear()
    made = _instance(template, root)
    _instances[key] = (template, made)  # the template too: as long as it is there, nothing else has its id
    return made


def _instance(template: Plan, root: str) -> Plan:
    (outermost,) = template.children
    cut = len(outermost)

    def at(path: str) -> str:
        return root + path[cut:]  # all of them begin with the outermost

    def all_at(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(at, paths)) if paths else paths

    steps: dict[str, StepPlan] = {}
    for step in template.steps.values():
        changes = {
            "path": at(step.path),
            "scope": at(step.scope) if step.scope != ROOT else ROOT,
            "needs": all_at(step.needs),
            "dependents": all_at(step.dependents),
            "children": all_at(step.children),
        }
        steps[at(step.path)] = evolve(step, changes)
    return evolve(template, {"steps": steps, "children": (root,)})


def first_round(draft: Draft, of: str) -> int:
    """Return the round that the steps of elements begin with, in the round that their map is in."""
    return 1 + (draft.step(of).round - 1) * (_ROUNDS if draft.parent is None else _ROUNDS_INSIDE)


def begin_element(draft: Draft, of: str, path: str) -> Draft:
    """Begin an element of a map that goes forward, and return its draft."""
    map_plan = draft.plan.steps[of].map
    assert map_plan is not None
    plan = plan_at(map_plan, of, path)
    first = first_round(draft, of)
    state = RunState(
        header=Header(uid=draft.header.uid, now=draft.now, started_at=draft.now, suspended=is_held(draft.header)),
        steps={one: StepState(round=first) for one in plan.steps} if first > 1 else {},
        ready=(path,),
        remaining={ROOT: 1},
    )
    return draft.add_element(of, path, plan, state)


def saga_of(plan: Plan, state: RunState, path: str) -> tuple[Plan, RunState]:
    """Return the saga that a path leads into: the run itself, or the element in flight, and its plan.

    Of an element that is in flight no more there is the plan, and a state in which nothing has happened.
    """
    while "[" in path and (owner := owner_of(plan, path)) is not None:
        of, key = owner
        map_plan = plan.steps[of].map
        assert map_plan is not None
        plan, state = plan_at(map_plan, of, key), state.elements.get(of, {}).get(key, NOTHING)
    return plan, state


def has_ended(plan: Plan, state: RunState, path: str) -> bool:
    """Tell whether a path leads into an element that was begun, and is in flight no more."""
    while "[" in path and (owner := owner_of(plan, path)) is not None:
        of, key = owner
        inner, index, mapped = state.elements.get(of, {}).get(key), index_of(of, key), state.step(of).map
        if inner is None:
            return index is not None and mapped is not None and index < mapped.opened
        map_plan = plan.steps[of].map
        assert map_plan is not None
        plan, state = plan_at(map_plan, of, key), inner
    return False


def step_at(plan: Plan, state: RunState, path: str) -> StepState:
    """Return the state of a step, also of one in an element that is in flight."""
    element = state.elements.get(path[: path.rfind("[")], {}).get(path)  # what most questions are about
    if element is not None:
        return element.step(path)
    return saga_of(plan, state, path)[1].step(path)


NOTHING = RunState()
