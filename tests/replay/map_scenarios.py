"""The scenarios with maps that are recorded: a reactor, and what happens to a run of it.

In: nothing. Out: `SCENARIOS` by name, each of which plays one `RecordedRun` to its end and says how it ended.
Never here: what happens without a map (see `scenarios`).
"""

from functools import partial

from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RollbackState, RunPhase, StepPhase
from tests.replay.filed import Document
from tests.replay.recorded_run import RecordedRun
from tests.replay.scenario import COMPENSATE, UNDO, Scenario, listed_in, python, step
from tests.unit.engine.driver import MINUTE, elements, value

SCENARIOS: dict[str, Scenario] = {}
scenario = partial(listed_in, SCENARIOS)


def rows(**how: object) -> Document:
    """Return a map over an array; its elements run a handler unless told otherwise."""
    body = {} if {"run", "steps", "transform"} & how.keys() else {"run": python("store")}
    origin: Document = {} if "pages" in how else {"source": {"value": []}}
    return {"map": {**origin, **body, **how}}


@scenario(
    "Elements fail, are skipped and attempted again, which the map collects; a later step fails, and all is undone.",
    step(
        "rows",
        **rows(batchSize=2, failFast=False),
        **COMPENSATE,
        **UNDO,
        retries={"maxAttempts": 2, "jitterPercent": 0},
        retryOn=["Error"],
    ),
    step("ship", "rows"),
)
def map_failures_and_undo(run: RecordedRun) -> None:
    run.start({"rows": elements(5)}).begins("rows[0]").gives("rows[0]").fails("rows[1]").skips("rows[2]").wakes()
    run.gives("rows[1]").fails("rows[3]", FailureKind.FATAL, "no such customer", detail=value("detail"))
    run.succeeds("rows[3]").gives("rows[4]")
    assert (run.progress("rows").succeeded, run.progress("rows").skipped, run.progress("rows").failed) == (3, 1, 1)
    run.fails("ship")
    for index in (4, 1, 0):
        run.succeeds(f"rows[{index}]")
    assert (run.phase, run.rollback, run.at("rows")) == (RunPhase.FAILED, RollbackState.COMPLETE, StepPhase.UNDONE)


@scenario(
    "The elements come in two pages; the task of the second one is attempted again. An undo takes all of them back.",
    step(
        "rows",
        **rows(
            batchSize=2,
            undoWindow=2,
            pages={"run": {**python("page"), "retries": {"maxAttempts": 2, "jitterPercent": 0}}, "pageSize": 2},
        ),
        **UNDO,
    ),
    step("ship", "rows"),
)
def map_pages(run: RecordedRun) -> None:
    run.pages["rows"] = [(2, "next"), (1, None)]
    run.start().gives("rows[page-0]").fails("rows[page-1]").gives("rows[1]").wakes().gives("rows[page-1]")
    run.gives("rows[0]").gives("rows[2]").succeeds("ship", "shipped")
    assert (run.phase, run.fetched) == (RunPhase.SUCCEEDED, [("rows", 0), ("rows", 1)])
    run.later(MINUTE).is_to_be_undone().succeeds("rows[1]").succeeds("rows[2]").succeeds("rows[0]")
    assert (run.phase, run.at("rows")) == (RunPhase.UNDONE, StepPhase.UNDONE)


@scenario(
    "A map in the elements of a map; one that is inside fails, and what was done is undone, the innermost first.",
    step(
        "orders",
        **rows(batchSize=1, steps=[step("open", **UNDO), step("lines", "open", **rows(batchSize=2), **UNDO)]),
    ),
)
def map_nested(run: RecordedRun) -> None:
    run.start({"orders": elements(2), "orders[0]/lines": elements(1), "orders[1]/lines": elements(2)})
    run.gives("orders[0]/open").gives("orders[0]/lines[0]")
    run.gives("orders[1]/open").gives("orders[1]/lines[1]").fails("orders[1]/lines[0]", message="out of stock")
    for path in ("orders[1]/lines[1]", "orders[1]/open", "orders[0]/lines[0]", "orders[0]/open"):
        run.succeeds(path)
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)
    assert run.why("orders").message == "element 1: orders[1]/lines: element 0: out of stock"


@scenario(
    "A task that collects the results of a map fails, and so does the map; a retry goes over all of it once more.",
    step("rows", **rows(collect={"run": {**python("sum"), "retries": {"maxAttempts": 1}}})),
    step("ship", "rows"),
)
def map_collect(run: RecordedRun) -> None:
    run.start({"rows": elements(2)}).gives("rows[1]").gives("rows[0]").begins("rows[collect]").fails("rows[collect]")
    assert run.why_it_failed == ("rows", FailureKind.ERROR)
    run.later(MINUTE).is_retried().gives("rows[0]").gives("rows[1]").succeeds("rows[collect]", "the sum")
    run.succeeds("ship")
    assert (run.phase, run.step("rows").result) == (RunPhase.SUCCEEDED, value("the sum"))


@scenario(
    "Elements with steps inside: one repairs itself, another is undone inside, which is one failure more than allowed.",
    step(
        "rows",
        **rows(
            batchSize=1,
            failFast=False,
            maxFailures=0,
            steps=[step("store", **UNDO), step("tell", "store", **COMPENSATE)],
            returns={"result": "store"},
        ),
    ),
)
def map_steps_inside(run: RecordedRun) -> None:
    run.start({"rows": elements(3)}).gives("rows[0]/store").fails("rows[0]/tell").continues("rows[0]/tell")
    run.gives("rows[1]/store").fails("rows[1]/tell").succeeds("rows[1]/tell").succeeds("rows[1]/store")
    run.succeeds("rows[0]/store")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


@scenario(
    "The first failure stops a map half way: what is in flight is stopped, what may have acted is undone too.",
    step("rows", **rows(batchSize=3), undo={**python("take_back"), "retries": {"maxAttempts": 1}}),
    onFailure="terminate",
)
def map_fail_fast(run: RecordedRun) -> None:
    run.start({"rows": elements(9)}).gives("rows[0]").begins("rows[1]").fails("rows[2]", message="damaged")
    assert run.order("rows[1]").uncertain
    run.succeeds("rows[1]").fails("rows[0]", message="gone")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.INCOMPLETE)
    run.is_to_be_undone().succeeds("rows[0]")
    assert (run.phase, run.rollback) == (RunPhase.UNDONE, RollbackState.COMPLETE)


@scenario(
    "A task takes two elements, also to undo them; batch by batch, with a pod that was lost.",
    step("rows", **rows(batchSize=2, strategy="batch", elementsPerTask=2), **UNDO),
    step("ship", "rows"),
)
def map_chunks(run: RecordedRun) -> None:
    run.start({"rows": elements(3)}).gives("rows[1]").is_lost("rows[0]", may_have_started=False)
    run.gives("rows[0]").gives("rows[2]").fails("ship")
    for index in (1, 2, 0):
        run.succeeds(f"rows[{index}]")
    assert (run.phase, run.rollback) == (RunPhase.FAILED, RollbackState.COMPLETE)


@scenario(
    "A map holds still half way and goes on; it is cancelled, which keeps what was done, and undone later on.",
    step("rows", **rows(batchSize=2), **UNDO),
)
def map_cancel(run: RecordedRun) -> None:
    run.start({"rows": elements(5)}).gives("rows[0]").is_suspended().gives("rows[1]").later(MINUTE)
    assert (run.phase, run.in_flight("rows")) == (RunPhase.SUSPENDED, ["rows[2]"])
    run.is_suspended(False).is_cancelled().gives("rows[2]").skips("rows[3]")
    assert (run.phase, run.reversals) == (RunPhase.CANCELLED, [])
    run.later(MINUTE).is_to_be_undone()
    for index in (2, 1, 0):
        run.succeeds(f"rows[{index}]")
    assert run.phase is RunPhase.UNDONE
