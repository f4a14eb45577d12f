"""Which of the events that were decided on together moved a step, or the run; and why, in one line.

In: a state before and after, and the events. Out: a `Cause`. Pure.
Never here: a value, or words of a failure that a status would not show.

Events are taken down together before anything follows from them, so what follows has no single event of its own. Asked
in this order: what an event is about, whose time was up, what lies inside, then what turns a run: a request that was
accepted, a failure; else the last event that told anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reactor_operator.engine import events as ev
from reactor_operator.engine.failures import Failure, printable
from reactor_operator.engine.identity import Action
from reactor_operator.engine.state import RunState, StepPhase, StepState

STATE_LOST = "StateLost"
"""What a run is stopped for: the type of a cause that is no event."""
TEXT_LIMIT = 256
"""Letters of a line that says why."""
_TURNING = (
    ev.TaskFailed,
    ev.TaskLost,
    ev.TaskHalted,
    ev.StepEvaluationFailed,
    ev.ReturnsEvaluationFailed,
    ev.PageEvaluationFailed,
)
_ASKED = (
    ev.CancelRequested,
    ev.UndoRequested,
    ev.RetryRequested,
    ev.SkipRequested,
    ev.ResumeRequested,
    ev.SuspendRequested,
)
_ABOUT_NOBODY = (
    ev.TimePassed,
    ev.CancelRequested,
    ev.UndoRequested,
    ev.SuspendRequested,
    ev.RequestUnreadable,
    ev.SpecChanged,
    ev.NotificationEnded,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """The type of an event, who asked for it, and why in words.

    is_asked: a person, or the spec, made it so.    is_own: it is about the very step that moved, or its timer.
    """

    type: str
    by: str = ""
    text: str = ""
    is_asked: bool = False
    is_own: bool = False


class Causes:
    """Finds the causes of what one decision moved."""

    __slots__ = ("_about", "_after", "_before", "_group", "_turns")

    def __init__(self, before: RunState, after: RunState, group: Sequence[ev.Event]) -> None:
        self._before = before
        self._after = after
        self._group = group
        self._about: dict[str, int] | None = None
        self._turns: ev.Event | None = None

    def of(self, path: str, was: StepState, now: StepState) -> Cause:
        """Return why a step moved."""
        failed = _of_failure(now.failure) if now.failure is not None and now.failure is not was.failure else ""
        place = self._places().get(path)
        if place is not None:
            event = self._group[place]
            return _cause(event, _words(event) or failed, is_own=True)
        timed = self._timer()
        if timed is not None and was.due_at is not None and was.due_at <= self._after.header.now:
            return _cause(timed, failed or (was.timer.value if was.timer is not None else ""), is_own=True)
        event = self._inside(path) or self._turning()
        return _cause(event, failed or _told_of_another(event))

    def of_run(self, *, begins: bool) -> Cause:
        """Return why the run is in another phase."""
        if begins:
            return Cause("RunStarted")
        was, now = self._before.header, self._after.header
        failed = ""
        if now.failure is not None and now.failure is not was.failure:
            step, failed = now.failure.step, _of_failure(now.failure.failure)
            failed = one_line(f"{step}: {failed}") if step else failed
        timed = self._timer()
        deadlines = [at for at in (was.deadline, was.rollback_deadline) if at is not None]
        if timed is not None and any(was.now < at <= now.now for at in deadlines):
            return _cause(timed, failed or "the deadline has passed")
        place = self._places().get("")
        event = self._group[place] if place is not None else self._turning()
        return _cause(event, failed or _told_of_another(event))

    def place_of(self, path: str) -> int:
        """Return the place of the event that is about a step, one after all others where none is."""
        return self._places().get(path, self.place_of_what_follows)

    @property
    def place_of_what_follows(self) -> int:
        """The place of what no event is about."""
        return len(self._group)

    def phase_told(self, path: str) -> StepPhase | None:
        """Return the phase that an event about a step means for it, where it means the end of its task."""
        place = self._places().get(path)
        event = self._group[place] if place is not None else None
        match event:
            case ev.TaskSucceeded() | ev.TaskHalted() | ev.TaskContinued():
                ends = {Action.RUN: StepPhase.SUCCEEDED, Action.COMPENSATE: StepPhase.COMPENSATED}
                return ends.get(event.task.action, StepPhase.UNDONE)
            case ev.TaskSkipped():
                return StepPhase.SKIPPED
            case ev.TaskFailed() | ev.TaskLost():
                return StepPhase.FAILED if event.task.action is Action.RUN else StepPhase.ROLLBACK_FAILED
            case ev.StepEvaluationFailed():
                return StepPhase.FAILED
            case ev.StepEvaluated():
                return StepPhase.SUCCEEDED if event.proceed else StepPhase.SKIPPED
            case _:
                return None

    def _places(self) -> dict[str, int]:
        if self._about is None:
            self._about = {
                subject: place for place, event in enumerate(self._group) if (subject := subject_of(event)) is not None
            }
        return self._about

    def _timer(self) -> ev.TimePassed | None:
        return next((event for event in reversed(self._group) if isinstance(event, ev.TimePassed)), None)

    def _inside(self, path: str) -> ev.Event | None:
        """Return the last event about a step inside another one."""
        within = (f"{path}/", f"{path}[")
        places = [place for subject, place in self._places().items() if subject.startswith(within)]
        return self._group[max(places)] if places else None

    def _turning(self) -> ev.Event:
        """Return the event that turned the run, or told anything last."""
        if self._turns is None:
            asked = [event for event in self._group if isinstance(event, ev.SpecChanged) or self._is_accepted(event)]
            failed = (event for event in self._group if isinstance(event, _TURNING))
            told = (event for event in reversed(self._group) if not isinstance(event, ev.TimePassed))
            self._turns = next((event for source in (asked, failed, told) for event in source), None) or ev.TimePassed()
        return self._turns

    def _is_accepted(self, event: ev.Event) -> bool:
        request = event.request if isinstance(event, ev.PayloadJudged) else event
        if not isinstance(request, _ASKED):
            return False
        return any(answer.id == request.id and answer.accepted for answer in self._after.header.signals)


def subject_of(event: ev.Event) -> str | None:
    """Return the path of the step that an event is about, empty for the run, None where it is about none."""
    if isinstance(event, ev.TaskEvent):
        return event.task.path
    if isinstance(event, _ABOUT_NOBODY):
        return None
    match event:
        case ev.ReturnsEvaluated() | ev.ReturnsEvaluationFailed():
            return event.scope
        case ev.SkipRequested() | ev.ResumeRequested() | ev.RetryRequested():
            return event.step or None
        case ev.PayloadJudged():
            return event.request.step
        case _:
            return event.path


def one_line(text: str) -> str:
    """Return the first line of a text, cut."""
    line = printable(text[: 2 * TEXT_LIMIT], keep="\n").partition("\n")[0]
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


def _cause(event: ev.Event, text: str, *, is_own: bool = False) -> Cause:
    request = event.request if isinstance(event, ev.PayloadJudged) else event
    if isinstance(request, _ASKED):
        return Cause(request.type, by=one_line(request.by), text=text, is_asked=True, is_own=is_own)
    return Cause(request.type, text=text, is_asked=isinstance(request, ev.SpecChanged), is_own=is_own)


def _told_of_another(event: ev.Event) -> str:
    """Return what an event says of a step other than the one it moved."""
    words, subject = _words(event), subject_of(event)
    return one_line(f"{subject}: {words}") if words and subject and isinstance(event, _TURNING) else words


def _words(event: ev.Event) -> str:
    """Return why it happened, in one line."""
    match event:
        case ev.TaskSucceeded() | ev.TaskStarted() | ev.TimePassed():
            return ""
        case ev.StepEvaluated():
            return "" if event.proceed else "when is false"
        case ev.TaskFailed() | ev.StepEvaluationFailed() | ev.ReturnsEvaluationFailed() | ev.PageEvaluationFailed():
            return _of_failure(event.failure)
        case ev.TaskLost():
            return one_line(event.message)
        case ev.SpecChanged():
            return f"spec.suspend is {str(event.suspended).lower()}"
        case ev.PayloadJudged():
            return one_line(event.request.reason)
        case ev.TaskHalted() | ev.RequestUnreadable():
            return one_line(event.reason)
        case _ if isinstance(event, _ASKED):
            return one_line(event.reason)
        case _:
            return ""


def _of_failure(failure: Failure) -> str:
    return one_line(f"{failure.kind}: {failure.message}")
