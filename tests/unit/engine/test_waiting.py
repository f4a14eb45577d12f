"""When an element waits for room: it, or a map inside it, would begin something if more tasks might be in flight."""

from dataclasses import replace

import pytest

from reactor_operator.engine.draft import Draft
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.plan import MapPlan
from reactor_operator.engine.state import (
    Goal,
    Header,
    MapState,
    RunState,
    SourcePage,
    Stage,
    StepPhase,
    StepState,
    Timer,
)
from reactor_operator.engine.waiting import waits_for_room
from tests.unit.engine.driver import DONE_ONCE, failure, mapped, plan_of, step

PLAN = plan_of(step("x"), step("y", compensate=DONE_ONCE))
STEPS_OF = mapped("lines", step("x"), page=DONE_ONCE)


def around(how: MapPlan, progress: MapState, *keys: str, phase: StepPhase = StepPhase.RUNNING) -> bool:
    """Whether an element waits in which all there is is this map, with so much in flight that waits for nothing."""
    plan = plan_of(replace(STEPS_OF, map=how))
    busy = RunState(active=("x",))
    state = RunState(
        steps={"lines": StepState(phase=phase, map=progress)},
        elements={"lines": {f"lines[{key}]": busy for key in keys}},
        active=("lines",),
    )
    assert waits_for_room(plan, Draft(plan, state, 0)) is waits_for_room(plan, state)
    return waits_for_room(plan, state)


def lines(**how: object) -> MapPlan:
    assert STEPS_OF.map is not None
    return replace(STEPS_OF.map, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (RunState(), False),
        (RunState(ready=("x",)), True),
        (RunState(ready=("x",), evaluating=frozenset({"x"})), False),
        (RunState(ready=("x", "y"), evaluating=frozenset({"x"})), True),
        (RunState(ready=("x",), header=Header(suspended=True)), False),
        (RunState(ready=("x",), header=Header(suspended=True, goal=Goal.CANCEL)), True),
        (RunState(header=Header(stage=Stage.REVERTING)), True),
        (RunState(header=Header(stage=Stage.HOLDING)), True),
        (RunState(header=Header(stage=Stage.DRAINING)), False),
    ],
)
def test_a_step_that_is_ready_or_a_reversal_between_two_cleanups_waits(state: RunState, waits: bool) -> None:
    assert waits_for_room(PLAN, state) is waits


def test_a_cleanup_in_flight_is_waited_for() -> None:
    steps = {"y": StepState(phase=StepPhase.COMPENSATING), "x": StepState(phase=StepPhase.RUNNING)}
    header = Header(stage=Stage.HOLDING)
    assert not waits_for_room(PLAN, RunState(header=header, steps=steps, active=("x", "y")))
    assert waits_for_room(PLAN, RunState(header=header, steps=steps, active=("x",)))


@pytest.mark.parametrize(
    ("progress", "keys", "waits"),
    [
        (MapState(total=5, known=3, opened=3, exhausted=True), "", True),
        (MapState(total=5, known=5, opened=5, exhausted=True), "", False),
        (MapState(total=5, known=5, opened=4, exhausted=True, failure=failure(FailureKind.ERROR)), "", False),
        (MapState(total=5, known=5, opened=4, exhausted=True), "0", True),
        (MapState(total=5, known=5, opened=4, exhausted=True), "01", False),
    ],
)
def test_a_map_waits_that_has_elements_left_and_a_place_in_its_window(
    progress: MapState, keys: str, waits: bool
) -> None:
    assert around(lines(batch_size=2), progress, *keys) is waits


def test_what_is_no_element_takes_no_place_in_the_window() -> None:
    progress = MapState(known=5, opened=4, exhausted=True, fetched=1)
    assert around(lines(batch_size=1), progress, "page-1")
    assert not around(lines(batch_size=1), progress, "3")


@pytest.mark.parametrize(
    ("opened", "keys", "waits"), [(2, "", True), (2, "0", False), (3, "0", False), (1, "0", True), (4, "", True)]
)
def test_a_batch_waits_for_the_one_before(opened: int, keys: str, waits: bool) -> None:
    progress = MapState(total=9, known=9, opened=opened, batch_end=2, exhausted=True)
    assert around(lines(batch_size=2, barrier=True), progress, *keys) is waits


FIRST, SECOND = SourcePage(number=0, first=0, size=2, left=1), SourcePage(number=1, first=2, size=2, left=2)


@pytest.mark.parametrize(
    ("progress", "keys", "waits"),
    [
        (MapState(), (), True),
        (MapState(), ("page-0",), False),
        (MapState(known=2, opened=2, fetched=1, sources=(FIRST,)), ("1",), True),
        (MapState(known=2, opened=2, fetched=1, sources=(FIRST,)), ("1", "page-1"), False),
        (MapState(known=2, opened=2, fetched=1), ("1", "page-0"), True),
        (MapState(known=2, opened=2, fetched=1, sources=(FIRST,), exhausted=True), ("1",), False),
        (MapState(known=4, opened=2, fetched=2, sources=(FIRST, SECOND)), ("0", "1"), False),
        (MapState(known=4, opened=3, fetched=2, sources=(FIRST, SECOND)), ("0", "1"), True),
    ],
)
def test_a_map_waits_for_a_page_when_it_has_begun_the_last_one(
    progress: MapState, keys: tuple[str, ...], waits: bool
) -> None:
    assert around(lines(batch_size=2), progress, *keys) is waits


@pytest.mark.parametrize(
    ("below", "keys", "waits"),
    [(0, "", False), (1, "", True), (3, "345", True), (3, "3456", False), (3, "34567", False)],
)
def test_a_map_that_is_reversed_waits_while_its_window_has_a_place(below: int, keys: str, waits: bool) -> None:
    how = lines(undo_window=2, chunk=2)
    progress = MapState(total=9, known=9, opened=9, below=below, exhausted=True)
    for phase in (StepPhase.UNDOING, StepPhase.COMPENSATING):
        assert around(how, progress, *keys, phase=phase) is waits


def test_an_element_of_a_map_inside_that_waits_makes_the_one_around_it_wait() -> None:
    plan = plan_of(replace(STEPS_OF, map=lines(batch_size=1)))
    full = StepState(phase=StepPhase.RUNNING, map=MapState(total=1, known=1, opened=1, exhausted=True))
    for inner, waits in (
        (RunState(active=("lines[0]",)), False),
        (RunState(ready=("lines[0]",)), True),
        (RunState(header=Header(suspended=True), ready=("lines[0]",)), False),
    ):
        state = RunState(steps={"lines": full}, elements={"lines": {"lines[0]": inner}}, active=("lines",))
        assert waits_for_room(plan, state) is waits
        assert waits_for_room(plan, Draft(plan, state, 0)) is waits


def test_what_an_element_has_become_in_this_decision_counts() -> None:
    plan = plan_of(replace(STEPS_OF, map=lines(batch_size=1)))
    full = StepState(phase=StepPhase.RUNNING, map=MapState(total=1, known=1, opened=1, exhausted=True))
    flight = {"lines": {"lines[0]": RunState(ready=("lines[0]",))}}
    draft = Draft(plan, RunState(steps={"lines": full}, elements=flight, active=("lines",)), 0)
    assert waits_for_room(plan, draft)
    mapping = plan.steps["lines"].map
    assert mapping is not None
    draft.open("lines", "lines[0]", mapping.element).ready = ()
    assert not waits_for_room(plan, draft)


def test_a_step_that_waits_to_be_attempted_again_is_in_flight() -> None:
    retrying = StepState(phase=StepPhase.UNDOING, timer=Timer.RETRY, due_at=5)
    assert not waits_for_room(
        PLAN, RunState(header=Header(stage=Stage.REVERTING), steps={"y": retrying}, active=("y",))
    )
