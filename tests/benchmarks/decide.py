"""Row `decide`: what one event costs the engine in a run of 100 steps.

In: how often to fold a whole run. Out: µs of CPU time per event (a neighbour who takes the processor away is not the
engine's cost; on a quiet machine it is the wall clock). Three shapes are folded from the first event to the end, as the
shell does it (every outcome is followed by the clock); the dearest shape is the one that is judged.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from time import thread_time_ns

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import EngineAction, EvaluateReturns, EvaluateStep, StartTask
from reactor_operator.engine.decide import begin, decide
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import ActionPlan, Plan, StepPlan
from reactor_operator.engine.state import Stage
from reactor_operator.engine.values import ValueRef
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples

STEPS = 100
LAYER = 10
_VALUE = ValueRef("0" * 64, 1024)


def measure_decide(runs: int) -> Mapping[str, Measured]:
    """Fold each shape `runs` times in turn."""
    shapes = {
        "chain": (_plan(lambda i: (i - 1,) if i else ()), None),
        "layers": (_plan(_layered), None),
        "layers, undone": (_plan(_layered), f"step-{STEPS - 1}"),
    }
    taken: dict[str, list[float]] = {name: [] for name in shapes}
    for _ in range(runs):
        for name, (plan, failing) in shapes.items():
            taken[name].append(_microseconds_per_event(plan, failing))
    arms = {name: Samples(tuple(values)) for name, values in taken.items()}
    dearest = max(arms.values(), key=lambda samples: samples.median)
    return {"decide": Measured(value=dearest.median, spread=dearest.spread, arms=arms, details={"armsUnit": "µs"})}


def _layered(index: int) -> tuple[int, ...]:
    """Ten layers of ten; each step waits for three of the layer before."""
    layer, place = divmod(index, LAYER)
    return tuple(sorted({(layer - 1) * LAYER + (place + shift) % LAYER for shift in range(3)})) if layer else ()


def _plan(needs: Callable[[int], tuple[int, ...]]) -> Plan:
    needed = [needs(index) for index in range(STEPS)]
    dependents: list[list[str]] = [[] for _ in range(STEPS)]
    for index, others in enumerate(needed):
        for other in others:
            dependents[other].append(f"step-{index}")
    cleanup = ActionPlan(timeout_ms=600_000)
    return Plan(
        steps={
            f"step-{index}": StepPlan(
                path=f"step-{index}",
                index=index,
                needs=tuple(f"step-{other}" for other in needed[index]),
                dependents=tuple(dependents[index]),
                run=ActionPlan(timeout_ms=600_000),
                compensate=cleanup,
                undo=cleanup,
            )
            for index in range(STEPS)
        },
        parallelism=20,
        timeout_ms=3_600_000,
    )


def _microseconds_per_event(plan: Plan, failing: str | None) -> float:
    """Fold one run to its end and return the mean over its events: a dear event counts for what it costs."""
    now = 1_700_000_000_000
    state = begin(plan, "11111111-2222-3333-4444-555555555555", now)
    spent = folded = 0
    waiting: deque[ev.Event] = deque([ev.TimePassed()])
    while waiting:
        now += 7
        event = waiting.popleft()
        began = thread_time_ns()
        decision = decide(plan, state, event, now)
        spent += thread_time_ns() - began
        folded += 1
        state = decision.state
        for action in decision.actions:
            _answer(waiting, action, failing, now)
    if state.header.stage is not Stage.OVER:
        raise BenchmarkFailed(f"the run did not end: stage {state.header.stage}")
    return spent / folded / 1_000


def _answer(waiting: deque[ev.Event], action: EngineAction, failing: str | None, now: int) -> None:
    """Queue what the world says to an order; evaluations are answered at once, as inside the fold."""
    match action:
        case EvaluateStep():
            waiting.appendleft(ev.StepEvaluated(path=action.path, round=action.round, proceed=True, arguments=_VALUE))
        case EvaluateReturns():
            waiting.appendleft(ev.ReturnsEvaluated(result=_VALUE))
        case StartTask():
            waiting.extend(_life(action.task, failing, now))
        case _:
            pass


def _life(task: Task, failing: str | None, now: int) -> Iterable[ev.Event]:
    yield ev.TaskStarted(task=task, at=now)
    yield ev.TimePassed()
    if task.path == failing and task.action is Action.RUN:
        yield ev.TaskFailed(task=task, failure=Failure(kind=FailureKind.ERROR, message="the courier is down"))
    else:
        yield ev.TaskSucceeded(task=task, result=_VALUE)
    yield ev.TimePassed()
