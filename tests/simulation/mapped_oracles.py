"""What must hold of maps in a world at rest (FAULTS: O2 to O4), told by what really happened and by what is stored.

In: a world and a run of it. Out: nothing, or an AssertionError that names the run and the rule.
Never here: what holds for every task (`oracles.py`, `ledger.py`).
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from reactor_operator.engine.elements import index_of, owner_of
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import Action
from reactor_operator.engine.owned import names_of_outcome, names_of_saga
from reactor_operator.engine.plan import MapPlan
from reactor_operator.engine.state import (
    ElementOutcome,
    ElementPhase,
    OutcomePage,
    RunPhase,
    RunState,
    StepPhase,
    StepState,
)
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.outcome_pages import decode_outcomes
from tests.simulation.ledger import Act
from tests.simulation.world import World

_DONE = frozenset({ElementPhase.SUCCEEDED, ElementPhase.SKIPPED})
GOES_ON = frozenset({StepPhase.RUNNING, StepPhase.UNDOING, StepPhase.COMPENSATING})


async def check_maps(world: World, known: KnownRun, acts: list[Act], *, asked: bool) -> None:
    """Check all maps of a run that is over."""
    name = known.definition.run.name
    assert not known.state.elements, f"O4: elements of {name} are left in flight"
    assert not known.state.pages, f"O4: pages of outcomes of {name} are left in the hot state"
    outcomes = await outcomes_of(world, known)
    for path, step in known.state.steps.items():
        plan = known.plan.steps[path].map
        if plan is not None and step.map is not None:
            check_outcomes(f"{name}: {path}", step, outcomes[path])
            if not asked:  # a reversal that is repeated has an order of its own
                check_order(world, known, path, plan, acts)
                check_reversed(known, path, outcomes[path])
    await check_documents(world, known, outcomes)


async def outcomes_of(world: World, known: KnownRun) -> dict[str, OutcomePage]:
    """Return what became of the elements of every map, by index."""
    found: dict[str, OutcomePage] = {}
    for path, step in known.state.steps.items():
        if step.map is not None:
            found[path] = await stored_outcomes(world, known, path, step.round)
    return found


async def stored_outcomes(world: World, known: KnownRun, path: str, round_: int) -> OutcomePage:
    """Return the outcomes that are stored of a map in one of its rounds."""
    uid, prefix = known.definition.run.uid, f"outcome/{path}/{round_}/"
    names = {name for name in world.ledger.documents.pages.get(uid, ()) if name.startswith(prefix)}
    bodies = await world.shared.get_pages(uid, frozenset(names))
    assert bodies.keys() == names, f"O4: {known.definition.run.name}: pages {names - bodies.keys()} are gone"
    merged: dict[int, ElementOutcome] = {}
    for name, body in bodies.items():
        merged |= decode_outcomes(path, int(name.removeprefix(prefix)), uid, body)
    return merged


def check_outcomes(what: str, step: StepState, outcomes: OutcomePage) -> None:
    """O2: every element that was begun has one outcome, and they are counted."""
    state = step.map
    assert state is not None
    assert step.phase not in GOES_ON, f"O1: {what} is {step.phase}"
    assert sorted(outcomes) == list(range(state.opened)), f"O2: {what}: {state.opened} were begun, not {list(outcomes)}"
    if step.phase is StepPhase.SUCCEEDED and step.completion and state.failure is None:
        assert state.opened == (state.total or 0) or state.total is None, f"O2: {what} succeeded before its end"
    phases = [one.phase for one in outcomes.values()]
    if ElementPhase.UNDONE not in phases:
        counted = (state.succeeded, state.skipped, state.failed)
        told = tuple(map(phases.count, (ElementPhase.SUCCEEDED, ElementPhase.SKIPPED, ElementPhase.FAILED)))
        assert counted == told, f"O2: {what} counts {counted}, its outcomes are {told}"
    kept = sum(one.kept is not None for one in outcomes.values())
    assert state.kept == kept, f"O2: {what}: {state.kept} are said to be kept, {kept} are"


def check_order(world: World, known: KnownRun, path: str, plan: MapPlan, acts: list[Act]) -> None:
    """O2: elements are undone from the highest index down. Those that never succeeded clean up after themselves."""
    if plan.undo_window > 1:
        return
    uid = known.definition.run.uid
    rounds: dict[int, list[int]] = {}
    for act in acts:
        index = index_of(path, act.task.path) if act.task.path.startswith(f"{path}[") else None
        if index is None or act.task.action is not Action.UNDO or act.superseded or act.orphan:
            continue
        if world.ledger.has_succeeded(uid, act.task.path, act.task.round):
            rounds.setdefault(act.task.round, []).append(index)
    for undone in rounds.values():
        order = list(dict.fromkeys(undone))
        for earlier, later in pairwise(order):
            assert earlier > later, f"O2: elements of {path} are undone out of order: {order}"


def check_reversed(known: KnownRun, path: str, outcomes: OutcomePage) -> None:
    """O2: after a rollback whatever an element did is undone, or the map is listed."""
    header = known.state.header
    if header.phase is not RunPhase.FAILED:
        return
    left = [index for index, one in outcomes.items() if one.kept is not None]
    stands = known.state.step(path).phase in {StepPhase.IGNORED, StepPhase.SKIPPED}
    listed = [failure.kind for failure in header.rollback_failures if failure.step == path]
    assert not left or stands or listed, f"O2: elements {left} of {path} stand, and nobody was told"
    state = known.state.step(path).map
    assert state is not None
    late = FailureKind.TIMEOUT in listed  # of the whole rollback: then nothing more was begun
    tried = stands or late or len(left) <= state.unreversed
    assert tried, f"O2: elements {left} of {path} stand, and only {state.unreversed} could not be reversed"


async def check_documents(world: World, known: KnownRun, outcomes: Mapping[str, OutcomePage]) -> None:
    """O4: of what belongs to elements only that is stored which something refers to, and all of that is."""
    uid, name = known.definition.run.uid, known.definition.run.name
    there = world.ledger.documents.named.get(uid, set())
    stored = await world.shared.get_values(uid, frozenset(there))
    assert stored.keys() == there, f"O4: {name}: {there - stored.keys()} are gone, and were not dropped"
    needed = set(names_of_saga(known.state.header, known.state.steps.values()))
    for page in outcomes.values():
        needed |= await _names_in(world, known, page)
    gone = needed - there
    assert not gone, f"O4: {name}: {gone} are referred to, and were dropped"
    begun_once = all(step.round == 1 for step in known.state.steps.values())
    if begun_once:  # else what was told in earlier rounds of a map is there too
        allowed = needed | {one for one in there if not _is_inside_map(known, one)}
        for told in sorted(world.ledger.documents.pages.get(uid, ())):
            if told.startswith("outcome/"):
                path, _, rest = told.removeprefix("outcome/").rpartition("/")[0].rpartition("/")
                allowed |= await _names_in(world, known, await stored_outcomes(world, known, path, int(rest)))
        assert there <= allowed, f"O4: {name}: nothing refers to {sorted(there - allowed)}"
        begun = {path for path, step in known.state.steps.items() if step.map is not None}
        pages = {one for one in world.ledger.documents.pages.get(uid, ()) if one.startswith("source/")}
        left = {one for one in pages if one.split("/")[1].partition("[")[0] in begun}
        assert not left, f"O4: {name}: pages of elements are left: {left}"


async def _names_in(world: World, known: KnownRun, page: OutcomePage) -> set[str]:
    """Return the documents that outcomes refer to, and those of maps in elements that are kept."""
    names: set[str] = set()
    for outcome in page.values():
        names |= names_of_outcome(outcome)
        if outcome.kept is not None:
            names |= names_of_saga(outcome.kept.header, outcome.kept.steps.values())
            for path, step in _maps_in(outcome.kept):
                names |= await _names_in(world, known, await stored_outcomes(world, known, path, step.round))
    return names


def _maps_in(saga: RunState) -> Iterator[tuple[str, StepState]]:
    return ((path, step) for path, step in saga.steps.items() if step.map is not None)


def _is_inside_map(known: KnownRun, name: str) -> bool:
    return owner_of(known.plan, name.removeprefix("encrypted-").removeprefix("@")) is not None


def lost_elements(world: World, known: KnownRun, path: str) -> frozenset[int]:
    """Return the elements of a map of which a launch was lost, and another one acted."""
    uid = known.definition.run.uid
    inside = [act.task for act in world.ledger.acts if act.run == uid and act.task.path.startswith(f"{path}[")]
    words = {task.path.removeprefix(f"{path}[").partition("]")[0] for task in inside if task.launch > 1}
    return frozenset(int(word) for word in words if word.isdecimal())


def compare_outcomes(what: str, noisy: OutcomePage, calm: OutcomePage, lost: frozenset[int]) -> bool:
    """O3: elements end as they do when nothing goes wrong. Return whether some stand that then have nothing to undo.

    A skip after a loss is no skip: the lost launch may have acted, and is cleaned up after, which may fail.
    """
    assert noisy.keys() == calm.keys(), f"O3: {what}: {sorted(noisy.keys() ^ calm.keys())} are begun in one world only"
    nothing_to_undo = {index for index, one in calm.items() if one.phase in _DONE and one.kept is None}
    excused = nothing_to_undo & lost
    for index, one in noisy.items():
        phase = calm[index].phase
        also = index in excused and phase is ElementPhase.SUCCEEDED and one.phase is ElementPhase.UNDONE
        assert also or one.phase is phase, f"O3: {what}: element {index} is {one.phase}, {phase} without faults"
    left = {index for index, one in noisy.items() if one.kept is not None and calm[index].kept is None}
    return bool(left) and left <= excused
