"""What tasks of this process print, for a dashboard beside it.

In: a run, a task. Out: its lines. Never here: the log of a task that has ended, which the store has.
"""

from collections.abc import AsyncGenerator

from reactor_operator.engine.identity import Task
from reactor_operator.gateway.api.logs import NoLiveLog
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.tasks.laptop.log_book import LogBook


class LaptopLogs:
    """Implements `LiveLogs`."""

    def __init__(self, book: LogBook) -> None:
        self._book = book

    async def open(self, known: KnownRun, task: Task, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a task."""
        lines = self._book.follow(known.definition.run, task.key, on=follow)
        if lines is None:
            raise NoLiveLog("it does not run in this process")
        async for part in lines:
            yield part
