"""What tasks of workers print: which of it is asked for, and the end of it in the store (docs/logs.md).

In: a task that is leased; what heartbeats and reports say of tasks. Out: logs in the store. Never here: a report that
fails because a log cannot be kept, or a log of somebody who was not given the task.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from reactor_operator.engine.history import is_told
from reactor_operator.engine.identity import parse_task_key
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.store.kept_logs import KeptLog, LogSettings, encode_log, end_of
from reactor_operator.store.port import Appended, Logs, StoreUnavailable

_TAKEN = frozenset({Appended.RECORDED, Appended.REPEATED, Appended.CLOSED})
_MOST_LINES = 1 << 62
_log = structlog.get_logger("reactor_operator.gateway")


class PrintedLogs:
    """Keeps them in one store; none where `settings` is None."""

    def __init__(self, store: Logs, settings: LogSettings | None) -> None:
        self._store = store
        self._settings = settings

    def wants(self, path: str, record: OpenRecord) -> bool:
        """Tell whether a worker is to tell what a task of the step at `path` prints."""
        settings = self._settings
        return settings is not None and (settings.sensitive or not record.sensitive) and is_told(path)

    async def keep_reported(self, outcomes: Iterable[Any], answers: Sequence[str]) -> None:
        """Keep what is in a report that was answered so."""
        for told, answer in zip(outcomes, answers, strict=True):
            if answer in _TAKEN:
                await self.keep(told)

    async def keep(self, told: Any) -> None:
        """Keep what is told of a task that was given to who tells it. Raises Refusal as `log_of` does."""
        log, settings, task = log_of(told), self._settings, parse_task_key(str(told["task"]))
        if log is None or settings is None or task is None or not is_told(task.path):
            return
        if told.get("sensitive") is True and not settings.sensitive:
            return  # it was not asked for
        run = str(told["run"])
        try:
            body = await asyncio.to_thread(_encoded, log)
            await self._store.put_log(run, task.key, body, settings.run_bytes)
        except StoreUnavailable as problem:
            _log.info("the log of a task is lost", run=run, task=task.key, problem=str(problem))


def log_of(told: Any) -> KeptLog | None:
    """Return what a worker tells that a task printed, None where it tells nothing. Raises Refusal."""
    found = told.get("log")
    if found is None:
        return None
    text = found.get("text") if isinstance(found, dict) else None
    lines = found.get("lines") if isinstance(found, dict) else None
    if not isinstance(text, str) or not isinstance(lines, int) or not 0 <= lines < _MOST_LINES:
        raise Refusal(400, 'log: expected {"text": the last lines that the task printed, "lines": how many in all}')
    return KeptLog(text.encode(), lines=int(lines))


def _encoded(log: KeptLog) -> bytes:
    end = end_of(log.text)
    return encode_log(replace(end, cut=end.cut or end.text.count(b"\n") < (log.lines or 0), lines=log.lines))
