"""A run told what happens, in the words of the rules: `Run(step("a", undo=UNDO)).start().succeeds("a")`.

In: steps and limits, then events one by one. Out: what the engine ordered, and the state it is in. Time is a number.
After every event three things are checked that hold for all of them: telling it again changes nothing, what is stored
reads back as the same state, and the derived fields are those that `restore` makes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import (
    Announce,
    EvaluatePage,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    JudgePayload,
    LoadOutcomes,
    RetireTask,
    StartTask,
)
from reactor_operator.engine.decide import begin, decide_together
from reactor_operator.engine.derive import restore
from reactor_operator.engine.draft import Decision
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Task
from reactor_operator.engine.plan import (
    FINALLY,
    ROOT,
    ActionPlan,
    InterruptPlan,
    MapPlan,
    OnFailure,
    Plan,
    RetryPolicy,
    StepKind,
    StepPlan,
)
from reactor_operator.engine.state import (
    ElementOutcome,
    Goal,
    Header,
    MapState,
    OutcomePage,
    RollbackState,
    RunPhase,
    RunState,
    Stage,
    StepPhase,
    StepState,
)
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.store.codec import (
    decode_element,
    decode_header,
    decode_step,
    encode_elements,
    encode_header,
    encode_step,
)
from reactor_operator.store.outcome_pages import decode_outcomes, encode_outcomes

START = 1_000_000
SECOND = 1_000
MINUTE = 60 * SECOND

DONE_ONCE = ActionPlan()
"""An action with no policy of its own: one attempt, no timeout."""

REQUEST = ActionPlan(has_request=True)
"""An action whose tasks send what is evaluated before the first of them."""

CONTAINER = ActionPlan(checks_in=False)
"""An action that may begin before anybody is told."""


def attempts(count: int, **policy: object) -> ActionPlan:
    """Return an action that is attempted `count` times, a second apart and without jitter unless told otherwise."""
    spread = {"jitter_percent": 0, **policy}
    return ActionPlan(retries=RetryPolicy(max_attempts=count, **spread))  # type: ignore[arg-type]


def step(path: str, needs: Sequence[str] = (), **changes: object) -> StepPlan:
    """Return a step of the graph; its index and dependents are filled in by `plan_of`."""
    return StepPlan(path=path, index=0, needs=tuple(needs), **changes)  # type: ignore[arg-type]


def interrupt(path: str, needs: Sequence[str] = (), *, optional: bool = False, **how: object) -> StepPlan:
    """Return a step that waits for a payload; `how` are fields of an InterruptPlan."""
    waits = InterruptPlan(**how)  # type: ignore[arg-type]
    return step(path, needs, kind=StepKind.INTERRUPT, interrupt=waits, continues_on_error=optional)


@dataclass(frozen=True)
class Scope:
    """A compose or a switch with the steps inside it, whose names are those inside alone."""

    step: StepPlan
    inside: tuple["Written", ...]


Written = StepPlan | Scope


def compose(path: str, *inside: Written, needs: Sequence[str] = (), **changes: object) -> Scope:
    """Return a compose; with `retries` (an ActionPlan), `compensate` or `continues_on_error` it contains failures."""
    contains = bool(changes.keys() & {"run", "compensate", "continues_on_error"})
    return Scope(step(path, needs, kind=StepKind.COMPOSE, contains_failures=contains, **changes), inside)


def switch(path: str, *bodies: Written, needs: Sequence[str] = ()) -> Scope:
    """Return a switch between bodies, which are named `[0]`, `[1]`, `[default]`."""
    return Scope(step(path, needs, kind=StepKind.SWITCH), bodies)


def mapped(path: str, *body: Written, needs: Sequence[str] = (), optional: bool = False, **how: object) -> StepPlan:
    """Return a map whose elements do what `body` says: one step (its name does not matter), or several one after the
    other in a compose. `page` and `collect` are actions."""
    limits: dict[str, Any] = {
        name: how.pop(name) for name in ("parallelism", "on_failure", "infrastructure_retries") if name in how
    }
    root = f"{path}[]"
    if len(body) == 1 and isinstance(body[0], StepPlan):
        element = plan_of(replace(body[0], path=root), **limits)
    else:
        element = plan_of(Scope(step(root, kind=StepKind.COMPOSE, contains_failures=True), body), **limits)
    for name in ("page", "collect"):
        if (action := how.pop(name, None)) is not None:
            how[name] = plan_of(step(f"{path}[{name}]", run=action), **limits)
    map_plan = MapPlan(element=element, **how)  # type: ignore[arg-type]
    return step(path, needs, kind=StepKind.MAP, map=map_plan, continues_on_error=optional)


def plan_of(*steps: Written, finals: Sequence[StepPlan] = (), **limits: object) -> Plan:
    """Return the plan of steps written in this order, and of `finals`, which run at every end."""
    flat = [*_flat(steps, ROOT), *(replace(one, scope=FINALLY) for one in finals)]
    return Plan(
        steps={
            one.path: replace(
                one,
                index=index,
                dependents=tuple(other.path for other in flat if one.path in other.needs),
                children=tuple(other.path for other in flat if other.scope == one.path),
            )
            for index, one in enumerate(flat)
        },
        **limits,  # type: ignore[arg-type]
    )


def _flat(steps: Sequence[Written], scope: str) -> Iterator[StepPlan]:
    for one in steps:
        node = one.step if isinstance(one, Scope) else one
        path = _path_inside(scope, node.path)
        yield replace(node, path=path, scope=scope, needs=tuple(_path_inside(scope, need) for need in node.needs))
        if isinstance(one, Scope):
            yield from _flat(one.inside, path)


def _path_inside(scope: str, name: str) -> str:
    return scope + name if name.startswith("[") or scope == ROOT else f"{scope}/{name}"


def value(text: str) -> ValueRef:
    """Return the reference of some result."""
    return reference_to(text.encode())


def failure(kind: FailureKind, message: str = "bad", **more: Any) -> Failure:
    """Return a failure."""
    return Failure(kind=kind, message=message, **more)


Evaluation = Callable[[str, int], ev.Event]


def elements(count: int) -> Evaluation:
    """Evaluate a map to: an array of so many elements."""

    def tell(path: str, round_: int) -> ev.Event:
        return ev.StepEvaluated(path=path, round=round_, proceed=True, total=count, fallback=value("fallback"))

    return tell


def sends(task: Task) -> ev.Event:
    """Evaluate what the tasks of an action send: a request that names the first of them."""
    return ev.RequestEvaluated(task=task, request=value(f"request of {task.key}"))


def proceeds(path: str, round_: int) -> ev.Event:
    """Evaluate a step to: go, with these arguments and this fallback."""
    return ev.StepEvaluated(
        path=path,
        round=round_,
        proceed=True,
        arguments=value(f"{path} arguments"),
        inputs=value(f"{path} inputs"),
        result=value(f"{path} value"),
        fallback=value(f"{path} fallback"),
    )


def chooses(body: str) -> Evaluation:
    """Evaluate a switch to: this body of it, such as `[1]`."""

    def choose(path: str, round_: int) -> ev.Event:
        return ev.StepEvaluated(path=path, round=round_, proceed=True, chosen=path + body)

    return choose


def declines(path: str, round_: int) -> ev.Event:
    """Evaluate a step to: `when` is false."""
    return ev.StepEvaluated(path=path, round=round_, proceed=False)


def cannot_be_evaluated(path: str, round_: int) -> ev.Event:
    """Evaluate a step to: an expression of it fails."""
    broken = failure(FailureKind.EXPRESSION, "no such key")
    return ev.StepEvaluationFailed(path=path, round=round_, failure=broken, fallback=value(f"{path} fallback"))


class Run:
    """One run under test. Verbs tell it what happened and return it; the rest reads what came of it."""

    def __init__(self, *steps: Written, uid: str = "run-1", finals: Sequence[StepPlan] = (), **limits: object) -> None:
        self._begin(plan_of(*steps, finals=finals, **limits), uid)

    def _begin(self, plan: Plan, uid: str) -> None:
        self.plan = plan
        self.now = START
        self.state: RunState = begin(self.plan, uid, self.now)
        self.last = Decision(state=self.state)
        self.open: dict[str, Task] = {}
        self.orders: list[StartTask] = []
        self.retired: list[RetireTask] = []
        self.told: list[Announce] = []
        self.evaluated: list[str] = []
        self.requested: list[EvaluateRequest] = []
        self.requests: dict[str, Callable[[Task], ev.Event]] = {}
        self.answers: dict[str, Evaluation] = {}
        self.returns: ev.Event | None = ev.ReturnsEvaluated(result=value("the end"))
        self.results: dict[str, ev.Event] = {}
        self.bad: dict[str, tuple[str, ...]] = {}
        self.pages: dict[str, list[tuple[int, str | None] | Failure]] = {}
        self.fetched: list[tuple[str, int]] = []
        self.cold: dict[tuple[str, int, int], bytes] = {}
        self.dropped: set[str] = set()

    # What happens

    def start(self, paths: Mapping[str, Evaluation] | None = None, **answers: Evaluation) -> Self:
        """Begin; `answers` (`paths` where they are no words) say how steps evaluate that do not simply proceed."""
        self.answers.update({**(paths or {}), **answers})
        return self.later(0)

    def later(self, milliseconds: int) -> Self:
        """Let time pass, and tell."""
        self.now += milliseconds
        return self.feed(ev.TimePassed())

    def wakes(self) -> Self:
        """Let the time come that the engine asked to be woken at."""
        assert self.last.wake_at is not None, "the engine waits for no time"
        return self.later(max(0, self.last.wake_at - self.now))

    def begins(self, path: str, at: int | None = None) -> Self:
        """Start the open task of the step, now or as of `at`."""
        return self.feed(ev.TaskStarted(task=self.open[path], at=self.now if at is None else at))

    def waits(self, path: str, reason: str) -> Self:
        """Let the open task say why it cannot start."""
        return self.feed(ev.TaskWaiting(task=self.open[path], reason=reason))

    def uploads(self, path: str, result: ValueRef) -> Self:
        """Store an output file of the open task."""
        return self.feed(ev.TaskUploaded(task=self.open[path], result=result))

    def succeeds(self, path: str, result: str | None = None, *, uploaded: bool = False) -> Self:
        """End the open task well."""
        task = self.open[path]
        ref = None if result is None else value(result)
        return self.feed(ev.TaskSucceeded(task=task, result=ref, uploaded=uploaded))

    def skips(self, path: str, result: str | None = None) -> Self:
        """Let the open task find that there is nothing to do."""
        return self.feed(ev.TaskSkipped(task=self.open[path], result=None if result is None else value(result)))

    def halts(self, path: str, reason: str = "") -> Self:
        """Let the open task ask for the end of the run."""
        return self.feed(ev.TaskHalted(task=self.open[path], reason=reason))

    def continues(self, path: str, result: str | None = None) -> Self:
        """Let the open compensate repair its step."""
        return self.feed(ev.TaskContinued(task=self.open[path], result=None if result is None else value(result)))

    def fails(self, path: str, kind: FailureKind = FailureKind.ERROR, message: str = "bad", **more: Any) -> Self:
        """Fail the open task."""
        return self.feed(ev.TaskFailed(task=self.open[path], failure=failure(kind, message, **more)))

    def is_given_back(self, path: str) -> Self:
        """Let the worker that has the open task give it back before it began."""
        event = ev.TaskLost(task=self.open[path], message="told to stop", may_have_started=False, given_back=True)
        return self.feed(event)

    def is_lost(self, path: str, *, may_have_started: bool = True, message: str = "node gone") -> Self:
        """Take the pod of the open task away."""
        return self.feed(ev.TaskLost(task=self.open[path], message=message, may_have_started=may_have_started))

    def is_cancelled(self, request: str = "stop", reason: str = "enough", by: str = "ann") -> Self:
        """Ask for the end of the run."""
        return self.feed(ev.CancelRequested(id=request, reason=reason, by=by))

    def is_to_be_undone(self, request: str = "undo") -> Self:
        """Ask to take the run back."""
        return self.feed(ev.UndoRequested(id=request, reason="a mistake", by="ann"))

    def is_retried(self, request: str = "retry", **more: Any) -> Self:
        """Ask for another try."""
        return self.feed(ev.RetryRequested(id=request, by="ann", **more))

    def is_carried_over(self, path: str, result: str | None = None, request: str = "skip") -> Self:
        """Ask to skip a step with a value."""
        return self.feed(ev.SkipRequested(id=request, step=path, value=None if result is None else value(result)))

    def is_suspended(self, suspended: bool = True) -> Self:
        """Say in another generation of the spec that the run holds still, or goes on."""
        generation = self.header.generation + 1
        return self.feed(ev.SpecChanged(suspended=suspended, generation=generation))

    def is_held(self, suspended: bool = True, request: str = "hold", reason: str = "wait", by: str = "ann") -> Self:
        """Ask the run to hold still, or to go on."""
        return self.feed(ev.SuspendRequested(id=request, reason=reason, by=by, suspended=suspended))

    def is_resumed(self, path: str, payload: str | None = "yes", request: str = "go", **more: Any) -> Self:
        """Send an interrupt its payload; `bad` says what is wrong with it, by request."""
        sent = None if payload is None else value(payload)
        return self.feed(ev.ResumeRequested(id=request, step=path, payload=sent, **{"by": "ann", **more}))

    @property
    def answer(self) -> tuple[bool, str]:
        """Whether the newest request was accepted, and the reason."""
        return self.header.signals[-1].accepted, self.header.signals[-1].reason

    def feed(self, *events: ev.Event) -> Self:
        """Tell one event, or several that were recorded together, and keep what the engine says."""
        before = self.state
        self.last = decide_together(self.plan, before, events, self.now)
        self.state = self.last.state
        self._check(before, events)
        self._file()
        asked: list[ev.Event] = []
        for action in self.last.actions:
            match action:
                case StartTask(task=task):
                    self.open[task.path] = task
                    self.orders.append(action)
                case RetireTask(task=task):
                    del self.open[task.path]
                    self.retired.append(action)
                case EvaluateStep(path=path, round=round_):
                    self.evaluated.append(path)
                    asked.append(self._evaluate(path, round_))
                case EvaluateRequest():
                    self.requested.append(action)
                    self.open[action.task.path] = action.task
                    asked.append(self.requests.get(action.task.key, sends)(action.task))
                case EvaluatePage(path=path):
                    self.fetched.append((path, action.page))
                    asked.append(self._page(action))
                case LoadOutcomes(path=path, round=round_, page=page):
                    loaded = self._load(path, round_, page)
                    asked.append(ev.OutcomesLoaded(path=path, round=round_, page=page, outcomes=loaded))
                case EvaluateReturns(scope=scope) if scope != ROOT:
                    asked.append(self.results.get(scope, ev.ReturnsEvaluated(scope=scope, result=value(scope))))
                case EvaluateReturns() if self.returns is not None:
                    asked.append(self.returns)
                case JudgePayload(request=request):
                    errors = self.bad.get(request.id, ())
                    asked.append(ev.PayloadJudged(request=request, payload=request.payload, errors=errors))
                case Announce():
                    self.told.append(action)
        for answer in asked:
            self.feed(answer)
        return self

    def asks(self, *events: ev.Event) -> Self:
        """Tell events, and leave what the engine asks because of them unanswered."""
        self.last = decide_together(self.plan, self.state, events, self.now)
        self.state = self.last.state
        self._file()
        return self

    def _evaluate(self, path: str, round_: int) -> ev.Event:
        """Answer how a step evaluates."""
        return self.answers.get(path, proceeds)(path, round_)

    def _page(self, asked: EvaluatePage) -> ev.Event:
        """Answer with the next of the pages that were laid down for a map: how many elements, and the next cursor.

        A cursor that begins with an @ is the name of a document.
        """
        page = self.pages[asked.path][asked.page]
        if isinstance(page, Failure):
            return ev.PageEvaluationFailed(path=asked.path, round=asked.round, page=asked.page, failure=page)
        size, cursor = page
        ref = None if cursor is None else ValueRef(cursor, 300) if cursor.startswith("@") else value(cursor)
        return ev.PageEvaluated(
            path=asked.path, round=asked.round, page=asked.page, size=size, cursor=ref, mark=cursor or ""
        )

    def _file(self) -> None:
        """Keep what leaves the hot state, as bytes."""
        filing = self.last.filing
        if filing is not None:
            for place, page in filing.cold.items():
                self.cold[place] = encode_outcomes(place[0], place[2], page)
            self.dropped |= filing.dropped

    def _load(self, path: str, round_: int, number: int) -> OutcomePage:
        body = self.cold.get((path, round_, number))
        return {} if body is None else decode_outcomes(path, number, self.header.uid, body)

    def _check(self, before: RunState, events: tuple[ev.Event, ...]) -> None:
        state = self.state
        if not any(isinstance(event, ev.TimePassed) or self._is_to_be_judged(event) for event in events):
            again = decide_together(self.plan, state, events, self.now)
            assert again.state is state, f"{events!s:.200} changed something when told again"
            assert not again.actions
        changed = {path for path in state.steps if before.steps.get(path) is not state.steps[path]}
        assert changed == self.last.touched
        header = decode_header(encode_header(state.header))
        steps = {path: decode_step(encode_step(one)) for path, one in state.steps.items()}
        assert (header, steps) == (state.header, dict(state.steps))
        if not any(_evaluating(state)):
            pages = {
                (path, number): decode_outcomes(path, number, header.uid, encode_outcomes(path, number, page))
                for path, number, page in _hot_pages(state)
            }
            stored = {
                path: decode_element(path, header.uid, encode_elements({path: one})[path])
                for path, one in _elements(state)
            }
            assert restore(self.plan, header, steps, stored, pages) == bare(state)

    def _is_to_be_judged(self, event: ev.Event) -> bool:
        """Tell whether the payload of a request waits to be judged: until then it is not answered."""
        answered = [answer.id for answer in self.header.signals]
        return isinstance(event, ev.ResumeRequested) and event.id not in answered

    # What came of it

    def progress(self, path: str) -> MapState:
        """How far a map has come."""
        found = self.step(path).map
        assert found is not None, f"{path} is no map that was begun"
        return found

    def in_flight(self, path: str) -> list[str]:
        """The elements of a map that are in flight."""
        return list(self.state.elements.get(path, {}))

    def outcomes(self, path: str) -> dict[int, ElementOutcome]:
        """What became of the elements of a map, by index, also of those that left the hot state."""
        round_ = self.step(path).round
        found: dict[int, ElementOutcome] = {}
        for place in self.cold:
            if place[:2] == (path, round_):
                found |= self._load(*place)
        for page in self.state.pages.get(path, {}).values():
            found |= page
        return dict(sorted(found.items()))

    @property
    def header(self) -> Header:
        """The header."""
        return self.state.header

    @property
    def phase(self) -> RunPhase:
        """Where the run is, as users read it."""
        return self.header.phase

    @property
    def stage(self) -> Stage:
        """What the run is doing."""
        return self.header.stage

    @property
    def goal(self) -> Goal:
        """How the run is to end."""
        return self.header.goal

    @property
    def rollback(self) -> RollbackState:
        """What became of the rollback."""
        return self.header.rollback

    @property
    def unreversed(self) -> list[tuple[str, FailureKind]]:
        """What a person has to look at."""
        return [(one.step, one.kind) for one in self.header.rollback_failures]

    @property
    def launches(self) -> list[str]:
        """Every task that was ordered, in order: `a.run.1.1.1`."""
        return [order.task.key for order in self.orders]

    @property
    def reversals(self) -> list[str]:
        """Every compensate and undo that was ordered, in order: `a undo`."""
        return [f"{o.task.path} {o.task.action.value}" for o in self.orders if o.task.action.value != "run"]

    @property
    def reasons(self) -> list[str]:
        """What people were told, in order."""
        return [one.reason for one in self.told]

    def why(self, path: str) -> Failure:
        """Why the step failed."""
        found = self.step(path).failure
        assert found is not None, f"{path} has not failed"
        return found

    @property
    def why_it_failed(self) -> tuple[str, FailureKind]:
        """Which step made the run fail, empty for the run itself, and how."""
        found = self.header.failure
        assert found is not None, "the run has not failed"
        return found.step, found.failure.kind

    def order(self, path: str) -> StartTask:
        """The latest order to launch a task of the step."""
        return next(order for order in reversed(self.orders) if order.task.path == path)

    def step(self, path: str) -> StepState:
        """The step's state."""
        return self.state.step(path)

    def at(self, path: str) -> StepPhase:
        """The step's phase."""
        return self.step(path).phase


def chain(*names: str, **changes: object) -> list[StepPlan]:
    """Return steps of which each needs the one before."""
    return [step(name, names[number - 1 : number] if number else (), **changes) for number, name in enumerate(names)]


TERMINATE = OnFailure.TERMINATE
DRAIN = OnFailure.DRAIN


def _elements(state: RunState) -> Iterator[tuple[str, RunState]]:
    for elements in state.elements.values():
        for path, one in elements.items():
            yield path, one
            yield from _elements(one)


def _hot_pages(state: RunState) -> Iterator[tuple[str, int, OutcomePage]]:
    for path, pages in state.pages.items():
        for number, page in pages.items():
            yield path, number, page
    for _, one in _elements(state):
        yield from _hot_pages(one)


def _evaluating(state: RunState) -> Iterator[bool]:
    yield bool(state.evaluating)
    for _, one in _elements(state):
        yield bool(one.evaluating)


def bare(state: RunState) -> RunState:
    """Return a state without what is not stored of sagas that are kept: only their headers and steps are."""
    return replace(
        state,
        elements={of: {path: bare(one) for path, one in elements.items()} for of, elements in state.elements.items()},
        pages={
            of: {
                number: {
                    index: one if one.kept is None else replace(one, kept=_kept(one.kept))
                    for index, one in page.items()
                }
                for number, page in pages.items()
            }
            for of, pages in state.pages.items()
        },
    )


def _kept(state: RunState) -> RunState:
    return RunState(header=state.header, steps=dict(state.steps))
