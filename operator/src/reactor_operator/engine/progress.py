"""How far a map has come: what its plan and its state say, and how that is changed.

In: a draft with a map. Out: the same draft. Never here: which elements are begun, or what becomes of them.
"""

from collections.abc import Collection

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.plan import MapPlan
from reactor_operator.engine.state import MapState, SourcePage


def map_of(draft: Draft, path: str) -> MapPlan:
    """Return how a map is to go over its elements."""
    plan = draft.plan.steps[path].map
    assert plan is not None, f"step {path!r} is no map"
    return plan


def progress_of(draft: Draft, path: str) -> MapState:
    """Return how far a map has come."""
    state = draft.step(path).map
    assert state is not None, f"map {path!r} was never begun"
    return state


def note(draft: Draft, path: str, **changes: object) -> MapState:
    """Change how far a map has come."""
    changed = evolve(progress_of(draft, path), changes)
    draft.put(path, map=changed)
    return changed


def sources_without(draft: Draft, path: str, ended: Collection[int]) -> tuple[SourcePage, ...]:
    """Return the pages that elements in flight came from, some elements having ended."""
    kept = []
    for page in progress_of(draft, path).sources:
        end = page.first + page.size
        left = page.left - sum(1 for index in ended if page.first <= index < end)
        if left:
            kept.append(evolve(page, {"left": left}) if left != page.left else page)
        else:
            draft.filing.sources.add((path, draft.step(path).round, page.number))
    return tuple(kept)
