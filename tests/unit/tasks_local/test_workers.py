"""How tasks on a laptop are stopped, lost and left behind, and where their workers come from and go."""

import asyncio
import gc
from pathlib import Path

import pytest

from reactor_operator.engine.events import (
    TaskFailed,
    TaskStarted,
)
from reactor_operator.engine.failures import FailureKind
from reactor_operator.ports import Launched, NotYet
from reactor_operator.store.port import Commit, Entry
from reactor_operator.tasks.laptop.worker import spawn_worker
from reactor_operator.tasks.local import LaptopSettings, LocalLauncher
from tests.unit.tasks_local.laptop import RUN, WAIT, Clock, laptop, lives, order_for, python_spec, task_of

CLEANS_UP = "def main(context):\n    print('begun')\n    context.cancellation.wait(60)\n    print('cleaned up')"


async def test_stopping_kills_all_that_a_handler_started_and_the_next_attempt_waits_for_its_death(
    tmp_path: Path,
) -> None:
    child = "print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    source = f"import os, subprocess, time\ndef main():\n    {child}\n    print(os.getpid())\n    time.sleep(60)"
    async with laptop(tmp_path) as found:
        first = order_for(python_spec(source))
        second = order_for(python_spec("def main():\n    return 2"), task_of(attempt=2), after=first.task)
        await found.start(first)
        await found.wait_until(lambda: len(found.lines()) == 2, "the handler to begin")
        pids = [int(line) for line in found.lines()]
        await found.open(second.task)
        assert isinstance(await found.launcher.start(second), NotYet)
        assert await found.retire(first, stop=True)
        assert await found.retire(first, stop=True)
        await found.wait_until(lambda: not any(lives(pid) for pid in pids), "the death of the first")
        await found.wait_until(lambda: not found.launcher._running, "the end of the first")
        assert found.value(await found.run(second)) == 2


async def test_a_handler_that_asked_for_its_context_may_end_in_its_grace_period(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec(CLEANS_UP))
        await found.begin(order)
        await found.retire(order, stop=True)
        await found.wait_until(lambda: found.lines() == ["begun", "cleaned up"], "the handler to clean up")
        await found.wait_until(lambda: not found.launcher._running, "the end of it")
        after = order_for(python_spec("def main():\n    return 1"), task_of(attempt=2))
        assert found.value(await found.run(after)) == 1


async def test_a_handler_that_ignores_its_cancellation_is_killed_after_its_grace_period(tmp_path: Path) -> None:
    source = "import os, time\ndef main(context):\n    print(os.getpid())\n    time.sleep(60)"
    async with laptop(tmp_path, grace_seconds=0.05) as found:
        order = order_for(python_spec(source))
        await found.begin(order)
        await found.retire(order, stop=True)
        await found.wait_until(lambda: not lives(int(found.lines()[0])), "its death")


async def test_a_task_that_still_runs_is_not_forgotten_unless_it_is_stopped(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec(WAIT))
        await found.begin(order)
        assert found.launcher.holds(RUN, order.task)
        assert not await found.retire(order, stop=False)


@pytest.mark.parametrize("how", ["os._exit(0)", "os._exit(3)", "os.kill(os.getpid(), 9)", "os.killpg(0, 9)"])
async def test_a_worker_that_dies_is_no_outcome(tmp_path: Path, how: str) -> None:
    async with laptop(tmp_path) as found:
        outcome = await found.run(order_for(python_spec(f"import os\ndef main():\n    {how}")))
        assert isinstance(outcome, TaskFailed)
        assert outcome.failure.kind is FailureKind.NO_OUTCOME
        assert "reported no outcome" in outcome.failure.message
        after = await found.run(order_for(python_spec("def main():\n    return 1"), task_of(attempt=2)))
        assert found.value(after) == 1


async def test_a_task_that_another_process_had_begun_is_lost(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec("def main():\n    print('ran')"))
        await found.open(order.task)
        started = Entry(run=RUN.uid, task=order.task.key, binding="the process before", digest="1", body=b"x")
        await found.store.append(started)
        found.store._runs[RUN.uid].inbox.clear()
        assert type(await found.run(order)).__name__ == "TaskLost"
        assert found.lines() == []


async def test_a_task_of_a_process_that_is_no_more_is_reported_lost(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec(WAIT))
        await found.open(order.task)
        assert not found.launcher.holds(RUN, order.task)
        await found.launcher.report_lost(RUN, order.step, order.task)
        await found.launcher.report_lost(RUN, order.step, order.task)
        assert [type(event).__name__ for event in found.events(order.task)] == ["TaskLost"]


async def test_what_was_told_to_stop_may_end_before_everything_is_closed(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec(CLEANS_UP))
        await found.begin(order)
        await found.retire(order, stop=True)
        await found.launcher.settle()
        assert found.lines() == ["begun", "cleaned up"]


async def test_closing_ends_everything_and_tells_nothing(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec("import os\n" + WAIT.replace("'begun'", "os.getpid()")))
        await found.begin(order)
        started = order_for(python_spec(WAIT), task_of(attempt=2))
        await found.start(started)
        await found.launcher.close()
        await found.launcher.close()
        assert not lives(int(found.lines()[0]))
        assert [type(event) for event in found.events(order.task)] == [TaskStarted]
        assert isinstance(await found.launcher.start(order_for(python_spec(WAIT), task_of(attempt=3))), NotYet)
    gc.collect()


async def test_workers_end_with_the_process_that_ordered_them(tmp_path: Path) -> None:
    popen = spawn_worker()
    assert popen.stdin is not None
    popen.stdin.close()
    code = await asyncio.to_thread(popen.wait, 30)
    for stream in (popen.stdout, popen.stderr):
        assert stream is not None
        stream.close()
    assert code == -9


async def test_a_worker_that_was_spawned_before_there_was_a_loop_does_the_first_task(tmp_path: Path) -> None:
    popen = spawn_worker()
    async with laptop(tmp_path) as found:
        launcher = LocalLauncher(
            inbox=found.store, clock=Clock(), settings=LaptopSettings(modules=tmp_path), warm=popen
        )
        order = order_for(python_spec("import os\ndef main():\n    return os.getpid()"))
        await found.open(order.task)
        await launcher.start(order)
        assert found.value(await found.outcome_of(order.task)) == popen.pid
        await launcher.close()


async def test_a_warm_worker_is_there_for_the_first_task(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        found.launcher.warm()
        found.launcher.warm()
        assert len(found.launcher._workers._idle) == 1
        await found.run(order_for(python_spec("def main(): pass")))
        assert len(found.launcher._workers._all) == 1


async def test_a_closed_task_is_stopped_without_an_outcome(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        order = order_for(python_spec(WAIT))
        await found.begin(order)
        position = max(found.store._runs[RUN.uid].inbox)
        await found.store.commit(
            Commit(run=RUN.uid, revision=1, epoch=1, inbox_position=position, closes=frozenset({order.task.key}))
        )
        await found.retire(order, stop=True)
        await found.wait_until(lambda: not found.launcher._running, "the end of it")
        assert found.events(order.task) == []
        assert not found.launcher.holds(RUN, order.task)


async def test_a_task_that_ends_in_the_turn_in_which_it_is_stopped_takes_no_worker_from_another(tmp_path: Path) -> None:
    wait = f"import os, time\ndef main():\n    print('begun')\n    while not os.path.exists({str(tmp_path / 'go')!r}):"
    async with laptop(tmp_path) as found:
        first = order_for(python_spec(wait + "\n        time.sleep(0.005)"))
        second = order_for(python_spec("def main():\n    return 2"), task_of(attempt=2))
        await found.start(first)
        await found.open(second.task)
        await found.wait_until(found.lines, "the handler to begin")
        worker = found.launcher._running[RUN.uid, first.task.key].worker
        assert worker is not None
        assert worker._answer is not None
        starting: list[asyncio.Task[object]] = []

        def stop_it(_: object) -> None:
            """Stop the first, whose answer is there; the second starts when it has given its worker back."""
            starting.append(asyncio.create_task(found.launcher.start(second)))
            with pytest.raises(StopIteration):
                found.retire(first, stop=True).send(None)

        worker._answer.whole.add_done_callback(stop_it)
        (tmp_path / "go").touch()
        assert found.value(await found.outcome_of(second.task)) == 2
        assert await starting[0] == Launched()
