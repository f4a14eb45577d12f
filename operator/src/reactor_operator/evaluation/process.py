"""The worker process as its owner sees it: start it, ask it, kill it when it takes too long.

In: a question. Out: answers, or why there are none. Never here: what an expression means.
"""

import asyncio
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import orjson

import reactor_operator
from reactor_operator.evaluation.frames import HEADER, render_frame
from reactor_operator.evaluation.questions import is_last
from reactor_operator.ports import Unavailable

START_SECONDS = 60.0
PATIENCE = 20
"""How many times longer than its CPU time a question may take by the clock: the machine may be busy."""


_END_SECONDS = 5.0


class WorkerEnded(Exception):
    """The worker took too long (then not `in_time`), or died, having given `answers`. It is gone; start another."""

    def __init__(self, answers: Sequence[Mapping[str, object]], *, in_time: bool) -> None:
        super().__init__("the worker of expressions ended")
        self.answers = answers
        self.in_time = in_time


class Worker:
    """One worker process. It answers one question at a time."""

    def __init__(self, process: Process, questions: StreamWriter, answers: StreamReader) -> None:
        self._process = process
        self._questions = questions
        self._answers = answers

    @classmethod
    async def start(cls) -> "Worker":
        """Start a worker and wait until it is ready. Raises Unavailable."""
        command = (sys.executable, "-P", "-m", "reactor_operator.evaluation.worker")
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C on a terminal is for its owner, who ends it
            )
        except OSError as error:
            raise Unavailable(f"the worker of expressions could not be started: {error}") from error
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process that was started with pipes has none")
        worker = cls(process, process.stdin, process.stdout)
        try:
            # not wait_for: before Python 3.12 it forgets a cancellation that comes with the answer
            async with asyncio.timeout(START_SECONDS):
                await worker._read()
        except (TimeoutError, EOFError) as error:
            await worker.kill()
            raise Unavailable("the worker of expressions did not become ready") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    async def ask(self, question: Mapping[str, object], count: int, seconds: float) -> list[Mapping[str, object]]:
        """Return up to `count` answers, all within `seconds` of CPU time. Raises WorkerEnded: the process is gone."""
        answers: list[Mapping[str, object]] = []
        try:
            async with asyncio.timeout(seconds * PATIENCE):
                await self._write(render_frame({**question, "seconds": seconds}))
                while len(answers) < count:
                    answers.append(await self._read())
                    if is_last(question, len(answers) - 1, answers[-1]):
                        break
        except (TimeoutError, EOFError, OSError) as error:
            if not isinstance(error, TimeoutError):
                await self._wait_for_its_end()
            await self.kill()
            stopped = isinstance(error, TimeoutError) or self._process.returncode == -signal.SIGPROF
            raise WorkerEnded(answers, in_time=not stopped) from error
        except BaseException:
            await self.kill()
            raise
        return answers

    async def kill(self) -> None:
        """End the process and wait until it is gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()

    async def _wait_for_its_end(self) -> None:
        """Wait for a process that closed its pipe.

        A signal to it now might hide how it ended: `Popen.send_signal` reaps a process that is dead.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self._process.wait()

    async def _write(self, frame: bytes) -> None:
        self._questions.write(frame)
        await self._questions.drain()

    async def _read(self) -> Mapping[str, object]:
        size = int.from_bytes(await self._answers.readexactly(HEADER), "big")
        answer: Mapping[str, object] = orjson.loads(await self._answers.readexactly(size))
        return answer


def _environment() -> dict[str, str]:
    """Return our own environment, in which the child finds the very package that runs here."""
    root = str(Path(reactor_operator.__path__[0]).parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
