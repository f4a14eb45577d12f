"""What the history of a run tells, entry by entry, and whether that is where the run is.

In: transitions in the order in which they were written; states. Out: nothing, or an AssertionError that names the path.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reactor_operator.engine.draft import open_tasks
from reactor_operator.engine.history import Transition, is_told, short_key
from reactor_operator.engine.state import RunState, StepPhase

PENDING = StepPhase.PENDING.value


@dataclass
class Retold:
    """Where the run (its path is empty) and its steps are, as the history says, and in which round.

    late: it is not told from the beginning. An element that had ended by then is where its first entry says.
    """

    phases: dict[str, str] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    number: int = 0
    late: bool = False

    def take(self, told: Iterable[Transition]) -> None:
        """Read on. Each entry begins where the last one of its path ended, each task is opened and ended once."""
        for one in told:
            self.number += 1
            where = f"entry {self.number}, {one.path or 'the run'}"
            known = self.phases.get(one.path, PENDING)
            anew = "[" in one.path and one.before == PENDING and one.round > self.rounds.get(one.path, 0)
            unseen = self.late and "[" in one.path and one.path not in self.phases
            assert one.before == known or anew or unseen, f"{where}: it goes from {one.before}, and was {known}"
            if one.ended:
                found = None if anew else self.open.pop(one.path, None)
                assert found == one.ended, f"{where}: {one.ended} ended, and {found} was open"
                assert one.outcome in {"Succeeded", "Failed", "Lost", "Cancelled"}
            if one.opened:
                assert one.path not in self.open or anew, f"{where}: {self.open[one.path]} was not ended"
                self.open[one.path] = one.opened
            self.phases[one.path], self.rounds[one.path] = one.after, one.round
            assert one.cause, f"{where}: nobody knows why"

    def is_stopped(self, state: RunState) -> None:
        """The state was found to be lost, which somebody else tells."""
        self.phases[""] = state.header.phase

    def check(self, state: RunState) -> None:
        """What is told last of each path is where it is."""
        assert self.phases.get("", PENDING) == state.header.phase, "the run is not where its history says"
        for path, phase in phases_in(state):
            if self.late and "[" in path and path not in self.phases:
                continue
            assert self.phases.get(path, PENDING) == phase, f"{path} is {phase}: told as {self.phases.get(path)}"


def phases_in(state: RunState) -> Iterator[tuple[str, StepPhase]]:
    """Yield where each step is that is told one by one, also in elements that are in flight."""
    for path, step in state.steps.items():
        if is_told(path):
            yield path, step.phase
    for flight in state.elements.values():
        for path, element in flight.items():
            if is_told(path):
                yield from phases_in(element)


def open_in(state: RunState) -> Iterator[tuple[str, str]]:
    """Yield the open task of each step that is told one by one, by path."""
    return ((task.path, short_key(task)) for task in open_tasks(state) if is_told(task.path))
