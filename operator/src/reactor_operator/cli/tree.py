"""A run as a tree that redraws itself on a terminal: its steps, and beneath them the rollback as it happens.

In: looks at a run. Out: the terminal, through rich. Never here: plain output (`progress.py`).
When a run ends its tree stays on the screen. What steps print scrolls by above it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as RichTree

from reactor_operator.cli.elements import Pace, is_moving, moved, render_counts, render_ended, render_rate
from reactor_operator.cli.explanation import render_unreversed, render_why
from reactor_operator.cli.moments import render_took
from reactor_operator.cli.progress import render_ending, render_phase, render_recalled
from reactor_operator.cli.run_view import RunView, StepView
from reactor_operator.cli.stopwatch import Stopwatch
from reactor_operator.cli.transitions import MOODS, Mood
from reactor_operator.kube.fields import text_at

_STYLES = {Mood.GOOD: "green", Mood.BAD: "red", Mood.QUIET: "bright_black", Mood.BUSY: "cyan", Mood.UNDO: "yellow"}
_SIGNS = {
    "Succeeded": "✔", "Halted": "■", "Skipped": "–", "Ignored": "✘", "Failed": "✘", "RollbackFailed": "✘",
    "Compensated": "↶", "Undone": "↶", "Cancelled": "■", "Pending": "·", "Waiting": "…", "Retrying": "↻",
}  # fmt: skip
_ACTIVE = frozenset({"Running", "Compensating", "Undoing"})
_REVERSED = frozenset({"Compensating", "Compensated", "Undoing", "Undone", "RollbackFailed"})
_KEPT_LINES = 8
_BAR = 16
"""Columns of the bar of a map."""


class Tree:
    """Redraws one run at a time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._run = RunView({})
        self._steps: dict[str, StepView] = {}
        self._watch = Stopwatch()
        self._took: dict[tuple[str, str], float] = {}
        self._pace = Pace()
        self._spinners: dict[str, Spinner] = {}

    def begin(self, run: str, reactor: str, steps: Sequence[str]) -> None:
        """Put up the tree of a run."""
        self._steps = {name: _untouched(name) for name in steps}
        self._watch, self._took, self._spinners, self._pace = Stopwatch(), {}, {}, Pace()
        self._run = RunView({"metadata": {"name": run}, "spec": {"reactorRef": {"name": reactor}}})
        self._live = Live(self, console=self._console, refresh_per_second=12, transient=False)
        self._live.start()

    def show(self, run: RunView) -> None:
        """Take a look at the run; it is drawn with the next refresh."""
        changed = run.changed_since(self._run)
        self._run = run
        self._watch.look(changed)
        for step in changed:
            self._steps[step.name] = step
            self._pace.look(step)
            for phase in (step.phase, _own_phase(step)):
                seconds = self._watch.seconds(step, phase)
                if seconds is not None and phase not in _ACTIVE:
                    self._took.setdefault((step.name, phase), seconds)

    def say(self, text: str) -> None:
        """Print a line above the tree."""
        self._console.print(Text(text, style="bright_black"))

    def end(self, run: RunView) -> None:
        """Draw the tree a last time and leave it there."""
        self.show(run)
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._console.print()

    def recall(self, run: RunView) -> None:
        """Print the story of a run that had ended before."""
        self._console.print(Text(render_recalled(run)))
        self._console.print()

    def __rich__(self) -> RenderableType:
        """Return the tree as it is now. Called by rich for each refresh."""
        return render_tree(self._run, self._steps, self)

    def seconds(self, step: StepView, phase: str) -> float | None:
        """Return how long a step took to reach this phase, or has been at it."""
        if phase in _ACTIVE:
            return self._watch.seconds(step)
        return self._took.get((step.name, phase))

    def rate(self, name: str) -> float | None:
        """Return how many elements per second a map is done with."""
        return self._pace.rate(name)

    def spinner(self, name: str, style: str) -> Spinner:
        """Return the spinner of a step, the same one for each refresh."""
        return self._spinners.setdefault(name, Spinner("dots", style=style))

    @property
    def room(self) -> int:
        """How many steps fit on the screen."""
        return max(self._console.height - 8, _KEPT_LINES)


def render_tree(run: RunView, by_name: Mapping[str, StepView], tree: Tree) -> RenderableType:
    """Return the picture of a run: a head, its steps, its rollback, and at the end one line about how it ended."""
    style = _STYLES[MOODS.get(run.phase, Mood.QUIET)]
    head = Text.assemble((run.name, "bold"), "  ", (f"({run.reactor})", "bright_black"), "  ", (run.phase, style))
    root = RichTree(head, guide_style="bright_black")
    steps = list(by_name.values())
    shown, omitted = _fitting(steps, tree.room)
    width = max((len(step.name) for step in shown), default=0)
    for step in shown:
        root.add(_row(step, width, tree))
    if omitted:
        root.add(Text(omitted, style="bright_black"))
    if run.undone or run.phase == "RollingBack":
        branch = root.add(Text("rollback, newest first", style="yellow"))
        for name in run.undone[-tree.room :]:
            branch.add(_undone_row(by_name.get(name) or _untouched(name), width, tree))
        for step in steps:
            if step.name not in run.undone and step.phase in ("Compensating", "Undoing", "RollbackFailed"):
                branch.add(_undone_row(step, width, tree))
    if not run.ended:
        return root
    if why := render_why(run):
        lines = (f"  {line}" for line in [*why, *render_unreversed(run)])
        told = [Text(line, "bold" if line.lstrip().startswith(">") else "") for line in lines]
        return Group(root, Text(render_phase(run), style=style), *told)
    return Group(root, Text(_ending(run, by_name), style=style))


def _ending(run: RunView, by_name: Mapping[str, StepView]) -> str:
    """Return how the run ended, without what the tree above has said already."""
    told = text_at(run.status, "failure", "step") in by_name
    return render_ending(run, why="" if told else run.failure or run.message)


def _untouched(name: str) -> StepView:
    return StepView(
        name=name,
        phase="Pending",
        round=1,
        attempts=0,
        completion=0,
        took=None,
        kind="",
        message="",
        cleanup="",
        pod="",
    )


def _fitting(steps: list[StepView], room: int) -> tuple[list[StepView], str]:
    """Return the steps that fit, and what was left out: first those that are done or not begun."""
    if len(steps) <= room:
        return steps, ""
    dull = ("Succeeded", "Pending", "Skipped", "Undone")
    lively = [step for step in steps if step.phase not in dull][: room - 1]
    counts = {phase: sum(step.phase == phase for step in steps) for phase in dull}
    words = [f"{count} {phase}" for phase, count in counts.items() if count]
    rest = len(steps) - len(lively) - sum(counts.values())
    return lively, ", ".join([*words, *([f"{rest} more"] if rest > 0 else [])])


def _own_phase(step: StepView) -> str:
    """Return how far a step's own work went, whatever was taken back since."""
    if step.phase not in _REVERSED:
        return step.phase
    return "Failed" if step.failed and not step.completion else "Succeeded"


def _row(step: StepView, width: int, tree: Tree) -> RenderableType:
    """Return the line of a step as far as its own work went: what was taken back stands in the rollback."""
    phase = _own_phase(step)
    style = _STYLES[MOODS.get(phase, Mood.QUIET)]
    words = [step.name.ljust(width), phase.ljust(10)]
    seconds = tree.seconds(step, phase)
    if seconds is not None:
        words.append(render_took(seconds))
    if step.attempts > 1:
        words.append(f"attempt {step.attempts}" if phase in ("Running", "Retrying") else f"{step.attempts} attempts")
    detail = " ".join(step.message.split()) if phase not in ("Succeeded", "Pending") else ""
    return _line(step, phase, Text.assemble((f"{words[0]}  ", "bold" if phase != "Pending" else "bright_black"),
                 ("  ".join(words[1:]), style), *_elements(replace(step, phase=phase), tree),
                 (f"  {detail}" if detail else "", "default")), tree)  # fmt: skip


def _elements(step: StepView, tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield how far a map has come: while it moves a bar, counts and the rate; then what became of the elements."""
    if step.map is None:
        return
    if not is_moving(step):
        yield f"  {render_counts(step.phase, step.map)}", "default"
        return
    done, total = moved(step)
    if total:
        filled = min(_BAR * done // total, _BAR)
        yield "  " + "━" * filled, _STYLES[MOODS[step.phase]]
        yield "─" * (_BAR - filled), "bright_black"
    yield f"  {render_ended(step.map) if step.phase == 'Running' else render_counts(step.phase, step.map)}", "default"
    if (rate := tree.rate(step.name)) is not None:
        yield f"  {render_rate(rate)}", "bright_black"
    if step.map.failed and step.phase == "Running":
        yield f"  {step.map.failed:,} failed", _STYLES[Mood.BAD]


def _undone_row(step: StepView, width: int, tree: Tree) -> RenderableType:
    style = _STYLES[MOODS.get(step.phase, Mood.UNDO)]
    failed = f"  {' '.join(step.cleanup.split())}" if step.phase == "RollbackFailed" else ""
    words = f"{step.name.ljust(width)}  "
    return _line(step, step.phase, Text.assemble(words, (step.phase, style), *_elements(step, tree), failed), tree)


def _line(step: StepView, phase: str, text: Text, tree: Tree) -> RenderableType:
    """Put the sign of a phase before a line; of an active one the sign turns."""
    style = _STYLES[MOODS.get(phase, Mood.QUIET)]
    sign: RenderableType = tree.spinner(step.name, style) if phase in _ACTIVE else Text(_SIGNS.get(phase, "·"), style)
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row(sign, text)
    return grid
