"""A run while it is being decided on: the one mutable thing, alive inside a single call of `decide`.

In: a plan and a frozen state. Out: the next frozen state, the actions and the time to wake at.
Never here: a rule of the saga; only the bookkeeping that keeps derived fields true.
"""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reactor_operator.engine.actions import Announce, EngineAction, Notify
from reactor_operator.engine.events import TaskSucceeded
from reactor_operator.engine.evolve import evolve
from reactor_operator.engine.facts import PENDING_LIMIT, Fact, FactKind
from reactor_operator.engine.failures import Failure, printable
from reactor_operator.engine.flight import Flight, retries_cleanup
from reactor_operator.engine.identity import Task
from reactor_operator.engine.layered import Layered
from reactor_operator.engine.owned import names_of_outcome, names_of_saga
from reactor_operator.engine.plan import FINALLY, ROOT, NotificationPlan, Plan, StepKind, StepPlan
from reactor_operator.engine.state import (
    CLEANUP,
    DONE,
    UNTOUCHED,
    DeadNotice,
    OutcomePage,
    RunState,
    Stage,
    StepPhase,
    StepState,
    is_held,
    phase_of,
)
from reactor_operator.engine.transitions import may_follow

STARTS_STEPS = frozenset({Stage.FORWARD, Stage.HOLDING})
_WORDS_LIMIT = 1_024


class IllegalTransition(AssertionError):
    """The engine moved a step in a way its own table forbids: a bug of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What `decide` answers: the next state, what to do, when to ask again at the latest, and which steps changed.

    `facts` are those that happened, of a plan that has somebody to tell them to.
    `filing` says what changed of maps.
    """

    state: RunState
    actions: tuple[EngineAction, ...] = ()
    wake_at: int | None = None
    touched: frozenset[str] = frozenset()
    facts: tuple[Fact, ...] = ()
    filing: "Filing | None" = None


@dataclass(slots=True)
class Filing:
    """What a decision changes of maps, at whatever depth.

    elements: elements by path, with their saga as it is now (None: it has ended).
    hot:      pages of outcomes that are not whole yet, by path of the map and number (None: it is one no more).
    cold:     pages of outcomes that leave the hot state, by path, round and number.
    sources:  pages of elements that nothing needs any more, by path, round and number.
    dropped:  documents that nothing needs any more, by name.
    """

    elements: dict[str, RunState | None] = field(default_factory=dict)
    hot: dict[tuple[str, int], OutcomePage | None] = field(default_factory=dict)
    cold: dict[tuple[str, int, int], OutcomePage] = field(default_factory=dict)
    sources: set[tuple[str, int, int]] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)

    def add(self, later: "Filing") -> None:
        """Take over what a later decision changes."""
        self.elements |= later.elements
        self.hot |= later.hot
        self.cold |= later.cold
        self.sources |= later.sources
        self.dropped |= later.dropped


class Draft:
    """The working copy. `header` fields are changed by `set`, steps by `put`, orders given by `act`.

    That of an element of a map has a `parent`: it tells people nothing by itself, and shares the room for tasks. An
    element that is one task may do without one (`plain`): `succeeded` are those whose end is not followed yet. Names of
    documents that it was `told` are noted: it drops those that it does not refer to in the end.
    Where a draft `begins` no elements, for enough were begun since the last commit, it notes that it `held_back` some.
    """

    __slots__ = (
        "_elements_load",
        "_noted_load",
        "_owned",
        "_touched",
        "_unsettled",
        "actions",
        "active",
        "begins",
        "due",
        "elements",
        "ended",
        "evaluating",
        "facts",
        "filing",
        "header",
        "held_back",
        "inner",
        "now",
        "pages",
        "parent",
        "plan",
        "ready",
        "remaining",
        "revert",
        "source",
        "steps",
        "succeeded",
        "told",
        "waiting",
    )

    def __init__(self, plan: Plan, state: RunState, now: int, parent: "Draft | None" = None) -> None:
        self.plan = plan
        self.parent = parent
        self.source = state
        self.now = max(now, state.header.now)
        self.header = state.header
        self.steps = Layered.draft_of(state.steps)
        self.ready = state.ready
        self.active = dict.fromkeys(state.active)
        self.waiting = dict.fromkeys(state.waiting)
        self.due = dict(state.due)
        self.remaining = dict(state.remaining)
        self.revert = state.revert
        self.evaluating = set(state.evaluating)
        self.elements = {of: Flight.of(elements) for of, elements in state.elements.items()}
        self.pages = dict(state.pages)
        self.inner: dict[str, dict[str, Draft]] = {}
        self.succeeded: dict[str, dict[str, TaskSucceeded]] = {}
        self.begins: bool = parent.begins if parent is not None else True
        self.held_back = False
        self.filing: Filing = parent.filing if parent is not None else Filing()
        self.actions: list[EngineAction] = parent.actions if parent is not None else []
        self.ended: list[str] = parent.ended if parent is not None else []
        self.facts: list[Fact] = []
        self.told: set[str] = set()
        self._touched: set[str] = set()
        self._owned: set[str] = set()
        self._unsettled: dict[str, dict[str, None]] = {}
        self._elements_load: int | None = None
        self._noted_load = 0

    def step(self, path: str) -> StepState:
        """Return the step as it is now."""
        return self.steps.get(path, UNTOUCHED)

    def set(self, **changes: object) -> None:
        """Change fields of the header, and the time it has seen."""
        changes["now"] = self.now
        self.header = evolve(self.header, changes)

    def put(self, path: str, **changes: object) -> StepState:
        """Change fields of a step, and what follows from them. Raises IllegalTransition."""
        before = self.step(path)
        after = evolve(before, changes)
        if not may_follow(before.phase, after.phase):
            raise IllegalTransition(f"step {path!r} may not go from {before.phase} to {after.phase}")
        self._replace(path, before, after)
        return after

    def renew(self, path: str, **known: Any) -> None:
        """Begin a new round of a step, in which nothing of it but `known` has happened. Its last pod is remembered."""
        before = self.steps.get(path)
        if before is not None:
            self._replace(path, before, StepState(round=before.round + 1, previous=before.previous, **known))
        elif known:
            self._replace(path, UNTOUCHED, StepState(**known))

    def reopen(self, path: str, phase: StepPhase, **changes: object) -> None:
        """Take a step back to an earlier phase because a person asked for it, whatever the table of moves says."""
        before = self.step(path)
        self._replace(path, before, evolve(before, {"phase": phase, **changes}))

    def take_over(self, derived: RunState) -> None:
        """Take the derived fields of another state of the same run."""
        self.ready, self.revert = derived.ready, derived.revert
        self.active, self.waiting, self.due, self.remaining = (
            dict.fromkeys(derived.active),
            dict.fromkeys(derived.waiting),
            dict(derived.due),
            dict(derived.remaining),
        )

    def _replace(self, path: str, before: StepState, after: StepState) -> None:
        plan = self.plan.steps[path]
        self.steps.put(path, after)
        self._touched.add(path)
        if is_active(plan, after):
            self.active[path] = None
        else:
            self.active.pop(path, None)
        if after.phase is StepPhase.WAITING:
            self.waiting[path] = None
        elif self.waiting:
            self.waiting.pop(path, None)
        if after.due_at is None:
            self.due.pop(path, None)
        else:
            self.due[path] = after.due_at
        if plan.scope in self.remaining:
            self.remaining[plan.scope] += (before.phase in DONE) - (after.phase in DONE)

    def is_contained(self, path: str) -> bool:
        """Tell whether a step is in a scope whose inside is being reversed: nothing starts there."""
        containing = self.header.containing
        return containing != ROOT and self.plan.is_inside(path, containing)

    def starts(self, path: str) -> bool:
        """Tell whether the run starts such a step now: an ordinary one while it goes on, a `finally` one at its end."""
        is_final = self.plan.steps[path].scope == FINALLY
        return self.header.stage is Stage.FINISHING if is_final else self.header.stage in STARTS_STEPS

    def _is_open(self, path: str) -> bool:
        """Tell whether the scope of a step goes forward. One that does not may hold a step that was given a value."""
        scope = self.plan.steps[path].scope
        return scope == FINALLY or scope in self.remaining  # of `finally` the stage tells (`starts`)

    def make_ready(self, path: str) -> None:
        """Queue a step for launching, in plan order; not where the run or its scope starts nothing."""
        if self._is_open(path) and self.starts(path) and path not in self.ready and not self.is_contained(path):
            steps = self.plan.steps
            place = bisect(self.ready, steps[path].index, key=lambda ready: steps[ready].index)
            self.ready = (*self.ready[:place], path, *self.ready[place:])

    def take_ready(self, path: str) -> None:
        """Take a step from the queue."""
        place = self.ready.index(path)
        self.ready = self.ready[:place] + self.ready[place + 1 :]

    def unblock_dependents(self, path: str) -> None:
        """Queue the steps that waited for `path` and now wait for nothing."""
        for dependent in self.plan.steps[path].dependents:
            pending = self.step(dependent).phase is StepPhase.PENDING  # or it was given a value already
            if pending and is_unblocked(self.plan.steps[dependent], self.steps):
                self.make_ready(dependent)

    def ended_scopes(self) -> list[str]:
        """Return the open scopes in which every step has ended well, in plan order, the run itself last."""
        ended = [scope for scope, left in self.remaining.items() if left == 0]
        return sorted(ended, key=lambda scope: len(self.plan.steps) if scope == ROOT else self.plan.steps[scope].index)

    def act(self, action: EngineAction) -> None:
        """Order something."""
        self.actions.append(action)

    def announce(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Order a Kubernetes Event. Those of elements would be too many: their map tells what became of them."""
        if self.parent is not None:
            return
        ordinal = self.header.announcements + 1
        self.set(announcements=ordinal)
        self.act(Announce(ordinal=ordinal, reason=reason, message=message, warning=warning))

    def tell(self, kind: FactKind, *, step: str = "", failure: Failure | None = None, message: str = "") -> None:
        """Tell those outside who want to know of it that something happened."""
        if not self.plan.notifications and not self.plan.observed:
            return
        words = failure.message if failure is not None else message
        fact = Fact(
            sequence=self.header.told + 1,
            kind=kind,
            at=self.now,
            phase=phase_of(self.header),
            step=step,
            failure=failure.kind if failure is not None else None,
            message=printable(words[:_WORDS_LIMIT]),
        )
        self.set(told=fact.sequence)
        self.facts.append(fact)
        for notification in self.plan.notifications:
            if kind in notification.kinds:
                self._notify(notification, fact)

    def _notify(self, to: NotificationPlan, fact: Fact) -> None:
        """Order a fact to be sent; where too many wait already, take it for dead."""
        notices = self.header.notices
        changes: dict[str, object] = {"ordered": notices.ordered + 1}
        if notices.pending < PENDING_LIMIT:
            self.act(Notify(notification=to.name, fact=fact, endpoint=to.endpoint))
        else:
            changes["dead"] = notices.dead + 1
            changes["last_failure"] = DeadNotice(
                notification=to.name,
                kind=fact.kind,
                sequence=fact.sequence,
                message=f"not sent: {PENDING_LIMIT} events of this run wait already",
                at=self.now,
            )
        self.set(notices=evolve(notices, changes))

    def active_in_plan_order(self) -> list[str]:
        """Return the active steps in the order of the manifest, but no maps: what is in flight of those is apart."""
        steps = self.plan.steps
        return sorted(
            (path for path in self.active if steps[path].kind is not StepKind.MAP), key=lambda path: steps[path].index
        )

    def active_maps(self) -> list[str]:
        """Return the maps that go forward or are reversed, in the order of the manifest."""
        return sorted(self.elements, key=lambda path: self.plan.steps[path].index)

    def in_plan_order(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return steps in the order of the manifest."""
        return tuple(sorted(paths, key=lambda path: self.plan.steps[path].index))

    def note_whether_paused(self) -> None:
        """Note whether nothing can go on before a signal comes: all that is open waits for one, also in elements."""
        paused = self._is_paused()
        if paused != self.header.paused:
            self.set(paused=paused)

    def _is_paused(self) -> bool:
        if not (self.waiting or self.elements) or self.ready or self.evaluating or self.held_back:
            return False
        if self.header.stage is not Stage.FORWARD or self.header.halting or is_held(self.header):
            return False
        if any(path not in self.elements for path in self.active):
            return False
        if any(path not in self.waiting and path not in self.elements for path in self.due):
            return False
        return all(flight.is_paused for flight in self.elements.values())

    def load(self) -> int:
        """Return how many tasks are in flight, and evaluations that lead to one, also in elements."""
        if self._elements_load is None:
            self._elements_load = sum(flight.load for flight in self.elements.values())
        return len(self.active) - len(self.elements) + len(self.evaluating) + self._elements_load

    @property
    def root(self) -> "Draft":
        """The draft of the run itself."""
        return self if self.parent is None else self.parent.root

    @property
    def progress(self) -> int:
        """How much has come of the decision so far: orders given, and elements that have ended."""
        return len(self.actions) + len(self.ended)

    def room(self) -> int:
        """Return how many more tasks may be in flight."""
        if self.parent is not None:
            return self.parent.room() + self._noted_load - self.load()
        return self.plan.parallelism - self.load()

    def open(self, of: str, path: str, plan: Plan) -> "Draft":
        """Return the draft of an element in flight of the map `of`. It is to be let go on, and then `settled`."""
        opened = self.inner.setdefault(of, {})
        found = opened.get(path)
        if found is None:
            found = opened[path] = Draft(plan, self.elements[of][path], self.now, self)
            found._noted_load = found.load()
        self._unsettled.setdefault(of, {})[path] = None
        return found

    def in_flight(self, of: str) -> "list[tuple[str, RunState | Draft]]":
        """Return the elements in flight of a map as they are now, by path, in the order in which they were begun."""
        opened = self.inner.get(of, {})
        return [(path, opened.get(path, one)) for path, one in self.elements.get(of, {}).items()]

    def unsettled(self, of: str) -> "list[tuple[str, Draft]]":
        """Return the elements of a map that were opened since they were let go on."""
        return [(path, self.inner[of][path]) for path in self._unsettled.get(of, ())]

    def settled(self, of: str, path: str) -> None:
        """Count what is in flight of an element by now, having been let go on."""
        inner = self.inner[of][path]
        self._unsettled[of].pop(path, None)
        self.load()
        assert self._elements_load is not None
        load = inner.load()
        self._elements_load += load - inner._noted_load
        inner._noted_load = load

    def add_element(self, of: str, path: str, plan: Plan, state: RunState) -> "Draft":
        """Take an element in, and return its draft."""
        self.load()
        self._own(of).put(path, state)
        inner = self.open(of, path, plan)
        inner._noted_load = 0
        return inner

    def remove_element(self, of: str, path: str) -> None:
        """Let an element go that has ended."""
        self._own(of).remove(path)
        del self.inner[of][path]
        self.ended.append(path)
        self.filing.elements[path] = None

    def is_open(self, of: str, path: str) -> bool:
        """Tell whether an element has a draft."""
        return path in self.inner.get(of, ())

    def put_element(self, of: str, path: str, state: RunState) -> None:
        """Take an element in, or what it has become, that has no draft."""
        flight = self._own(of)
        before = flight.load
        flight.put(path, state)
        if self._elements_load is not None:
            self._elements_load += flight.load - before
        self.filing.elements[path] = state

    def drop_element(self, of: str, path: str) -> None:
        """Let an element go that has ended, and has no draft."""
        flight = self._own(of)
        before = flight.load
        flight.remove(path)
        if self._elements_load is not None:
            self._elements_load += flight.load - before
        self.ended.append(path)
        self.filing.elements[path] = None

    def merge(self) -> None:
        """Take over what elements have become."""
        for of, opened in self.inner.items():
            for path, inner in opened.items():
                inner.merge()
                inner.note_whether_paused()
                if inner._changed() or path not in self.source.elements.get(of, {}):
                    changed = self.filing.elements[path] = inner.state()
                    self._own(of).put(path, changed)
                    still = names_of_saga(inner.header, inner.steps.values())
                    self.filing.dropped |= inner.owned() - still - self._named_in_outcome(of, path)
        self.inner = {}

    def owned(self) -> frozenset[str]:
        """Return the documents that an element had of its own when it was opened, has now, or was told since."""
        before = names_of_saga(self.source.header, self.source.steps.values())
        return before | self.told | names_of_saga(self.header, self.steps.values())

    def _named_in_outcome(self, of: str, path: str) -> frozenset[str]:
        """Return the documents that are told of an element that is reversed: how it had ended stays known."""
        word = path[len(of) + 1 : -1]
        for page in self.pages.get(of, {}).values():
            if word.isdecimal() and (outcome := page.get(int(word))) is not None:
                return names_of_outcome(outcome)
        return frozenset()

    def _own(self, of: str) -> Flight:
        if of not in self._owned:
            self._owned.add(of)
            self.elements[of] = self.elements[of].copy()
        return self.elements[of]

    def decision(self) -> Decision:
        """Freeze. Where nothing changed the very state that came in goes out."""
        if not self._changed():
            return Decision(state=self.source, wake_at=self._wake_at())
        return Decision(
            state=self.state(),
            actions=tuple(self.actions),
            wake_at=self._wake_at(),
            touched=frozenset(self._touched),
            facts=tuple(self.facts),
            filing=self.filing,
        )

    def state(self) -> RunState:
        """Freeze what there is."""
        if self.header.now != self.now:
            self.set()
        return RunState(
            header=self.header,
            steps=self.steps,
            elements=self.elements,
            pages=self.pages,
            ready=self.ready,
            active=self.in_plan_order(self.active),
            waiting=self.in_plan_order(self.waiting),
            due=self.due,
            remaining=self.remaining,
            revert=self.revert,
            evaluating=frozenset(self.evaluating),
        )

    def _changed(self) -> bool:
        return (
            bool(self._touched or (self.actions and self.parent is None))
            or any(self._owned)
            or self.header is not self.source.header
            or self.evaluating != self.source.evaluating
        )

    def hold_back(self) -> None:
        """Note that elements wait to be begun after the next commit."""
        self.held_back = True
        if self.parent is not None:
            self.parent.hold_back()

    def _wake_at(self) -> int | None:
        if self.held_back:
            return self.now
        header = self.header
        if header.stage in {Stage.OVER, Stage.RECOVERING}:
            return None
        times = [at for path, at in self.due.items() if not waits_for_resume(self, path)]
        if header.deadline is not None and header.stage in STARTS_STEPS:
            times.append(header.deadline)
        if header.rollback_deadline is not None and header.rollback_deadline > self.now:
            times.append(header.rollback_deadline)
        times += (at for flight in self.elements.values() if (at := flight.wakes_at(self.now)) is not None)
        return min(times, default=None)


def returns_of(scope: str) -> str:
    """Return the word that stands for the result of a scope among what is being evaluated."""
    return f"{scope}/"


def page_of(path: str) -> str:
    """Return the word that stands for a page of elements of a map among what is being evaluated."""
    return f"{path}[page]/"


def outcomes_of(path: str) -> str:
    """Return the word that stands for a page of outcomes of a map among what is being evaluated."""
    return f"{path}[outcomes]/"


def waits_for_resume(draft: Draft, path: str) -> bool:
    """Tell whether a compensate or undo may not be attempted again now, because the run is suspended."""
    return is_held(draft.header) and retries_cleanup(draft.step(path))


def open_tasks(state: RunState) -> Iterator[Task]:
    """Yield every task that is open, also of elements."""
    for path in state.active:
        task = state.step(path).task
        if task is not None:
            yield task
    for map_ in state.elements.values():
        for element in map_.values():
            yield from open_tasks(element)


def is_active(plan: StepPlan, step: StepState) -> bool:
    """Tell whether a step has a task or a cleanup under way. A scope has none while the steps inside it go forward; a
    map is active as long as it goes over its elements."""
    if step.phase is StepPhase.RUNNING:
        return plan.kind in {StepKind.TASK, StepKind.MAP}
    return step.phase in CLEANUP


def is_unblocked(step: StepPlan, steps: Mapping[str, StepState]) -> bool:
    """Tell whether every step that `step` needs has ended in a way that lets it start."""
    return all((need := steps.get(path)) is not None and need.phase in DONE for path in step.needs)
