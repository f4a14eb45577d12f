"""A world that follows a script and its moves: the engine's run of a reactor with several tasks in flight.

In: the spec of a reactor, a script and `Moves` (see `words`). Out: an `End`. Nothing here is left to chance.
"""

from collections.abc import Mapping
from typing import Any

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import CLEANUP, RunState, Stage, Timer, is_held
from tests.property.scripted import ScriptedWorld, outcome_of, request_of
from tests.property.words import RESUME, SUSPEND, Moves, Script
from tests.property.world import STEP_LIMIT


class ScriptedSiblings(ScriptedWorld):
    """Whatever is asked is answered by the script, and whatever happens is a move."""

    def __init__(self, spec: Mapping[str, Any], script: Script, moves: Moves) -> None:
        super().__init__(spec, script)
        self.picks = list(moves.picks)
        self.asking = moves.asked
        self.told: list[tuple[ev.Event, ...]] = []

    def run(self) -> RunState:
        """Let one thing happen after the other until the run is over."""
        if not self.moves:
            self.feed(ev.TimePassed())
        for _ in range(STEP_LIMIT):
            if self.state.header.stage is Stage.OVER:
                return self.state
            self.move()
        raise AssertionError("the run does not end")

    def move(self) -> None:
        """Let one thing happen, and tell it as the shell does: the timers behind it."""
        self.moves += 1
        if self.moves in self.asking:
            self.feed(self.wish(self.asking[self.moves]), ev.TimePassed())
            return
        flights = sorted(self.open, key=lambda task: self.plan.steps[task.path].index)
        if not flights and not self.waits:
            assert is_held(self.state.header), "the run is stuck"
            self.feed(self.wish(RESUME), ev.TimePassed())
            return
        pick = (self.picks.pop(0) if self.picks else 0) % (len(flights) + self.waits)
        if pick == len(flights):
            assert self.wake_at is not None, "an attempt waits for a time that nobody is to tell"
            self.now = max(self.now, self.wake_at)
            self.feed(ev.TimePassed())
            return
        task = flights[pick]
        asked = (task.path, task.action.value)
        if task not in self.running and self.script.get(asked, [])[:1] != [FailureKind.CANNOT_START.value]:
            self.running.add(task)
            self.feed(ev.TaskStarted(task=task, at=self.now), ev.TimePassed())
        else:
            self.feed(outcome_of(task, self.line(*asked, "ok")), ev.TimePassed())

    @property
    def waits(self) -> bool:
        """Whether an attempt waits for its time, and is not held."""
        held = is_held(self.state.header)
        waiting = [step for step in self.state.steps.values() if step.timer is Timer.RETRY]
        return any(not (held and step.phase in CLEANUP) for step in waiting)

    def wish(self, signal: str) -> ev.Event:
        """Say what a person asks for, or what the spec says by now."""
        if signal in {SUSPEND, RESUME}:
            return ev.SpecChanged(suspended=signal == SUSPEND, generation=self.state.header.generation + 1)
        return request_of(signal, f"move-{self.moves}")

    def feed(self, *events: ev.Event) -> None:
        """Tell what happened once all is answered that was asked before."""
        self.told.append(events)
        if len(self.told) > 1:
            return
        while self.told:
            super().feed(*self.told[0])
            del self.told[0]
