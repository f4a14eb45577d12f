"""The collector waits while much is built, and works again afterwards, whatever happened."""

import gc

import pytest

from reactor_operator.api.building import MANY, building


def test_nothing_is_collected_while_something_is_built() -> None:
    with building():
        assert not gc.isenabled()
        with building():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_failure_while_building_leaves_the_collector_working() -> None:
    with pytest.raises(ValueError, match="broken"), building():
        raise ValueError("broken")
    assert gc.isenabled()


def test_whoever_did_without_it_still_does() -> None:
    gc.disable()
    try:
        with building():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_was_frozen_stays_frozen_however_much_is_built() -> None:
    gc.freeze()
    try:
        with building():
            built: list[list[int]] = [[] for _ in range(2 * MANY)]
        assert gc.get_freeze_count() > 0
        assert len(built) == 2 * MANY
    finally:
        gc.unfreeze()


def test_what_is_many_goes_to_the_oldest_generation() -> None:
    with building():
        built: list[list[int]] = [[] for _ in range(2 * MANY)]
    assert gc.get_freeze_count() == 0
    assert gc.get_count()[0] < MANY
    assert any(one is built for one in gc.get_objects(generation=2))
