"""What the engine needs to know of a reactor: the graph, the policies and the limits, and nothing it cannot decide on.

In: a checked `ReactorSpec` (see `api.planning`). Out: frozen values. Times are int milliseconds.
Never here: images, handlers, arguments, schemas; the engine moves references and never looks inside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import FailureKind


class Backoff(StrEnum):
    """How the delay before the next attempt grows: not at all, by the base each time, or doubling."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class StepKind(StrEnum):
    """What a step is to the engine: a task of its own, a value, a scope with steps inside, a map over elements, or one
    that waits for a payload from outside.

    The body that a switch chooses is a step too: `route[0]`, `route[default]`.
    """

    TASK = "task"
    TRANSFORM = "transform"
    COMPOSE = "compose"
    SWITCH = "switch"
    MAP = "map"
    INTERRUPT = "interrupt"


SCOPES = frozenset({StepKind.COMPOSE, StepKind.SWITCH})
ROOT = ""
"""The path that stands for the run itself, the outermost scope."""
FINALLY = "/finally"
"""The scope of the steps that run at every end. No step has such a path."""
OUTERMOST = frozenset({ROOT, FINALLY})


class OnFailure(StrEnum):
    """What happens to tasks in flight when the run fails or is cancelled: wait for them, or stop them."""

    DRAIN = "drain"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon an action is attempted again. `max_attempts` counts the first one."""

    max_attempts: int = 1
    backoff: Backoff = Backoff.FIXED
    base_delay_ms: int = 1_000
    max_delay_ms: int = 300_000
    jitter_percent: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where facts are sent, how long one request may take, and how often it is tried. The engine only passes it on.

    `key` is the name of the signing key, empty where nothing is signed.
    """

    url: str
    key: str = ""
    timeout_ms: int = 10_000
    retries: RetryPolicy = RetryPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPlan:
    """One notification of a reactor: what it is told, and where."""

    name: str
    kinds: frozenset[FactKind]
    endpoint: Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlan:
    """The policies of one action of a step. `retry_on` of None means every kind that is retryable.

    `checks_in`: the action begins only after its start was recorded (Python, http); where it does not (a container), a
    task that was never seen running may have acted all the same.
    `has_request`: what its tasks send is told by expressions, evaluated before the first of them.
    """

    retries: RetryPolicy = RetryPolicy()
    timeout_ms: int | None = None
    retry_on: frozenset[FailureKind] | None = None
    checks_in: bool = True
    has_request: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPlan:
    """How a map goes over its elements, each of which is a small saga of its own.

    element:     the plan of one element, in templates of paths: its outermost step is `rows[]`, inside `rows[]/store`.
    page:        the plan of the task that fetches one page (`rows[page]`); None where the source is an array.
    collect:     the plan of the task that reduces the results (`rows[collect]`); None where there is none.
    batch_size:  the window: never more elements in flight.   barrier: the next batch starts when the last has ended.
    page_size:   elements asked for in one page.
    max_failures, max_failures_percent: without `fail_fast`, more failures than that fail the map.
    chunk:       elements that one task takes.                undo_window: tasks that undo elements at once.
    timeout_ms:  of the whole map.
    reverses:    something in an element can be compensated or undone.
    plain:       an element is one task and nothing else, which sends no request.
    interrupts:  something in an element may wait for a signal.
    """

    element: "Plan"
    page: "Plan | None" = None
    collect: "Plan | None" = None
    page_size: int = 500
    batch_size: int = 50
    barrier: bool = False
    fail_fast: bool = True
    max_failures: int | None = None
    max_failures_percent: int | None = None
    chunk: int = 1
    undo_window: int = 1
    timeout_ms: int | None = None
    reverses: bool = False
    plain: bool = field(init=False)
    interrupts: bool = field(init=False)

    def __post_init__(self) -> None:
        steps = list(self.element.steps.values())
        plain = len(steps) == 1 and steps[0].kind is StepKind.TASK and not steps[0].run.has_request
        object.__setattr__(self, "plain", plain)
        waits = any(one.interrupt is not None or (one.map is not None and one.map.interrupts) for one in steps)
        object.__setattr__(self, "interrupts", waits)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptPlan:
    """How a step waits for a payload from outside.

    timeout_ms:   how long, None: for ever.   active: a timer ends the wait; else the next signal finds that it is over.
    continues:    the end of the wait is no failure: the step succeeds with another value.
    judged:       what a payload must be is said by a schema, so each is judged by the shell.
    strict:       a payload that is refused fails the step; else another one may follow.
    max_attempts: refused payloads with which the step fails; None: no limit.
    approvers:    only signals of approved identities count.
    """

    timeout_ms: int | None = None
    active: bool = False
    continues: bool = False
    judged: bool = False
    strict: bool = False
    max_attempts: int | None = None
    approvers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """A node of the graph.

    `index` is its place in the manifest, a scope before its steps; `scope` is the path of the scope it is in. `needs`
    are the steps of the same scope that it waits for (sources, `waitFor`, references in expressions, its own and those
    of the steps inside it), `dependents` those that wait for it, `children` the steps right inside it. `reads` are the
    steps, of its scope and those around it, whose results its own sources and conditions read.
    `continues_on_error`: `onError: Continue` was said. `contains_failures`: what fails inside is reversed inside, and
    does not fail the run before this step has finally failed. `map`: of a map, how it goes over its elements;
    `interrupt`: of a step that waits for a payload, how.
    """

    path: str
    index: int
    kind: StepKind = StepKind.TASK
    scope: str = ROOT
    needs: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    run: ActionPlan = ActionPlan()
    compensate: ActionPlan | None = None
    undo: ActionPlan | None = None
    continues_on_error: bool = False
    contains_failures: bool = False
    map: MapPlan | None = None
    interrupt: InterruptPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A reactor as the engine sees it: steps by path in manifest order, and the limits of a run.

    `children` are the outermost steps, `finals` those that run at every end, both told from `steps`.
    `observed`: somebody beside its `notifications` wants to know what happens to its runs.
    Invariant: `needs` is acyclic and stays inside a scope (`api.check` refuses anything else).
    """

    steps: Mapping[str, StepPlan]
    children: tuple[str, ...] = field(init=False)
    finals: tuple[str, ...] = field(init=False)
    parallelism: int = 100
    on_failure: OnFailure = OnFailure.DRAIN
    infrastructure_retries: int = 5
    timeout_ms: int | None = None
    rollback_deadline_ms: int = 86_400_000
    pending_timeout_ms: int = 600_000
    notifications: tuple[NotificationPlan, ...] = ()
    observed: bool = False

    def __post_init__(self) -> None:
        for name, scope in (("children", ROOT), ("finals", FINALLY)):
            object.__setattr__(self, name, tuple(path for path, step in self.steps.items() if step.scope == scope))

    def children_of(self, scope: str) -> tuple[str, ...]:
        """Return the steps right inside a scope."""
        if scope in OUTERMOST:
            return self.children if scope == ROOT else self.finals
        return self.steps[scope].children

    def inside(self, scope: str) -> Iterator[str]:
        """Yield every step inside a scope, however deep, in the order of the manifest."""
        for path in self.children_of(scope):
            yield path
            yield from self.inside(path)

    def enclosing(self, path: str) -> Iterator[str]:
        """Yield the scopes around a step, innermost first, without the run itself."""
        scope = self.steps[path].scope
        while scope not in OUTERMOST:
            yield scope
            scope = self.steps[scope].scope

    def is_inside(self, path: str, scope: str) -> bool:
        """Tell whether a step is inside a scope, however deep."""
        return scope == ROOT or any(around == scope for around in self.enclosing(path))


NO_STEPS = Plan(steps={})
"""The plan of a run that could never start."""
