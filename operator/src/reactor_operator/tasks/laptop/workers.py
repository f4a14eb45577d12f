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
        self._idle: list[Worker] = [Worker(warm)] if warm is not None else []
        self._busy: set[Worker] = set()

    def warm(self) -> None:
        """Have an idle worker."""
        if not any(worker.is_idle for worker in self._idle):
            self._idle.append(Worker(spawn_worker(self._python)))

    def take(self) -> Worker:
        """Return a worker that is idle, the one used last first: its modules are warm."""
        worker = None
        while worker is None or not worker.is_idle:
            worker = self._idle.pop() if self._idle else Worker(spawn_worker(self._python))
        self._busy.add(worker)
        return worker

    def give_back(self, worker: Worker) -> None:
        """Take a worker back; one that is not idle (it was left in the middle of a task, or is used up) is ended."""
        self._busy.discard(worker)
        if worker.is_idle:
            self._idle.append(worker)
        else:
            worker.process.kill()

    async def close(self) -> None:
        """End all workers and wait until they are gone."""
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        for worker in workers:
            worker.process.kill()
        await asyncio.gather(*(worker.process.exited for worker in workers))
