"""The state of a run: one record per step that was touched, and a small header.

In: events, through `decide` alone. Out: frozen values that the store keeps by record.
Never here: JSON documents (only references), clocks, or fields that can be derived from others and the plan
(those are marked in `RunState` and made anew on load).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reactor_operator.engine.failures import Failure, FailureKind
from reactor_operator.engine.identity import Task
from reactor_operator.engine.values import ValueRef


class StepPhase(StrEnum):
    """Where a step is, as users read it in status."""

    PENDING = "Pending"
    RUNNING = "Running"
    RETRYING = "Retrying"
    WAITING = "Waiting"
    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    IGNORED = "Ignored"
    FAILED = "Failed"
    COMPENSATING = "Compensating"
    COMPENSATED = "Compensated"
    UNDOING = "Undoing"
    UNDONE = "Undone"
    ROLLBACK_FAILED = "RollbackFailed"
    CANCELLED = "Cancelled"


DONE = frozenset({StepPhase.SUCCEEDED, StepPhase.SKIPPED, StepPhase.IGNORED})
"""The phases that let dependents start."""
CLEANUP = frozenset({StepPhase.COMPENSATING, StepPhase.UNDOING})
"""The phases of a step that is being reversed."""


class RunPhase(StrEnum):
    """Where a run is, as users read it in the PHASE column."""

    PENDING = "Pending"
    RUNNING = "Running"
    PAUSED = "Paused"
    SUSPENDED = "Suspended"
    ROLLING_BACK = "RollingBack"
    RECOVERING = "Recovering"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    HALTED = "Halted"
    UNDONE = "Undone"


ENDED = frozenset({RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.CANCELLED, RunPhase.HALTED, RunPhase.UNDONE})


class Stage(StrEnum):
    """What the run is doing now.

    FORWARD starts steps; HOLDING cleans up a failed step and starts nothing new; DRAINING waits for tasks in flight;
    REVERTING compensates and undoes, one at a time; FINISHING runs the `finally` steps; OVER is the end. RECOVERING
    waits for a person: state was lost.
    """

    RECOVERING = "Recovering"
    FORWARD = "Forward"
    HOLDING = "Holding"
    DRAINING = "Draining"
    REVERTING = "Reverting"
    FINISHING = "Finishing"
    OVER = "Over"


class Goal(StrEnum):
    """How the run is to end."""

    COMPLETE = "Complete"
    HALT = "Halt"
    ROLL_BACK = "RollBack"
    CANCEL = "Cancel"
    UNDO = "Undo"


class RollbackState(StrEnum):
    """What became of the rollback. INCOMPLETE: something that may have acted was not reversed, and is listed."""

    NOT_NEEDED = "NotNeeded"
    IN_PROGRESS = "InProgress"
    COMPLETE = "Complete"
    INCOMPLETE = "Incomplete"


class Timer(StrEnum):
    """What happens to a step at `due_at`: its launch (or its wait for a signal) times out, its next task starts, or it
    has waited too long to start."""

    TIMEOUT = "Timeout"
    RETRY = "Retry"
    PENDING = "Pending"


REASON_LIMIT = 256
"""Characters kept of the reason why a task cannot start."""


class ElementPhase(StrEnum):
    """How an element of a map ended. STOPPED: it was open when its map came to an end."""

    SUCCEEDED = "Succeeded"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    STOPPED = "Stopped"
    UNDONE = "Undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePage:
    """A page of elements that are not all done: its number, the index of its first element, and how many are left."""

    number: int
    first: int
    size: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapState:
    """How far a map has come.

    `total` is None while it is not known. `known` elements are in pages that were fetched, of which there were
    `fetched`; `opened` is how many were begun: the index of the next one. `batch_end` is where the batch under way ends
    (strategy batch). `cursor` asks for the next page, `exhausted` says that there is none. `mark` is that of an earlier
    cursor, by which one that comes back is noticed, and `mark_at` the page after which it was taken.
    `sources` are the pages that elements in flight came from. `failure` is why the map goes no further.
    `kept` elements have something that can be reversed; `undone` have been reversed, `unreversed` could not be.
    `below`: while the map is reversed, the lowest index that was begun.
    """

    total: int | None = None
    known: int = 0
    fetched: int = 0
    opened: int = 0
    batch_end: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: int = 0
    kept: int = 0
    undone: int = 0
    unreversed: int = 0
    exhausted: bool = False
    cursor: ValueRef | None = None
    mark: str = ""
    mark_at: int = 0
    sources: tuple[SourcePage, ...] = ()
    failure: Failure | None = None
    below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptState:
    """An interrupt that waits for a payload, or has ended.

    correlation: the id that signals may name it by, empty where it has none.
    expires_at:  when the wait is over, None: never.
    otherwise:   the value that it ends with then, where that is no failure.
    rejected:    payloads refused so far, and `rejection` is why the last one was.
    """

    correlation: str = ""
    expires_at: int | None = None
    otherwise: ValueRef | None = None
    rejected: int = 0
    rejection: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """One step of a run.

    `task` is the open task (its outcome is awaited), `previous` the last one of this step, whose pod may still live.
    `attempt` and `launch` belong to the action in hand (of a waiting step: to its next task); `losses` counts replaced
    launches of the attempt, `cleanup_attempts` the attempts of its compensate or undo that earlier rollbacks made.
    `given` are arguments that a retry brought, instead of those that its sources say.
    `start_order` and `completion` number first starts and successes in the run, from 1 (0: not yet).
    `acted`: a task of it that did not succeed may have changed the world; `uncertain`: and what it did is not known.
    `request` is what the tasks of the action in hand send, evaluated once.
    `inputs` are those of a compose by `reactorRef`: what the steps inside it read.
    `failure` is the step's own; `cleanup_failure` that of its compensate or undo.
    `reason` says why the open task cannot start; `pending_until` is when the attempt has waited for that too long.
    `map` is how far a map has come, `interrupt` what is known of a wait for a payload.
    """

    phase: StepPhase = StepPhase.PENDING
    round: int = 1
    attempt: int = 0
    launch: int = 0
    losses: int = 0
    cleanup_attempts: int = 0
    task: Task | None = None
    task_started: bool = False
    previous: Task | None = None
    run_attempts: int = 0
    start_order: int = 0
    completion: int = 0
    acted: bool = False
    uncertain: bool = False
    arguments: ValueRef | None = None
    given: ValueRef | None = None
    request: ValueRef | None = None
    inputs: ValueRef | None = None
    fallback: ValueRef | None = None
    result: ValueRef | None = None
    failure: Failure | None = None
    cleanup_failure: Failure | None = None
    uploaded: ValueRef | None = None
    uploaded_text: bool = False
    reason: str = ""
    due_at: int | None = None
    timer: Timer | None = None
    pending_until: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    map: MapState | None = None
    interrupt: InterruptState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """Why the run failed. `step` is empty where the run itself did (RunTimeout, InvalidInputs)."""

    step: str
    failure: Failure
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackFailure:
    """One thing that was not reversed and why: what a person has to look at."""

    step: str
    kind: FailureKind
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run is about to end, while its `finally` steps run: the phase, and what people are told then."""

    phase: RunPhase
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Whose outcome a run took instead of acting: the name and uid of that run, and when it had ended (int ms)."""

    run: str
    uid: str
    ended_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A request that a run hold still, or go on, which came after the last word of its spec: who asked, and why.

    `in_spec` is what `spec.suspend` said by then. Only once it says something else does it count again.
    """

    in_spec: bool
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAnswer:
    """The answer to one request from outside, kept for people to read. `errors` is what is wrong with a payload."""

    id: str
    action: str
    accepted: bool
    reason: str = ""
    by: str = ""
    at: int = 0
    step: str = ""
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadNotice:
    """A fact that a notification was not told, and why: `kind` and `sequence` are those of the fact."""

    notification: str
    kind: str
    sequence: int
    message: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """How many facts were to be sent to notifications, and what became of them; the rest is pending."""

    ordered: int = 0
    delivered: int = 0
    dead: int = 0
    last_failure: DeadNotice | None = None

    @property
    def pending(self) -> int:
        """How many wait."""
        return self.ordered - self.delivered - self.dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is kept of the run as a whole. `failing` are finally failed steps whose own cleanup is not done yet.

    `suspended`: nothing new starts and nothing is reversed until the run is to go on. So says `suspension`, the last
    request about it; without one the spec of its object, of which `generation` was seen last.
    `containing` is the scope whose inside is being reversed because of `contained`, a failure inside it.
    `uid` is the run's; jitter depends on it. `now` is the latest time the run has seen.
    `undone` lists what was compensated or undone, in order; `signals` the newest answers.
    `delete_undone`: whoever asked for the undo wants the run gone once it is undone.
    `taken` says whose outcome this is, where the run took that of another one.
    `paused`: nothing can go on before a signal comes. `consumed` are the newest requests that resumed an interrupt:
    none of them resumes another one.
    `told` numbers the facts told to notifications and observers; `notices` says what became of those that were sent.
    """

    uid: str = ""
    stage: Stage = Stage.FORWARD
    goal: Goal = Goal.COMPLETE
    phase: RunPhase = RunPhase.RUNNING
    now: int = 0
    started_at: int = 0
    finished_at: int | None = None
    deadline: int | None = None
    rollback_deadline: int | None = None
    starts: int = 0
    completions: int = 0
    announcements: int = 0
    suspended: bool = False
    paused: bool = False
    consumed: tuple[str, ...] = ()
    suspension: Suspension | None = None
    generation: int = 0
    failing: tuple[str, ...] = ()
    containing: str = ""
    contained: RunFailure | None = None
    halting: bool = False
    halt_reason: str = ""
    cancel_reason: str = ""
    undo_reason: str = ""
    delete_undone: bool = False
    failure: RunFailure | None = None
    ending: Ending | None = None
    result: ValueRef | None = None
    undone: tuple[str, ...] = ()
    rollback: RollbackState = RollbackState.NOT_NEEDED
    rollback_failures: tuple[RollbackFailure, ...] = ()
    signals: tuple[SignalAnswer, ...] = ()
    taken: Taken | None = None
    told: int = 0
    notices: Notices = Notices()


def is_held(header: Header) -> bool:
    """Tell whether the run starts and reverses nothing because it is suspended; a cancel and an undo go on."""
    return header.suspended and header.goal not in {Goal.CANCEL, Goal.UNDO}


def suspended_in_spec(header: Header) -> bool:
    """Return what `spec.suspend` said when it last said something new, whatever was asked for since."""
    return header.suspended if header.suspension is None else header.suspension.in_spec


def phase_of(header: Header) -> RunPhase:
    """Return where a run is, as users read it, as long as it has not ended."""
    if header.stage in {Stage.OVER, Stage.RECOVERING}:
        return header.phase
    if is_held(header):
        return RunPhase.SUSPENDED
    back = header.goal in {Goal.ROLL_BACK, Goal.UNDO} and header.stage is not Stage.FINISHING
    if back:
        return RunPhase.ROLLING_BACK
    return RunPhase.PAUSED if header.paused and header.stage is Stage.FORWARD else RunPhase.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """The whole state. `steps` holds touched steps by path; an absent one is `StepState()`.

    `elements` are what is in flight of maps, each a small saga of its own, by the path of the map and their own;
    `pages` the outcomes of elements, by path of the map and number, as long as not all of a page have ended.

    The fields after those follow from them and the plan; they are not stored but made anew on load
    (`derive.restore`): `ready` steps in plan order, `active` steps that have a task or a cleanup under way, `waiting`
    ones that are open interrupts, `due` times by path, how many steps `remain` of each scope that is open, and what is
    left to `revert`. `evaluating` is empty between commits.
    """

    header: Header = Header()
    steps: Mapping[str, StepState] = field(default_factory=dict)
    elements: Mapping[str, Mapping[str, "RunState"]] = field(default_factory=dict)
    pages: Mapping[str, Mapping[int, "OutcomePage"]] = field(default_factory=dict)
    ready: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    due: Mapping[str, int] = field(default_factory=dict)
    remaining: Mapping[str, int] = field(default_factory=dict)
    revert: tuple[str, ...] = ()
    evaluating: frozenset[str] = frozenset()

    def step(self, path: str) -> StepState:
        """Return the state of a step, the initial one where it was never touched."""
        return self.steps.get(path, UNTOUCHED)


UNTOUCHED = StepState()


PAGE = 100
"""Outcomes of elements in a page."""
SOURCE_PAGE = 500
"""Elements in a page of a source that is an array."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementOutcome:
    """What became of an element. `kept` is its saga, where something in it can still be reversed."""

    phase: ElementPhase
    result: ValueRef | None = None
    failure: Failure | None = None
    kept: RunState | None = None


OutcomePage = Mapping[int, ElementOutcome]
"""Outcomes by the index of their element: those of `PAGE` elements that follow each other."""
