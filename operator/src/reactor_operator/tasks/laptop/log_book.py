"""What the tasks of a laptop print: the end of it in memory while they run, in the store once they have ended.

In: lines, the ends of tasks. Out: logs. Never here: a run that waits for a log to be kept, a log in the store of a task
whose values are sensitive, steps in elements beyond those of which a history tells.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from reactor_operator.engine.history import is_told
from reactor_operator.ports import RunRef, TaskOrder
from reactor_operator.store.kept_logs import LOG_BYTES, RUN_BYTES, encode_log, end_of
from reactor_operator.store.port import Logs, StoreUnavailable

_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class _Log:
    """The last lines of a task; `first` is the number of the first of them."""

    lines: deque[bytes] = field(default_factory=deque)
    first: int = 0
    size: int = 0

    def add(self, line: str) -> None:
        body = line.encode("utf-8", "replace") + b"\n"
        self.lines.append(body)
        self.size += len(body)
        while self.size > LOG_BYTES and len(self.lines) > 1:
            self.size -= len(self.lines.popleft())
            self.first += 1


class LogBook:
    """The logs of one process."""

    def __init__(self, store: Logs) -> None:
        self._store = store
        self._open: dict[tuple[str, str], _Log] = {}

    def begin(self, order: TaskOrder) -> Callable[[str], None]:
        """Return what takes the lines of a task."""
        if not is_told(order.task.path):
            return lambda line: None
        log = self._open[order.run.uid, order.task.key] = _Log()
        return log.add

    async def end(self, order: TaskOrder) -> None:
        """Keep the log of a task that has ended, where it printed anything."""
        log = self._open.pop((order.run.uid, order.task.key), None)
        if log is None or not log.lines or order.sensitive:
            return
        body = encode_log(end_of(b"".join(log.lines), cut=log.first > 0))
        try:
            await self._store.put_log(order.run.uid, order.task.key, body, RUN_BYTES)
        except StoreUnavailable:
            return  # a log that is lost is no failure

    def drop(self, order: TaskOrder) -> None:
        """Forget a task that did not come to its end here."""
        self._open.pop((order.run.uid, order.task.key), None)

    def follow(self, run: RunRef, task: str, *, on: bool) -> AsyncGenerator[bytes, None] | None:
        """Return what a task has printed, and (`on`) what it prints until it ends; None where it does not run here."""
        log = self._open.get((run.uid, task))
        return None if log is None else self._lines(log, (run.uid, task), on=on)

    async def _lines(self, log: _Log, key: tuple[str, str], *, on: bool) -> AsyncGenerator[bytes, None]:
        number = log.first
        while True:
            number = max(number, log.first)
            new = list(log.lines)[number - log.first :]
            number += len(new)
            yield b"".join(new)
            if not on or self._open.get(key) is not log:
                return
            await asyncio.sleep(_PAUSE_SECONDS)
