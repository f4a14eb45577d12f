"""What runs do, as lines of the log: read off each commit once it is applied, as their series are.

In: runs before and after a commit. Out: lines with `run`, `step` and `task`. Never here: a value, or a message of
anybody's code, which may have one in it; failures are told by their kind.
"""

import structlog

from reactor_operator.engine.actions import RetireTask, StartTask
from reactor_operator.engine.state import Header, Stage
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.store.port import Commit

_log = structlog.get_logger("reactor_operator.runs")


class RunLog:
    """Says when runs start and end; with `details` also what is launched and ends. Implements `meter.Meter`."""

    def __init__(self, *, details: bool) -> None:
        self._details = details

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Say what a commit brought."""
        run, header = after.definition.run, decided.state.header
        where = f"{run.namespace}/{run.name}"
        if before.revision == 0 and header.stage is not Stage.RECOVERING:
            _log.info("a run started", run=where, uid=run.uid, reactor=after.definition.reactor_name)
        if self._details:
            for action in decided.actions:
                self._tell(where, action)
        if header.stage is Stage.OVER and (before.revision == 0 or before.state.header.stage is not Stage.OVER):
            _log.info("a run ended", run=where, uid=run.uid, **_end_of(header))

    def launched(self, run: RunRef) -> None:
        """What is launched is said with its commit."""

    def forget(self, uid: str) -> None:
        """Nothing was kept."""

    @staticmethod
    def _tell(where: str, action: object) -> None:
        if isinstance(action, StartTask):
            _log.debug("a task is launched", run=where, step=action.task.path, task=action.task.key)
        elif isinstance(action, RetireTask):
            task, said = action.task, {"failed": action.failed, "stopped": action.stop}
            _log.debug("a task ended", run=where, step=task.path, task=task.key, **said)


def _end_of(header: Header) -> dict[str, object]:
    ended = header.finished_at if header.finished_at is not None else header.now
    said: dict[str, object] = {
        "phase": header.phase.value,
        "rollback": header.rollback.value,
        "took_ms": max(0, ended - header.started_at),
    }
    if header.failure is not None:
        said |= {"step": header.failure.step, "failure": header.failure.failure.kind.value}
    return said
