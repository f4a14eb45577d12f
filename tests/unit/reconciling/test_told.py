"""What a status tells, whatever is in it."""

import pytest

from reactor_operator.engine.state import ENDED, RunPhase
from reactor_operator.ports import RunObject
from reactor_operator.reconciling.told import told_end, told_reactor, told_recovering, told_sequence, told_wait
from tests.unit.reconciling.conftest import REF


def run_with(status: dict[str, object]) -> RunObject:
    return RunObject(ref=REF, generation=1, created_at=7, spec={}, annotations={}, status=status)


@pytest.mark.parametrize("phase", RunPhase)
def test_the_phases_that_end_a_run_are_known_by_their_words(phase: RunPhase) -> None:
    assert told_end(run_with({"phase": phase.value})) is (phase in ENDED)


@pytest.mark.parametrize("odd", [None, 7, [], {}, [{}], {"sequence": []}, "x"])
def test_any_status_has_an_answer(odd: object) -> None:
    run = run_with(dict.fromkeys(("phase", "store", "conditions"), odd))
    assert not told_end(run)
    assert not told_recovering(run)
    assert (told_sequence(run), told_wait(run, 9), told_reactor(run)) == (0, 7, "")
