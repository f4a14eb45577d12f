"""What a commit tells of a run's trace: a span for each task that it closes, each scope that ends, and the run.

In: a run before and after a commit, and when its tasks were launched. Out: `Span`s. Pure. Never here: an argument, a
result or a message, which may say anything; a library.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reactor_operator.engine.actions import RetireTask, StartTask
from reactor_operator.engine.elements import index_of, owner_of, step_at
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import ROOT, Plan, StepKind
from reactor_operator.engine.state import Header, RunPhase, RunState, Stage, StepState
from reactor_operator.metering.steps import has_ended, outcome_of
from reactor_operator.reconciling.records import Decided, KnownRun
from reactor_operator.tracing.identity import is_traced, run_span, step_span, task_span, trace_of

_FOR_ITSELF = frozenset({StepKind.TASK, StepKind.TRANSFORM})
"""Kinds without a span: a task has one of its own, and a value takes no time."""
_INDEX = re.compile(r"\[(page-)?\d+\]")
Attribute = str | int | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One part of a run. Ids in hex digits, `parent` empty for the run; times in int ms since the epoch.

    failed: what it failed with, a word; empty where it did not.
    """

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    failed: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def spans_of(before: KnownRun, decided: Decided, launches: Mapping[str, int]) -> Iterator[Span]:
    """Yield what ends with a commit. `launches`: when tasks were launched (int ms), by key, as far as that is known."""
    now = decided.state.header.now
    never_launched = {action.task for action in decided.actions if isinstance(action, StartTask)}
    for action in decided.actions:
        if isinstance(action, RetireTask) and action.task not in never_launched and is_traced(action.task.path):
            yield _task(before, decided, action, launches)
    for path in decided.touched:
        if before.plan.steps[path].kind not in _FOR_ITSELF:
            was, step = before.state.step(path), decided.state.step(path)
            if has_ended(was, step) and (began := step.started_at or was.started_at) is not None:
                yield _step(before, path, step, began, now)
    for path, element in decided.filing.elements.items():
        if element is None and is_traced(path):
            yield from _element(before, path, now)
    header = decided.state.header
    if header.stage is Stage.OVER and (before.revision == 0 or before.state.header.stage is not Stage.OVER):
        yield _run(before, header)


def launched(decided: Decided) -> Iterator[Task]:
    """Yield the tasks that a commit launches and that have spans."""
    for action in decided.actions:
        if isinstance(action, StartTask) and is_traced(action.task.path):
            yield action.task


def _run(known: KnownRun, header: Header) -> Span:
    definition = known.definition
    failed = header.failure.failure.kind.value if header.failure is not None else header.phase.value
    return Span(
        name=definition.reactor_name,
        trace=trace_of(definition.run.uid),
        id=run_span(definition.run.uid),
        parent="",
        start=header.started_at,
        end=header.finished_at if header.finished_at is not None else header.now,
        failed=failed if header.phase is RunPhase.FAILED else "",
        attributes=_facts(known) | {"reactor.phase": header.phase.value, "reactor.rollback": header.rollback.value},
    )


def _task(known: KnownRun, decided: Decided, closed: RetireTask, launches: Mapping[str, int]) -> Span:
    task, uid, now = closed.task, known.definition.run.uid, decided.state.header.now
    was, step = step_at(known.plan, known.state, task.path), step_at(known.plan, decided.state, task.path)
    start, estimated = launches.get(task.key), False
    if start is None:  # another process launched it
        start, estimated = _began(known.state, was, task), True
    attributes: dict[str, Attribute] = {
        "reactor.step": task.path,
        "reactor.action": task.action.value,
        "reactor.round": task.round,
        "reactor.attempt": task.attempt,
        "reactor.launch": task.launch,
    }
    if estimated:
        attributes["reactor.start_estimated"] = True
    if closed.stop:
        attributes["reactor.stopped"] = True
    return Span(
        name=name_of(task.path) if task.action is Action.RUN else f"{task.action.value} {name_of(task.path)}",
        trace=trace_of(uid),
        id=task_span(uid, task.key),
        parent=_parent(known.plan, known.state, uid, task.path),
        start=min(start, now),
        end=now,
        failed=_failure(task, step) if closed.failed else "",
        attributes=_facts(known) | attributes,
    )


def _began(state: RunState, was: StepState, task: Task) -> int:
    """Return when a task began, as far as the state tells: when its step did, or when the run moved last."""
    is_first = task.action is Action.RUN and task.attempt == task.launch == 1
    return was.started_at if is_first and was.started_at is not None else state.header.now


def _failure(task: Task, step: StepState) -> str:
    """Return the kind of the failure of a task. Of an element that is gone its map keeps it: it is not looked up."""
    failure = step.failure if task.action is Action.RUN else step.cleanup_failure
    return failure.kind.value if failure is not None else "Failed"


def _step(known: KnownRun, path: str, step: StepState, began: int, now: int) -> Span:
    uid = known.definition.run.uid
    attributes: dict[str, Attribute] = {"reactor.step": path, "reactor.kind": known.plan.steps[path].kind.value}
    if step.map is not None:
        attributes |= {"reactor.map.succeeded": step.map.succeeded, "reactor.map.failed": step.map.failed}
    return Span(
        name=name_of(path),
        trace=trace_of(uid),
        id=step_span(uid, path, step.round),
        parent=_parent(known.plan, known.state, uid, path),
        start=began,
        end=max(began, step.finished_at if step.finished_at is not None else now),
        failed=step.failure.kind.value if step.failure is not None else "",
        attributes=_facts(known) | attributes | {"reactor.outcome": outcome_of(step)},
    )


def _element(known: KnownRun, path: str, now: int) -> Iterator[Span]:
    """Yield the span of an element that ended, where steps are inside it; one that is a task has that of the task."""
    owner = owner_of(known.plan, path)
    if owner is None or owner[1] != path:
        return
    element = known.state.elements.get(owner[0], {}).get(path)
    mapped = known.plan.steps[owner[0]].map
    if element is None or mapped is None or index_of(*owner) is None:
        return
    (root,) = mapped.element.children
    if mapped.element.steps[root].kind in _FOR_ITSELF:
        return
    uid = known.definition.run.uid
    yield Span(
        name=name_of(path),
        trace=trace_of(uid),
        id=step_span(uid, path, element.step(path).round),
        parent=_parent(known.plan, known.state, uid, path),
        start=min(element.header.started_at, now),
        end=now,
        attributes=_facts(known) | {"reactor.step": path},
    )


def _parent(plan: Plan, state: RunState, uid: str, path: str) -> str:
    """Return the span around a step: of what is inside an element that of the element, however deep."""
    owner = owner_of(plan, path) if "[" in path else None
    if owner is not None:
        of, key = owner
        if path == key:
            return step_span(uid, of, state.step(of).round)
        element = state.elements.get(of, {}).get(key)
        return step_span(uid, key, element.step(key).round if element is not None else 1)
    scope = plan.steps[path].scope if path in plan.steps else ROOT
    return step_span(uid, scope, state.step(scope).round) if scope != ROOT else run_span(uid)


def name_of(path: str) -> str:
    """Return the name of the spans of a step: the same for all elements of a map."""
    return _INDEX.sub(lambda found: "[page]" if found[1] else "[]", path) if "[" in path else path


def _facts(known: KnownRun) -> dict[str, Attribute]:
    run = known.definition.run
    return {
        "k8s.namespace.name": run.namespace,
        "reactor.name": known.definition.reactor_name,
        "reactor.run.name": run.name,
        "reactor.run.uid": run.uid,
    }
