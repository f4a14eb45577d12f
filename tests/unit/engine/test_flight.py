"""What is in flight of a map: how much it is, and which elements are to be looked at, and when."""

import pytest

from reactor_operator.engine.flight import Flight, between_cleanups, load_of, retries_cleanup, wakes_at
from reactor_operator.engine.state import Goal, Header, RunState, Stage, StepPhase, StepState, Timer

RETRYING_UNDO = StepState(phase=StepPhase.UNDOING, timer=Timer.RETRY, due_at=5)


def due(*times: int, **header: object) -> RunState:
    return RunState(header=Header(**header), due={f"s{place}": at for place, at in enumerate(times)})  # type: ignore[arg-type]


def flying(*elements: RunState) -> Flight:
    return Flight.of({f"rows[{index}]": one for index, one in enumerate(elements)})


def test_elements_fly_in_the_order_in_which_they_were_begun() -> None:
    flight = flying(RunState(active=("a",)), RunState())
    assert (list(flight), len(flight), flight["rows[0]"].active) == (["rows[0]", "rows[1]"], 2, ("a",))
    assert "rows[1]" in flight
    assert "rows[2]" not in flight
    assert flight == {"rows[0]": RunState(active=("a",)), "rows[1]": RunState()}
    assert repr(flying()) == "Flight({})"
    assert Flight.of(flight) is flight


def test_another_one_that_is_changed_leaves_the_first_as_it_was() -> None:
    busy = RunState(header=Header(suspended=True, stage=Stage.HOLDING), active=("a",), ready=("b",), due={"a": 5})
    flight = flying(busy)
    other = flight.copy()
    assert (other.load, other.suspended, list(other.waiting), list(other.troubled)) == (
        1,
        1,
        ["rows[0]"],
        ["rows[0]"],
    )
    assert (other, other.due(5)) == (flight, ["rows[0]"])
    other.remove("rows[0]")
    assert (len(other), other.load, other.suspended, other.waiting, other.troubled) == (0, 0, 0, {}, {})
    assert (other.due(5), other.wakes_at(0)) == ([], None)
    assert (len(flight), flight.load, flight.suspended, flight.due(5)) == (1, 1, 1, ["rows[0]"])
    assert (list(flight.waiting), list(flight.troubled)) == (["rows[0]"], ["rows[0]"])


def test_an_element_that_takes_the_place_of_what_it_was_is_counted_once() -> None:
    flight = flying(
        RunState(header=Header(suspended=True, stage=Stage.REVERTING), active=("a", "b"), ready=("c",), due={"a": 5}),
        RunState(active=("a",)),
    )
    assert (flight.load, flight.suspended) == (3, 1)
    flight.put("rows[0]", RunState(active=("a",)))
    assert (flight.load, flight.suspended, flight.waiting, flight.troubled) == (2, 0, {}, {})
    assert (flight.wakes_at(0), list(flight)) == (None, ["rows[0]", "rows[1]"])


@pytest.mark.parametrize(
    ("element", "load"),
    [
        (RunState(), 0),
        (RunState(active=("a", "b"), evaluating=frozenset({"c"})), 3),
        (RunState(active=("rows[0]/lines",), elements={"rows[0]/lines": {}}), 0),
        (RunState(active=("m", "x"), elements={"m": {"m[0]": RunState(active=("a", "b"))}}), 3),
        (RunState(active=("m", "n"), elements={"m": {"m[0]": RunState(active=("a",))}, "n": {}}), 1),
    ],
)
def test_the_load_of_an_element_is_that_of_its_tasks_at_whatever_depth(element: RunState, load: int) -> None:
    assert load_of(element) == load
    assert flying(element).load == load


@pytest.mark.parametrize(
    ("element", "waits"),
    [
        (RunState(), False),
        (RunState(active=("a",)), False),
        (RunState(ready=("a",)), True),
        (RunState(ready=("a",), evaluating=frozenset({"a"})), False),
        (RunState(active=("m",), elements={"m": {}}), True),
        (RunState(header=Header(stage=Stage.REVERTING)), True),
        (RunState(header=Header(stage=Stage.HOLDING)), True),
        (RunState(header=Header(stage=Stage.DRAINING)), False),
        (RunState(header=Header(stage=Stage.REVERTING), steps={"a": RETRYING_UNDO}, active=("a",)), False),
    ],
)
def test_elements_that_may_wait_for_room_are_known(element: RunState, waits: bool) -> None:
    assert list(flying(element).waiting) == (["rows[0]"] if waits else [])


def test_elements_that_do_not_go_forward_are_known() -> None:
    stages = [Stage.FORWARD, Stage.HOLDING, Stage.DRAINING, Stage.REVERTING]
    flight = flying(*(RunState(header=Header(stage=stage)) for stage in stages))
    assert list(flight.troubled) == ["rows[1]", "rows[2]", "rows[3]"]


def test_elements_that_something_is_due_in_are_told_in_their_order() -> None:
    flight = flying(due(7, 3), due(9), due(), due(2), due(1, stage=Stage.OVER))
    assert [flight.due(now) for now in (1, 2, 3, 8, 9)] == [
        [],
        ["rows[3]"],
        ["rows[0]", "rows[3]"],
        ["rows[0]", "rows[3]"],
        ["rows[0]", "rows[1]", "rows[3]"],
    ]
    assert [flight.wakes_at(now) for now in (0, 1)] == [2, 2]


def test_a_deadline_of_a_reversal_wakes_once_and_is_noticed_late_too() -> None:
    flight = flying(due(rollback_deadline=5), due(rollback_deadline=8), due(12))
    assert [flight.wakes_at(now) for now in (0, 4, 5, 7, 8, 11)] == [5, 5, 8, 8, 12, 12]
    assert [flight.due(now) for now in (4, 5, 6)] == [[], ["rows[0]"], ["rows[0]"]]
    assert flying(due(rollback_deadline=5)).wakes_at(5) is None


def test_what_is_due_now_is_due_still_when_it_is_looked_at_again() -> None:
    flight = flying(due(5), due(9))
    assert (flight.wakes_at(5), flight.wakes_at(6)) == (5, 5)


@pytest.mark.parametrize(
    ("element", "at"),
    [
        (due(), None),
        (due(7, 3), 3),
        (due(7, stage=Stage.OVER), None),
        (due(7, rollback_deadline=4), 4),
        (due(7, rollback_deadline=2), 7),
        (due(7, rollback_deadline=1), 7),
        (RunState(active=("m",), elements={"m": {"m[0]": due(6), "m[1]": due(4)}}, due={"m": 9}), 4),
        (RunState(active=("m", "n"), elements={"m": {}, "n": {"n[0]": due(6)}}), 6),
    ],
)
def test_an_element_is_looked_at_when_the_first_of_its_times_has_come(element: RunState, at: int | None) -> None:
    assert wakes_at(element, 2) == at


def test_a_cleanup_is_not_attempted_again_while_its_run_holds_still() -> None:
    steps = {"a": RETRYING_UNDO, "b": StepState(phase=StepPhase.RETRYING, timer=Timer.RETRY, due_at=8)}
    held = RunState(header=Header(suspended=True, stage=Stage.REVERTING), steps=steps, due={"a": 5, "b": 8})
    assert wakes_at(held, 0) == 8
    undone = RunState(header=Header(suspended=True, goal=Goal.UNDO), steps=steps, due={"a": 5, "b": 8})
    assert wakes_at(undone, 0) == 5
    assert flying(held).due(6) == []


@pytest.mark.parametrize(
    ("step", "retries"),
    [
        (RETRYING_UNDO, True),
        (StepState(phase=StepPhase.COMPENSATING, timer=Timer.RETRY), True),
        (StepState(phase=StepPhase.UNDOING, timer=Timer.TIMEOUT), False),
        (StepState(phase=StepPhase.RETRYING, timer=Timer.RETRY), False),
    ],
)
def test_a_cleanup_that_waits_for_its_next_attempt_is_told_from_a_step_that_does(
    step: StepState, retries: bool
) -> None:
    assert retries_cleanup(step) is retries


def test_between_cleanups_nothing_is_reversed_that_would_be_waited_for() -> None:
    steps = {"a": StepState(phase=StepPhase.RUNNING), "b": RETRYING_UNDO}
    reverting = Header(stage=Stage.REVERTING)
    assert between_cleanups(reverting, steps.__getitem__, ["a"])
    assert not between_cleanups(reverting, steps.__getitem__, ["a", "b"])
    assert not between_cleanups(Header(), steps.__getitem__, [])
