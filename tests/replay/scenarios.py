"""The scenarios that are recorded: a reactor, and what happens to a run of it.

In: nothing. Out: `SCENARIOS` by name, each of which plays one `RecordedRun` to its end and says how it ended.
Each covers one part of what a run can go through; another part is another scenario: a changed one is a changed history.
Never here: maps (see `map_scenarios`).
"""

from functools import partial

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Certainty, FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.replay.recorded_run import RecordedRun
from tests.replay.scenario import COMPENSATE, UNDO, Scenario, container, listed_in, python, step
from tests.unit.engine.driver import MINUTE, SECOND, chooses, failure, value

SCENARIOS: dict[str, Scenario] = {}
scenario = partial(listed_in, SCENARIOS)


@scenario(
    "Three steps, two of them at once, and a value; everything succeeds.",
    step("reserve", **UNDO),
    step("charge", **UNDO),
    step("total", "charge", transform={"value": 42}),
    step("ship", "reserve", "total"),
    returns={"result": "ship"},
    timeout="1h",
)
def success(run: RecordedRun) -> None:
    run.start().begins("reserve").begins("charge").later(SECOND)
    run.succeeds("charge", "paid").later(SECOND).succeeds("reserve", "reserved")
    run.begins("ship").uploads("ship", value("shipped")).later(SECOND).succeeds("ship", uploaded=True)
    assert run.phase is RunPhase.SUCCEEDED


@scenario(
    "The last step fails: it is compensated, and the steps before it are undone, newest first.",
    step("reserve", **UNDO),
    step("charge", "reserve", **UNDO),
    step("ship", "charge", **COMPENSATE, **UNDO),
)
def failure_and_rollback(run: RecordedRun) -> None:
    run.start().begins("reserve").succeeds("reserve", "reserved").begins("charge").later(SECOND)
    run.succeeds("charge", "paid").begins("ship").later(SECOND)
    run.fails("ship", message="no courier", exception="NoCourier", file="shop.py", line=7, detail=value("detail"))
    run.begins("ship").succeeds("ship").later(SECOND).succeeds("charge").succeeds("reserve")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


@scenario(
    "An undo fails until no attempt is left, and is repeated when a person asks for it.",
    step("reserve", undo={**python("release"), "retries": {"maxAttempts": 2, "jitterPercent": 0}}),
    step("ship", "reserve"),
)
def rollback_incomplete(run: RecordedRun) -> None:
    run.start().succeeds("reserve", "reserved").fails("ship")
    run.fails("reserve", message="away").wakes().fails("reserve", message="still away")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.INCOMPLETE)
    run.is_retried("too-early")
    assert not run.answer[0]
    run.later(MINUTE).is_to_be_undone().succeeds("reserve")
    assert (run.phase, run.rollback) == (RunPhase.UNDONE, RollbackState.COMPLETE)


@scenario(
    "A step fails twice and waits longer each time; a pod that found no place and one that was lost are replaced.",
    step(
        "ship",
        retries={"maxAttempts": 3, "backoff": "exponential", "baseDelay": "1s"},
        retryOn=["Error"],
        timeout="30s",
    ),
)
def retries_and_a_lost_pod(run: RecordedRun) -> None:
    run.start().begins("ship").fails("ship").wakes().fails("ship").wakes()
    run.waits("ship", "Unschedulable: no node").later(SECOND).waits("ship", "").begins("ship").later(SECOND)
    run.is_lost("ship").is_lost("ship", may_have_started=False).wakes()
    run.begins("ship").succeeds("ship", "shipped")
    assert (run.phase, run.step("ship").losses) == (RunPhase.SUCCEEDED, 1)


@scenario(
    "A launch runs into its timeout, a pod waits too long for a place; what may have acted is reversed or listed.",
    step("reserve", **UNDO),
    step("charge", run=container("charge"), **UNDO),
    step("ship", run=container("ship"), timeout="10s"),
    onFailure="terminate",
)
def uncertain_steps(run: RecordedRun) -> None:
    run.start().begins("ship").waits("reserve", "ImagePullBackOff: shop:1").wakes()
    assert run.order("charge").uncertain
    run.succeeds("charge")
    assert (run.phase, run.unreversed) == (RunPhase.FAILED, [("ship", FailureKind.UNCERTAIN)])


@scenario(
    "A compensate repairs its step: it counts as succeeded, and the run goes on with the value it gave.",
    step("reserve", **COMPENSATE),
    step("ship", "reserve"),
)
def compensate_continues(run: RecordedRun) -> None:
    run.start().begins("reserve").fails("reserve").begins("reserve").continues("reserve", "repaired").succeeds("ship")
    assert (run.phase, run.step("reserve").result) == (RunPhase.SUCCEEDED, value("repaired"))


@scenario(
    "A compose keeps a failure to itself: what is inside is undone, then it is attempted again.",
    step("reserve", **UNDO),
    step(
        "ship",
        "reserve",
        compose={"steps": [step("pack", **UNDO), step("book", "pack")]},
        retries={"maxAttempts": 2, "jitterPercent": 0},
        **COMPENSATE,
    ),
    step("tell", "ship"),
)
def compose_attempted_again(run: RecordedRun) -> None:
    run.start().succeeds("reserve", "reserved").begins("ship/pack").succeeds("ship/pack", "packed")
    run.begins("ship/book").fails("ship/book").succeeds("ship/pack").wakes()
    assert run.launches[-1] == "ship/pack.run.2.1.1"
    run.succeeds("ship/pack", "packed again").succeeds("ship/book", "booked").succeeds("tell")
    assert run.phase is RunPhase.SUCCEEDED


@scenario(
    "A compose that fails for good is compensated and passed over, with the value of its onError.",
    step(
        "ship",
        compose={"steps": [step("pack", **UNDO), step("book", "pack")]},
        onError={"action": "Continue", "value": "later"},
        **COMPENSATE,
    ),
    step("tell", "ship"),
)
def compose_passed_over(run: RecordedRun) -> None:
    run.start().succeeds("ship/pack").fails("ship/book").succeeds("ship/pack").succeeds("ship").succeeds("tell")
    assert (run.phase, run.at("ship")) == (RunPhase.SUCCEEDED, StepPhase.IGNORED)


@scenario(
    "A switch chooses its second body, a step declines by its `when`, a handler finds nothing to do; then a failure.",
    step(
        "route",
        switch={
            "cases": [
                {"when": "inputs.heavy", "run": python("freight")},
                {"when": "inputs.far", "steps": [step("book"), step("label", "book")]},
            ],
            "default": {"transform": {"value": "post"}},
        },
    ),
    step("gift", "route", when="inputs.gift"),
    step("count", "route"),
    step("ship", "gift", "count", when="inputs.ok"),
)
def switch(run: RecordedRun) -> None:
    run.start({"route": chooses("[1]"), "gift": _declines, "ship": _is_broken})
    run.succeeds("route[1]/book").succeeds("route[1]/label", "label").skips("count", "nothing")
    assert run.why_it_failed == ("ship", FailureKind.EXPRESSION)


def _declines(path: str, round_: int) -> ev.Event:
    return ev.StepEvaluated(path=path, round=round_, proceed=False)


def _is_broken(path: str, round_: int) -> ev.Event:
    return ev.StepEvaluationFailed(path=path, round=round_, failure=failure(FailureKind.EXPRESSION, "no such key: ok"))


@scenario(
    "The steps of `finally` run after the rollback; one of them fails, which changes nothing.",
    step("reserve", **UNDO),
    step("ship", "reserve"),
    **{"finally": [step("audit"), step("tell", retries={"maxAttempts": 2, "jitterPercent": 0})]},
)
def finally_after_a_rollback(run: RecordedRun) -> None:
    run.start().succeeds("reserve").fails("ship").succeeds("reserve")
    run.begins("tell").fails("tell").fails("audit").wakes().succeeds("tell", "told")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


@scenario(
    "A run is cancelled: what is in flight is stopped, everything is kept; later it is undone all the same.",
    step("reserve", **UNDO),
    step("charge", **COMPENSATE),
    step("ship", "reserve", "charge"),
    onFailure="terminate",
)
def cancel(run: RecordedRun) -> None:
    run.start().begins("reserve").succeeds("reserve", "reserved").begins("charge").is_cancelled()
    assert (run.phase, run.reversals) == (RunPhase.CANCELLED, [])
    run.feed(ev.RequestUnreadable(id="odd", action="explode", reason="no such action", by="bob"))
    run.later(MINUTE).is_to_be_undone().succeeds("charge").succeeds("reserve")
    assert run.phase is RunPhase.UNDONE


@scenario(
    "A run that succeeded is undone, newest first, with what is inside a compose.",
    step("reserve", **UNDO),
    step("ship", "reserve", compose={"steps": [step("pack", **UNDO)]}),
    step("tell", "ship", **UNDO),
)
def undo_after_success(run: RecordedRun) -> None:
    run.start().succeeds("reserve", "reserved").succeeds("ship/pack", "packed").succeeds("tell")
    assert run.phase is RunPhase.SUCCEEDED
    run.later(MINUTE).is_to_be_undone().succeeds("tell").succeeds("ship/pack").succeeds("reserve")
    assert (run.phase, run.reversals) == (RunPhase.UNDONE, ["tell undo", "ship/pack undo", "reserve undo"])


@scenario(
    "A run that failed is retried with other arguments: what failed or was undone begins a new round.",
    step("address"),
    step("reserve", **UNDO),
    step("ship", "reserve", "address"),
    timeout="1m",
)
def retry_with_changed_arguments(run: RecordedRun) -> None:
    run.start().succeeds("address", "home").succeeds("reserve", "reserved").fails("ship").succeeds("reserve")
    run.later(10 * MINUTE).is_retried(step="ship", arguments=value("other arguments"))
    run.succeeds("reserve", "reserved again")
    assert run.order("ship").arguments == value("other arguments")
    run.succeeds("ship", "shipped")
    assert run.phase is RunPhase.SUCCEEDED


@scenario(
    "After a rollback that could not undo everything a person says what stands, and the run is retried.",
    step("reserve", undo={**python("release"), "retries": {"maxAttempts": 1}}),
    step("charge", undo={**python("refund"), "retries": {"maxAttempts": 1}}),
    step("ship", "reserve", "charge"),
)
def retry_with_what_stands(run: RecordedRun) -> None:
    run.start().succeeds("reserve", "reserved").succeeds("charge", "paid").fails("ship").fails("charge").fails(
        "reserve"
    )
    run.is_retried(standing=("charge",), undone=("reserve",)).succeeds("reserve").succeeds("ship")
    assert (run.phase, run.step("charge").round) == (RunPhase.SUCCEEDED, 1)


@scenario(
    "A step that waits for its next attempt is given a value by a person; then one that has failed.",
    step("reserve", retries={"maxAttempts": 3}),
    step("ship", "reserve"),
    step("tell", "ship"),
)
def skip(run: RecordedRun) -> None:
    run.start().fails("reserve").is_carried_over("reserve", "by hand", "skip-1").fails("ship")
    assert run.phase is RunPhase.FAILED
    run.is_carried_over("ship", "by hand", "skip-2").succeeds("tell")
    assert (run.phase, run.answer[0]) == (RunPhase.SUCCEEDED, True)


@scenario(
    "A run holds still while it goes on and again while it is rolled back.",
    step("reserve", **UNDO),
    step("ship", "reserve"),
)
def suspend(run: RecordedRun) -> None:
    run.start().begins("reserve").is_suspended().succeeds("reserve", "reserved").later(MINUTE)
    assert (run.phase, run.open) == (RunPhase.SUSPENDED, {})
    run.is_suspended(False).is_suspended().fails("ship").later(MINUTE)
    assert run.phase is RunPhase.SUSPENDED
    run.is_suspended(False).succeeds("reserve")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


@scenario(
    "A run is asked to hold still, and to go on; then its spec suspends it, and it is asked to go on all the same.",
    step("reserve", **UNDO),
    step("ship", "reserve"),
)
def suspend_on_request(run: RecordedRun) -> None:
    run.start().begins("reserve").is_held(reason="look first").succeeds("reserve", "reserved").is_suspended(False)
    assert (run.phase, run.open) == (RunPhase.SUSPENDED, {})
    run.is_held(request="again").is_held(False, "on", "all is well").fails("ship").is_suspended().succeeds("reserve")
    assert run.phase is RunPhase.SUSPENDED
    run.is_held(False, "end")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


@scenario(
    "The timeout of the run ends it: it drains and is rolled back; the deadline of the rollback ends that.",
    step("reserve", **UNDO),
    step("charge", **UNDO),
    step("ship", "reserve", "charge"),
    timeout="1m",
    rollback={"deadline": "2m"},
)
def run_timeout(run: RecordedRun) -> None:
    run.start().succeeds("reserve", "reserved").begins("charge").later(MINUTE)
    assert run.why_it_failed == ("", FailureKind.RUN_TIMEOUT)
    run.later(SECOND).succeeds("charge", "paid").begins("charge").later(2 * MINUTE)
    run.succeeds("charge")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.INCOMPLETE)


@scenario(
    "Steps that are requests: what they send is evaluated once, a service asks to be left alone for a while.",
    step(
        "reserve",
        run={"http": {"method": "POST", "url": {"value": "http://stock/items"}}},
        undo={"http": {"method": "DELETE", "url": {"expr": "'http://stock/items/' + result.id"}}},
    ),
    step(
        "ship",
        "reserve",
        run={"http": {"method": "POST", "url": {"value": "http://courier/shipments"}}},
        retries={"maxAttempts": 2, "jitterPercent": 0},
    ),
)
def http_request(run: RecordedRun) -> None:
    run.start().begins("reserve").succeeds("reserve", "reserved").begins("ship")
    run.fails("ship", FailureKind.HTTP, "429 Too Many Requests", told=Certainty.CERTAIN, retry_after_ms=7 * SECOND)
    run.wakes().begins("ship").fails("ship", FailureKind.HTTP, "404 Not Found", retryable=False, told=Certainty.CERTAIN)
    run.begins("reserve").succeeds("reserve")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)
    assert [asked.task.key for asked in run.requested] == ["reserve.run.1.1.1", "ship.run.1.1.1", "reserve.undo.1.1.1"]


@scenario(
    "What a compose returns cannot be told: it fails, what is inside is undone, and the run is rolled back.",
    step("reserve", **UNDO),
    step("ship", "reserve", compose={"steps": [step("pack", **UNDO)], "returns": {"result": "pack", "path": "id"}}),
)
def returns_that_cannot_be_told(run: RecordedRun) -> None:
    broken = failure(FailureKind.EXPRESSION, "step ship: returns: no such key: id")
    run.results["ship"] = ev.ReturnsEvaluationFailed(scope="ship", failure=broken)
    run.start().succeeds("reserve", "reserved").succeeds("ship/pack", "packed")
    run.succeeds("ship/pack").succeeds("reserve")
    assert (run.phase, run.why_it_failed) == (RunPhase.FAILED, ("ship", FailureKind.EXPRESSION))


@scenario(
    "A step ends the run on purpose: what is in flight drains, nothing is reversed.",
    step("look", **UNDO),
    step("price", **UNDO),
    step("ship", "look", "price"),
)
def halted(run: RecordedRun) -> None:
    run.start().begins("look").begins("price").halts("look", "nothing to ship").later(SECOND).succeeds("price", "7")
    assert (run.phase, run.reversals) == (RunPhase.HALTED, [])


@scenario(
    "A failure and the success of a sibling were recorded before either was decided on: both count.",
    step("reserve", **UNDO),
    step("charge", **UNDO),
    step("ship", **COMPENSATE),
    onFailure="terminate",
    parallelism=2,
)
def recorded_together(run: RecordedRun) -> None:
    run.start().begins("reserve").begins("charge")
    broken = ev.TaskFailed(task=run.open["reserve"], failure=failure(FailureKind.FATAL, "exit code 3"))
    run.feed(broken, ev.TaskSucceeded(task=run.open["charge"], result=value("paid")))
    run.succeeds("charge")
    assert (run.phase, run.launches[-1]) == (RunPhase.FAILED, "charge.undo.1.1.1")
