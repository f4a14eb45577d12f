"""Elements that are one task take a short way (`plain`); whatever happens, it leads where the way of all sagas leads.

Both are driven by the same script: what is in flight ends in some way, time passes, people ask for something.
"""

import os
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import (
    EngineAction,
    EvaluatePage,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    LoadOutcomes,
)
from reactor_operator.engine.decide import begin, decide_together
from reactor_operator.engine.draft import Filing, open_tasks
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import ActionPlan, OnFailure, Plan, RetryPolicy
from reactor_operator.engine.state import OutcomePage
from reactor_operator.engine.values import ValueRef
from tests.unit.engine.driver import compose, mapped, plan_of, step

UID = "11111111-2222-3333-4444-555555555555"
_EXAMPLES = int(os.environ.get("REACTOR_EXAMPLES", "60"))
_MOVES = (
    *("succeeds",) * 6,
    *("fails", "skips", "halts", "started", "waits", "is lost", "succeeds with a document", "uploads"),
)
_ASKED = (None, None, None, "cancel", "suspend", "resume", "undo", "retry")

moves = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(_MOVES)), max_size=6)
scripts = st.lists(st.tuples(moves, st.sampled_from([0, 1, 400, 6_000]), st.sampled_from(_ASKED)), max_size=12)
actions = st.builds(
    ActionPlan,
    retries=st.builds(RetryPolicy, max_attempts=st.integers(1, 2), base_delay_ms=st.just(10)),
    timeout_ms=st.sampled_from([None, 500]),
    checks_in=st.booleans(),
)
maps = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 6),
        "barrier": st.booleans(),
        "fail_fast": st.booleans(),
        "chunk": st.integers(1, 3),
        "undo_window": st.integers(1, 2),
        "timeout_ms": st.sampled_from([None, 5_000]),
        "parallelism": st.integers(1, 8),
        "on_failure": st.sampled_from(OnFailure),
    }
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a run with a map of single tasks, or a map of those inside another one."""
    task = step("x", run=draw(actions), undo=draw(st.none() | actions), compensate=draw(st.none() | actions))
    how = draw(maps)
    rows = mapped("rows", task, **how)
    if draw(st.integers(0, 3)) == 0:
        lines = mapped("lines", task, **how)
        rows = mapped("rows", lines, replace(task, path="then"), **how)
    kept = {"parallelism": how["parallelism"], "on_failure": how["on_failure"]}
    return plan_of(rows, step("beside", run=draw(actions)), compose("around", step("in")), **kept)


@settings(max_examples=5 * _EXAMPLES, deadline=None)
@given(plans(), st.integers(0, 9), scripts)
def test_elements_of_one_task_go_the_way_of_all_sagas(
    plan: Plan, count: int, script: list[tuple[list[tuple[int, str]], int, str | None]]
) -> None:
    short, long = _World(plan, count), _World(_without_short_way(plan), count)
    for told, later, asked in script:
        for world in (short, long):
            world.move(told, later, asked)
        assert short.state == long.state
        assert short.filed == long.filed
        assert short.ordered == long.ordered
        assert short.wake_at == long.wake_at


def _without_short_way(plan: Plan) -> Plan:
    """Return the plan with maps none of which is taken for one of single tasks."""
    steps = {}
    for path, one in plan.steps.items():
        mapped_over = one.map
        if mapped_over is not None:
            changes = {"plain": False, "element": _without_short_way(mapped_over.element)}
            mapped_over = evolve(mapped_over, changes)
        steps[path] = replace(one, map=mapped_over)
    return replace(plan, steps=steps)


class _World:
    """A run, and the world that answers its questions at once."""

    def __init__(self, plan: Plan, count: int) -> None:
        self.plan = plan
        self.count = count
        self.now = 1_000
        self.state = begin(plan, UID, self.now)
        self.cold: dict[tuple[str, int, int], OutcomePage] = {}
        self.tell([ev.TimePassed()])

    def move(self, told: Iterable[tuple[int, str]], later: int, asked: str | None) -> None:
        """Let tasks that are open do something, all noticed together; then time passes, and somebody asks."""
        open_ = sorted(open_tasks(self.state), key=lambda task: task.key)
        events = [self.event(open_[place % len(open_)], move) for place, move in told if open_]
        self.now += later
        self.tell([*events, *_request(asked, self.now), ev.TimePassed()])

    def tell(self, events: list[ev.Event]) -> None:
        """Fold events and what is evaluated because of them."""
        self.filed, self.ordered = Filing(), list[str]()
        waiting = [events]
        while waiting:
            decision = decide_together(self.plan, self.state, waiting.pop(0), self.now)
            self.state, self.wake_at = decision.state, decision.wake_at
            if decision.filing is not None:
                self.filed.add(decision.filing)
                self.cold |= decision.filing.cold
            answers = [self.answer(action) for action in decision.actions]
            self.ordered += [repr(one) for one, said in zip(decision.actions, answers, strict=True) if said is None]
            waiting += [[said for said in answers if said is not None]] if any(answers) else []
        self.ordered.sort()

    def answer(self, asked: EngineAction) -> ev.Event | None:
        """Answer what has no effects. What depends on a path alone is the same on both ways."""
        match asked:
            case EvaluateStep(path=path, round=round_) if path.endswith(("rows", "lines")):
                return ev.StepEvaluated(path=path, round=round_, proceed=True, total=self.count)
            case EvaluateStep(path=path, round=round_):
                failure = Failure(kind=FailureKind.EXPRESSION, message="bad", retryable=False)
                if path.endswith("[5]"):
                    return ev.StepEvaluationFailed(path=path, round=round_, failure=failure)
                name = f"@{path}.arguments.{round_}"
                arguments = (None, ValueRef(name, 300), ValueRef("=1", 1))[len(path) % 3]
                return ev.StepEvaluated(path=path, round=round_, proceed=not path.endswith("[3]"), arguments=arguments)
            case EvaluateReturns(scope=scope):
                return ev.ReturnsEvaluated(scope=scope, result=None)
            case LoadOutcomes(path=path, round=round_, page=page):
                outcomes = self.cold.get((path, round_, page), {})
                return ev.OutcomesLoaded(path=path, round=round_, page=page, outcomes=outcomes)
            case EvaluatePage() | EvaluateRequest():
                raise AssertionError("nothing of this kind is written here")
            case _:
                return None

    def event(self, task: Task, move: str) -> ev.Event:
        """Return what a task tells."""
        match move:
            case "fails":
                return ev.TaskFailed(task=task, failure=Failure(kind=FailureKind.ERROR, message="bad"))
            case "skips" if task.action is Action.RUN:
                return ev.TaskSkipped(task=task, result=None)
            case "halts" if task.action is Action.RUN:
                return ev.TaskHalted(task=task, reason="enough")
            case "started":
                return ev.TaskStarted(task=task, at=self.now)
            case "waits":
                return ev.TaskWaiting(task=task, reason="no room")
            case "is lost":
                return ev.TaskLost(task=task, message="gone", may_have_started=True)
            case "uploads":
                return ev.TaskUploaded(task=task, result=ValueRef(f"@{task.key} upload", 300))
            case "succeeds with a document":
                return ev.TaskSucceeded(task=task, result=ValueRef(f"@{task.key} result", 300))
            case _:
                return ev.TaskSucceeded(task=task, result=None)


def _request(asked: str | None, now: int) -> list[ev.Event]:
    match asked:
        case "cancel":
            return [ev.CancelRequested(id=f"cancel-{now}", reason="enough")]
        case "suspend" | "resume":
            return [ev.SuspendRequested(id=f"{asked}-{now}", suspended=asked == "suspend")]
        case "undo":
            return [ev.UndoRequested(id=f"undo-{now}", reason="no")]
        case "retry":
            return [ev.RetryRequested(id=f"retry-{now}")]
        case _:
            return []
