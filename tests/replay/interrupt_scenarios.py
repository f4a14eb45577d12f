"""Scenarios of interrupts: people resume them, refuse to, or come too late.

In: nothing. Out: `SCENARIOS` by name, as in `scenarios`. Never here: anything else that a run goes through.
"""

from functools import partial

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.replay.recorded_run import RecordedRun
from tests.replay.scenario import UNDO, Scenario, listed_in, step
from tests.unit.engine.driver import MINUTE, SECOND, elements, value

SCENARIOS: dict[str, Scenario] = {}
scenario = partial(listed_in, SCENARIOS)
SCHEMA = {"type": "object", "required": ["approved"], "properties": {"approved": {"type": "boolean"}}}


@scenario(
    "A run waits for a person: a payload is tried, one is refused, one is taken, and what comes after that is refused.",
    step("reserve", **UNDO),
    step(
        "approve",
        "reserve",
        interrupt={"correlationId": "'order-7'", "payloadSchema": SCHEMA, "maxAttempts": 3, "approvers": True},
    ),
    step("ship", "approve"),
)
def interrupt_resumed(run: RecordedRun) -> None:
    run.opens("approve", correlation="order-7").start().succeeds("reserve", "reserved")
    assert run.phase is RunPhase.PAUSED
    run.later(MINUTE).is_resumed("approve", request="nobody")
    run.bad["wrong"] = ("payload.approved: found none, expected a boolean",)
    run.is_resumed("approve", request="trial", approved=True, dry_run=True)
    run.is_resumed("approve", "{}", request="wrong", approved=True)
    run.later(SECOND).is_resumed("approve", "yes", request="right", approved=True)
    run.is_resumed("approve", "no", request="late", approved=True)
    run.is_resumed("approve", "yes", request="right", approved=True)
    run.succeeds("ship", "shipped")
    assert (run.phase, run.step("approve").result) == (RunPhase.SUCCEEDED, value("yes"))
    assert [one.accepted for one in run.header.signals] == [False, True, False, True, False]


@scenario(
    "Nobody comes in time: one interrupt ends with a value, one is found closed, and the run is rolled back; retried,"
    " it asks again.",
    step("reserve", **UNDO),
    step(
        "wait",
        "reserve",
        interrupt={"timeout": "1m", "strategy": "active", "onTimeout": {"action": "Continue", "value": "later"}},
    ),
    step("approve", "wait", interrupt={"timeout": "1m"}),
)
def interrupt_timeouts(run: RecordedRun) -> None:
    run.opens("wait", otherwise="later").start().succeeds("reserve", "reserved").wakes()
    assert run.step("wait").result == value("later")
    run.later(2 * MINUTE).is_resumed("approve", request="late")
    assert (run.why("approve").kind, run.answer[0]) == (FailureKind.TIMEOUT, False)
    run.succeeds("reserve")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)
    run.is_retried().succeeds("reserve", "reserved again")
    run.wakes().is_resumed("approve", "yes", request="in-time")
    assert (run.phase, run.step("approve").round) == (RunPhase.SUCCEEDED, 2)


@scenario(
    "Elements of a map wait, each for a payload of its own; a cancel closes those that are left.",
    step(
        "rows",
        arguments={"row": {"element": "rows"}},
        map={
            "source": {"input": "rows"},
            "batchSize": 2,
            "steps": [step("ask", interrupt={}), step("book", "ask", **UNDO)],
        },
    ),
    step("approve", interrupt={"payloadSchema": SCHEMA, "mode": "strict"}),
)
def interrupts_in_a_map(run: RecordedRun) -> None:
    run.start(rows=elements(3))
    assert run.phase is RunPhase.PAUSED
    run.is_resumed("rows[1]/ask", request="one").gives("rows[1]/book").later(SECOND)
    run.is_resumed("rows[0]/ask", request="zero").is_resumed("rows[0]/ask", request="zero-again")
    run.bad["mild"] = ("payload: found text",)
    run.is_resumed("approve", request="mild", mild=True).is_suspended().is_resumed("rows[2]/ask", request="two")
    assert (run.phase, run.at("approve")) == (RunPhase.SUSPENDED, StepPhase.WAITING)
    run.is_cancelled().gives("rows[0]/book")
    assert (run.phase, run.at("approve")) == (RunPhase.CANCELLED, StepPhase.CANCELLED)
