"""What a decision moved, for people who ask later: the transitions of a run and of its steps, each with its cause.

In: a state, what was decided on it, and the events. Out: `Transition`s, in the order in which to read them. Pure; the
difference of two states and nothing else, so that it cannot say what is not so.
Never here: a value, or a word that a status would not show; a rule of the saga; steps in elements beyond `is_told`.

One decision may take a step through two phases. What lies between follows from the table of legal moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reactor_operator.engine import events as ev
from reactor_operator.engine.causes import Cause, Causes
from reactor_operator.engine.draft import Decision, Filing
from reactor_operator.engine.elements import NOTHING, index_of
from reactor_operator.engine.identity import Task
from reactor_operator.engine.plan import Plan
from reactor_operator.engine.state import (
    CLEANUP,
    DONE,
    ENDED,
    PAGE,
    ElementOutcome,
    ElementPhase,
    RunPhase,
    RunState,
    StepPhase,
    StepState,
)
from reactor_operator.engine.transitions import LEGAL

ELEMENTS_TOLD = 100
"""The first elements of a map of a run of which steps are told one by one; their map counts the others."""
INNER_ELEMENTS_TOLD = 10
"""Those of a map inside such an element. What is in maps inside these is not told."""

_RESTING = (
    StepPhase.SUCCEEDED,
    StepPhase.FAILED,
    StepPhase.CANCELLED,
    StepPhase.COMPENSATED,
    StepPhase.UNDONE,
)
_LEGAL = dict(LEGAL)
_OPEN = frozenset({StepPhase.PENDING, StepPhase.RUNNING, StepPhase.RETRYING, StepPhase.WAITING, *CLEANUP})
_PHASE_OF = {
    ElementPhase.SUCCEEDED: StepPhase.SUCCEEDED,
    ElementPhase.SKIPPED: StepPhase.SKIPPED,
    ElementPhase.FAILED: StepPhase.FAILED,
    ElementPhase.STOPPED: StepPhase.CANCELLED,
    ElementPhase.UNDONE: StepPhase.UNDONE,
}
_ENDS = {
    "TaskFailed": "Failed",
    "TaskLost": "Lost",
    "TimePassed": "Failed",
    "TaskSucceeded": "Succeeded",
    "TaskSkipped": "Succeeded",
    "TaskHalted": "Succeeded",
    "TaskContinued": "Succeeded",
}
"""How a task ended, by the event about it that ended it. Any other one: it was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The run (`path` is empty) or a step went from one phase to another, or to another task in the same phase.

    round, attempt: those of the task that it is about; of a step without tasks its own.
    opened, ended:  the task that was launched, and the one that was closed, without the path: `run.1.1.1`.
    outcome:        how that one ended: Succeeded, Failed, Lost or Cancelled.
    cause:          the event that was decided on, or what else made it so. `by` is the person where there is one.
    """

    at: int
    path: str = ""
    before: str
    after: str
    round: int = 1
    attempt: int = 1
    opened: str = ""
    ended: str = ""
    outcome: str = ""
    cause: str
    by: str = ""
    text: str = ""


def transitions(
    plan: Plan, before: RunState, decision: Decision, group: Sequence[ev.Event], *, phase: RunPhase | None = None
) -> tuple[Transition, ...]:
    """Return what a decision on a group of events moved. `phase`: where the run was, if the state does not say."""
    after, was = decision.state, phase or before.header.phase
    moves_run = was is not after.header.phase
    if after is before and not moves_run:
        return ()
    causes = Causes(before, after, group)
    steps = list(_of_steps(before, decision, causes))
    if decision.filing is not None and decision.filing.elements:
        steps += _of_elements(before, decision.filing, group, causes, after.header.now)
    if moves_run:
        steps.append(run_moved(was, after, causes.of_run(begins=was is RunPhase.PENDING)))
    return _in_order(plan, steps, causes) if len(steps) > 1 else tuple(steps)


def run_moved(before: RunPhase, state: RunState, cause: Cause) -> Transition:
    """Return that the run is in another phase."""
    header = state.header
    return Transition(
        at=header.now, before=before, after=header.phase, attempt=0, cause=cause.type, by=cause.by, text=cause.text
    )


def is_told(path: str) -> bool:
    """Tell whether steps at this path are told one by one: those of the run, and of the first elements of its maps."""
    place = path.find("[")
    if place < 0:
        return True
    end = path.find("]", place)
    inner = path.find("[", end)
    if inner < 0:
        return _is_among(path[place + 1 : end], ELEMENTS_TOLD)
    inner_end = path.find("]", inner)
    return (
        path.find("[", inner_end) < 0
        and _is_among(path[place + 1 : end], ELEMENTS_TOLD)
        and _is_among(path[inner + 1 : inner_end], INNER_ELEMENTS_TOLD)
    )


def _is_among(word: str, first: int) -> bool:
    """Tell whether it is one of the first elements, or the task that collects them; pages may be any number."""
    return (len(word) <= 3 and word.isdecimal() and int(word) < first) or word == "collect"


def _of_steps(before: RunState, decision: Decision, causes: Causes) -> Iterator[Transition]:
    for path in decision.touched:
        yield from _moved(path, before.step(path), decision.state.step(path), causes, decision.state.header.now)


def _of_elements(
    before: RunState, filing: Filing, group: Sequence[ev.Event], causes: Causes, at: int
) -> Iterator[Transition]:
    for path, now in filing.elements.items():
        if not is_told(path):
            continue
        was = _element_in(before, path)
        outcome = None if now is not None else _outcome_of(filing, path)
        if was is None:
            was = _kept_before(before, group, path)
        if now is None and outcome is not None:
            now = outcome.kept
        if now is not None:
            for step in dict.fromkeys((*was.steps, *now.steps)):
                yield from _moved(step, was.step(step), now.step(step), causes, at)
        else:
            yield from _of_ended(path, was, outcome, causes, at)


def _of_ended(
    path: str, was: RunState, outcome: ElementOutcome | None, causes: Causes, at: int
) -> Iterator[Transition]:
    """Tell of an element that is gone: what became of steps inside it that were open, then of itself."""
    for step, state in was.steps.items():
        if step == path and outcome is not None:
            continue
        phase = causes.phase_told(step) or _phase_inside(state, outcome)
        yield from _moved(step, state, _ended_in(state, phase), causes, at)
    if outcome is not None:
        root = was.step(path)
        phase = _phase_of(root, causes.phase_told(path), outcome)
        yield from _moved(path, root, _ended_in(root, phase, outcome), causes, at)


def _phase_inside(state: StepState, outcome: ElementOutcome | None) -> StepPhase:
    """Return where a step is of an element that is gone, and left nothing that could be reversed."""
    if state.phase in CLEANUP:
        return StepPhase.UNDONE if state.phase is StepPhase.UNDOING else StepPhase.COMPENSATED
    if state.phase not in _OPEN or state.phase is StepPhase.PENDING:
        return state.phase
    done = outcome is not None and _PHASE_OF[outcome.phase] in DONE
    return StepPhase.SUCCEEDED if done else StepPhase.CANCELLED


def _phase_of(root: StepState, told: StepPhase | None, outcome: ElementOutcome) -> StepPhase:
    """Return where the outermost step of an element is that is gone, of which the outcome alone is kept."""
    phase = _PHASE_OF[outcome.phase]
    if phase in DONE:
        return StepPhase.IGNORED if told is StepPhase.FAILED and phase is StepPhase.SUCCEEDED else phase
    if told is not None and told not in DONE:
        return told
    return phase if root.phase in _OPEN or root.phase in DONE else root.phase


def _ended_in(state: StepState, phase: StepPhase, outcome: ElementOutcome | None = None) -> StepState:
    failure = outcome.failure if outcome is not None and phase is StepPhase.FAILED else None
    return StepState(phase=phase, round=state.round, attempt=state.attempt, failure=failure, arguments=state.arguments)


def _moved(path: str, was: StepState, now: StepState, causes: Causes, at: int) -> Iterator[Transition]:
    """Tell what a step went through: nothing, where it has the same phase, round and task as before."""
    if was is now or (was.phase is now.phase and was.task == now.task and was.round == now.round):
        return
    cause = causes.of(path, was, now)
    ended = was.task if was.task != now.task else None
    opened = now.task if now.task != was.task else None
    between = None
    if was.round == now.round and not cause.is_asked and was.phase is not now.phase:
        between = _between(was, now)
    if between is None:
        yield _transition(path, (was.phase, now.phase), now, (ended, opened), cause, at)
    else:
        yield _transition(path, (was.phase, between), now, (ended, None), cause, at)
        yield _transition(path, (between, now.phase), now, (None, opened), replace(cause, text=""), at)


def _transition(
    path: str,
    phases: tuple[StepPhase, StepPhase],
    now: StepState,
    tasks: tuple[Task | None, Task | None],
    cause: Cause,
    at: int,
) -> Transition:
    (before, after), (ended, opened) = phases, tasks
    about = opened or ended or now
    return Transition(
        at=at,
        path=path,
        before=before,
        after=after,
        round=about.round,
        attempt=about.attempt,
        opened=short_key(opened) if opened is not None else "",
        ended=short_key(ended) if ended is not None else "",
        outcome=_outcome(cause) if ended is not None else "",
        cause=cause.type,
        by=cause.by,
        text=cause.text,
    )


def _outcome(cause: Cause) -> str:
    return _ENDS.get(cause.type, "Cancelled") if cause.is_own else "Cancelled"


def _between(was: StepState, now: StepState) -> StepPhase | None:
    """Return the phase that a step passed through on its way to one that may not follow at once, if any does."""
    if now.phase in _LEGAL[was.phase]:
        return None
    likely = (
        StepPhase.SUCCEEDED
        if now.completion != was.completion
        else StepPhase.FAILED
        if now.failure is not None and now.failure is not was.failure
        else StepPhase.CANCELLED
    )
    for phase in (likely, *_RESTING):
        if phase in _LEGAL[was.phase] and now.phase in _LEGAL[phase]:
            return phase
    return None


def short_key(task: Task) -> str:
    """Return the key of a task without its path."""
    return f"{task.action.value}.{task.round}.{task.attempt}.{task.launch}"


def _in_order(plan: Plan, moved: list[Transition], causes: Causes) -> tuple[Transition, ...]:
    """Return transitions in the order in which to read them: what events are about as they came, what that means for
    the run, then what follows from it, in the order of the manifest. The end of the run is the last, its beginning the
    first."""

    def place(one: Transition) -> tuple[int, int, int, str]:
        if not one.path:
            follows = causes.place_of_what_follows
            return follows + 1 if one.after in ENDED else -1 if one.before == RunPhase.PENDING else follows, -1, 0, ""
        step = plan.steps.get(one.path.partition("[")[0])
        index = step.index if step is not None else len(plan.steps)
        return causes.place_of(one.path), index, len(one.path), one.path

    return tuple(sorted(moved, key=place))


def _element_in(state: RunState, path: str) -> RunState | None:
    """Return the saga of an element in flight, None where it is in none."""
    found: RunState | None = state
    place = path.find("[")
    while place > 0 and found is not None:
        end = path.find("]", place) + 1
        found = found.elements.get(path[:place], {}).get(path[:end])
        place = path.find("[", end)
    return found


def _kept_before(state: RunState, group: Sequence[ev.Event], path: str) -> RunState:
    """Return the saga of an element that is taken up again, as it was kept; one in which nothing has happened where it
    is new."""
    of = path[: path.rfind("[")]
    index = index_of(of, path)
    if index is None:
        return NOTHING
    around = _element_in(state, of[: of.rfind("]") + 1]) if "[" in of else state
    page = around.pages.get(of, {}).get(index // PAGE, {}) if around is not None else {}
    loaded = next((one.outcomes for one in group if isinstance(one, ev.OutcomesLoaded) and one.path == of), {})
    found = page.get(index) or loaded.get(index)
    return found.kept if found is not None and found.kept is not None else NOTHING


def _outcome_of(filing: Filing, path: str) -> ElementOutcome | None:
    """Return what became of an element that has ended, None where its map let it go without a word."""
    of = path[: path.rfind("[")]
    index = index_of(of, path)
    if index is None:
        return None
    number = index // PAGE
    page = filing.hot.get((of, number))
    if page is None:
        page = next((page for (at, _, one), page in filing.cold.items() if at == of and one == number), None)
    return page.get(index) if page is not None else None
