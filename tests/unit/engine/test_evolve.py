"""`evolve` is `dataclasses.replace` for frozen slotted records, and leaves the one that came in alone."""

from dataclasses import FrozenInstanceError, replace

import pytest

from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.state import Header, StepPhase, StepState


def test_it_gives_what_replace_gives() -> None:
    step = StepState(attempt=3, reason="quota")
    changes = {"phase": StepPhase.RUNNING, "attempt": 4}
    assert evolve(step, changes) == replace(step, phase=StepPhase.RUNNING, attempt=4)
    assert evolve(Header(uid="u"), {"now": 5}) == Header(uid="u", now=5)


def test_what_came_in_stays_as_it_was_and_what_comes_out_is_frozen() -> None:
    step = StepState(attempt=3)
    made = evolve(step, {"attempt": 4})
    assert step.attempt == 3
    with pytest.raises(FrozenInstanceError):
        made.attempt = 5  # type: ignore[misc]


def test_a_field_that_does_not_exist_is_a_bug_that_is_told() -> None:
    with pytest.raises(KeyError, match="atempt"):
        evolve(StepState(), {"atempt": 1})
