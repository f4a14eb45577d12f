"""What must hold of every map at every commit (DESIGN 5), told by nothing but what was committed.

In: every applied commit. Out: nothing, or an AssertionError that names the map and the rule.
Never here: what must hold in the end (`mapped_oracles.py`); a run of which state was lost.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reactor_operator.engine.elements import NOTHING, index_of, saga_of
from reactor_operator.engine.plan import MapPlan, Plan, StepKind
from reactor_operator.engine.state import (
    CLEANUP,
    ElementOutcome,
    ElementPhase,
    Header,
    MapState,
    OutcomePage,
    Stage,
    StepPhase,
    StepState,
)
from reactor_operator.reconciling.definition import RECORD, compile_definition, decode_definition
from reactor_operator.store.codec import decode_element, decode_header, decode_step
from reactor_operator.store.outcome_pages import decode_outcomes
from reactor_operator.store.port import Commit
from tests.simulation.coverage import Coverage, Seen

_STEP, _ELEMENT, _HOT, _COLD, _SOURCE = "step/", "element/", "outcomes/", "outcome/", "source/"


@dataclass(frozen=True, kw_only=True)
class Map:
    """One map as of one commit.

    flight:   indices of its elements in flight.   sides: the other tasks of it that are, of a page or of `collect`.
    troubled: those in flight that do not go forward.   outcomes: those of its round, wherever they are stored.
    sources:  the numbers of its pages of elements that are stored.
    """

    step: StepState
    plan: MapPlan
    flight: frozenset[int]
    sides: frozenset[str]
    troubled: frozenset[int]
    outcomes: Mapping[int, ElementOutcome]
    sources: frozenset[int]

    @property
    def state(self) -> MapState:
        """How far it has come."""
        assert self.step.map is not None
        return self.step.map

    def count(self, *phases: ElementPhase) -> int:
        """Return how many outcomes have one of the phases."""
        return sum(one.phase in phases for one in self.outcomes.values())


@dataclass
class _Run:
    """Of a run with maps: what its records say, of what maps need."""

    plan: Plan
    stage: Stage = Stage.FORWARD
    steps: dict[str, StepState] = field(default_factory=dict)
    elements: dict[str, tuple[Header, dict[str, StepState]]] = field(default_factory=dict)
    hot: dict[tuple[str, int], OutcomePage] = field(default_factory=dict)
    cold: dict[tuple[str, int, int], OutcomePage] = field(default_factory=dict)
    sources: set[tuple[str, int, int]] = field(default_factory=set)
    maps: dict[str, Map] = field(default_factory=dict)

    def take_over(self, commit: Commit) -> None:
        """Change what the commit changes."""
        for name, body in commit.records.items():
            if name == "header" and body is not None:
                self.stage = decode_header(body).stage
            elif name.startswith(_STEP) and body is not None:
                path = name.removeprefix(_STEP)
                if self.plan.steps[path].kind is StepKind.MAP:
                    self.steps[path] = decode_step(body)
            elif name.startswith(_ELEMENT):
                path = name.removeprefix(_ELEMENT)
                self.elements.pop(path, None)
                if body is not None:
                    self.elements[path] = decode_element(path, commit.run, body)
            elif name.startswith(_HOT):
                path, _, number = name.removeprefix(_HOT).rpartition("|")
                self.hot.pop((path, int(number)), None)
                if body is not None:
                    self.hot[path, int(number)] = decode_outcomes(path, int(number), commit.run, body)
        for name, body in commit.pages.items():
            if name.startswith(_COLD) and body is not None:
                path, round_, number = name.removeprefix(_COLD).rsplit("/", 2)
                self.cold[path, int(round_), int(number)] = decode_outcomes(path, int(number), commit.run, body)
            elif name.startswith(_SOURCE):
                path, round_, number = name.removeprefix(_SOURCE).rsplit("/", 2)
                change = self.sources.discard if body is None else self.sources.add
                change((path, int(round_), int(number)))

    def look(self) -> dict[str, Map]:
        """Return every map that was begun, but for those in elements that have ended."""
        return {path: self._map(path, step) for path, step in self._begun() if step.map is not None}

    def _begun(self) -> Iterator[tuple[str, StepState]]:
        yield from self.steps.items()
        for _, steps in self.elements.values():
            yield from steps.items()

    def _map(self, path: str, step: StepState) -> Map:
        inside = {key: one for key, one in self.elements.items() if key[: key.rfind("[")] == path}
        indices = {key: index_of(path, key) for key in inside}
        outcomes: dict[int, ElementOutcome] = {}
        for (of, round_, _), page in self.cold.items():
            if of == path and round_ == step.round:
                outcomes |= page
        for (of, _), page in self.hot.items():
            if of == path:
                outcomes |= page
        plan = saga_of(self.plan, NOTHING, path)[0].steps[path].map
        assert plan is not None
        return Map(
            step=step,
            plan=plan,
            flight=frozenset(index for index in indices.values() if index is not None),
            sides=frozenset(key for key, index in indices.items() if index is None),
            troubled=frozenset(
                index
                for key, (header, _) in inside.items()
                if (index := indices[key]) is not None and header.stage is not Stage.FORWARD
            ),
            outcomes=outcomes,
            sources=frozenset(one for of, round_, one in self.sources if of == path and round_ == step.round),
        )


@dataclass
class Moments:
    """The maps of all runs, from commit to commit."""

    coverage: Coverage
    _runs: dict[str, _Run] = field(default_factory=dict)

    def lose(self, run: str) -> None:
        """The store forgot something of a run: what was committed says nothing any more."""
        self._runs.pop(run, None)

    def committed(self, commit: Commit) -> None:
        """A commit was applied."""
        definition = commit.records.get(RECORD)
        if definition is not None:
            _, plan = compile_definition(decode_definition(definition), pending_timeout_ms=600_000, observed=False)
            if any(step.kind is StepKind.MAP for step in plan.steps.values()):
                self._runs[commit.run] = _Run(plan)
        run = self._runs.get(commit.run)
        if run is None:
            return
        stage, before = run.stage, run.maps
        run.take_over(commit)
        run.maps = run.look()
        for path, now in run.maps.items():
            what = f"{commit.run}: {path}"
            check_now(what, now)
            then = before.get(path)
            if then is not None and then.step.round == now.step.round:
                check_change(what, then, now, forward=may_begin(stage, run.stage))
                self._note(then, now)

    def _note(self, then: Map, now: Map) -> None:
        """Count what happens to maps, so that it is known to happen at all."""
        undone = now.state.undone > then.state.undone
        if undone and then.step.phase in CLEANUP:
            self.coverage.note(Seen.ELEMENT_REVERSED)
        if then.state.failure is None and now.state.failure is not None and not now.plan.fail_fast:
            self.coverage.note(Seen.TOO_MANY_FAILED)
        if now.count(ElementPhase.STOPPED) > then.count(ElementPhase.STOPPED):
            self.coverage.note(Seen.ELEMENT_STOPPED)
        if now.state.fetched > max(1, then.state.fetched) and now.flight:
            self.coverage.note(Seen.PAGE_AHEAD)


def may_begin(before: Stage, after: Stage) -> bool:
    """Tell whether a run went forward at some time between two commits: also where a failure was repaired meanwhile."""
    return Stage.FORWARD in {before, after} or (before is Stage.HOLDING and after is not Stage.HOLDING)


def check_now(what: str, now: Map) -> None:
    """Check what holds of a map at any time: nothing is lost, nothing twice, its window, its pages, its counters."""
    state, plan, phase = now.state, now.plan, now.step.phase
    ended, begun = set(now.outcomes), set(range(state.opened))
    if phase is StepPhase.RUNNING:
        assert not ended & now.flight, f"O2: {what}: {sorted(ended & now.flight)} have ended, and are in flight"
        assert ended | now.flight == begun, f"O2: {what}: {sorted(begun - ended - now.flight)} of {len(begun)} are lost"
        assert len(now.flight) <= plan.batch_size, f"O2: {what}: {len(now.flight)} elements, of {plan.batch_size}"
        if plan.barrier and now.flight:
            first = state.batch_end - plan.batch_size
            assert first <= min(now.flight), f"O2: {what}: {sorted(now.flight)} are of two batches"
        check_sources(what, now)
    else:
        assert ended == begun, f"O2: {what}: {len(begun)} were begun, {sorted(ended)} have an outcome"
        assert not now.sides, f"O2: {what} is {phase}, and has {sorted(now.sides)}"
        most = plan.undo_window * plan.chunk if phase in CLEANUP else 0
        assert len(now.flight) <= most, f"O2: {what} is {phase}: {sorted(now.flight)} are in flight, of {most}"
    counted = (state.succeeded, state.skipped, state.failed)
    succeeded = now.count(ElementPhase.SUCCEEDED, ElementPhase.UNDONE)
    told = (succeeded, now.count(ElementPhase.SKIPPED), now.count(ElementPhase.FAILED))
    assert counted == told, f"O2: {what} counts {counted}, its outcomes are {told}"
    kept = sum(one.kept is not None for one in now.outcomes.values()) + len(now.flight) * (phase in CLEANUP)
    assert state.kept == kept, f"O2: {what}: {state.kept} are said to be kept, {kept} are"
    if phase is StepPhase.SUCCEEDED and now.step.failure is None:
        assert state.failure is None, f"O2: {what} succeeded, though {state.failure}"
        assert state.exhausted, f"O2: {what} succeeded before its end"
        assert state.opened == state.total, f"O2: {what} succeeded with {state.opened} elements of {state.total}"
        assert not exceeds(now), f"O2: {what} succeeded, though {state.failed} elements failed"


def check_sources(what: str, now: Map) -> None:
    """Check the pages of elements of a map that goes on: those are there of which something is left to do, and at most
    one more. (A collection of this size is one page.)"""
    state = now.state
    for page in state.sources:
        left = sum(index not in now.outcomes for index in range(page.first, page.first + page.size))
        assert page.left == left > 0, f"O2: {what}: {left} elements of page {page.number} are left, not {page.left}"
    if now.plan.page is None:
        turned = {0} if state.known < (state.total or 0) else set()
    else:
        turned = set()
        ahead = [page.number for page in state.sources if page.first >= state.opened]
        fetching = [key for key in now.sides if "[page-" in key]
        assert len(ahead) + len(fetching) <= 1, f"O2: {what}: {ahead} are there, {fetching} are being fetched"
    needed = {page.number for page in state.sources} | turned
    assert now.sources == needed, f"O4: {what}: pages {sorted(now.sources)} are stored, {sorted(needed)} are needed"


def exceeds(now: Map) -> bool:
    """Tell whether more elements failed than may."""
    plan, state = now.plan, now.state
    if plan.fail_fast:
        return state.failed > 0
    if plan.max_failures is not None:
        return state.failed > plan.max_failures
    percent = plan.max_failures_percent
    return percent is not None and state.failed * 100 > percent * (state.total or 0)


def check_change(what: str, then: Map, now: Map, *, forward: bool) -> None:
    """Check what holds from one commit to the next: what was recorded stays, and what failed begins nothing."""
    begun = now.state.opened - then.state.opened
    assert begun >= 0, f"O2: {what} had begun {then.state.opened} elements, and has begun {now.state.opened}"
    if begun:
        assert forward, f"O2: {what} begins elements of a run that does not go forward"
        assert then.state.failure is None, f"O2: {what} has failed, and begins elements"
        assert now.state.failure is None, f"O2: {what} begins elements, and fails"
    if then.plan.fail_fast and begun:
        # an answer in the same pass, such as that a payload is refused, may turn the run after the elements began;
        # of each decision by itself tests/property holds it
        beside = then.troubled & now.troubled  # one in which a step is skipped meanwhile goes forward again
        assert not beside, (
            f"O2: {what} fails fast, and begins elements beside {sorted(beside)}, which do not go forward"
        )
        assert then.state.failed == now.state.failed == 0, f"O2: {what} fails fast, and begins elements after a failure"
    if now.sides - then.sides:
        assert then.state.failure is None, f"O2: {what} has failed, and begins {sorted(now.sides - then.sides)}"
    if now.step.phase in CLEANUP and then.step.phase in CLEANUP and now.plan.undo_window == 1:
        late = {index for index in now.flight - then.flight if index > min(then.flight, default=index)}
        assert not late, f"O2: {what}: {sorted(late)} are reversed after {sorted(then.flight)}"
    for index, before in then.outcomes.items():
        after = now.outcomes[index]
        undone = before.phase is ElementPhase.SUCCEEDED and after.phase is ElementPhase.UNDONE
        if undone:
            assert index in then.flight, f"O2: {what}: {index} is undone, and was not in flight"
            assert then.step.phase in CLEANUP, f"O2: {what}: {index} is undone while the map is {then.step.phase}"
        assert undone or before.phase is after.phase, f"O2: {what}: {index} was {before.phase}, and is {after.phase}"
        same = before.failure == after.failure or then.step.phase in CLEANUP
        assert same, f"O2: {what}: {index} failed with {before.failure}, and now with {after.failure}"
