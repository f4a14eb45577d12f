"""Interrupts under a clock that steps back and forth: no deadline moves, and what a commit knew of the time stays.

A model of a few lines tells what must come of each thing that happens; `REACTOR_EXAMPLES` says how often it is tried.
"""

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import StepPhase
from tests.unit.engine.driver import MINUTE, Run, interrupt, step, value

TIMEOUT_MS = 10 * MINUTE
CLOSED_LATE = "interrupt a is closed: no signal came in time"
jumps = st.one_of(
    st.integers(-60 * MINUTE, 60 * MINUTE), st.sampled_from([0, 1, -1, TIMEOUT_MS, -TIMEOUT_MS, TIMEOUT_MS - 1])
)
happenings = st.lists(st.tuples(st.sampled_from(["tick", "resume", "resume and tick"]), jumps), min_size=1, max_size=12)


@settings(max_examples=5 * int(os.environ.get("REACTOR_EXAMPLES", "60")), deadline=None)
@given(active=st.booleans(), happened=happenings)
@example(active=True, happened=[("tick", -60 * MINUTE), ("tick", 60 * MINUTE + TIMEOUT_MS - 1), ("tick", 1)])
@example(active=False, happened=[("tick", 60 * MINUTE), ("tick", -120 * MINUTE), ("resume", 0)])
@example(active=True, happened=[("resume and tick", TIMEOUT_MS - 1)])
def test_a_wait_ends_at_its_deadline_or_by_a_resume_before_it_however_the_clock_steps(
    active: bool, happened: list[tuple[str, int]]
) -> None:
    run = Run(interrupt("a", timeout_ms=TIMEOUT_MS, active=active), step("b", ["a"])).start()
    committed = run.now
    deadline = committed + TIMEOUT_MS
    phase = StepPhase.WAITING
    for number, (what, jump) in enumerate(happened):
        run.now += jump
        events: list[ev.Event] = []
        if what.startswith("resume"):
            events.append(ev.ResumeRequested(id=f"r{number}", step="a", payload=value("yes")))
        if what.endswith("tick"):
            events.append(ev.TimePassed())
        run.feed(*events)
        late = max(committed, run.now) >= deadline
        taken = what != "tick" and phase is StepPhase.WAITING and not late
        if taken:
            phase = StepPhase.SUCCEEDED
        elif phase is StepPhase.WAITING and late and (active or what != "tick"):
            if what == "resume":
                assert run.answer == (False, CLOSED_LATE)
            phase = StepPhase.FAILED
        assert run.at("a") is phase
        if what != "tick":
            assert run.answer[0] is taken
            committed = max(committed, run.now)
        waits = run.step("a").interrupt
        assert waits is not None
        assert waits.expires_at == deadline
        assert run.header.now >= committed
        if phase is StepPhase.WAITING:
            assert run.last.wake_at == (deadline if active else None)
    assert phase is not StepPhase.FAILED or run.why("a").kind is FailureKind.TIMEOUT
    assert list(run.open) == (["b"] if phase is StepPhase.SUCCEEDED else [])
