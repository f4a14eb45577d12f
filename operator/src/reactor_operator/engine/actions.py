"""What the shell is to do: the closed union of orders that `decide` gives.

In: nothing. Out: frozen values. Evaluations have no effects and are answered inside the fold; all others go to the
outbox with the commit and are repeated until acknowledged, so performing one twice must change nothing.
"""

from dataclasses import dataclass
from typing import Literal

from reactor_operator.engine.events import ResumeRequested
from reactor_operator.engine.facts import Fact
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.identity import Task
from reactor_operator.engine.plan import Endpoint
from reactor_operator.engine.values import ValueRef


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateStep:
    """Evaluate what a step needs before it starts; answer with StepEvaluated or StepEvaluationFailed.

    That is `when` and the arguments; of a transform its value, of a compose the inputs, of a switch the choice.
    """

    path: str
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateReturns:
    """Evaluate the result of the run or of a compose; answer with ReturnsEvaluated or ReturnsEvaluationFailed."""

    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatePage:
    """Read what the task of a page returned; answer with PageEvaluated or PageEvaluationFailed."""

    path: str
    round: int
    page: int
    result: ValueRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcomes:
    """Bring a page of outcomes back, for the map is reversed; answer with OutcomesLoaded."""

    path: str
    round: int
    page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateRequest:
    """Evaluate what the tasks of an action send; answer with RequestEvaluated, or with TaskFailed: it never started.

    `result` is for an undo, `failure` for a compensate.
    """

    task: Task
    arguments: ValueRef | None = None
    result: ValueRef | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePayload:
    """Compare the payload of a resume with the schema of its interrupt; answer with PayloadJudged."""

    request: ResumeRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTask:
    """Launch a task. `result` is for an undo, `failure` for a compensate, `request` is what it is to send.

    `after` names the task of the same step whose pod must be known dead first.
    """

    task: Task
    arguments: ValueRef | None = None
    result: ValueRef | None = None
    failure: Failure | None = None
    request: ValueRef | None = None
    uncertain: bool = False
    after: Task | None = None
    type: Literal["StartTask"] = "StartTask"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireTask:
    """The task is closed: its pod is removed at once (`stop`), or when it has ended and by `podRetention`."""

    task: Task
    stop: bool = False
    failed: bool = False
    type: Literal["RetireTask"] = "RetireTask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Tell people: a Kubernetes Event on the run. `reason` is CamelCase, `ordinal` makes it unique in the run."""

    ordinal: int
    reason: str
    message: str
    warning: bool = False
    type: Literal["Announce"] = "Announce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Send a fact to a notification of the reactor, after those before it; answer with NotificationEnded."""

    notification: str
    fact: Fact
    endpoint: Endpoint
    type: Literal["Notify"] = "Notify"


Evaluation = EvaluateStep | EvaluateReturns | EvaluatePage | LoadOutcomes | EvaluateRequest | JudgePayload
Effect = StartTask | RetireTask | Announce | Notify
EngineAction = Evaluation | Effect
