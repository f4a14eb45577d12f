"""A child process as its parent sees it: what it holds, what it answers, how it is stopped.

In: leases to do. Out: answers, and what was left undone when it ended. Never here: what an answer means.
"""

import os
import selectors
import signal
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic, monotonic_ns

from reactor.pool.child import ANSWER, FRAME
from reactor.pool.held import Portion, Task
from reactor.pool.page import RING, Page, make_page_file
from reactor.pool.tail import NOTHING, Printed

_PIECE = 256 * 1024
_ENDING_SECONDS = 2.0
_LONG_NS = 20_000_000
OnAnswer = Callable[["ChildProcess", Task, int, int, bytes], None]
"""Told of each answer: child, task, microseconds, flags, document with what was printed."""


class ChildProcess:
    """One child. `tasks` are those that it was handed and has not answered, by number and in order."""

    def __init__(self, hello: bytes, selector: selectors.BaseSelector, on_answer: OnAnswer) -> None:
        self._selector = selector
        self._on_answer = on_answer
        self._unsent = bytearray()
        self._received = bytearray()
        self._told: set[str] = set()
        self._next = 1
        self.tasks: OrderedDict[int, Task] = OrderedDict()
        self.expected_us = 0.0
        """How long what it holds will take, by what such tasks took before."""
        self.retiring = False
        """Whether it ends after what it does now."""
        self.kill_at = 0.0
        """When it is killed, 0: it was not told to stop."""
        self.killed = False
        self.has_worked = False
        self._was_doing = 0
        self.printed = NOTHING
        """What the task printed that it was doing when it ended."""
        self.doing_ms = 0
        """For how long it had been doing that."""
        self._seen_printed = 0, 0
        ours, theirs = socket.socketpair()
        page_file = make_page_file()
        try:
            self.page = Page(page_file)
            self.pid = _spawn(theirs.fileno(), page_file)
        finally:
            theirs.close()
            os.close(page_file)
        ours.setblocking(False)
        self._socket = ours
        selector.register(ours, selectors.EVENT_READ, self._on_event)
        self._write(FRAME.pack(len(hello)) + hello)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for tasks."""
        return not self.tasks and not self.retiring

    def running_ns(self, now_ns: int) -> int:
        """Return for how long it has been at its task; 0 where it is at none."""
        return now_ns - self.page.began_ns if self.page.current else 0

    def has_room(self, tasks: list[Task]) -> bool:
        """Return whether it can number so many more tasks."""
        return len(self.tasks) + len(tasks) <= RING

    def hand(self, portions: list[Portion], steps: Mapping[str, bytes]) -> None:
        """Hand tasks over."""
        lines: list[bytes] = []
        for lease, tasks in portions:
            for digest in lease.steps:
                if digest not in self._told:
                    self._told.add(digest)
                    lines.append(b"S%b %b" % (digest.encode(), steps[digest]))
            lines.append(b"C%d %b" % (self._next, lease.run.encode()))
            for task in tasks:
                task.number = self._next
                task.child = self
                self.page.mark(self._next, task.withdrawn)
                self.tasks[self._next] = task
                self._next += 1
                self.expected_us += task.expected_us
                lines.append(b"T" + task.line)
        self.renew()
        body = b"\n".join(lines)
        self._write(FRAME.pack(len(body)) + body)

    def forget_steps(self) -> None:
        """Have the child forget the documents of steps."""
        self._told.clear()
        self._write(FRAME.pack(1) + b"F")

    def renew(self) -> None:
        """Tell the child for how long its leases are good: as long as the one that ends first."""
        valid = [task.lease.valid_until_ns for task in self.tasks.values()]
        self.page.set_valid_until(min(valid, default=0))

    def withdraw(self, task: Task) -> None:
        """Do not begin a task, if it is not too late."""
        task.withdrawn = True
        self.page.mark(task.number, withdrawn=True)

    def current(self) -> Task | None:
        """Return the task that is being done."""
        return self.tasks.get(self.page.current)

    def stop(self, task: Task, why: str, kill_at: float) -> None:
        """Have the task that is being done told to stop, and the child end with it; at `kill_at` it is killed."""
        task.stopped = why
        self.retiring = True
        self.kill_at = kill_at
        self.page.ask_to_stop(task.number)
        self._signal(signal.SIGTERM)

    def ended_before_it_was_told(self, task: Task) -> None:
        """A task that was to stop had ended by then, and the child goes on: what it does now is none of that."""
        if self.page.stop == task.number:
            self.retiring = False
            self.kill_at = 0.0

    def kill(self) -> None:
        """End it now."""
        self.killed = True
        self._signal(signal.SIGKILL)

    def end(self) -> None:
        """Read what is left of its answers, and release what it had. The process has ended."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        while self._receive():
            pass
        self._close()
        self._received.clear()
        self._take(bytearray(self.page.look()))
        self._was_doing = self.page.untold
        self.printed = self.page.tail.of(self._was_doing)
        self.doing_ms = (monotonic_ns() - self.page.began_ns) // 1_000_000
        self.page.close()

    def newly_printed(self, task: Task) -> Printed:
        """Return what its task has printed, nothing where that was returned before."""
        printed = self.page.tail.of(task.number)
        seen = task.number, printed[1]
        if seen == self._seen_printed:
            return NOTHING
        self._seen_printed = seen
        return printed

    def was_doing(self) -> Task | None:
        """Return the task that the child had begun when it ended, and did not answer for."""
        return self.tasks.get(self._was_doing)

    def dismiss(self) -> None:
        """Let it end once it has done what it has."""
        self.retiring = True
        self._close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _close(self) -> None:
        if self._socket.fileno() >= 0:
            self._selector.unregister(self._socket)
            self._socket.close()

    def _on_event(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._write(b"")
        if mask & selectors.EVENT_READ:
            self._receive()

    def _write(self, content: bytes) -> None:
        if self._socket.fileno() < 0:
            return
        held = bool(self._unsent)
        self._unsent += content
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent[:_PIECE])]
        except BlockingIOError:
            if not held:
                self._selector.modify(self._socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self._on_event)
            return
        except OSError:  # it has ended, which is told elsewhere
            self._unsent.clear()
        if held:
            self._selector.modify(self._socket, selectors.EVENT_READ, self._on_event)

    def _receive(self) -> bool:
        """Take answers; return whether there may be more."""
        if self._socket.fileno() < 0:
            return False
        try:
            part = self._socket.recv(_PIECE)
        except BlockingIOError:
            return False
        except OSError:
            part = b""
        if not part:
            self._close()
            if not self.retiring:  # it has ended, which is told soon; or a handler closed what is not its own
                self.retiring = True
                self.kill_at = monotonic() + _ENDING_SECONDS
            return False
        self._received += part
        self._take(self._received)
        return True

    def look(self, now_ns: int) -> None:
        """Take the answers that the child keeps back, where it is busy with another task for longer than it thought.

        It will tell them once more. They are whole: it does not touch them before that task has ended.
        """
        page = self.page
        doing = page.current
        if not doing or not page.kept or now_ns - page.began_ns < _LONG_NS:
            return
        kept = page.look()
        if page.current == doing:
            self._take(bytearray(kept))

    def _take(self, received: bytearray) -> None:
        """Take the whole answers from the front of what was received. One that is known already is told again."""
        at, size = 0, len(received)
        while at + ANSWER.size <= size:
            number, micros, length, flags = ANSWER.unpack_from(received, at)
            end = at + ANSWER.size + length
            if end > size:
                break
            task = self.tasks.pop(number, None)
            if task is not None:
                task.child = None
                self.expected_us -= task.expected_us
                self._on_answer(self, task, micros, flags, bytes(received[at + ANSWER.size : end]))
            at = end
        del received[:at]


def _spawn(channel: int, page: int) -> int:
    """Start a child process, in a group of its own, and return its number."""
    variables = {name: text for name, text in os.environ.items() if name != "REACTOR_POOL_TOKEN"}
    words = [sys.executable, *_FLAGS, "-m", "reactor", "pool-child", str(channel), str(page)]
    for file in (channel, page):
        os.set_inheritable(file, True)
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    return os.posix_spawn(sys.executable, words, variables, file_actions=[nothing], setpgroup=0)


_FLAGS = ["-P"] if sys.flags.safe_path else []
