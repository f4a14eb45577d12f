"""The workers of the laptop: idle ones are used again, new ones are spawned when none is idle.

In: nothing. Out: workers. Never here: a limit (the launcher has it), a process that stays behind after `close`.
"""

import asyncio
import subprocess

from reactor_operator.tasks.laptop.worker import Worker, spawn_worker


class Workers:
    """Hands out workers and takes them back. `warm` is a process that was spawned before there was an event loop."""

    def __init__(self, python: str, warm: subprocess.Popen[bytes] | None = None) -> None:
        self._python = python
        self._all: set[Worker] = set()
        self._idle: list[Worker] = [self._adopt(warm)] if warm is not None else []

    def warm(self) -> None:
        """Have an idle worker."""
        if not any(worker.is_idle for worker in self._idle):
            self._idle.append(self._spawn())

    def take(self) -> Worker:
        """Return a worker that is idle, the one used last first: its modules are warm."""
        worker = None
        while worker is None or not worker.is_idle:
            worker = self._idle.pop() if self._idle else self._spawn()
        return worker

    def give_back(self, worker: Worker) -> None:
        """Take a worker back; one that is not idle (it was left in the middle of a task, or is used up) is ended."""
        if worker.is_idle:
            self._idle.append(worker)
        else:
            worker.process.kill()

    async def close(self) -> None:
        """End all workers and wait until they are gone."""
        workers = list(self._all)
        self._idle.clear()
        for worker in workers:
            worker.process.kill()
        await asyncio.gather(*(worker.process.wait() for worker in workers))

    def _spawn(self) -> Worker:
        return self._adopt(spawn_worker(self._python))

    def _adopt(self, popen: subprocess.Popen[bytes]) -> Worker:
        worker = Worker(popen)
        self._all.add(worker)
        worker.process.exited.add_done_callback(lambda _: self._all.discard(worker))
        return worker
