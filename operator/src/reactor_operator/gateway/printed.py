"""What tasks of workers printed: which of it is asked for, and the end of it in the store (docs/logs.md).

In: a task that is leased; what a report says of tasks, and how it was answered. Out: logs in the store. Never here: a
report that fails because a log cannot be kept, or a log of somebody who was not given the task.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import structlog

from reactor_operator.engine.history import is_told
from reactor_operator.engine.identity import parse_task_key
from reactor_operator.gateway.record import OpenRecord
from reactor_operator.store.kept_logs import LogSettings, encode_log, end_of
from reactor_operator.store.port import Appended, Logs, StoreUnavailable

_TAKEN = frozenset({Appended.RECORDED, Appended.REPEATED, Appended.CLOSED})
_log = structlog.get_logger("reactor_operator.gateway")


class PrintedLogs:
    """Keeps them in one store; none where `settings` is None."""

    def __init__(self, store: Logs, settings: LogSettings | None) -> None:
        self._store = store
        self._settings = settings

    def wants(self, path: str, record: OpenRecord) -> bool:
        """Tell whether a worker is to report what a task of the step at `path` prints."""
        settings = self._settings
        return settings is not None and (settings.sensitive or not record.sensitive) and is_told(path)

    async def keep(self, outcomes: Iterable[Any], answers: Sequence[str]) -> None:
        """Keep what is in a report that was answered so."""
        for told, answer in zip(outcomes, answers, strict=True):
            if told.get("log") and answer in _TAKEN and self._settings is not None:
                await self._keep(str(told["run"]), str(told["task"]), told, self._settings)

    async def _keep(self, run: str, task: str, told: dict[str, Any], settings: LogSettings) -> None:
        text: str = told["log"]
        found = parse_task_key(task)
        if found is None or not is_told(found.path) or (told.get("sensitive") is True and not settings.sensitive):
            return  # it was not asked for
        cut = told.get("logCut") is True
        try:
            body = await asyncio.to_thread(lambda: encode_log(end_of(text.encode(), cut=cut)))
            await self._store.put_log(run, task, body, settings.run_bytes)
        except StoreUnavailable as problem:
            _log.info("the log of a task is lost", run=run, task=task, problem=str(problem))
