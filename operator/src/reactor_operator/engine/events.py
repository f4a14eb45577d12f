"""What happened: the closed union of past facts that `decide` folds into the state of a run.

In: what the inbox, the evaluator and the clock told. Out: frozen values. A repeated or stale event is legal and
changes nothing. Never here: anything that is not yet a fact.
"""

from dataclasses import dataclass
from typing import Literal

from reactor_operator.engine.facts import FactKind
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Task
from reactor_operator.engine.state import OutcomePage
from reactor_operator.engine.values import ValueRef


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvaluated:
    """The shell evaluated `when` (`proceed`) and the arguments of a step; `fallback` is the value of `onError`.

    `result` is the value of a transform, `inputs` are those of a compose, `chosen` is the body that a switch chose.
    `total` is how many elements a map has; None where pages of them are fetched. Of an interrupt `correlation` is the
    id that signals may name it by, and `otherwise` the value that it ends with when it waited too long.
    """

    path: str
    round: int
    proceed: bool
    arguments: ValueRef | None = None
    inputs: ValueRef | None = None
    result: ValueRef | None = None
    chosen: str = ""
    total: int | None = None
    fallback: ValueRef | None = None
    correlation: str = ""
    otherwise: ValueRef | None = None
    type: Literal["StepEvaluated"] = "StepEvaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEvaluationFailed:
    """`when` or an argument of a step could not be evaluated; the step never starts."""

    path: str
    round: int
    failure: Failure
    fallback: ValueRef | None = None
    type: Literal["StepEvaluationFailed"] = "StepEvaluationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnsEvaluated:
    """The result of the run, or of a compose, is known; None is JSON null."""

    result: ValueRef | None
    scope: str = ""
    type: Literal["ReturnsEvaluated"] = "ReturnsEvaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnsEvaluationFailed:
    """The result of the run, or of a compose, could not be evaluated: it fails, and what is inside is reversed."""

    failure: Failure
    scope: str = ""
    type: Literal["ReturnsEvaluationFailed"] = "ReturnsEvaluationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEvaluated:
    """A page of a map was read: how many elements it has, and what asks for the next one (None: it was the last).

    `mark` is the same for the same cursor.
    """

    path: str
    round: int
    page: int
    size: int
    cursor: ValueRef | None = None
    mark: str = ""
    type: Literal["PageEvaluated"] = "PageEvaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEvaluationFailed:
    """What the task of a page returned is no page."""

    path: str
    round: int
    page: int
    failure: Failure
    type: Literal["PageEvaluationFailed"] = "PageEvaluationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesLoaded:
    """A page of outcomes of a map, which is to be reversed; empty where nothing was ever put into it."""

    path: str
    round: int
    page: int
    outcomes: OutcomePage
    type: Literal["OutcomesLoaded"] = "OutcomesLoaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvaluated:
    """What the open task, and every further one of its action in this round, is to send."""

    task: Task
    request: ValueRef
    type: Literal["RequestEvaluated"] = "RequestEvaluated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """The task made its first call (a container: was seen running) at `at`, int ms since the epoch."""

    task: Task
    at: int
    type: Literal["TaskStarted"] = "TaskStarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWaiting:
    """The task cannot start yet, and why (`Unschedulable: …`, `ImagePullBackOff: …`); an empty reason: no longer."""

    task: Task
    reason: str
    type: Literal["TaskWaiting"] = "TaskWaiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUploaded:
    """The helper beside a container stored its output file; it becomes the result if the container succeeds.

    `text`: the file is no JSON, and its result is one string.
    """

    task: Task
    result: ValueRef
    text: bool = False
    type: Literal["TaskUploaded"] = "TaskUploaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSucceeded:
    """The task did its action; None is JSON null.

    `uploaded`: the result is what `TaskUploaded` brought before; `json_only`: and text is no result.
    """

    task: Task
    result: ValueRef | None = None
    uploaded: bool = False
    json_only: bool = False
    type: Literal["TaskSucceeded"] = "TaskSucceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSkipped:
    """The task found that there was nothing to do (`raise Skipped(value)`, a skip exit code): never undone."""

    task: Task
    result: ValueRef | None = None
    type: Literal["TaskSkipped"] = "TaskSkipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHalted:
    """The task asked for the run to end here on purpose (`raise Halt(reason)`, a halt exit code)."""

    task: Task
    reason: str = ""
    type: Literal["TaskHalted"] = "TaskHalted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContinued:
    """A compensate repaired its step (`raise Continue(value)`, a continue exit code): the step counts as succeeded."""

    task: Task
    result: ValueRef | None = None
    type: Literal["TaskContinued"] = "TaskContinued"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """The task ended without doing its action, or it is not known what it did (see the failure's certainty)."""

    task: Task
    failure: Failure
    type: Literal["TaskFailed"] = "TaskFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLost:
    """The task's pod went away (node gone, eviction, preemption, deletion) and left no outcome.

    `may_have_started` is False only where it is certain that the action never began.
    `given_back`: nor did anything keep it from beginning; the worker that had it takes nothing more.
    """

    task: Task
    message: str
    may_have_started: bool = True
    given_back: bool = False
    type: Literal["TaskLost"] = "TaskLost"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Someone asked to stop the run and keep everything; `id` names the request, `by` who asked."""

    id: str
    reason: str = ""
    by: str = ""
    type: Literal["CancelRequested"] = "CancelRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRequested:
    """Someone asked to take the whole run back, whether it goes on or has ended; `delete`: and to delete it then."""

    id: str
    reason: str = ""
    by: str = ""
    delete: bool = False
    type: Literal["UndoRequested"] = "UndoRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequested:
    """Someone asked a failed run to go on: what failed or was reversed begins a new round.

    `arguments` are other ones for `step`. `standing` and `undone` are steps of which a person says so, because they
    could not be reversed.
    """

    id: str
    reason: str = ""
    by: str = ""
    step: str = ""
    arguments: ValueRef | None = None
    standing: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    type: Literal["RetryRequested"] = "RetryRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipRequested:
    """Someone gives a step that failed, or waits for its next attempt, a value: the run goes on with it.

    `round`: as in `ResumeRequested`.
    """

    id: str
    step: str
    round: int = 0
    value: ValueRef | None = None
    reason: str = ""
    by: str = ""
    type: Literal["SkipRequested"] = "SkipRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequested:
    """Someone brings the payload that an interrupt waits for; `step` is its path, also in an element of a map.

    `mild`: one that is refused is not to fail the step at once, whatever the interrupt says. `dry_run`: it is judged
    and changes nothing. `approved`: whoever asks may approve. `round`: the one in which the interrupt was found open
    under its correlation id; a later one may wait under another id. 0: it was named, and any round will do.
    """

    id: str
    step: str
    round: int = 0
    payload: ValueRef | None = None
    mild: bool = False
    dry_run: bool = False
    approved: bool = False
    reason: str = ""
    by: str = ""
    type: Literal["ResumeRequested"] = "ResumeRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadJudged:
    """The shell compared the payload of a resume with the schema of its interrupt: what is wrong with it, if anything.

    `payload` is what becomes the result: that of the request, or the same of another name.
    """

    request: ResumeRequested
    payload: ValueRef | None = None
    errors: tuple[str, ...] = ()
    type: Literal["PayloadJudged"] = "PayloadJudged"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendRequested:
    """Someone asked the run to hold still; or, not `suspended`, to go on, whatever its spec says."""

    id: str
    reason: str = ""
    by: str = ""
    suspended: bool = True
    type: Literal["SuspendRequested"] = "SuspendRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUnreadable:
    """Someone asked for something that has no meaning; `reason` says why. It is answered like any other request."""

    id: str
    action: str
    reason: str
    by: str = ""
    type: Literal["RequestUnreadable"] = "RequestUnreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChanged:
    """The spec of the run is another by now: `suspended` is what its `suspend` says in this `generation`."""

    suspended: bool
    generation: int
    type: Literal["SpecChanged"] = "SpecChanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationEnded:
    """A fact was delivered to a notification; or no attempt is left, and `message` says why the last one failed."""

    notification: str
    sequence: int
    kind: FactKind
    delivered: bool
    message: str = ""
    type: Literal["NotificationEnded"] = "NotificationEnded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """The clock reached `wake_at`: timeouts and delays that are due take effect."""

    type: Literal["TimePassed"] = "TimePassed"


Outcome = TaskSucceeded | TaskSkipped | TaskHalted | TaskContinued | TaskFailed | TaskLost
Signal = (
    CancelRequested
    | UndoRequested
    | RetryRequested
    | SkipRequested
    | ResumeRequested
    | SuspendRequested
    | RequestUnreadable
)
TaskEvent = RequestEvaluated | TaskStarted | TaskWaiting | TaskUploaded | Outcome
AboutStep = (
    StepEvaluated
    | StepEvaluationFailed
    | ReturnsEvaluated
    | ReturnsEvaluationFailed
    | PageEvaluated
    | PageEvaluationFailed
    | OutcomesLoaded
    | TaskEvent
)
Event = AboutStep | Signal | PayloadJudged | SpecChanged | NotificationEnded | TimePassed
