"""A worker process that does Python tasks, one after another (`reactor.worker` of the runtime is the other end).

In: an order as bytes. Out: the outcome document, or None where the process ended without one; on the way there may be
questions. Never here: what an order says or a document means, and a second order before the first is answered.
"""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from reactor_operator.tasks.laptop.process import Process

_COMMAND = ("-P", "-m", "reactor", "worker")


def spawn_worker(python: str = sys.executable) -> subprocess.Popen[bytes]:
    """Start a worker process; it needs no event loop yet, so a command can do this before anything else.

    `-P` keeps the working folder out of the modules' path: only what stands beside the manifest serves as modules.
    """
    return subprocess.Popen(  # noqa: S603 - no shell, and no word from outside
        [python, *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


OnQuestion = Callable[[bytes], Awaitable[bytes]]
"""Answers a question of a worker."""


@dataclass(slots=True)
class _Answer:
    """What has arrived of the answer to one order. `whole` is done when output and document are there.

    reply: what is being answered to a question of the worker; it asks one after the other.
    """

    mark: str
    on_line: Callable[[str], None]
    on_question: OnQuestion
    whole: asyncio.Future[bytes]
    reply: asyncio.Task[None] | None = None
    marked: bool = False
    buffer: bytearray = field(default_factory=bytearray)
    length: int = -1
    keep: bool = True

    def settle(self) -> None:
        if self.marked and 0 <= self.length <= len(self.buffer) and not self.whole.done():
            self.whole.set_result(bytes(self.buffer[: self.length]))


class Worker:
    """One worker. `is_idle` tells whether it may take an order."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        if popen.stdin is None or popen.stdout is None or popen.stderr is None:
            raise AssertionError("a worker is spawned with three pipes")
        self._stdin = popen.stdin
        os.set_blocking(self._stdin.fileno(), False)
        self._loop = asyncio.get_running_loop()
        self._answer: _Answer | None = None
        self._used_up = False
        self._unsent = bytearray()
        self.process = Process(popen, popen.stderr, self._take_line)
        self.process.read(popen.stdout, self._take_answer)

    @property
    def is_idle(self) -> bool:
        """Whether it may take an order."""
        return self._answer is None and not self._used_up and self.process.is_alive

    def retire(self) -> None:
        """Take no further order; the one that is being done may end."""
        self._used_up = True

    async def perform(
        self, order: bytes, mark: str, on_line: Callable[[str], None], on_question: OnQuestion
    ) -> bytes | None:
        """Hand over an order that names `mark` and return its outcome document; None where the process ended first."""
        whole = self._loop.create_future()
        answer = self._answer = _Answer(mark=mark, on_line=on_line, on_question=on_question, whole=whole)
        self._send(b"%d\n" % len(order) + order)
        try:
            await asyncio.wait((answer.whole, self.process.exited), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if answer.reply is not None:
                answer.reply.cancel()
        self._answer = None
        if answer.whole.done():
            self._used_up |= not answer.keep
            return answer.whole.result()
        return None

    def _send(self, content: bytes) -> None:
        self._unsent += content
        self._send_some()

    def _send_some(self) -> None:
        """Write without waiting; the loop comes back when there is room."""
        if self._stdin.closed:
            return
        file = self._stdin.fileno()
        try:
            del self._unsent[: os.write(file, self._unsent)]
        except BlockingIOError:
            pass
        except OSError:  # it has ended; `exited` tells
            self._unsent.clear()
        if self._unsent:
            self._loop.add_writer(file, self._send_some)
        else:
            self._loop.remove_writer(file)

    def _take_line(self, line: str) -> None:
        answer = self._answer
        if answer is None or answer.marked:
            return
        if line.endswith(answer.mark):
            line = line.removesuffix(answer.mark)
            answer.marked = True
            if not line:
                answer.settle()
                return
        answer.on_line(line)
        answer.settle()

    def _take_answer(self, chunk: bytes) -> None:
        answer = self._answer
        if answer is None:
            return
        answer.buffer += chunk
        while answer.length < 0 and b"\n" in answer.buffer:
            head, _, rest = answer.buffer.partition(b"\n")
            first, second = head.split()
            if first == b"?":
                if len(rest) < int(second):
                    return
                answer.reply = self._loop.create_task(self._reply(answer, bytes(rest[: int(second)])))
                answer.buffer = rest[int(second) :]
                continue
            answer.length, answer.keep, answer.buffer = int(first), second == b"1", rest
        answer.settle()

    async def _reply(self, answer: _Answer, question: bytes) -> None:
        reply = await answer.on_question(question)
        if self._answer is answer:
            self._send(b"%d\n" % len(reply) + reply)


def new_mark() -> str:
    """Return a text that no handler prints."""
    return f"\x1e{secrets.token_hex(16)}"
