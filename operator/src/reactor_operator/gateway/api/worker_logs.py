"""What tasks on workers print while they run, as the store has it since the last heartbeat of the worker.

In: a run, a task. Out: lines as they come, some seconds late. Never here: whether whoever asks may see it (`logs`), or
the log of a worker's pod, in which many tasks print.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from reactor_operator.engine.identity import Task
from reactor_operator.gateway.api.logs import NoLiveLog, is_open
from reactor_operator.gateway.api.stored import StoredRuns
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.printed import PrintedLogs
from reactor_operator.gateway.record import decode_record
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.store.kept_logs import decode_log
from reactor_operator.store.port import Inbox, Logs

LOOK_SECONDS = 1.0


class PrintedStore(Inbox, Logs, Protocol):
    """What is needed of the store."""


@dataclass(frozen=True, slots=True)
class WorkerLogs:
    """Implements `LiveLogs` for tasks that workers take from queues."""

    store: PrintedStore
    runs: StoredRuns
    printed: PrintedLogs

    async def open(self, known: KnownRun, task: Task, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Yield what was printed until the last heartbeat, and what is with each that comes."""
        run, goes_on, shown = known.definition.run, follow, 0
        if not await self.has(run.uid, task):
            raise NoLiveLog("its worker prints into one log what all of its tasks say; look at that")
        while True:
            lines, shown = await self._since(run.uid, task, shown)
            yield lines
            if not goes_on:
                return
            try:
                goes_on = is_open(await self.runs.run(run.namespace, run.name), task)
            except Refusal:  # the run is gone
                return
            await asyncio.sleep(LOOK_SECONDS)  # also after the end: what was printed last comes after the outcome

    async def has(self, run: str, task: Task) -> bool:
        """Tell whether the worker of an open task tells what that prints."""
        found = await self.store.open_task(run, task.key)
        return found is not None and self.printed.wants(task.path, decode_record(found.record))

    async def _since(self, run: str, task: Task, shown: int) -> tuple[bytes, int]:
        """Return the lines that were printed after so many, as far as they are there, and how many there are now."""
        body = await self.store.get_log(run, task.key)
        log = decode_log(body) if body is not None else None
        if log is None or log.lines is None or log.lines <= shown:
            return b"", shown
        *lines, _ = log.text.split(b"\n")
        return b"".join([line + b"\n" for line in lines[-(log.lines - shown) :]]), log.lines
