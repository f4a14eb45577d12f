"""How long steps take, measured by watching: a status keeps whole seconds only.

In: steps as they change, and a monotonic clock. Out: seconds. Never here: a guess for what was not seen to begin.
"""

import time
from collections.abc import Callable, Iterable

from reactor_operator.cli.run_view import StepView

_FORWARD, _COMPENSATE, _UNDO = "run", "compensate", "undo"
_BEGINS = {"Running": _FORWARD, "Retrying": _FORWARD, "Compensating": _COMPENSATE, "Undoing": _UNDO}
_ENDS = {
    **dict.fromkeys(("Succeeded", "Skipped", "Failed", "Ignored", "Cancelled"), _FORWARD),
    "Compensated": _COMPENSATE,
    "Undone": _UNDO,
}


class Stopwatch:
    """Measures the steps of one run at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[tuple[str, int, str], float] = {}

    def look(self, changed: Iterable[StepView]) -> None:
        """Note which of the steps that changed have begun something."""
        for step in changed:
            action = _BEGINS.get(step.phase)
            if action is not None:
                self._began.setdefault((step.name, step.round, action), self._clock())

    def seconds(self, step: StepView, phase: str | None = None) -> float | None:
        """Return how long a step took to reach `phase` (default: its own), or has been at it; None where nobody saw."""
        reached = phase or step.phase
        action = _BEGINS.get(reached) or _ENDS.get(reached)
        began = self._began.get((step.name, step.round, action or ""))
        if began is not None:
            return self._clock() - began
        return step.took if action == _FORWARD and step.took else None
