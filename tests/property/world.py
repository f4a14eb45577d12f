"""A world for one run: it answers the engine's orders as a random source says, and remembers what really happened.

In: a plan and a `random.Random`. Out: the final state and a ledger of starts and effects, in order.
The invariants that hold at every moment are checked as it goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import (
    Announce,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    JudgePayload,
    RetireTask,
    StartTask,
)
from reactor_operator.engine.decide import begin, decide_together
from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.history import transitions
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.launching import action_plan
from reactor_operator.engine.plan import ROOT, Plan, StepKind, StepPlan
from reactor_operator.engine.state import DONE, Header, RunPhase, RunState, Stage, StepPhase, suspended_in_spec
from reactor_operator.engine.values import ValueRef, reference_to
from tests.property.strategies import TASK_KINDS
from tests.retold import Retold

STEP_LIMIT = 3000


@dataclass
class Ledger:
    """What the outside saw: orders in sequence, which tasks really acted, and what was recorded of each."""

    started: list[Task] = field(default_factory=list)
    acted: set[Task] = field(default_factory=set)
    succeeded: list[Task] = field(default_factory=list)
    outcomes: dict[Task, ev.Outcome] = field(default_factory=dict)
    reversed: dict[str, list[Task]] = field(default_factory=dict)
    """Compensates and undos by what they belong to (`World.episode`)."""


class World:
    """Runs one plan to its end."""

    def __init__(self, plan: Plan, random: Random, *, cancels: bool = True, signals: int = 0) -> None:
        """`signals` is how often people ask for something else than a cancel."""
        self.plan = plan
        self.random = random
        self.now = 1_000_000
        self.state: RunState = begin(plan, "uid", self.now)
        self.retold = Retold()
        self.open: dict[Task, StartTask] = {}
        self.asked: set[Task] = set()
        self.requests: dict[tuple[str, Action, int], ValueRef] = {}
        self.closed: list[Task] = []
        self.running: set[Task] = set()
        self.ledger = Ledger()
        self.cancels = cancels
        self.signals = signals
        self.wake_at: int | None = None
        self.hopeless = 0

    def run(self) -> RunState:
        """Drive the run until it is over; fail where it never ends."""
        self.feed(ev.TimePassed())
        for _ in range(STEP_LIMIT):
            if self.state.header.stage is not Stage.OVER:
                self.move()
            elif self.signals:
                self.ask()
            else:
                return self.state
        raise AssertionError("the run does not end")

    def move(self) -> None:
        """Let one thing happen."""
        dice = self.random.random()
        if self.signals and self.random.random() < 0.03:
            self.ask()
        elif self.state.header.suspended and not self.open:
            self.go_on()
        elif self.cancels and dice < 0.01:
            self.feed(ev.CancelRequested(id=str(self.random.randrange(3)), reason="test"))
        elif dice < 0.06 and self.closed:
            self.feed(self.outcome(self.random.choice(self.closed)))
        elif dice < 0.25 or not self.open:
            self.let_time_pass()
        elif dice < 0.40 and len(self.open) > 1:
            self.tasks_move_together(self.random.sample(list(self.open), self.random.randint(2, len(self.open))))
        else:
            self.feed(self.next_of(self.random.choice(list(self.open))))

    def ask(self) -> None:
        """Let a person ask for something, in whatever phase the run is."""
        self.signals -= 1
        name, path = f"ask-{self.signals}", self.random.choice(list(self.plan.steps))
        unreversed = [step for step, state in self.state.steps.items() if state.phase is StepPhase.ROLLBACK_FAILED]
        assumed = {step: self.random.random() < 0.5 for step in unreversed}
        request: ev.Event
        match self.random.randrange(6):
            case 0:
                request = ev.UndoRequested(id=name)
            case 1:
                request = ev.RetryRequested(id=name)
            case 2:
                standing = tuple(step for step, stands in assumed.items() if stands)
                undone = tuple(step for step, stands in assumed.items() if not stands)
                request = ev.RetryRequested(id=name, standing=standing, undone=undone)
            case 3:
                request = ev.SkipRequested(id=name, step=path, value=self.value())
            case 4:
                request = ev.SuspendRequested(id=name, suspended=self.random.random() < 0.7)
            case _:
                header = self.state.header
                suspended = self.random.choice([header.suspended, not header.suspended])
                request = ev.SpecChanged(suspended=suspended, generation=header.generation + 1)
        before, said = self.state.header, suspended_in_spec(self.state.header)
        self.feed(request)
        self.check_last_word(before, said, request)

    def go_on(self) -> None:
        """Let a run that holds still go on: its spec says so where that is another word of it, else a person does."""
        header = self.state.header
        if suspended_in_spec(header) and self.random.random() < 0.5:
            self.feed(ev.SpecChanged(suspended=False, generation=header.generation + 1))
        else:
            self.feed(ev.SuspendRequested(id=f"on-{header.generation}-{header.announcements}", suspended=False))
        assert not self.state.header.suspended

    def check_last_word(self, before: Header, in_spec: bool, asked: ev.Event) -> None:
        """Whether the run is suspended is what the last word says: that of the spec only where it is a new one."""
        after = self.state.header
        over = before.stage is Stage.OVER
        match asked:
            case ev.SpecChanged(suspended=suspended) if suspended != in_spec:
                assert (after.suspended, suspended_in_spec(after)) == (suspended, suspended)
            case ev.SuspendRequested(id=name, suspended=suspended):
                answer = next(one for one in after.signals if one.id == name)
                assert after.suspended == (suspended if answer.accepted else before.suspended)
                assert suspended_in_spec(after) == in_spec
                assert not (over and answer.accepted)
            case _:
                assert (after.suspended, after.suspension) == (before.suspended, before.suspension)

    def let_time_pass(self) -> None:
        """Go to the time the engine asked for, or a little further."""
        if self.wake_at is not None and (not self.open or self.random.random() < 0.3):
            self.now = max(self.now, self.wake_at)
        else:
            assert self.open, "nothing is in flight and the engine asks for no time: the run is stuck"
            self.now += self.random.choice([0, 1, 50, 400])
        self.feed(ev.TimePassed())

    def tasks_move_together(self, tasks: list[Task]) -> None:
        """Several tasks report before anything is decided on; none of their outcomes may be lost to another's."""
        events: list[ev.TaskEvent] = []
        for task in tasks:
            events.append(self.next_of(task))
            if isinstance(events[-1], ev.TaskHalted):  # the shell decides on what follows a halt after it
                break
        self.feed(*events)
        for event in events:
            if isinstance(event, ev.TaskSucceeded | ev.TaskFailed) and event.task.action is Action.RUN:
                self.check_recorded(event.task)

    def check_recorded(self, task: Task) -> None:
        """What a task told is not lost to what others told with it."""
        stopped = self.state.step(task.path)
        begun_anew = (stopped.round, stopped.run_attempts) > (task.round, task.attempt)
        assert begun_anew or stopped.completion or stopped.failure is not None

    def next_of(self, task: Task) -> ev.TaskEvent:
        """What a task tells next: it begins, waits, is lost or ends."""
        dice = self.random.random()
        if task not in self.running and dice < 0.4:
            self.running.add(task)
            self.ledger.acted.add(task)
            if self.checks_in(task) or self.random.random() < 0.7:
                return ev.TaskStarted(task=task, at=self.now)
            return ev.TaskWaiting(task=task, reason="")
        if task not in self.running and dice < 0.5:
            return ev.TaskWaiting(task=task, reason=self.random.choice(["Unschedulable", ""]))
        event = self.outcome(task)
        self.ledger.outcomes.setdefault(task, event)
        return event

    def checks_in(self, task: Task) -> bool:
        """Tell whether the action of the task begins only once its start is recorded."""
        return action_plan(self.planned(task.path), task.action).checks_in

    def planned(self, path: str) -> StepPlan:
        """Return the plan of a step."""
        return self.plan.steps[path]

    def outcome(self, task: Task) -> ev.Outcome:
        """Make up how a task ends, consistent with whether it began."""
        dice = self.random.random()
        began = task in self.running
        if not began and dice < 0.3:
            never = self.random.choice([FailureKind.CANNOT_START, FailureKind.INVALID_ARGUMENTS])
            if self.random.random() < 0.5:
                return ev.TaskLost(task=task, message="node gone", may_have_started=not self.checks_in(task))
            return ev.TaskFailed(task=task, failure=Failure(kind=never, message="never"))
        if task in self.open:
            self.ledger.acted.add(task)
        if dice < 0.65:
            return ev.TaskSucceeded(task=task, result=self.value(task))
        if dice < 0.68:
            return ev.TaskSkipped(task=task, result=self.value(task))
        if dice < 0.70:
            return ev.TaskHalted(task=task, reason="enough")
        if dice < 0.76:
            return ev.TaskContinued(task=task, result=self.value(task))
        if dice < 0.84:
            return ev.TaskLost(task=task, message="evicted")
        kind = self.random.choice(TASK_KINDS[:5])
        retryable, detail = self.random.random() < 0.8, self.detail(task)
        failure = Failure(kind=kind, message="bad", retryable=retryable, detail=detail)
        return ev.TaskFailed(task=task, failure=failure)

    def value(self, task: Task | None = None) -> ValueRef | None:
        """Some result, of a task where it is one."""
        return self.random.choice([None, reference_to(b"1")])

    def detail(self, task: Task) -> ValueRef | None:
        """What explains the failure of a task; nothing does."""
        return None

    def feed(self, *events: ev.Event) -> None:
        """Give events to the engine together, answer what it asks, and check what must always hold."""
        before = self.state
        decision = decide_together(self.plan, before, events, self.now)
        assert decide_together(self.plan, before, events, self.now) == decision
        if not (asked_anew(events, decision) or any(isinstance(event, ev.TimePassed) for event in events)):
            again = decide_together(self.plan, decision.state, events, self.now)
            assert again.state is decision.state, "an event that was told again changed something"
            assert not again.actions
        self.retell(events, before, decision)
        self.perform(events, before, decision)
        self.check_always()

    def retell(self, events: tuple[ev.Event, ...], before: RunState, decision: Decision) -> None:
        """Write down what moved, as the shell does: whoever reads it knows where the run is."""
        phase = None if self.retold.number else RunPhase.PENDING
        self.retold.take(transitions(self.plan, before, decision, events, phase=phase))
        self.retold.check(decision.state)

    def perform(self, events: tuple[ev.Event, ...], before: RunState, decision: Decision) -> None:
        """Do what the engine ordered; then its evaluations are answered, as the shell does."""
        self.state, self.wake_at = decision.state, decision.wake_at
        changed = {path for path, step in self.state.steps.items() if before.steps.get(path) is not step}
        assert changed == decision.touched
        for event in events:
            if isinstance(event, ev.TaskSucceeded) and event.task in self.open and event.task.action is Action.RUN:
                self.ledger.succeeded.append(event.task)
        answers: list[ev.Event] = []
        for action in decision.actions:
            match action:
                case StartTask():
                    self.start(action)
                case RetireTask(task=task):
                    if task in self.asked:
                        self.asked.discard(task)
                    else:
                        self.open.pop(task)
                    self.closed.append(task)
                case EvaluateStep(path=path, round=round_):
                    answers.append(self.evaluation(path, round_))
                case EvaluateRequest(task=task):
                    self.asked.add(task)
                    answers.append(self.request(task))
                case EvaluateReturns(scope=scope):
                    answers.append(self.returns(scope))
                case JudgePayload(request=request):
                    answers.append(self.judge(request))
                case Announce():
                    pass
        for answer in answers:
            self.feed(answer)

    def evaluation(self, path: str, round_: int) -> ev.Event:
        """Answer an evaluation."""
        dice = self.random.random()
        if dice < 0.03:
            failure = Failure(kind=FailureKind.EXPRESSION, message="no such key")
            return ev.StepEvaluationFailed(path=path, round=round_, failure=failure)
        chosen = ""
        if self.plan.steps[path].kind is StepKind.SWITCH:
            chosen = self.random.choice(self.plan.steps[path].children)
        return ev.StepEvaluated(
            path=path, round=round_, proceed=dice > 0.1, arguments=reference_to(b"{}"), chosen=chosen
        )

    def request(self, task: Task) -> ev.Event:
        """Answer what a task is to send: it is asked once for all tasks of an action in a round."""
        kind = (task.path, task.action, task.round)
        assert kind not in self.requests, f"{task.key}: what it sends was evaluated before"
        if self.random.random() < 0.1:
            failure = Failure(kind=FailureKind.EXPRESSION, message="no such key", retryable=False)
            return ev.TaskFailed(task=task, failure=failure)
        self.requests[kind] = reference_to(task.key.encode())
        return ev.RequestEvaluated(task=task, request=self.requests[kind])

    def returns(self, scope: str) -> ev.Event:
        """Answer what a scope is to return; that of the run itself always can be told."""
        if scope != ROOT and self.random.random() < 0.1:
            failure = Failure(kind=FailureKind.EXPRESSION, message="no such key")
            return ev.ReturnsEvaluationFailed(scope=scope, failure=failure)
        return ev.ReturnsEvaluated(scope=scope, result=None)

    def judge(self, request: ev.ResumeRequested) -> ev.Event:
        """Answer whether a payload is what an interrupt waits for; these plans have none (`interrupts_world`)."""
        raise AssertionError(f"no interrupt is open: {request}")

    def start(self, order: StartTask) -> None:
        """A task is launched: everything that must be true of a launch is true of this one."""
        task = order.task
        assert task not in self.ledger.started, f"{task.key} was launched twice"
        assert order.request == self.requests.get((task.path, task.action, task.round))
        self.asked.discard(task)
        assert not any(t.path == task.path for t in self.open), f"{task.path} has two tasks"
        if task.action is Action.RUN:
            for need in self.plan.steps[task.path].needs:
                assert self.state.step(need).phase in DONE, f"{task.path} started before {need}"
            assert not any((t.path, t.round) == (task.path, task.round) for t in self.ledger.succeeded), (
                f"{task.path} ran after its success"
            )
            assert all(self.state.step(scope).phase is StepPhase.RUNNING for scope in self.plan.enclosing(task.path))
            containing = self.state.header.containing
            assert containing == ROOT or not self.plan.is_inside(task.path, containing), f"{containing} is reversed"
        else:
            self.ledger.reversed.setdefault(self.episode(), []).append(task)
            assert not any(t.action is not Action.RUN for t in self.open), "two reversals at once"
        self.open[task] = order
        self.ledger.started.append(task)

    def episode(self) -> str:
        """Name what a reversal belongs to: a step's own cleanup, one reversal of a compose, or the run's rollback."""
        header = self.state.header
        if header.stage is not Stage.HOLDING:
            return "the run"
        if header.containing == ROOT:
            return "own"
        scope = self.state.step(header.containing)
        return f"{header.containing} {scope.round}.{scope.attempt}"

    def check_always(self) -> None:
        """What holds after every event."""
        state = self.state
        assert len(self.open) <= self.plan.parallelism
        assert {s.task for s in state.steps.values() if s.task} == set(self.open) | self.asked
        if not state.evaluating:
            again = restore(self.plan, state.header, dict(state.steps))
            wrong = [name for name in RunState.__slots__ if getattr(again, name) != getattr(state, name)]
            assert not wrong, {name: (getattr(state, name), getattr(again, name)) for name in wrong}


def asked_anew(events: Iterable[ev.Event], decision: Decision) -> bool:
    """Tell whether a decision asks again for what it was just told, so that telling it again is another answer: it came
    while nothing went on."""
    asked = {action.path for action in decision.actions if isinstance(action, EvaluateStep)}
    asked |= {action.scope for action in decision.actions if isinstance(action, EvaluateReturns)}
    told = {event.path for event in events if isinstance(event, ev.StepEvaluated | ev.StepEvaluationFailed)}
    told |= {event.scope for event in events if isinstance(event, ev.ReturnsEvaluated | ev.ReturnsEvaluationFailed)}
    judged = any(isinstance(action, JudgePayload) for action in decision.actions)  # until then it is not answered
    return judged or not asked.isdisjoint(told)
