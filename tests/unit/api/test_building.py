"""The collector waits while much is built, and works again afterwards, whatever happened."""

import gc

import pytest

from reactor_operator.api.building import building


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
