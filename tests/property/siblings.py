"""The reference model of a run with several tasks in flight: rules 1, 3, 9 and 11 of DESIGN 4 where siblings matter.

In: a spec without steps inside steps, a script, and the `Moves`. Out: an `End`. Whatever waits for something lets one
thing happen after the other until it has come about.
Never here: events, timers, anything of `reactor_operator`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.property.reference import Reference
from tests.property.words import HALT, NEVER_STARTED, RESUME, RETRYABLE, STOP, SUSPEND, UNCERTAIN, Broken, Moves, Script
from tests.property.written import Node, is_startable


@dataclass(eq=False)
class Flight:
    """A task in flight."""

    node: Node
    action: str
    has_begun: bool = False
    ending: str = ""


class Siblings(Reference):
    """One run of a reactor by a script and its moves."""

    def __init__(self, spec: Mapping[str, Any], script: Script, moves: Moves) -> None:
        super().__init__(spec, script)
        self.places = spec["parallelism"]
        self.terminates = spec.get("onFailure") == "terminate"
        self.manifest = [*self.top.inside, *self.finals]
        self.picks = list(moves.picks)
        self.asking = moves.asked
        self.due = 0
        self.in_flight: list[Flight] = []
        self.failing: list[tuple[Node, str]] = []
        self.is_ending = self.is_halting = self.is_suspended = self.is_by_request = False

    @property
    def is_held(self) -> bool:
        """Rule 9: a suspended run starts nothing, reverses nothing and does not end; a cancel and an undo go on."""
        return self.is_suspended and not self.is_by_request

    # Forward.

    def go(self) -> None:
        """Go forward, with nothing that was asked before."""
        self.is_ending = self.is_halting = self.is_by_request = False
        super().go()

    def scope(self, scope: Node) -> Broken | str | None:
        """Rules 1, 3 and 11: a failed step cleans up after itself; a halt comes after that; else all may start."""
        while not self.asked:
            if self.is_halting and not self.failing and not self.is_finishing:
                return HALT
            if self.is_held:
                self.move()
            elif self.failing:
                if (outcome := self.fail(*self.failing.pop(0))) is not None:
                    while self.is_held and not self.asked:  # nor is anything given up meanwhile
                        self.move()
                    return STOP if self.asked else outcome
            elif (outcome := self.start(scope)) is not None:
                return outcome
            elif self.in_flight or any(node.phase == "Retrying" for node in scope.inside):
                self.move()
            else:
                return None
        return STOP

    def start(self, scope: Node) -> Broken | str | None:
        """Rule 1: start what may start, in order, up to `parallelism`; a step has its place before it is evaluated."""
        placed: list[Node] = []
        while True:
            for node in scope.inside:
                if len(self.in_flight) + len(placed) == self.places:
                    break
                if node.phase == "Retrying" and node.due <= self.clock:
                    self.task(node)
                elif is_startable(node, scope) and node not in placed:
                    placed.append(node)
            if not placed:
                return None
            outcome = self.step(placed.pop(0))
            if outcome is not None:
                return outcome

    def task(self, node: Node) -> None:
        """Launch an attempt; its end is a move of its own."""
        node.phase, node.attempt = "Running", node.attempt + 1
        self.fly(node, "run", node.attempt)

    def ended(self, node: Node, ending: str) -> None:
        """An attempt ended (rules 2, 3 and 11); while another step cleans up, one that fails waits for its turn."""
        if ending not in NEVER_STARTED:
            node.has_acted()
        if ending in {"ok", HALT}:
            self.succeed(node)
            self.is_halting |= ending == HALT
        elif ending == "skip":
            node.phase = "Skipped"
        else:
            goes_on = node.is_final or not self.is_ending
            node.uncertain |= ending in UNCERTAIN
            node.phase = "Failed"
            if goes_on and ending in RETRYABLE and node.attempt < node.attempts_of("run"):
                node.phase, node.due = "Retrying", self.clock + 1
            elif goes_on and not node.is_final:
                self.failing.append((node, ending))

    # Back.

    def go_back(self, phase: str) -> None:
        """Remember whose wish it is."""
        self.is_by_request |= phase == "Undone"
        super().go_back(phase)

    def stop(self, scope: Node) -> None:
        """Rules 3 and 11: what is in flight drains, or is stopped; after a halt it drains."""
        self.start_no_more(terminate=self.is_going_back)
        while self.in_flight:
            self.move()

    def start_no_more(self, *, terminate: bool) -> None:
        """No attempt starts any more; a task that is stopped after it began may have done anything (rule 4)."""
        self.is_ending = True
        self.failing = []
        for node in self.top.inside:
            if node.phase == "Retrying":
                node.phase = "Cancelled"
        for flight in list(self.in_flight):
            if terminate and self.terminates and flight.action == "run":
                self.in_flight.remove(flight)
                flight.node.phase = "Cancelled"
                if flight.has_begun:
                    flight.node.has_acted()
                    flight.node.uncertain = True

    def may_reverse(self) -> bool:
        """Nothing is reversed while the run is suspended."""
        while self.is_held:
            self.move()
        return super().may_reverse()

    def launch(self, node: Node, action: str, attempt: int) -> str:
        """Launch what reverses a step, and wait for its end; siblings are left alone."""
        flight = self.fly(node, action, attempt)
        while flight in self.in_flight:
            self.move()
        return flight.ending

    def wait(self) -> None:
        """Wait for the next attempt to reverse a step, which a cancel gives up."""
        self.due = self.clock + 1
        while self.asked != "cancel" and (self.clock < self.due or self.is_held):
            self.move()
        self.due = 0

    # What happens.

    def hear(self, signal: str) -> None:
        """Rule 9: a person asks for something, whatever is in flight."""
        if signal in {SUSPEND, RESUME}:
            self.is_suspended = signal == SUSPEND
            return
        if signal == "cancel" and self.is_finishing:
            self.stop_finals()
            return
        accepted = not self.is_finishing and self.asked != "cancel" and not (signal == "undo" and self.is_going_back)
        self.answers.append(accepted)
        if accepted:
            self.asked, self.is_by_request = signal, True
            self.start_no_more(terminate=True)
        if accepted and signal == "undo":
            self.is_going_back = True
            self.reopen()

    def stop_finals(self) -> None:
        """A cancel stops the `finally` steps that have not ended, and the run ends as it was about to."""
        self.answers.append(True)
        self.asked, self.in_flight = "cancel", []
        for node in self.finals:
            if node.phase in {"Running", "Retrying"}:
                node.phase = "Cancelled"

    def move(self) -> None:
        """Let one thing happen; a suspended run in which nothing can happen any more is let go on."""
        self.moves += 1
        if self.moves in self.asking:
            return self.hear(self.asking[self.moves])
        dues = [node.due for node in self.manifest if node.phase == "Retrying"] + [self.due] * (not self.is_held)
        later = [due for due in dues if due > self.clock]
        flights = sorted(self.in_flight, key=lambda flight: self.manifest.index(flight.node))
        if not flights and not later:
            assert self.is_held, "the run is stuck"
            return self.hear(RESUME)
        pick = (self.picks.pop(0) if self.picks else 0) % (len(flights) + bool(later))
        if pick < len(flights):
            return self.go_on(flights[pick])
        self.clock = min(later)
        return None

    def fly(self, node: Node, action: str, attempt: int) -> Flight:
        """Launch a task."""
        self.launched(node, action, attempt)
        self.in_flight.append(Flight(node, action))
        return self.in_flight[-1]

    def go_on(self, flight: Flight) -> None:
        """A task begins, unless it is to fail before that; or it ends."""
        node, action = flight.node, flight.action
        if not flight.has_begun and self.script.get((node.path, action), [])[:1] != ["CannotStart"]:
            flight.has_begun = True
            if action == "run" and not node.begun:
                self.numbers += 1
                node.begun = self.numbers
            return
        flight.ending = self.next_of(node.path, action, "ok")
        self.in_flight.remove(flight)
        if action == "run":
            self.ended(node, flight.ending)
