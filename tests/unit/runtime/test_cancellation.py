"""A task that is told to stop notices, whenever it is told."""

import threading

from reactor.context import Cancellation


def test_who_waits_is_woken() -> None:
    cancellation = Cancellation()
    threading.Timer(0.05, cancellation.set).start()
    assert cancellation.wait()


def test_a_word_that_wakes_nobody_is_noticed_all_the_same() -> None:
    cancellation = Cancellation()

    def signal_just_before_the_wait() -> None:
        cancellation._requested = True

    threading.Timer(0.05, signal_just_before_the_wait).start()
    assert cancellation.wait()


def test_the_wait_ends_in_time() -> None:
    assert not Cancellation().wait(0.01)
    assert not Cancellation().wait(0)
    assert not Cancellation().wait(-1)
