"""The laptop's worker: tasks one after another in one warm process, each with an environment of its own.

In, on file 0: one JSON object a line: `{"environment": {…}, "arguments": …, "result": …, "failure": …, "mark": "…"}`.
Out, on file 1: for each, the length of the outcome document in decimal, a newline, and the document. What handlers
print, to stdout or stderr, goes to file 2; after each task the line `mark` closes its output there.

Never here: a task that outlives the one who ordered it. When file 0 ends, the whole process group is killed, in the
middle of a handler too; SIGTERM sets the handler's cancellation, and ends this process at once where no handler
asked for its context.
"""

import os
import sys
from _thread import start_new_thread
from json import loads
from queue import SimpleQueue
from signal import SIGKILL, SIGTERM, signal

from reactor.calling import Call, perform, publish
from reactor.context import Cancellation
from reactor.documents import plain_failure
from reactor.environment import BadEnvironment, TaskEnvironment
from reactor.processes import end_children, lead_group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
STOPPED = 143


class Current:
    """The cancellation of the task that runs, None between tasks."""

    cancellation: Cancellation | None = None


def run_worker() -> int:
    """Do tasks until there are no more orders."""
    lead_group()
    orders, answers = os.dup(0), os.dup(1)  # dup makes them private: what a handler starts does not inherit them
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    signal(SIGTERM, _told_to_stop)
    waiting: SimpleQueue[bytes] = SimpleQueue()
    start_new_thread(_listen, (orders, waiting))
    folder, variables = os.getcwd(), dict(os.environ)
    while True:
        order: dict[str, Any] = loads(waiting.get())
        document = _do(order)
        end_children()
        _restore(folder, variables)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, order["mark"].encode() + b"\n")
        _write(answers, b"%d\n" % len(document), document)


def _listen(orders: int, waiting: "SimpleQueue[bytes]") -> None:
    with open(orders, "rb") as lines:
        for line in lines:
            waiting.put(line)
    os.killpg(0, SIGKILL)


def _told_to_stop(*_: object) -> None:
    if Current.cancellation is None:
        os._exit(STOPPED)
    Current.cancellation.set()


def _do(order: "dict[str, Any]") -> bytes:
    os.environ.update(order["environment"])
    try:
        environment = TaskEnvironment(os.environ)
    except BadEnvironment as problem:
        return plain_failure("CannotStart", str(problem))
    publish(environment.action, order, os.environ)
    call = Call(environment, order)
    Current.cancellation = call.cancellation
    try:
        return perform(call)
    finally:
        Current.cancellation = None


def _restore(folder: str, variables: dict[str, str]) -> None:
    """Take back what a handler changed for all: the working folder and the environment."""
    os.chdir(folder)
    if dict(os.environ) != variables:
        os.environ.clear()
        os.environ.update(variables)


def _write(file: int, *parts: bytes) -> None:
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[os.write(file, left) :]
