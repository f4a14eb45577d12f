"""The traces of runs: read off each commit once it is applied, as their series are.

In: runs before and after a commit. Out: spans, handed to whoever exports them. Never here: a span that is open: what a
process knows of it would be lost with the process, so each is told once, when it has ended.
"""

from collections.abc import Callable

from reactor_operator.engine.actions import RetireTask
from reactor_operator.engine.state import Stage
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.store.port import Commit
from reactor_operator.tracing.spans import Span, launched, spans_of

_NONE: dict[str, int] = {}


class RunTraces:
    """Tells spans. Implements `reconciling.meter.Meter`."""

    def __init__(self, tell: Callable[[Span], None]) -> None:
        self._tell = tell
        self._launches: dict[str, dict[str, int]] = {}

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Tell what ended with a commit."""
        for span in spans_of(before, decided, self._launches.get(commit.run, _NONE)):
            self._tell(span)
        if decided.actions:
            self._note(commit.run, decided)
        if decided.state.header.stage is Stage.OVER:
            self.forget(commit.run)

    def launched(self, run: RunRef) -> None:
        """When a task was launched is that of the commit that ordered it."""

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a run."""
        self._launches.pop(uid, None)

    def _note(self, uid: str, decided: Decided) -> None:
        """Remember when open tasks were launched: the state of a run does not tell."""
        of_run = self._launches.setdefault(uid, {})
        for task in launched(decided):
            of_run[task.key] = decided.state.header.now
        for action in decided.actions:
            if isinstance(action, RetireTask):
                of_run.pop(action.task.key, None)
        if not of_run:
            del self._launches[uid]
