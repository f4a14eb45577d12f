"""The log says what runs do, by run, step and task, and nothing that is a value."""

from structlog.testing import capture_logs

from reactor_operator.engine.identity import Action
from reactor_operator.metering.log import RunLog
from tests.unit.metering.counted import FAILING, Counted

RUN = "shop/r"


async def test_a_run_is_logged_when_it_starts_and_when_it_ends() -> None:
    with capture_logs() as lines:
        world = Counted(FAILING, also=RunLog(details=False))
        world.source = "canary-value"
        await world.after(0)
        await world.did("a")
        await world.after(1_000)
        await world.did_not("b")
        await world.after(1_000)
    assert lines == [{"event": "a run started", "log_level": "info", "run": RUN, "uid": "uid", "reactor": "x"}]
    with capture_logs() as lines:
        await world.did("a", Action.UNDO)
        await world.after(500)
    (line,) = lines
    assert line["event"] == "a run ended"
    assert (line["run"], line["phase"], line["rollback"]) == (RUN, "Failed", "Complete")
    assert (line["step"], line["failure"], line["took_ms"]) == ("b", "Error", 2_500)
    assert "no stock" not in repr(line)


async def test_with_details_each_task_is_logged_with_its_step() -> None:
    with capture_logs() as lines:
        world = Counted(FAILING, also=RunLog(details=True))
        world.source = "canary-value"
        await world.after(0)
        await world.did("a")
        await world.after(0)
        await world.did_not("b")
        await world.after(0)
    told = [(line["event"], line.get("step"), line.get("task")) for line in lines[1:]]
    assert told == [
        ("a task is launched", "a", "a.run.1.1.1"),
        ("a task ended", "a", "a.run.1.1.1"),
        ("a task is launched", "b", "b.run.1.1.1"),
        ("a task ended", "b", "b.run.1.1.1"),
        ("a task is launched", "a", "a.undo.1.1.1"),
    ]
    assert [line["failed"] for line in lines if line["event"] == "a task ended"] == [False, True]
    assert "canary" not in repr(lines)
    assert "no stock" not in repr(lines)
