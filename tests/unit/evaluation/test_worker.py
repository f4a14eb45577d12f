"""The worker process by itself: its protocol, and that the kernel ends it when its owner cannot."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from reactor_operator.evaluation.frames import read_frame, render_frame

Process = subprocess.Popen[bytes]


@pytest.fixture
def worker() -> Iterator[Process]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-m", "reactor_operator.evaluation.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert read_frame(process.stdout) == {"ready": True}
        yield process
        process.kill()


def ask(
    worker: Process,
    *expressions: str,
    condition: bool = False,
    choice: bool = False,
    seconds: float = 30.0,
    **inputs: object,
) -> None:
    kind = {"condition": condition, "choice": choice}
    question: dict[str, Any] = {"expressions": expressions, **kind, "inputs": inputs, "schema": None}
    assert worker.stdin is not None
    worker.stdin.write(
        render_frame({**question, "results": {}, "run": {}, "args": None, "beside": {}, "seconds": seconds})
    )
    worker.stdin.flush()


def answer(worker: Process) -> object:
    assert worker.stdout is not None
    return read_frame(worker.stdout)


def test_each_expression_gets_an_answer_in_order(worker: Process) -> None:
    ask(worker, "1 + 1", "inputs.a", a=[3])
    assert [answer(worker), answer(worker)] == [{"value": 2}, {"value": [3]}]


def test_after_a_fault_or_a_condition_that_is_not_true_the_rest_is_dropped(worker: Process) -> None:
    ask(worker, "inputs.nowhere", "1")
    ask(worker, "false", "1", condition=True)
    ask(worker, "'last'")
    assert answer(worker) == {"fault": "no such key: nowhere"}
    assert answer(worker) == {"value": False}
    assert answer(worker) == {"value": "last"}


def test_of_a_choice_the_rest_is_dropped_after_the_first_that_is_not_false(worker: Process) -> None:
    ask(worker, "false", "1 > 2", "true", "inputs.nowhere", choice=True)
    assert [answer(worker) for _ in range(3)] == [{"value": False}, {"value": False}, {"value": True}]
    ask(worker, "3", "true", choice=True)
    ask(worker, "4")
    assert [answer(worker) for _ in range(2)] == [{"value": 3}, {"value": 4}]


def test_a_closed_pipe_ends_the_worker(worker: Process) -> None:
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=30) == 0


def test_a_runaway_whose_owner_is_gone_is_ended_by_the_kernel(worker: Process) -> None:
    many = "inputs.n.map(a, inputs.n.map(b, inputs.n.map(c, a * b * c)))"
    ask(worker, many, seconds=0.1, n=list(range(300)))
    assert worker.wait(timeout=30) == -signal.SIGPROF


def test_time_of_the_clock_is_no_time_of_the_expression(worker: Process) -> None:
    ask(worker, "inputs.n.map(a, a * 2).size()", seconds=1, n=list(range(1_000)))
    worker.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    worker.send_signal(signal.SIGCONT)
    assert answer(worker) == {"value": 1_000}


def test_a_value_that_is_as_deep_as_json_can_be_is_a_fault_and_not_the_end(worker: Process) -> None:
    deep: Any = 1
    for _ in range(250):
        deep = [deep]
    ask(worker, "[[[[[[inputs.deep]]]]]]", deep=deep)
    ask(worker, "1")
    assert "nested too deeply" in str(answer(worker))
    assert answer(worker) == {"value": 1}
