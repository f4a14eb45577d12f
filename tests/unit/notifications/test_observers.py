"""Observers, from an entry point that is really installed: told in order, and harmless whatever they do."""

import time
from pathlib import Path

import pytest

from reactor_operator.notifications.observers import QUEUED, Observers, observing
from reactor_operator.notifications.run_event import RunEvent, event_of
from tests.unit.notifications.installed import install, observed
from tests.unit.notifications.receiver import ABOUT, fact


def events(count: int) -> list[RunEvent]:
    return [event_of(ABOUT, fact(number)) for number in range(1, count + 1)]


def found_in(written: Path, **observers: str) -> Observers:
    install(written.parent / "site", **observers)
    return Observers.installed()


def test_an_observer_is_told_each_event_in_order(written: Path) -> None:
    found = found_in(written, writer="shop_watch:Writer")
    assert found.any
    found.tell(events(3))
    found.close(10)
    assert observed(written) == [["run.started", "order-1", "", n, f"uid-1.{n}"] for n in (1, 2, 3)]


def test_one_that_raises_is_logged_once_by_name_and_told_on(written: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = found_in(written, failing="shop_watch:Raiser", writer="shop_watch:Writer")
    found.tell(events(5))
    found.close(10)
    assert len(observed(written)) == 5
    (said,) = caplog.messages
    assert said.startswith("observer failing failed; ")
    assert said.endswith("RuntimeError: no disk")


def test_one_that_wants_to_end_the_process_does_not(written: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = found_in(written, leaver="shop_watch:Leaver")
    found.tell(events(2))
    found.close(10)
    assert [said.endswith("SystemExit: 3") for said in caplog.messages] == [True]


def test_one_that_hangs_costs_nobody_anything_and_misses_what_is_too_much(
    written: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = found_in(written, hanging="shop_watch:Hanger")
    begun = time.monotonic()
    found.tell(events(3 * QUEUED))
    found.close(0.05)
    assert time.monotonic() - begun < 5
    assert caplog.messages == [f"observer hanging is too slow, so events are dropped: more than {QUEUED} wait"]


@pytest.mark.parametrize("target", ["shop_watch:broken", "shop_watch:missing", "no_such_module:Writer"])
def test_one_that_cannot_be_loaded_is_logged_and_left_out(
    written: Path, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    found = found_in(written, bad=target, writer="shop_watch:Writer")
    found.tell(events(2))
    found.close(10)
    assert [said.startswith("observer bad cannot be loaded: ") for said in caplog.messages] == [True]
    assert len(observed(written)) == 2


async def test_without_observers_there_is_no_thread_and_nobody_wants_to_know(written: Path) -> None:
    async with observing() as found:
        assert not found.any
        found.tell(events(1))
