"""Elements that are one task and nothing else: the moves that nearly all of them make, without a draft of their own.

In: a draft with a map, and what is common: elements begun, their arguments evaluated, their first task succeeded.
Out: the same states and orders as the moves of any saga lead to, for a fraction of what those cost.
Never here: a failure, another attempt, a reversal. Whatever is not common is left to the moves of any saga.

A property test compares both ways.
"""

from collections.abc import Iterable

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import EvaluateStep, RetireTask, StartTask
from reactor_operator.engine.draft import Draft
from reactor_operator.engine.elements import element_path, first_round, index_of
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.outcomes import file_outcomes
from reactor_operator.engine.plan import ROOT
from reactor_operator.engine.progress import map_of, note, progress_of, sources_without
from reactor_operator.engine.state import (
    ElementOutcome,
    ElementPhase,
    Header,
    RunPhase,
    RunState,
    Stage,
    StepPhase,
    StepState,
)

_JUST_SUCCEEDED = ElementOutcome(phase=ElementPhase.SUCCEEDED)
_NOTHING_EVALUATED: frozenset[str] = frozenset()


def begin(draft: Draft, of: str, indices: Iterable[int]) -> None:
    """Begin elements of a map: each is evaluated."""
    header = Header(uid=draft.header.uid, now=draft.now, started_at=draft.now)
    first = first_round(draft, of)
    for index in indices:
        path = element_path(of, index)
        state = RunState(
            header=header,
            steps={path: StepState(round=first)} if first > 1 else {},
            ready=(path,),
            remaining={ROOT: 1},
            evaluating=frozenset((path,)),
        )
        draft.put_element(of, path, state)
        draft.act(EvaluateStep(path=path, round=first))


def launched(draft: Draft, event: ev.StepEvaluated) -> bool:
    """Launch the task of an element that was evaluated; return whether that was all there is to do."""
    path = event.path
    of = _map_around(draft, path)
    if not of or not event.proceed:
        return False
    element = draft.elements[of][path]
    step = element.step(path)
    if path not in element.evaluating or step.round != event.round or element.header.stage is not Stage.FORWARD:
        return False
    task = Task(path, Action.RUN, step.round, 1, 1)
    header = element.header
    state = RunState(
        header=header if header.now == draft.now else evolve(header, {"now": draft.now}),
        steps={
            path: StepState(
                phase=StepPhase.RUNNING,
                round=step.round,
                attempt=1,
                launch=1,
                task=task,
                run_attempts=1,
                arguments=event.arguments,
                fallback=event.fallback,
            )
        },
        active=(path,),
        remaining={ROOT: 1},
        evaluating=_NOTHING_EVALUATED,
    )
    draft.put_element(of, path, state)
    draft.act(StartTask(task=task, arguments=event.arguments))
    return True


def succeeded(draft: Draft, event: ev.TaskSucceeded) -> bool:
    """Note that the first task of an element did it; return whether that was all there is to do for now."""
    path = event.task.path
    of = _map_around(draft, path)
    if not of or event.uploaded:
        return False
    noted = draft.succeeded.setdefault(of, {})
    if path in noted:
        return True  # its task is closed
    element = draft.elements[of][path]
    header, step = element.header, element.step(path)
    if (
        header.stage is not Stage.FORWARD
        or header.suspended
        or step.phase is not StepPhase.RUNNING
        or step.run_attempts != 1
        or step.launch != 1
        or step.uploaded is not None
        or step.task != event.task
    ):
        return False
    noted[path] = event
    return True


def _map_around(draft: Draft, path: str) -> str:
    """Return the map whose plain element this is, empty where it is none, has a draft already, or the run turns."""
    of = path[: path.rfind("[")]
    flight = draft.elements.get(of)
    if flight is None or path not in flight or not map_of(draft, of).plain or draft.is_open(of, path):
        return ""
    run = draft
    while run.parent is not None:
        run = run.parent
    goes_forward = draft.header.stage is Stage.FORWARD and run.header.stage is Stage.FORWARD
    return of if goes_forward and index_of(of, path) is not None else ""


def take_in(draft: Draft, of: str) -> None:
    """Take in the elements whose success was noted."""
    told = draft.succeeded.pop(of, None)
    if not told:
        return
    (planned,) = map_of(draft, of).element.steps.values()
    cut, kept, outcomes = len(of) + 1, 0, {}
    for path, event in told.items():
        element = draft.elements[of][path]
        draft.drop_element(of, path)
        draft.act(RetireTask(task=event.task))
        if planned.undo is not None:
            kept += 1
            done = _done(draft, element, event)
            outcome = ElementOutcome(phase=ElementPhase.SUCCEEDED, result=event.result, kept=done)
        else:
            arguments = element.steps[path].arguments
            if arguments is not None and arguments.named:
                draft.filing.dropped.add(arguments.digest)
            plain = event.result is None
            outcome = _JUST_SUCCEEDED if plain else ElementOutcome(phase=ElementPhase.SUCCEEDED, result=event.result)
        outcomes[int(path[cut:-1])] = outcome
    state = progress_of(draft, of)
    note(
        draft,
        of,
        succeeded=state.succeeded + len(outcomes),
        kept=state.kept + kept,
        sources=sources_without(draft, of, outcomes),
    )
    file_outcomes(draft, of, outcomes)


def _done(draft: Draft, element: RunState, event: ev.TaskSucceeded) -> RunState:
    """Return an element whose task has done it, as it is kept for its undo."""
    task, now = event.task, draft.now
    step = element.steps[task.path]
    order = step.start_order or element.header.starts + 1
    completion = element.header.completions + 1
    header = {
        "stage": Stage.OVER,
        "phase": RunPhase.SUCCEEDED,
        "now": now,
        "finished_at": now,
        "starts": max(element.header.starts, order),
        "completions": completion,
    }
    done = {
        "phase": StepPhase.SUCCEEDED,
        "task": None,
        "task_started": False,
        "previous": task,
        "start_order": order,
        "completion": completion,
        "result": event.result,
        "reason": "",
        "due_at": None,
        "timer": None,
        "pending_until": None,
        "started_at": now if step.started_at is None else step.started_at,
        "finished_at": now,
    }
    return RunState(header=evolve(element.header, header), steps={task.path: evolve(step, done)}, remaining={ROOT: 0})
