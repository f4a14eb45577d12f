"""A run shown while it goes on: plain lines for pipes and logs, a tree on a terminal.

In: looks at a run, one after the other. Out: text on a stream. Never here: how the looks are come by.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

from reactor_operator.cli.elements import Ticker, render_counts
from reactor_operator.cli.explanation import render_explanation
from reactor_operator.cli.moments import render_took
from reactor_operator.cli.run_view import RunView
from reactor_operator.cli.stopwatch import Stopwatch
from reactor_operator.cli.story import render_story
from reactor_operator.cli.tables import width_of
from reactor_operator.cli.transitions import Transition, transitions

PHASE_WIDTH = 14
MESSAGE_LIMIT = 400
_ROLLBACK_WORDS = re.compile(r" ?\((rolled back|rollback incomplete): [^()]*\)\Z")
"""How `status.message` ends where something was reversed or not: the end of a run tells it in full."""


class Progress(Protocol):
    """Shows runs, one after the other."""

    def begin(self, run: str, reactor: str, steps: Sequence[str]) -> None:
        """A run begins; `steps` are its steps in the order of their levels, as far as known."""

    def show(self, run: RunView) -> None:
        """Take a look at it. The same look twice shows nothing new."""

    def say(self, text: str) -> None:
        """Show a line from outside the run: what a step printed, a word about Ctrl-C."""

    def end(self, run: RunView) -> None:
        """The run has ended, or is left alone: show how."""

    def recall(self, run: RunView) -> None:
        """Show a run that had ended before, without `begin` and `end`."""


class Silence:
    """Shows nothing: stdout is for one document."""

    def begin(self, run: str, reactor: str, steps: Sequence[str]) -> None:
        """Show nothing."""

    def show(self, run: RunView) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Put it on stderr."""
        print(text, file=sys.stderr, flush=True)

    def end(self, run: RunView) -> None:
        """Show nothing."""

    def recall(self, run: RunView) -> None:
        """Show nothing."""


class Lines:
    """One line for each transition, and now and then one for a map that moves."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._before: RunView | None = None
        self._width = 0
        self._watch = Stopwatch(clock)
        self._ticker = Ticker(clock)

    def begin(self, run: str, reactor: str, steps: Sequence[str]) -> None:
        """Print which run it is."""
        self._before = None
        self._watch, self._ticker = Stopwatch(self._clock), Ticker(self._clock)
        self._width = max(map(width_of, steps), default=0)
        self._print(f"{run}  ({reactor})")

    def show(self, run: RunView) -> None:
        """Print what is new."""
        for told in transitions(self._before, run, self._watch):
            self._width = max(self._width, width_of(told.step))
            self._print("  " + render_line(told, self._width))
        for step in self._ticker.due(run.maps):
            told = Transition(step=step.name, phase=step.phase, detail=render_counts(step.phase, step.map))
            self._print("  " + render_line(told, self._width))
        self._before = run

    def say(self, text: str) -> None:
        """Print it, set apart from the steps."""
        self._print(f"  | {text}")

    def end(self, run: RunView) -> None:
        """Print how it ended."""
        self.show(run)
        self._print(render_end(run))

    def recall(self, run: RunView) -> None:
        """Print its story."""
        self._print(render_recalled(run))

    def _print(self, line: str) -> None:
        """Print it. Where that cannot be done (nobody reads, the disk is full) the run goes on all the same."""
        try:
            print(line, file=self._out, flush=True)
        except OSError as problem:
            lose_output(self._out)
            if not isinstance(problem, BrokenPipeError):
                print(f"the run goes on, but stdout cannot be written: {problem.strerror}", file=sys.stderr)


def lose_output(out: TextIO) -> None:
    """Let what is written from now on, also when Python flushes at its end, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)


def render_line(told: Transition, width: int) -> str:
    """Return one transition as a line, the step's name in a column of `width`."""
    name = told.step + " " * (width - width_of(told.step))
    took = render_took(told.took) if told.took is not None else ""
    detail = _one_line(told.detail)
    return "  ".join([name, f"{told.phase:{PHASE_WIDTH}}", *filter(None, (took, detail))]).rstrip()


def render_end(run: RunView) -> str:
    """Return how a run ended: in one line, or with the explanation of its failure beneath where there is one."""
    if explanation := render_explanation(run):
        taken = [f"(taken from {run.taken_from})"] if run.taken_from else []
        return "\n  ".join([f"{run.name}  {render_phase(run)}", *taken, *explanation])
    undone = [f"rolled back: {', '.join(run.undone)}"] if run.undone else []
    why = run.failure or _ROLLBACK_WORDS.sub("", run.message)
    return f"{run.name}  {render_ending(run, why=why, more=undone)}"


def render_phase(run: RunView) -> str:
    """Return the phase that a run is left in, and how long it took."""
    return run.phase + (f" in {render_took(run.took)}" if run.took is not None else "")


def render_ending(run: RunView, *, why: str, more: Sequence[str] = ()) -> str:
    """Return phase, duration, why where it did not succeed, `more`, what was not undone, and the result."""
    parts = [render_phase(run)]
    if run.taken_from:
        parts.append(f"taken from {run.taken_from}")
    if why and run.phase != "Succeeded" and not (run.taken_from and why == run.message):
        parts.append(_one_line(why))
    parts.extend(more)
    if run.rollback_failures:
        parts.append(f"NOT rolled back: {'; '.join(map(_one_line, run.rollback_failures))}")
    if run.phase == "Succeeded" and run.status.get("result") is not None:
        parts.append(f"result {_one_line(json.dumps(run.status['result'], ensure_ascii=False))}")
    return " · ".join(parts)


def render_recalled(run: RunView) -> str:
    """Return the story of a run that is shown and not repeated."""
    return f"{render_story(run, now=time.time())}\n  (it ended before: shown, not run again)"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LIMIT else line[: MESSAGE_LIMIT - 1] + "…"
