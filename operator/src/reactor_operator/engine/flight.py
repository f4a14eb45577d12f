"""The elements of a map that are in flight, with what follows from all of them at hand.

In: elements by path, one at a time. Out: how many tasks they have, which of them are to be looked at, and when.
Never here: what happens inside an element.

A map may have a thousand elements in flight of which a decision moves few. Going over all of them to find those that
wait for something would cost more than moving the few.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from reactor_operator.engine.state import CLEANUP, Header, RunState, Stage, StepState, Timer, is_held

_CLEANS_UP = frozenset({Stage.HOLDING, Stage.REVERTING})


class Flight(Mapping[str, RunState]):
    """Elements by path. One that is part of a state is never changed: `copy` it first.

    load:      tasks in flight, and evaluations that lead to one.
    suspended: how many elements hold still.            paused: how many wait for signals alone.
    waiting:   elements that may wait for room.        troubled: elements that do not go forward.
    reasoned:  elements that may tell why something in them cannot start now.
    """

    __slots__ = ("_due", "_elements", "load", "paused", "reasoned", "suspended", "troubled", "waiting")

    def __init__(self) -> None:
        self._elements: dict[str, RunState] = {}
        self._due: dict[str, int] = {}
        self.load = 0
        self.suspended = 0
        self.paused = 0
        self.waiting: dict[str, None] = {}
        self.troubled: dict[str, None] = {}
        self.reasoned: dict[str, None] = {}

    @classmethod
    def of(cls, elements: Mapping[str, RunState]) -> "Flight":
        """Return elements as they fly."""
        if isinstance(elements, Flight):
            return elements
        made = cls()
        for path, element in elements.items():
            made.put(path, element)
        return made

    def copy(self) -> "Flight":
        """Return another one that may be changed."""
        made = Flight()
        made._elements, made._due = self._elements.copy(), self._due.copy()
        made.load, made.suspended, made.paused = self.load, self.suspended, self.paused
        made.waiting, made.troubled, made.reasoned = self.waiting.copy(), self.troubled.copy(), self.reasoned.copy()
        return made

    def put(self, path: str, element: RunState) -> None:
        """Take an element in, in the place of what it was before."""
        before = self._elements.get(path)
        if before is not None:
            self._discount(path, before)
        self._elements[path] = element
        self.load += load_of(element)
        header = element.header
        if header.suspended:
            self.suspended += 1
        if header.paused:
            self.paused += 1
        if _may_wait(element):
            self.waiting[path] = None
        if header.stage is not Stage.FORWARD:
            self.troubled[path] = None
        if element.elements or any(element.step(at).reason for at in element.active):
            self.reasoned[path] = None
        if element.due or element.elements or header.rollback_deadline is not None:
            at = wakes_at(element, -1)
            if at is not None:
                self._due[path] = at

    def remove(self, path: str) -> None:
        """Let an element go."""
        self._discount(path, self._elements.pop(path))

    def _discount(self, path: str, element: RunState) -> None:
        self.load -= load_of(element)
        self.suspended -= element.header.suspended
        self.paused -= element.header.paused
        self._due.pop(path, None)
        self.waiting.pop(path, None)
        self.troubled.pop(path, None)
        self.reasoned.pop(path, None)

    @property
    def is_paused(self) -> bool:
        """Whether all that is in flight waits for signals."""
        return 0 < len(self._elements) == self.paused

    def due(self, now: int) -> list[str]:
        """Return the elements that something is due in, or whose deadline has passed: nobody is woken in time to the
        millisecond."""
        if not self._due or min(self._due.values()) > now:
            return []
        return [path for path, at in self._due.items() if at <= now]

    def wakes_at(self, now: int) -> int | None:
        """Return when one of the elements is to be looked at, whatever happens."""
        if not self._due:
            return None
        first = min(self._due.values())
        if first > now:
            return first
        times = [at if at > now else wakes_at(self._elements[path], now) for path, at in self._due.items()]
        return min((at for at in times if at is not None), default=None)

    def __getitem__(self, path: str) -> RunState:
        return self._elements[path]

    def __contains__(self, path: object) -> bool:
        return path in self._elements

    def __iter__(self) -> Iterator[str]:
        return iter(self._elements)

    def __len__(self) -> int:
        return len(self._elements)

    def __repr__(self) -> str:
        return f"Flight({self._elements!r})"


def wakes_at(element: RunState, now: int) -> int | None:
    """Return when an element of a map is to be looked at, whatever happens."""
    header = element.header
    if header.stage is Stage.OVER:
        return None
    held = is_held(header)
    times = [at for path, at in element.due.items() if not (held and retries_cleanup(element.step(path)))]
    if header.rollback_deadline is not None and header.rollback_deadline > now:
        times.append(header.rollback_deadline)
    for elements in element.elements.values():
        at = Flight.of(elements).wakes_at(now)
        if at is not None:
            times.append(at)
    return min(times, default=None)


def _may_wait(element: RunState) -> bool:
    """Tell whether an element may begin something as soon as there is room; of maps inside only their plan is sure."""
    starts = any(path not in element.evaluating for path in element.ready)
    return starts or bool(element.elements) or between_cleanups(element.header, element.step, element.active)


def between_cleanups(header: Header, step: Callable[[str], StepState], active: Iterable[str]) -> bool:
    """Tell whether a saga cleans up, and has begun nothing that it would wait for before it goes on to the next."""
    return header.stage in _CLEANS_UP and not any(step(path).phase in CLEANUP for path in active)


def load_of(element: RunState) -> int:
    """Return how many tasks of an element are in flight, and evaluations that lead to one."""
    load = len(element.active) + len(element.evaluating)
    if element.elements:
        load += sum(Flight.of(elements).load for elements in element.elements.values()) - len(element.elements)
    return load


def retries_cleanup(step: StepState) -> bool:
    """Tell whether a step waits to attempt its compensate or undo again."""
    return step.timer is Timer.RETRY and step.phase in CLEANUP
