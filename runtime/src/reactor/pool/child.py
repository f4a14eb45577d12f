"""A child of a pool's worker: tasks one after another in one warm process.

In, on its socket: frames of lines: `S` and a step, `C` and a chunk, `T` and a task as the gateway told it, `F`: forget
the steps. Out: for each task a head and its outcome document, as soon as it has ended. Never here: the gateway, but for
what a task reads of it; a task that the page says is not to be begun; a task that goes on when the next one begins.

Exit codes: 0 after the parent closed the socket, or after a task that leaves this process unfit for the next one · 143
in the middle of a task that was told to stop and does not listen · 77 where not even an outcome fits into memory.
"""

import os
import signal
import socket
import sys
from _signal import getsignal as _handler_of  # type: ignore[import-not-found]  # `signal` makes enums, in 2 µs
from _thread import _count as _other_threads
from json import loads
from struct import Struct
from time import monotonic_ns, sleep

from reactor.calling import Call, has_sensitive_result, perform, publish, shown
from reactor.documents import plain_failure
from reactor.environment import BadEnvironment, TaskEnvironment
from reactor.loading import INLINE_MODULE
from reactor.pool.memory import is_nearly_full, limit_memory
from reactor.pool.page import Page
from reactor.pool.reading import PoolReader
from reactor.pool.standing import Standing
from reactor.pool.variables import NoSuchArgument, NotDeclared, referenced, task_variables
from reactor.processes import adopt_orphans, die_with_parent, end_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any

    from reactor.loading import Handler
ANSWER = Struct("<QIIB")
"""Number of the task, microseconds it took, length of its document, flags."""
FRAME = Struct("<I")
LINES = Struct("<Q")
"""How many lines it printed, before the last of them."""
LAST, NOT_BEGUN, CLOSED, SENSITIVE, PRINTED = 1, 2, 4, 8, 16
"""Flags: this process ends after it; the task was not begun; and is closed; its result is sensitive; behind its
document, after a newline, is what it printed."""
STOPPED, OUT_OF_MEMORY = 143, 77
_SLOW_US = 1_000
_KEPT_NS = 2_000_000
"""A task of that many microseconds is answered at once; after quicker ones an answer waits so many nanoseconds."""
_LOOK_NS = 200_000_000
FAILED = b'{"type":"failed"'
_FULL = FAILED + b',"failure":{"kind":"OutOfMemory"'


def run_child(words: list[str]) -> int:
    """Do tasks until the parent closes the socket; return the exit code. `words`: descriptors of socket and page."""
    channel, page_file = int(words[0]), int(words[1])
    for file in (channel, page_file):
        os.set_inheritable(file, False)
    adopt_orphans()
    die_with_parent()
    child = Child(socket.socket(fileno=channel), Page(page_file))
    try:
        return child.work()
    except MemoryError:
        return OUT_OF_MEMORY


class Child:
    """Does what its parent hands to it."""

    def __init__(self, channel: socket.socket, page: Page) -> None:
        self._stream = channel.makefile("rb")
        self._send = channel.sendall
        self._page = page
        self._standing = Standing()
        self._steps: dict[str, dict[str, Any]] = {}
        self._handlers: dict[str, tuple[Handler, ModuleType | None]] = {}
        self._modules = os.environ.get("REACTOR_MODULES")
        self._reader: PoolReader | None = None
        self._given: tuple[str, dict[str, Any]] = "", {}
        self._call: Call | None = None
        self._kept_since = 0
        self._memory: int | None = None
        self._looked_at_memory = 0
        self._reverses = False

    def work(self) -> int:
        """Do tasks, frame by frame."""
        hello = self._frame()
        if hello is None:
            return 0
        told = loads(hello)
        self._reader = PoolReader(told["gateway"], told["pool"], told["token"], told["worker"])
        signal.signal(signal.SIGTERM, self._told_to_stop)
        self._memory = told["memory"]
        limit_memory(self._memory)
        while (frame := self._frame()) is not None:
            if not self._do_frame(frame):
                break
            self._tell_kept()
        end_children()
        return 0

    def _frame(self) -> bytes | None:
        head = self._stream.read(FRAME.size)
        if len(head) < FRAME.size:
            return None
        (length,) = FRAME.unpack(head)
        body = self._stream.read(length)
        return body if len(body) == length else None

    def _do_frame(self, frame: bytes) -> bool:
        """Do the tasks of a frame, and return whether this process may go on."""
        number, run, stopped = 0, "", False
        for line in frame.split(b"\n"):
            kind = line[:1]
            if kind == b"T":
                if stopped or not self._page.may_begin(number, monotonic_ns()):
                    self._answer(number, 0, NOT_BEGUN, b"")
                else:
                    document, flags = self._do(number, run, line[1:])
                    if flags & LAST:
                        return False
                    stopped = self._reverses and document.startswith(FAILED)
                number += 1
            elif kind == b"C":
                first, _, run = line[1:].decode().partition(" ")
                number, stopped = int(first), False
            elif kind == b"S":
                digest, _, document = line[1:].partition(b" ")
                self._steps[digest.decode()] = loads(document)
            elif kind == b"F":
                self._steps.clear()
                self._handlers.clear()
        return True

    def _do(self, number: int, run: str, line: bytes) -> tuple[bytes, int]:
        """Do one task and tell its outcome; return it with its flags."""
        page, began = self._page, monotonic_ns()
        page.begin(number, began)
        self._reverses = False
        try:
            document, flags = self._outcome(run, line)
        except MemoryError:
            document, flags = plain_failure("OutOfMemory", "the task does not fit into memory"), LAST
        except Exception as problem:  # what the gateway told is not what this version understands
            document, flags = plain_failure("CannotStart", f"the task is not understood: {problem!r}"), 0
        self._call = None
        page.end()
        if not self._in_order() or page.stop == number or document.startswith(_FULL):
            flags |= LAST
        printed, more = self._printed(number)
        self._answer(number, (monotonic_ns() - began) // 1000, flags | more, document, printed)
        return document, flags

    def _printed(self, number: int) -> tuple[bytes, int]:
        """Return what goes behind the document of a task, with its flags."""
        try:
            text, lines = self._page.tail.of(number)
            return (b"".join((b"\n", LINES.pack(lines), text)), PRINTED) if text else (b"", 0)
        except MemoryError:
            return b"", 0

    def _answer(self, number: int, micros: int, flags: int, document: bytes, printed: bytes = b"") -> None:
        """Answer for a task: at once, or together with the next ones where they come soon.

        What is kept back stands in the page, where the parent finds it if this process ends, or is slower than it was.
        """
        head = ANSWER.pack(number, min(micros, 0xFFFFFFFF), len(document) + len(printed), flags)
        answer = b"".join((head, document, printed))
        page = self._page
        now = monotonic_ns()
        if page.kept == 0:
            self._kept_since = now
        if not page.keep(answer):
            self._tell_kept()
            if not page.keep(answer):
                self._send(answer)
        page.answered()
        if flags & LAST or micros > _SLOW_US or now - self._kept_since > _KEPT_NS:
            self._tell_kept()

    def _tell_kept(self) -> None:
        if self._page.kept:
            self._send(self._page.look())
            self._page.told()

    def _outcome(self, run: str, line: bytes) -> tuple[bytes, int]:
        given: dict[str, Any] = loads(line)
        if "fetch" in given:
            assert self._reader is not None
            fetched = self._reader.fetch(run, given)
            if fetched is None:
                return b"", NOT_BEGUN | CLOSED
            if not self._page.may_begin(self._page.current, monotonic_ns()):  # that took a while
                return b"", NOT_BEGUN
            given = fetched
        step = self._steps[given["step"]]
        try:
            variables = task_variables(step, run, given)
            variables = {**referenced(step, os.environ), **variables}
            environment = TaskEnvironment(variables)
        except NoSuchArgument as problem:
            return plain_failure("InvalidArguments", str(problem)), 0
        except (BadEnvironment, NotDeclared) as problem:
            return plain_failure("CannotStart", str(problem)), 0
        if self._modules is not None:
            environment.modules = self._modules
        publish(environment.action, given, variables)
        self._standing.set_variables(variables)
        tail = self._page.tail if given.get("log") else None
        if tail is not None:
            tail.begin(self._page.current)
        self._standing.label(f"{environment.run}/{given['task']}", tail)
        self._reverses = environment.action == "undo"
        self._given = run, given
        document = shown(self._perform(environment, given), given)
        return document, SENSITIVE if has_sensitive_result(given) else 0

    def _perform(self, environment: TaskEnvironment, given: "dict[str, Any]") -> bytes:
        call = Call(environment, given, read_page=self._read_page)
        call.memory_kind = "OutOfMemory"
        known = self._handlers.get(given["step"])
        if known is not None:
            call.handler, module = known
            if module is not None:  # the scripts of several steps have one name
                sys.modules[INLINE_MODULE] = module
        self._call = call
        document = perform(call)
        if known is None and call.handler is not None:
            script = sys.modules.get(INLINE_MODULE) if environment.source is not None else None
            self._handlers[given["step"]] = call.handler, script
        return document

    def _read_page(self, step: str, round_: int, page: int, which: str, after: int) -> "Mapping[str, object]":
        assert self._reader is not None
        return self._reader.read_page(*self._given, step, round_, page, which, after)

    def _in_order(self) -> bool:
        """Put everything back, end what the task left running, and return whether another task may follow here."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            end_children()  # there is one that has not ended
        except ChildProcessError:
            pass  # none is left, which is told without looking at every process of the container
        try:
            self._standing.put_back()
        except (OSError, MemoryError):
            return False
        signal.alarm(0)
        if _handler_of(15) != self._told_to_stop:
            signal.signal(signal.SIGTERM, self._told_to_stop)
        if _other_threads():
            sleep(0.001)  # one that was joined just now may still be counted
            if _other_threads():
                return False
        return self._standing.is_whole() and not self._leaks()

    def _leaks(self) -> bool:
        """Look now and then whether tasks leave more and more behind."""
        now = monotonic_ns()
        if now - self._looked_at_memory < _LOOK_NS:
            return False
        self._looked_at_memory = now
        return is_nearly_full(self._memory)

    def _told_to_stop(self, *_: object) -> None:
        """Stop the task that is meant, if it is still the one being done; after it this process ends anyway."""
        call, page = self._call, self._page
        if page.current == 0 or page.current != page.stop:
            return
        if call is None or not call.context_is_used:
            end_children()
            os._exit(STOPPED)
        call.cancellation.set()
