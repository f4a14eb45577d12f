"""The laptop's worker: tasks one after another in one warm process, each with an environment of its own.

In, on file 0: for each task a length in decimal, a newline and a JSON object of that length: `{"environment": {…},
"arguments": …, "result": …, "failure": …, "uncertain": …, "mark": "…"}`, and `request` and `sensitive` where there are.
Out, on file 1: for each, `LENGTH KEEP` and a newline, then the outcome document. KEEP is 0 where this process ends
after it, because the handler left threads behind. Before that there may be questions, `? LENGTH`, a newline and a JSON
object: `{"step", "round", "page", "filter"}`; the page of results comes on file 0 as an order does, or `{"error"}`.
What handlers print, to stdout or stderr, goes to file 2; the line `mark` closes the output of a task there, before its
outcome is told.

Never here: a task that outlives the one who ordered it. When file 0 ends, the whole process group is killed, in the
middle of a handler too. SIGTERM sets the handler's cancellation, and ends this process at once where no handler asked
for its context.
"""

import os
import sys
from _thread import allocate_lock, start_new_thread
from json import dumps, loads
from queue import SimpleQueue
from signal import SIGKILL, SIGTERM, signal

from reactor.calling import Call, perform, publish, shown
from reactor.documents import plain_failure
from reactor.environment import BadEnvironment, TaskEnvironment
from reactor.processes import adopt_orphans, end_adopted, end_children, lead_group
from reactor.results import ResultsUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any
STOPPED = 143
_OWN_THREADS = 2


class Files:
    """The worker's own files. Handlers cannot reach them: a duplicate is not inherited by what they start."""

    def __init__(self) -> None:
        self.orders, self.answers, self.output = os.dup(0), os.dup(1), os.dup(2)
        self.nothing = os.open(os.devnull, os.O_RDONLY)
        self.folder = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))  # it may be deleted, now or by a handler
        self.streams = sys.stdout, sys.stderr

    def give_to_handlers(self) -> None:
        """Make 0 empty, 1 and 2 the output, and the working folder ours, whatever the last handler did to them."""
        os.fchdir(self.folder)
        os.dup2(self.nothing, 0)
        os.dup2(self.output, 1)
        os.dup2(self.output, 2)
        sys.stdout, sys.stderr = self.streams


class Pages:
    """Pages of results, asked of whoever gave the order. The answer comes where orders come from."""

    def __init__(self, files: Files, orders: "SimpleQueue[bytes]") -> None:
        self._files = files
        self._orders = orders
        self._turn = allocate_lock()

    def read(self, step: str, round_: int, page: int, which: str, _after: int) -> "Mapping[str, object]":
        """Return a page, which is always a whole one. Raises ResultsUnavailable."""
        question = dumps({"step": step, "round": round_, "page": page, "filter": which}).encode()
        with self._turn:  # a handler may read in several threads
            _write(self._files.answers, b"? %d\n" % len(question), question)
            found: dict[str, Any] = loads(self._orders.get())
        if "error" in found:
            raise ResultsUnavailable(f"the results of {step} cannot be read: {found['error']}")
        return found


def run_worker() -> int:
    """Do tasks until there are no more orders, which ends this process."""
    lead_group()
    adopt_orphans()
    files = Files()
    files.give_to_handlers()
    orders: SimpleQueue[bytes] = SimpleQueue()
    start_new_thread(_listen, (files.orders, orders))
    pages = Pages(files, orders)
    variables, keep = dict(os.environ), True
    while keep:
        order: dict[str, Any] = loads(orders.get())
        document = _do(order, pages)
        end_adopted()
        _flush()
        _restore(variables)
        files.give_to_handlers()
        keep = len(sys._current_frames()) <= _OWN_THREADS
        _write(files.output, order["mark"].encode() + b"\n")
        _write(files.answers, b"%d %d\n" % (len(document), keep) + document)
    return 0


def _listen(orders: int, waiting: "SimpleQueue[bytes]") -> None:
    with open(orders, "rb") as stream:
        while length := stream.readline():
            waiting.put(stream.read(int(length)))
    end_children()
    os.killpg(0, SIGKILL)


def _do(order: "dict[str, Any]", pages: Pages) -> bytes:
    os.environ.update(order["environment"])
    try:
        environment = TaskEnvironment(os.environ)
    except BadEnvironment as problem:
        return plain_failure("CannotStart", str(problem))
    publish(environment.action, order, os.environ)
    call = Call(environment, order, read_page=pages.read)
    signal(SIGTERM, _on_stop(call))
    return shown(perform(call), order)


def _on_stop(call: Call) -> "Callable[[int, object], None]":
    def told_to_stop(*_: object) -> None:
        if not call.context_is_used:
            end_children()
            os._exit(STOPPED)
        call.cancellation.set()

    return told_to_stop


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # the handler closed it


def _restore(variables: dict[str, str]) -> None:
    """Take back what a handler changed for all in the environment; to write all of it anew would take longer than most
    handlers of elements do."""
    found = dict(os.environ)
    for name in found.keys() - variables.keys():
        del os.environ[name]
    os.environ.update({name: text for name, text in variables.items() if found.get(name) != text})


def _write(file: int, *parts: bytes) -> None:
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[os.write(file, left) :]
