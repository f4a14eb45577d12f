"""Rule 9: arguments that a retry brings reach the task that they are for, or the retry is refused."""

import pytest

from reactor_operator.engine.plan import StepKind
from tests.unit.engine.driver import Run, Written, attempts, cannot_be_evaluated, chain, compose, step, switch, value

OTHER = value("other")


def test_also_a_step_that_never_began_gets_them() -> None:
    run = Run(*chain("charge", "ship")).start().fails("charge").is_retried(step="ship", arguments=OTHER)
    assert run.answer == (True, "")
    assert run.succeeds("charge").order("ship").arguments == OTHER


def test_the_next_attempt_of_a_compose_gets_them_too() -> None:
    run = Run(compose("s", step("x"), step("y", ["x"]), run=attempts(2))).start().fails("s/x").wakes().fails("s/x")
    run.is_retried(step="s/x", arguments=OTHER).fails("s/x").wakes()
    assert (run.order("s/x").task.key, run.order("s/x").arguments) == ("s/x.run.4.1.1", OTHER)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (compose("s", step("x")), "compose"),
        (switch("s", step("[0]")), "switch"),
        (step("s", kind=StepKind.TRANSFORM), "transform"),
    ],
)
def test_they_are_refused_for_what_is_no_task(written: Written, kind: str) -> None:
    run = Run(written).start(s=cannot_be_evaluated)
    expected = f"step s is a {kind}, expected a task: only what a task is called with can be given"
    assert run.is_retried(step="s", arguments=OTHER).answer == (False, expected)
