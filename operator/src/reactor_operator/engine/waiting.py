"""Elements of maps that wait for room: what would begin something if more tasks might be in flight.

In: an element in flight and its plan. Out: whether it waits. Never here: the element moved.
"""

from reactor_operator.engine.draft import Draft, outcomes_of
from reactor_operator.engine.elements import index_of, page_path, plan_at
from reactor_operator.engine.flight import between_cleanups
from reactor_operator.engine.plan import MapPlan, Plan
from reactor_operator.engine.state import MapState, RunState, Stage, StepPhase, is_held

Saga = RunState | Draft


def waits_for_room(plan: Plan, one: Saga) -> bool:
    """Tell whether an element would begin something if there were room, in it or in a map inside it."""
    if is_held(one.header):
        return False
    starts = any(path not in one.evaluating for path in one.ready)
    return starts or between_cleanups(one.header, one.step, one.active) or _maps_wait(plan, one)


def _maps_wait(plan: Plan, one: Saga) -> bool:
    for path, flight in one.elements.items():
        mapped, step = plan.steps[path].map, one.step(path)
        assert mapped is not None
        assert step.map is not None
        if step.phase is not StepPhase.RUNNING:
            wants = outcomes_of(path) not in one.evaluating and _wants_to_reverse_more(mapped, step.map, list(flight))
        else:
            wants = one.header.stage is Stage.FORWARD and _wants_more(mapped, step.map, path, list(flight))
        if wants:
            return True
        if any(waits_for_room(plan_at(mapped, path, key), inner) for key, inner in _in_flight(one, path)):
            return True
    return False


def _in_flight(one: Saga, path: str) -> "list[tuple[str, RunState]] | list[tuple[str, Saga]]":
    return one.in_flight(path) if isinstance(one, Draft) else list(one.elements[path].items())


def _wants_more(plan: MapPlan, state: MapState, path: str, keys: list[str]) -> bool:
    if state.failure is not None:
        return False
    elements = sum(index_of(path, key) is not None for key in keys)
    waits_for_batch = plan.barrier and elements > 0 and state.opened >= state.batch_end
    known = state.known if state.total is None else state.total
    if state.opened < known and elements < plan.batch_size and not waits_for_batch:
        return True
    last = state.sources[-1] if state.sources else None
    wants_page = not state.exhausted and (last is None or state.opened > last.first)
    return wants_page and page_path(path, state.fetched) not in keys


def _wants_to_reverse_more(plan: MapPlan, state: MapState, keys: list[str]) -> bool:
    return state.below > 0 and len(keys) < plan.undo_window * plan.chunk
