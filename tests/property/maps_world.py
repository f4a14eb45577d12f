"""A world for one run with maps: it answers what the engine asks of elements and pages, and holds maps to their rules.

In: a plan and a `random.Random`. Out: as `World`. The rules of maps that hold at every moment are checked as it goes.
"""

from collections.abc import Iterator
from random import Random
from typing import assert_never

from reactor_operator.engine import events as ev
from reactor_operator.engine.actions import (
    Announce,
    EvaluatePage,
    EvaluateRequest,
    EvaluateReturns,
    EvaluateStep,
    Evaluation,
    JudgePayload,
    LoadOutcomes,
    Notify,
    RetireTask,
    StartTask,
)
from reactor_operator.engine.awaited import is_awaited, is_of_element
from reactor_operator.engine.decide import decide_together, recovering
from reactor_operator.engine.draft import Decision, open_tasks, page_of
from reactor_operator.engine.elements import collect_path, element_path, index_of, owner_of, page_path, saga_of
from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.plan import ROOT, MapPlan, Plan, StepKind, StepPlan
from reactor_operator.engine.state import (
    CLEANUP,
    DONE,
    ElementOutcome,
    ElementPhase,
    Goal,
    OutcomePage,
    RunState,
    Stage,
    StepPhase,
    is_held,
)
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.store.codec import encode_header
from tests.property.map_store import MapStore, bare, bare_outcome, references, references_of_page
from tests.property.world import World, asked_anew

Map = tuple[str, int]
"""A map in one of its rounds."""


class MapsWorld(World):
    """Runs one plan with maps to its end.

    store:    what is stored of the run.
    totals:   how many elements each map has.   pages: or which pages of them are fetched: how many, the next cursor.
    begun:    how many elements of each map were begun.
    recorded: what became of them.
    results:  what each step told last.
    undoing:  elements in the order in which they were begun to be reversed, since the map was last begun to be.
    rounds:   of which round of the map around it each key is.
    before:   the state before the last decision.
    failed:   maps that had failed by then.
    assumed:  steps of which a person said that they stand.
    """

    def __init__(self, plan: Plan, random: Random, *, cancels: bool = True, signals: int = 0) -> None:
        super().__init__(plan, random, cancels=cancels, signals=signals)
        self.store = MapStore(plan)
        self.begun: dict[Map, int] = {}
        self.recorded: dict[Map, dict[int, ElementOutcome]] = {}
        self.undoing: dict[Map, list[int]] = {}
        self.rounds: dict[tuple[str, Action, int], tuple[int, ...]] = {}
        self.results: dict[str, ValueRef | None] = {}
        self.totals: dict[Map, int] = {}
        self.pages: dict[Map, list[tuple[int, str | None]]] = {}
        self.before = self.state
        self.failed: set[str] = set()
        self.assumed: set[str] = set()
        self.most_in_flight = 0

    # what the outside does

    def planned(self, path: str) -> StepPlan:
        return saga_of(self.plan, self.state, path)[0].steps[path]

    def is_inside_map(self, path: str) -> bool:
        """Tell whether a path leads into an element, or to a task of a map itself; a body of a switch is neither."""
        return owner_of(self.plan, path) is not None

    def move(self) -> None:
        if is_held(self.state.header) and not self.open:
            self.go_on()
        elif self.state.header.suspended and not self.open:
            self.let_time_pass()  # a cancel and an undo go on
        else:
            super().move()

    def outcome(self, task: Task) -> ev.Outcome:
        share = 0.8 if "[page-" in task.path else 0.5  # else hardly a map would come to its end
        if task in self.open and task.action is Action.RUN and self.random.random() < share:
            self.ledger.acted.add(task)
            return ev.TaskSucceeded(task=task, result=self.value(task))
        return super().outcome(task)

    def value(self, task: Task | None = None) -> ValueRef | None:
        if task is None or not self.is_inside_map(task.path):
            return super().value(task)
        dice = self.random.random()
        if dice < 0.3:
            return None
        return reference_to(b'"small"', f"{task.key}.result") if dice < 0.5 else large(f"{task.key}.result")

    def detail(self, task: Task) -> ValueRef | None:
        return large(f"{task.key}.detail") if self.is_inside_map(task.path) and self.random.random() < 0.7 else None

    def check_recorded(self, task: Task) -> None:
        saga_plan, saga = saga_of(self.plan, self.state, task.path)
        if task.path in saga_plan.steps and task.path in saga.steps:
            stopped = saga.step(task.path)
            begun_anew = (stopped.round, stopped.run_attempts) > (task.round, task.attempt)
            assert begun_anew or stopped.completion or stopped.failure is not None

    def lose(self) -> None:
        """The store turns out to be an older one, or to have lost what was told since."""
        self.store.header = encode_header(recovering(self.state.header, self.now))
        self.state = self.store.restored()
        self.retold.is_stopped(self.state)

    # what the engine says

    def feed(self, *events: ev.Event) -> None:
        begins = self.random.random() < 0.9
        before = self.state
        decision = decide_together(self.plan, before, events, self.now, begins=begins)
        assert decide_together(self.plan, before, events, self.now, begins=begins) == decision
        if not (asked_anew(events, decision) or any(isinstance(event, ev.TimePassed) for event in events)):
            again = decide_together(self.plan, decision.state, events, self.now, begins=begins)
            assert again.state is decision.state, f"{events!s:.300}, told again, changed something"
            assert not again.actions
        self.retell(events, before, decision)
        self.perform(events, before, decision)

    def perform(self, events: tuple[ev.Event, ...], before: RunState, decision: Decision) -> None:
        self.before = before
        self.failed = {
            path for saga in sagas(before) for path, one in saga.steps.items() if one.map and one.map.failure
        }
        self.state, self.wake_at = decision.state, decision.wake_at
        changed = {path for path, step in self.state.steps.items() if before.steps.get(path) is not step}
        assert changed == decision.touched
        for event in events:
            self.take_down(event)
        self.store.write(decision)
        self.check_elements(before, decision)
        closed = {action.task for action in decision.actions if isinstance(action, RetireTask)}
        asked: list[Evaluation] = []
        for action in decision.actions:
            match action:
                case StartTask(task=task) if task in closed:
                    self.ledger.started.append(task)  # and stopped before anybody heard of it
                case StartTask():
                    held = is_held(before.header) and is_held(self.state.header)
                    assert not held, f"{action.task.key} is started while the run holds still"
                    self.start(action)
                case RetireTask(task=task):
                    self.retire(task)
                case Announce() | Notify():
                    pass
                case _:
                    if isinstance(action, EvaluateRequest):
                        self.asked.add(action.task)
                    asked.append(action)
        self.check_always()
        of_elements = [one for one in asked if is_of_element(self.plan, one)]
        for group in (of_elements, *([one] for one in asked if one not in of_elements)):
            answers = [self.answer(one) for one in group if is_awaited(self.plan, self.state, one)]
            if answers:
                self.feed(*answers)

    def answer(self, asked: Evaluation) -> ev.Event:
        """Answer an evaluation."""
        match asked:
            case EvaluateStep(path=path, round=round_):
                return self.evaluation(path, round_)
            case EvaluateRequest(task=task):
                return self.request(task)
            case EvaluateReturns(scope=scope):
                return self.returns(scope)
            case EvaluatePage():
                return self.read_page(asked)
            case LoadOutcomes(path=path, round=round_, page=page):
                outcomes = self.store.page((path, round_, page))
                return ev.OutcomesLoaded(path=path, round=round_, page=page, outcomes=outcomes)
            case JudgePayload(request=request):
                return self.judge(request)
            case _:
                assert_never(asked)

    def take_down(self, event: ev.Event) -> None:
        """Remember what was recorded of a task that was open, and what people say stands."""
        if isinstance(event, ev.RetryRequested):
            self.assumed.update(event.standing)
        if isinstance(event, ev.TaskSucceeded | ev.TaskSkipped | ev.TaskContinued) and event.task in self.open:
            self.results[event.task.path] = self.store.add(event.result)
            if isinstance(event, ev.TaskSucceeded) and event.task.action is Action.RUN:
                self.ledger.succeeded.append(event.task)
        elif isinstance(event, ev.TaskHalted) and event.task in self.open:
            self.results[event.task.path] = None
        elif isinstance(event, ev.TaskFailed) and event.task in self.open:
            self.store.add(event.failure.detail)

    def retire(self, task: Task) -> None:
        """A task is closed."""
        self.asked.discard(task)
        self.open.pop(task, None)
        self.closed.append(task)

    def evaluation(self, path: str, round_: int) -> ev.Event:
        dice = self.random.random()
        if dice < 0.02:
            failure = Failure(kind=FailureKind.EXPRESSION, message="no such key")
            fallback = self.fallback(path, round_)
            return ev.StepEvaluationFailed(path=path, round=round_, failure=failure, fallback=fallback)
        planned = self.planned(path)
        if dice < 0.06:
            self.results[path] = None
            return ev.StepEvaluated(path=path, round=round_, proceed=False, fallback=self.fallback(path, round_))
        kind, chosen, total, result = planned.kind, "", None, None
        if kind is StepKind.SWITCH:
            chosen = self.random.choice(planned.children)
        elif kind is StepKind.TRANSFORM:
            result = self.results[path] = self.document(path, f"result.{round_}")
        elif kind is StepKind.MAP and planned.map is not None:
            total = self.elements_of(path, round_, planned.map)
        return ev.StepEvaluated(
            path=path,
            round=round_,
            proceed=True,
            arguments=self.document(path, f"arguments.{round_}"),
            inputs=self.document(path, f"inputs.{round_}") if kind is StepKind.COMPOSE else None,
            fallback=self.fallback(path, round_),
            chosen=chosen,
            total=total,
            result=result,
        )

    def fallback(self, path: str, round_: int) -> ValueRef | None:
        """Return what stands for the result of a step that fails and is ignored."""
        return self.document(path, f"fallback.{round_}") if self.planned(path).continues_on_error else None

    def document(self, path: str, name: str) -> ValueRef | None:
        """Return a document that was evaluated; it has a name of its own where it belongs to an element."""
        return self.store.add(large(f"{path}.{name}")) if self.is_inside_map(path) else reference_to(b"{}")

    def elements_of(self, path: str, round_: int, plan: MapPlan) -> int | None:
        """Say how many elements a map has; of one that fetches pages, lay them down."""
        if plan.page is None:
            total = self.totals.setdefault((path, round_), self.random.randrange(10))
            self.store.sources |= {(path, round_, number) for number in range(-(-total // SOURCE_PAGE))}
            return total
        count = self.random.choice([1, 2, 3, 4])
        sizes = [self.random.randint(0, plan.page_size) for _ in range(count)]
        cursors = [*(f"c{number}" for number in range(1, count)), None]
        if self.random.random() < 0.05:
            cursors[-1] = self.random.choice(cursors)  # one that comes back, or none
        self.pages[path, round_] = list(zip(sizes, cursors, strict=True))
        return None

    def read_page(self, asked: EvaluatePage) -> ev.Event:
        """Answer what a page says, unless it cannot be read."""
        path, round_, number = asked.path, asked.round, asked.page
        if self.random.random() < 0.03:
            failure = Failure(kind=FailureKind.INVALID_RESULT, message="no page", retryable=False)
            return ev.PageEvaluationFailed(path=path, round=round_, page=number, failure=failure)
        pages = self.pages[path, round_]
        size, cursor = pages[number] if number < len(pages) else (0, f"c{number % 3}")
        if size:
            self.store.sources.add((path, round_, number))
        ref = None
        if cursor is not None:
            ref = self.store.add(large(f"{path}[page-{number}].cursor.{round_}"))
        return ev.PageEvaluated(path=path, round=round_, page=number, size=size, cursor=ref, mark=cursor or "")

    def request(self, task: Task) -> ev.Event:
        answer = super().request(task)
        if isinstance(answer, ev.RequestEvaluated) and self.is_inside_map(task.path):
            ref = large(f"{task.path}.{task.action} request.{task.round}")
            self.requests[task.path, task.action, task.round] = ref
            self.store.add(ref)
            return ev.RequestEvaluated(task=task, request=ref)
        return answer

    def returns(self, scope: str) -> ev.Event:
        if scope == ROOT:
            return super().returns(scope)
        if self.random.random() < 0.05:
            failure = Failure(kind=FailureKind.EXPRESSION, message="no such key")
            return ev.ReturnsEvaluationFailed(scope=scope, failure=failure)
        round_ = saga_of(self.plan, self.state, scope)[1].step(scope).round
        self.results[scope] = self.document(scope, f"returns.{round_}")
        return ev.ReturnsEvaluated(scope=scope, result=self.results[scope])

    # what holds of a launch

    def start(self, order: StartTask) -> None:
        task = order.task
        assert task not in self.ledger.started, f"{task.key} was launched twice"
        assert order.request == self.requests.get((task.path, task.action, task.round))
        asked_before = task in self.asked
        self.asked.discard(task)
        assert not any(t.path == task.path for t in self.open), f"{task.path} has two tasks"
        self.check_documents_of(order)
        self.check_key(task)
        plan, saga = saga_of(self.plan, self.state, task.path)
        if task.action is Action.RUN:
            for need in plan.steps[task.path].needs:
                assert saga.step(need).phase in DONE, f"{task.path} started before {need}"
            assert not any((t.path, t.round) == (task.path, task.round) for t in self.ledger.succeeded), (
                f"{task.path} ran after its success"
            )
            earlier = self.around(task.path, self.before)
            for (around_plan, around, path), (_, was, _) in zip(self.around(task.path), earlier, strict=True):
                assert all(around.step(scope).phase is StepPhase.RUNNING for scope in around_plan.enclosing(path))
                containing = around.header.containing if was.header.containing else ROOT  # or both were told together
                reversed_ = containing != ROOT and around_plan.is_inside(path, containing)
                assert asked_before or not reversed_, f"{containing} is reversed"
                step = around.step(path)
                if step.map is not None:
                    assert step.phase is StepPhase.RUNNING
                    assert asked_before or path not in self.failed, f"{task.key} starts after {path} was seen to fail"
        elif task.action is Action.UNDO and saga.step(task.path).completion:
            self.check_undo_order(plan, saga, task.path)
        self.open[task] = order
        self.ledger.started.append(task)

    def around(self, path: str, state: RunState | None = None) -> Iterator[tuple[Plan, RunState, str]]:
        """Yield the sagas that a path leads through, and the step that it leads through there: maps, then the step."""
        plan, state = self.plan, state or self.state
        while (owner := owner_of(plan, path)) is not None:
            yield plan, state, owner[0]
            plan, state = saga_of(plan, state, owner[1])
        yield plan, state, path

    def check_documents_of(self, order: StartTask) -> None:
        """What a task is told is there."""
        detail = order.failure.detail if order.failure is not None else None
        for ref in (order.arguments, order.result, order.request, detail):
            assert ref is None or ref.digest not in self.store.dropped, f"{order.task.key} reads {ref}, which is gone"

    def check_key(self, task: Task) -> None:
        """A key is never used in two rounds of a map around it."""
        rounds = tuple(state.step(path).round for _, state, path in self.around(task.path))[:-1]
        known = self.rounds.setdefault((task.path, task.action, task.round), rounds)
        assert known == rounds, f"{task.key} has the key of another round of its map: {known}, {rounds}"

    def check_undo_order(self, plan: Plan, saga: RunState, path: str) -> None:
        """What completed later is undone before, within a saga."""
        completion, containing = saga.step(path).completion, saga.header.containing
        for other, step in saga.steps.items():
            planned = plan.steps[other]
            stands = step.phase is StepPhase.SUCCEEDED and planned.undo is not None
            if planned.kind is StepKind.MAP:
                stands = step.phase in {StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.CANCELLED}
                stands = stands and step.map is not None and step.map.kept > 0
            if stands and plan.is_inside(other, containing):
                assert step.completion < completion, f"{path} is undone before {other}, which completed later"

    # what holds at every moment

    def check_always(self) -> None:
        state = self.state
        assert len(self.open) <= self.plan.parallelism, f"{len(self.open)} tasks, {self.plan.parallelism} have room"
        assert set(open_tasks(state)) == set(self.open) | self.asked
        for saga in sagas(state):
            assert sum(step.phase in CLEANUP for step in saga.steps.values()) <= 1, "two are reversed at once in a saga"
        if not any(saga.evaluating for saga in sagas(state)):
            again = self.store.restored()
            wrong = [name for name in RunState.__slots__ if getattr(again, name) != getattr(bare(state), name)]
            assert not wrong, {name: (getattr(state, name), getattr(again, name)) for name in wrong}

    def check_elements(self, before: RunState, decision: Decision) -> None:
        """Hold every map to its rules, at whatever depth."""
        dropped = decision.filing.dropped if decision.filing is not None else set()
        if dropped:
            held = {ref.digest for ref in references(self.state)} & dropped
            assert not held, f"{held} are dropped, and referred to"
        for plan, saga in self.sagas_with_plans():
            for path, step in saga.steps.items():
                if step.map is not None and (step.phase in GOES_ON or step is not before.steps.get(path)):
                    self.check_map(plan.steps[path], saga, path, before, decision)

    def sagas_with_plans(self) -> Iterator[tuple[Plan, RunState]]:
        """Yield the run and every element in flight."""

        def within(plan: Plan, saga: RunState) -> Iterator[tuple[Plan, RunState]]:
            yield plan, saga
            for elements in saga.elements.values():
                for key, element in elements.items():
                    yield from within(saga_of(self.plan, self.state, key)[0], element)

        return within(self.plan, self.state)

    def check_map(self, planned: StepPlan, saga: RunState, path: str, before: RunState, decision: Decision) -> None:
        """Hold one map to its rules."""
        plan, step = planned.map, saga.step(path)
        assert plan is not None
        assert step.map is not None
        key, flying = (path, step.round), saga.elements.get(path, {})
        indices = sorted(index for one in flying if (index := index_of(path, one)) is not None)
        self.record(key, saga)
        recorded = self.recorded[key]
        if step.phase is StepPhase.RUNNING:
            self.check_going(plan, saga, path, indices)
        elif step.phase in CLEANUP:
            self.check_going_back(plan, saga, path, indices, before, decision)
        else:
            assert not flying
            self.undoing.pop(key, None)
        if step.phase is not StepPhase.RUNNING:
            assert set(recorded) == set(range(step.map.opened)), "an element has no outcome"
            whole = step.map.opened == step.map.total or path in self.assumed
            assert step.phase is not StepPhase.SUCCEEDED or whole
        phases = [one.phase for one in recorded.values()]
        if step.phase in {StepPhase.RUNNING, StepPhase.SUCCEEDED, StepPhase.FAILED}:
            counted = (step.map.succeeded, step.map.skipped, step.map.failed)
            told = (ElementPhase.SUCCEEDED, ElementPhase.SKIPPED, ElementPhase.FAILED)
            undone = phases.count(ElementPhase.UNDONE)
            assert undone or counted == tuple(map(phases.count, told))
        if step.phase not in CLEANUP:
            kept = sum(one.kept is not None for one in recorded.values())
            assert step.map.kept == kept, f"{path}: {step.map.kept} elements are said to be kept, {kept} are"

    def record(self, key: Map, saga: RunState) -> None:
        """Take down outcomes; none is changed while the map goes forward."""
        path, _ = key
        forward = saga.step(path).phase is StepPhase.RUNNING
        known = self.recorded.setdefault(key, {})
        for number, page in self.pages_of(key, saga).items():
            for index, outcome in page.items():
                assert index // PAGE == number
                before = known.get(index)
                if forward and before is not None:
                    assert bare_outcome(before) == bare_outcome(outcome), f"{path}[{index}] has two outcomes"
                elif forward and outcome.phase in HAVE_RESULTS:
                    told = self.results.get(f"{path}[{index}]")
                    assert outcome.result == told, f"{path}[{index}] told {told}, its outcome has {outcome.result}"
                known[index] = outcome

    def pages_of(self, key: Map, saga: RunState) -> dict[int, dict[int, ElementOutcome]]:
        """Return all pages of outcomes of a map."""
        path, _ = key
        found = {place[2]: dict(self.store.page(place)) for place in self.store.cold if place[:2] == key}
        return found | {number: dict(page) for number, page in saga.pages.get(path, {}).items()}

    def check_going(self, plan: MapPlan, saga: RunState, path: str, indices: list[int]) -> None:
        """What holds of a map that goes over its elements."""
        step, flying = saga.step(path), saga.elements[path]
        state = step.map
        assert state is not None
        recorded = self.recorded[path, step.round]
        assert set(indices).isdisjoint(recorded)
        assert {*indices, *recorded} == set(range(state.opened)), f"{path}: an element is lost, or begun out of order"
        new = range(self.begun.get((path, step.round), 0), state.opened)
        self.begun[path, step.round] = state.opened
        assert len(indices) <= plan.batch_size, f"{path}: {len(indices)} in flight, the window has {plan.batch_size}"
        self.most_in_flight = max(self.most_in_flight, len(indices))
        if plan.barrier:
            batch = range(state.batch_end - plan.batch_size, state.batch_end)
            assert all(index in batch for index in indices), f"{path}: {indices} are in flight, of the batch {batch}"
            was = saga_of(self.plan, self.before, path)[1].step(path).map
            if was is not None and was.batch_end != state.batch_end:
                assert all(index >= was.opened for index in indices), (
                    f"{path}: a batch begins before the last has ended"
                )
        others = set(flying) - {element_path(path, index) for index in indices}
        assert others <= {page_path(path, state.fetched), collect_path(path)}, others
        fetching = page_path(path, state.fetched) in flying or page_of(path) in saga.evaluating
        ahead = sum(page.first >= state.opened for page in state.sources) + fetching
        assert ahead <= 1, f"{path}: {ahead} pages are fetched ahead"
        failed = [index for index, one in recorded.items() if one.phase is ElementPhase.FAILED]
        if failed and plan.fail_fast:
            assert state.failure is not None
        if plan.max_failures is not None and len(failed) > plan.max_failures:
            assert state.failure is not None
        if new:
            assert state.failure is None, f"{path}: {new} begin after its failure"
            headers = [one.header for one in flying.values()]
            troubled = [one for one in headers if one.stage is Stage.HOLDING or one.goal is Goal.ROLL_BACK]
            assert not plan.fail_fast or not troubled, f"{path}: {new} begin while an element fails"
            assert not is_held(saga.header)
        hot = saga.pages.get(path, {})
        assert len(hot) <= plan.batch_size + 1, f"{path}: {len(hot)} pages of outcomes are hot"
        assert len(state.sources) <= plan.batch_size + 2, f"{path}: {len(state.sources)} pages of elements are open"
        for page in state.sources:
            assert (path, step.round, page.number) in self.store.sources, f"{path}: page {page.number} is gone"

    def check_going_back(
        self, plan: MapPlan, saga: RunState, path: str, indices: list[int], before: RunState, decision: Decision
    ) -> None:
        """What holds of a map that is reversed: from the highest index down, and no more at once than it says."""
        step, hot = saga.step(path), saga.pages.get(path, {})
        key = (path, step.round)
        was = saga_of(self.plan, before, path)[1].step(path)
        began = was.phase not in CLEANUP or key not in self.undoing  # its outcomes are loaded first
        undoing = self.undoing[key] = [] if began else self.undoing[key]
        assert len(indices) <= plan.undo_window * plan.chunk
        assert len(hot) <= plan.undo_window * plan.chunk + 1, (
            f"{path}: {len(hot)} pages of outcomes are in the hot state"
        )
        filed = [] if began or decision.filing is None else list(decision.filing.elements)
        moved = [index_of(path, one) for one in filed if one.startswith(f"{path}[") and one.endswith("]")]
        for index in sorted({index for index in moved if index is not None} - set(undoing), reverse=True):
            assert not undoing or index < undoing[-1], f"{path}: {index} is reversed after {undoing[-1]}"
            undoing.append(index)
        kept = [index for index, one in self.recorded[key].items() if one.kept is not None]
        if undoing:
            above = [index for index in kept if index > undoing[-1] and index not in undoing]
            assert not above, f"{path}: {undoing[-1]} is reversed before {above}"

    def check_end(self) -> None:
        """Nothing is left in the store that nothing refers to, and nothing is referred to that is gone."""
        assert not self.store.elements
        assert not self.store.hot
        left = {place for place in self.store.sources if place[:2] in self.begun}  # or it will be evaluated anew
        assert not left, f"pages of elements are left: {left}"
        held = {ref.digest for ref in references(self.state) if ref.named}
        needed = held | {ref.digest for page in self.pages_needed(self.state) for ref in references_of_page(page)}
        gone = {name for name in needed if name in self.store.dropped}
        assert not gone, f"gone, and referred to: {gone}"
        for place in self.store.cold:
            held |= {ref.digest for ref in references_of_page(self.store.page(place)) if ref.named}
        if all(one.round == 1 for one in self.state.steps.values()):  # of a round before, what was told is not dropped
            assert self.store.values <= held, f"left, and not referred to: {self.store.values - held}"

    def pages_needed(self, saga: RunState) -> Iterator[OutcomePage]:
        """Yield the outcomes of maps of a saga, and those of maps in elements that are kept."""
        for path, step in saga.steps.items():
            if step.map is None:
                continue
            for page in self.pages_of((path, step.round), saga).values():
                yield page
                for outcome in page.values():
                    if outcome.kept is not None:
                        yield from self.pages_needed(outcome.kept)


HAVE_RESULTS = frozenset({ElementPhase.SUCCEEDED, ElementPhase.SKIPPED})
GOES_ON = CLEANUP | {StepPhase.RUNNING}
PAGE = SOURCE_PAGE = 3
"""Outcomes and elements in a page, in these tests."""


def large(name: str) -> ValueRef:
    """Return the reference of a document of an element that is too large to be its own."""
    return reference_to(b'"' + b"x" * 300 + b'"', name)


def sagas(state: RunState) -> Iterator[RunState]:
    """Yield a saga, and every element in flight in it."""
    yield state
    for elements in state.elements.values():
        for element in elements.values():
            yield from sagas(element)
