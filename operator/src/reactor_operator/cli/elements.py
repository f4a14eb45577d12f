"""How far maps have come, in words and numbers: never a line for each element, however many there are.

In: steps as looks show them. Out: text, elements per second, and which maps it is time to say something about.
Never here: an element by itself.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from reactor_operator.cli.run_view import MapView, StepView
from reactor_operator.cli.tables import counted

PAUSE_SECONDS = 5.0
"""Between lines that tell how far maps have come."""
TOLD_AT_ONCE = 8
"""Maps that are told of at a time: those that began first."""
_WINDOW_SECONDS, _SAMPLE_SECONDS = 10.0, 0.25
_GOING, _GOING_BACK = "Running", frozenset({"Undoing", "Compensating"})
_REVERSED = frozenset({"Undone", "Compensated"})


def is_moving(step: StepView) -> bool:
    """Return whether a step is a map that goes over its elements, or back."""
    return step.map is not None and (step.phase == _GOING or step.phase in _GOING_BACK)


def moved(step: StepView) -> tuple[int, int | None]:
    """Return how many elements a map is done with in the direction it goes, and of how many, where that is known."""
    if step.map is None:
        return 0, None
    if step.phase in _GOING_BACK or step.phase in _REVERSED:
        return step.map.undone, None
    return step.map.ended, step.map.total


def render_counts(phase: str, found: MapView | None) -> str:
    """Return how far a map has come, and what became of its elements; nothing for any other step."""
    if found is None:
        return ""
    if phase in _GOING_BACK:
        return f"{found.undone:,} undone"
    if phase in _REVERSED:
        return f"{counted(found.undone, 'element')} undone"
    if phase == _GOING:
        return render_ended(found) + (f" ({found.failed:,} failed)" if found.failed else "")
    whole = found.ended == found.total
    parts = [counted(found.ended, "element") if whole else f"{render_ended(found)} elements"]
    parts += [f"{count:,} {how}" for count, how in ((found.failed, "failed"), (found.skipped, "skipped")) if count]
    return ", ".join(parts)


def render_ended(found: MapView) -> str:
    """Return how many elements have ended, of how many: `1,200/10,000`."""
    return f"{found.ended:,}/{found.total:,}" if found.total is not None else f"{found.ended:,}"


def render_rate(rate: float) -> str:
    """Return elements per second."""
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


class Pace:
    """Measures how fast maps move, over the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, deque[tuple[float, int]]] = {}
        self._newest: dict[str, int] = {}

    def look(self, step: StepView) -> None:
        """Note how far a map has come; one that has ended, or turned back, is measured anew."""
        done, _ = moved(step)
        if not is_moving(step) or done < self._newest.get(step.name, 0):
            self._seen.pop(step.name, None)
        if not is_moving(step):
            self._newest.pop(step.name, None)
            return
        self._newest[step.name] = done
        seen, now = self._seen.setdefault(step.name, deque()), self._clock()
        if not seen or now - seen[-1][0] >= _SAMPLE_SECONDS:
            seen.append((now, done))

    def rate(self, name: str) -> float | None:
        """Return elements per second; None where that is not known yet."""
        seen, now = self._seen.get(name), self._clock()
        if not seen:
            return None
        while len(seen) > 1 and now - seen[1][0] >= _WINDOW_SECONDS:
            seen.popleft()
        since, done = seen[0]
        return (self._newest[name] - done) / (now - since) if now - since >= 1.0 else None


class Ticker:
    """Says when it is time to tell how far maps have come: at most every few seconds, and only of those that moved."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, tuple[str, int]] = {}
        self._at = 0.0

    def due(self, maps: Iterable[StepView]) -> list[StepView]:
        """Look at the maps of a run, and return those to tell of now."""
        moving = [step for step in maps if is_moving(step)]
        now = self._clock()
        if not self._told:
            self._at = now
        self._told = {step.name: self._told.get(step.name, (step.phase, 0)) for step in moving}
        if now - self._at < PAUSE_SECONDS:
            return []
        due = [step for step in moving if self._told[step.name] != _place(step)][:TOLD_AT_ONCE]
        if due:
            self._at = now
            self._told |= {step.name: _place(step) for step in due}
        return due


def _place(step: StepView) -> tuple[str, int]:
    return step.phase, moved(step)[0]
