"""The maps of a run in a state file: where one is, and what became of its elements, page by page.

In: a store, the name of a run, the path of a map. Out: a `MapRecord`, pages of outcomes in order. Raises CommandError.
Never here: a write, or all outcomes of a map at once.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from reactor_operator.cli.errors import CommandError
from reactor_operator.cli.laptop import NAMESPACE, run_uid
from reactor_operator.cli.stored import load_known
from reactor_operator.engine.elements import index_of, owner_of, plan_at
from reactor_operator.engine.plan import Plan, StepKind
from reactor_operator.engine.state import PAGE, OutcomePage, RunState, StepState
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.codec import Unreadable
from reactor_operator.store.outcome_pages import decode_outcomes, outcome_page_name
from reactor_operator.store.port import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRecord:
    """A map of a run, and the saga that it is in: that of the run, or of an element of another map."""

    uid: str
    path: str
    state: RunState

    @property
    def step(self) -> StepState:
        """The map itself."""
        return self.state.step(self.path)

    @property
    def begun(self) -> int:
        """How many elements were begun."""
        return self.step.map.opened if self.step.map is not None else 0


async def find_run(store: Store, name: str, namespace: str | None) -> KnownRun:
    """Return a run by its name; without a namespace one of any, where there is only one. Raises CommandError."""
    uid = run_uid(await store.incarnation(), namespace or NAMESPACE, name)
    known = await load_known(store, RunRef(namespace or NAMESPACE, name, uid))
    if known is not None:
        return known
    stored = [await load_known(store, RunRef("", one, one)) for one in sorted(await store.stored_runs())]
    runs = [one for one in stored if one is not None]
    named = [one for one in runs if one.definition.run.name == name and namespace is None]
    if len(named) == 1:
        return named[0]
    names = ", ".join(f"{one.definition.run.namespace}/{one.definition.run.name}" for one in runs[:20])
    what = f"{len(named)} runs" if named else "no run"
    raise CommandError(
        f"--state: found {what} '{name}', expected one of {names or 'its runs, of which there are none'}"
    )


async def find_map(store: Store, known: KnownRun, path: str) -> MapRecord:
    """Return a map that has begun, also one inside an element that is in flight or is kept. Raises CommandError."""
    uid, plan, state = known.definition.run.uid, known.plan, known.state
    while (owner := owner_of(plan, path)) is not None and owner[1] != path:
        of, key = owner
        map_plan, index = plan.steps[of].map, index_of(*owner)
        inner = state.elements.get(of, {}).get(key)
        if inner is None and index is not None:
            page = await _page(store, MapRecord(uid=uid, path=of, state=state), index // PAGE)
            inner = page[index].kept if index in page else None
        if inner is None or map_plan is None:
            raise CommandError(f"{path}: what is inside {key} is not there: it has ended, or was never begun")
        plan, state = plan_at(map_plan, of, key), inner
    if path not in plan.steps or plan.steps[path].kind is not StepKind.MAP:
        maps = ", ".join(_maps_of(plan)) or "of which there are none"
        raise CommandError(f"{path} is no map of run '{known.definition.run.name}', expected one of its maps: {maps}")
    if state.step(path).map is None:
        raise CommandError(f"map {path} has not begun: it is {state.step(path).phase}")
    return MapRecord(uid=uid, path=path, state=state)


def _maps_of(plan: Plan) -> list[str]:
    return [path for path, step in plan.steps.items() if step.kind is StepKind.MAP]


async def read_outcomes(store: Store, found: MapRecord) -> AsyncIterator[OutcomePage]:
    """Yield the outcomes of the elements that have ended, in order, each page when it is asked for."""
    for number in range(-(-found.begun // PAGE)):
        yield await _page(store, found, number)


async def _page(store: Store, found: MapRecord, number: int) -> OutcomePage:
    hot = found.state.pages.get(found.path, {}).get(number)
    if hot is not None:
        return hot
    name = outcome_page_name(found.path, found.step.round, number)
    body = (await store.get_pages(found.uid, frozenset({name}))).get(name)
    try:
        return {} if body is None else decode_outcomes(found.path, number, found.uid, body)
    except Unreadable as problem:
        raise CommandError(f"--state: {problem}") from problem
