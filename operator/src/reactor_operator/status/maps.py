"""How far a map has come, as status shows it: counts alone, however many elements there are.

In: the state of a run and the path of a step. Out: a JSON object. Never here: an element by itself.
"""

from collections.abc import Mapping

from reactor_operator.engine.elements import collect_path, page_path
from reactor_operator.engine.flight import Flight
from reactor_operator.engine.state import RunState


def render_map(state: RunState, path: str) -> dict[str, object] | None:
    """Return the counts of a map, None for a step that is none or has not begun."""
    counts = state.step(path).map
    if counts is None:
        return None
    in_flight = state.elements.get(path, {})
    tasks = sum(key in in_flight for key in (page_path(path, counts.fetched), collect_path(path)))  # are no elements
    rendered: dict[str, object] = {
        "total": counts.total,
        "running": len(in_flight) - tasks,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "undone": counts.undone or None,
    }
    return {name: count for name, count in rendered.items() if count is not None}


def reason_of(state: RunState, path: str) -> str:
    """Return why a step cannot start now; of a map the reason of an element that waits, with its path."""
    found = state.step(path).reason
    return found or _reason_in(state.elements.get(path, {}))


def _reason_in(elements: Mapping[str, RunState]) -> str:
    flight = Flight.of(elements)
    for element in (flight[key] for key in flight.reasoned):
        for path in element.active:
            if reason := element.step(path).reason:
                return f"{path}: {reason}"
            if reason := _reason_in(element.elements.get(path, {})):
                return reason
    return ""
