"""Where it is counted what runs do: the port, and one that counts nothing, as on a laptop and in tests.

In: what was committed, and tasks that were launched. Out: nothing. Never here: how it is counted, or a library for it.
"""

from typing import Protocol

from reactor_operator.ports import RunRef
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.store.port import Commit


class Meter(Protocol):
    """Counts. No call waits, fails, or changes anything of a run."""

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Count what a commit brought, once it is applied. A commit that was refused, or not answered, is not told."""

    def launched(self, run: RunRef) -> None:
        """Count that a task of a run was launched."""

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a run that is gone."""


class Meters:
    """Implements `Meter`: several that are told the same, in their order."""

    def __init__(self, *meters: Meter) -> None:
        self._meters = meters

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Tell them of a commit."""
        for meter in self._meters:
            meter.committed(before, decided, after, commit)

    def launched(self, run: RunRef) -> None:
        """Tell them of a launch."""
        for meter in self._meters:
            meter.launched(run)

    def forget(self, uid: str) -> None:
        """Tell them that a run is gone."""
        for meter in self._meters:
            meter.forget(uid)


class Unmetered:
    """Implements `Meter`: nobody looks."""

    def committed(self, before: KnownRun, decided: Decided, after: KnownRun, commit: Commit) -> None:
        """Count nothing."""

    def launched(self, run: RunRef) -> None:
        """Count nothing."""

    def forget(self, uid: str) -> None:
        """Nothing was kept."""
