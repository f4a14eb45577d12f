"""Times of runs: in order, one each, and no memory of those that were replaced."""

from reactor_operator.changes.timetable import Timetable
from reactor_operator.ports import RunRef

A, B = RunRef("shop", "a", "uid-a"), RunRef("shop", "b", "uid-b")


def test_runs_are_due_in_the_order_of_their_times_and_once() -> None:
    times: Timetable[RunRef] = Timetable()
    times.put(A, 20)
    times.put(B, 10)
    assert times.take_due(9) == []
    assert times.seconds_to_next(9, 30.0) == 0.001
    assert times.take_due(20) == [B, A]
    assert times.take_due(20) == []
    assert times.seconds_to_next(20, 30.0) == 30.0


def test_the_last_time_counts() -> None:
    times: Timetable[RunRef] = Timetable()
    for at in (10, 30, 20):
        times.put(A, at)
    assert times.take_due(19) == []
    assert times.take_due(20) == [A]
    assert not times


def test_a_run_that_was_dropped_is_not_due() -> None:
    times: Timetable[RunRef] = Timetable()
    times.put(A, 10)
    times.drop(A)
    assert times.take_due(10) == []
    assert times.at(A) is None


def test_a_run_that_is_timed_again_and_again_takes_no_more_room() -> None:
    times: Timetable[RunRef] = Timetable()
    for _ in range(10_000):
        times.drop(A)
        times.put(A, 10**12)
    assert len(times) == 1
    assert len(times._heap) < 100
    assert times.take_due(10**12) == [A]


def test_of_two_that_are_due_at_once_and_have_no_uid_the_first_is_first() -> None:
    """Signals are looked at by the name of their run, whose uid is not known."""
    times: Timetable[RunRef] = Timetable()
    named = [RunRef("shop", name, "") for name in ("b", "a", "c")]
    for ref in named:
        times.put(ref, 10)
    assert times.take_due(10) == named
