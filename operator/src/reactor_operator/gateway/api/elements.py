"""The elements of a map, page by page: those in flight from the state of the run, ended ones from pages of outcomes.

In: a run in the store, the path of a map. Out: a JSON object in the shape of `details`.
Never here: all elements at once: so many are looked through for one answer, and the next one goes on from there.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from reactor_operator.engine.elements import element_path, plan_at
from reactor_operator.engine.interrupting import open_interrupts
from reactor_operator.engine.plan import MapPlan
from reactor_operator.engine.state import PAGE, ElementOutcome, MapState, RunState
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.cursors import ELEMENTS, number_in, render_cursor
from reactor_operator.gateway.api.queries import ElementsQuery, parse_names, parse_query
from reactor_operator.gateway.api.rendering import Rendered, answer_of
from reactor_operator.gateway.api.services import RUN
from reactor_operator.gateway.api.steps import map_detail
from reactor_operator.gateway.api.stored import Found, StoredRuns
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.kube.moments import render_moment_ms
from reactor_operator.status.maps import reason_of, render_map

LOOKED_THROUGH = 20_000
"""Elements that are looked through for one answer."""
_PAGES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class ElementService:
    """Answers about elements."""

    viewers: Viewers
    runs: StoredRuns

    async def page(self, http: Request) -> Answer:
        """Return elements of a map."""
        caller = await self.viewers.of(http)
        asked = parse_query(http, ElementsQuery)
        from_ = number_in(ELEMENTS, asked.cursor)
        namespace, name = parse_names(http)
        await self.viewers.require(caller, "get", RUN, namespace)
        known = await self.runs.run(namespace, name)
        found = await self.runs.step(known, asked.path)
        map_plan, counts = found.plan.map, found.step.map
        if map_plan is None:
            raise Refusal(404, f"step {asked.path!r} of run {name!r} is no map")
        if counts is None:
            return answer_of({"items": [], "counts": map_detail(MapState(), {"running": 0})})
        wanted = frozenset(asked.phase)
        shown, next_ = await self._find(known.definition.run.uid, found, from_, asked.limit, wanted)
        answer: Rendered = {
            "items": shown,
            "counts": map_detail(counts, render_map(found.saga.state, asked.path) or {"running": 0}),
        }
        if counts.total is not None:
            answer["total"] = counts.total
        if next_ is not None:
            answer["next"] = render_cursor(ELEMENTS, (next_,))
        return answer_of(answer)

    async def _find(
        self, uid: str, found: Found, from_: int, limit: int, phases: frozenset[str]
    ) -> tuple[list[Rendered], int | None]:
        """Return so many elements from an index on, and the index to go on from; None: there are no more."""
        of, map_plan, counts = found.plan.path, found.plan.map, found.step.map
        assert map_plan is not None
        assert counts is not None
        items: list[Rendered] = []
        last = min(counts.opened, from_ + LOOKED_THROUGH)
        for first in range(from_ - from_ % PAGE, last, PAGE * _PAGES_AT_ONCE):
            numbers = list(range(first // PAGE, min(first // PAGE + _PAGES_AT_ONCE, -(-last // PAGE))))
            pages = await self.runs.pages(uid, found.saga.state, of, numbers)
            outcomes = {index: one for page in pages.values() for index, one in page.items()}
            end = min(last, (numbers[-1] + 1) * PAGE)
            for index, item in _items(found.saga.state, of, map_plan, outcomes, range(max(first, from_), end)):
                if phases and item["phase"] not in phases:
                    continue
                if len(items) == limit:
                    return items, index
                items.append(item)
            await asyncio.sleep(0)
        return items, last if last < counts.opened else None


def _items(
    state: RunState, of: str, map_plan: MapPlan, outcomes: Mapping[int, ElementOutcome], indices: range
) -> Iterator[tuple[int, Rendered]]:
    flight = state.elements.get(of, {})
    for index in indices:
        path = element_path(of, index)
        element, outcome = flight.get(path), outcomes.get(index)
        if element is not None:
            yield index, _in_flight(index, path, map_plan, element)
        elif outcome is not None:
            yield index, _ended(index, path, outcome)


def _in_flight(index: int, path: str, map_plan: MapPlan, element: RunState) -> Rendered:
    root = element.step(path)
    waiting = sum(1 for _ in open_interrupts(plan_at(map_plan, path[: path.rfind("[")], path), element))
    item: Rendered = {"index": index, "phase": root.phase.value, "attempt": root.attempt, "waiting": waiting}
    started = root.started_at if root.started_at is not None else element.header.started_at
    message = root.failure.message if root.failure is not None else reason_of(element, path)
    return item | _known(startedAt=started or None, message=message)


def _ended(index: int, path: str, outcome: ElementOutcome) -> Rendered:
    item: Rendered = {"index": index, "phase": outcome.phase.value, "waiting": 0}
    root = outcome.kept.step(path) if outcome.kept is not None else None
    message = f"{outcome.failure.kind}: {outcome.failure.message}" if outcome.failure is not None else ""
    if root is None:
        return item | _known(message=message)
    return item | _known(startedAt=root.started_at, finishedAt=root.finished_at, message=message)


def _known(*, startedAt: int | None = None, finishedAt: int | None = None, message: str = "") -> Rendered:
    times = {"startedAt": startedAt, "finishedAt": finishedAt}
    found: Rendered = {name: render_moment_ms(at) for name, at in times.items() if at is not None}
    return found | ({"message": message} if message else {})
