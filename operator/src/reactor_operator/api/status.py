"""The shape of `status` of our kinds: what people and machines may read there. The rendered schemas are made of it.

In: nothing. Out: models for `crd`. Never here: how a status is rendered, and a check (we alone write it).
"""

from typing import Annotated

from pydantic import Field

from reactor_operator.api.model import Boolean, Integer, Json, Model, Object, Optional
from reactor_operator.api.signal import SignalPhase
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.state import RunPhase, StepPhase

Word = Annotated[str, Field(max_length=253)]
Message = Annotated[str, Field(max_length=32_768)]
Text = Annotated[str, Field(max_length=4096)]
Moment = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
StepPath = Annotated[str, Field(max_length=1024)]
Count = Annotated[Integer, Field(ge=0)]
Raised = Annotated[Optional[Word], Field(description="The Python exception, if one was raised.")]
RaisedFile = Annotated[Optional[Word], Field(description="The file of the author's code where it happened.")]
RaisedLine = Annotated[Optional[Count], Field(description="The line in it.")]


class Condition(Model):
    """One aspect of the object's state, for kubectl wait and other tools."""

    type: Word = Field(description="Which aspect.")
    status: Word = Field(description="True, False or Unknown.")
    reason: Word = Field(description="Why, in one CamelCase word.")
    message: Message = Field(description="Why, for people.")
    observed_generation: Optional[Count] = Field(default=None, description="The generation this speaks of.")
    last_transition_time: Moment = Field(description="When status last changed.")


Conditions = Annotated[
    tuple[Condition, ...],
    Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
]


class ReactorStatus(Model):
    """Whether the reactor is sound."""

    observed_generation: Optional[Count] = Field(default=None, description="The generation that was checked.")
    digest: Optional[Word] = Field(default=None, description="SHA-256 of the spec; runs are pinned to it.")
    conditions: Optional[Conditions] = Field(default=None, description="Ready: sound, or every problem it has.")


class ValueReference(Model):
    """A document that is too large, or nested too deeply, to be shown here; the store has it."""

    digest: Word = Field(description="SHA-256 of the document.")
    size: Count = Field(description="Its size in bytes.")


class FailureDetail(Model):
    """What explains a failure, cut to what a person reads first."""

    function: Optional[Word] = Field(default=None, description="The function that the line is in.")
    source: Optional[Text] = Field(default=None, description="The lines around it, itself marked.")
    origins: Optional[Annotated[tuple[Message, ...], Field(max_length=5)]] = Field(
        default=None, description="What the exception came from, nearest first."
    )
    traceback: Optional[Text] = Field(default=None, description="The end of the traceback.")
    log: Optional[Text] = Field(default=None, description="The last lines that a container printed.")


class StepFailure(Model):
    """Why a step failed."""

    kind: FailureKind = Field(description="The kind of failure, as in retryOn.")
    message: Message = Field(description="What happened.")
    exception: Raised = None
    file: RaisedFile = None
    line: RaisedLine = None
    retryable: Optional[bool] = Field(default=None, description="Whether trying again may help.")


class MapStatus(Model):
    """How far a map has come, in elements."""

    total: Optional[Count] = Field(default=None, description="All of them; unset while pages are still to come.")
    running: Count = Field(description="In flight, or being undone.")
    succeeded: Count = Field(description="Ended well, whatever was undone since.")
    failed: Count = Field(description="Failed for good.")
    skipped: Count = Field(description="Had nothing to do.")
    undone: Optional[Count] = Field(default=None, description="Taken back; unset before the first one is.")


class StepStatus(Model):
    """Where one step is."""

    name: StepPath = Field(description="The step, with the steps it is inside.")
    phase: StepPhase = Field(description="Where it is.")
    reason: Optional[Message] = Field(default=None, description="What it waits for.")
    round: Optional[Count] = Field(default=None, description="From 1; one more each time retry made it pending again.")
    attempts: Optional[Count] = Field(default=None, description="How often run was attempted in this round.")
    completion: Optional[Count] = Field(default=None, description="Its number in the order of completions.")
    started_at: Optional[Moment] = Field(default=None, description="When it first started.")
    finished_at: Optional[Moment] = Field(default=None, description="When it ended.")
    pod_name: Optional[Word] = Field(default=None, description="Its newest pod or Job; a task on a worker has neither.")
    result: Json = Field(default=None, description="Its result, where it is small.")
    result_ref: Optional[ValueReference] = Field(default=None, description="Its result, where it is large.")
    failure: Optional[StepFailure] = Field(default=None, description="Why it failed.")
    rollback_failure: Optional[StepFailure] = Field(default=None, description="Why it could not be taken back.")
    map: Optional[MapStatus] = Field(default=None, description="Of a map that has begun: what became of its elements.")


class PinnedReactor(Model):
    """The definition a run keeps to, whatever becomes of the Reactor."""

    name: Word = Field(description="Name of the Reactor.")
    uid: Word = Field(description="Its uid.")
    generation: Count = Field(description="Its generation at the start.")
    digest: Word = Field(description="SHA-256 of its spec.")


class StoreStatus(Model):
    """Which state of which store this status shows."""

    incarnation: Word = Field(description="Identity of the store.")
    sequence: Count = Field(description="Revision of the run's state.")


class RunFailureStatus(Model):
    """Why the run failed."""

    step: Optional[StepPath] = Field(default=None, description="The step that failed; unset where the run itself did.")
    kind: FailureKind = Field(description="The kind of failure.")
    message: Message = Field(description="What happened.")
    attempts: Optional[Count] = Field(default=None, description="How often the step was attempted.")
    exception: Raised = None
    file: RaisedFile = None
    line: RaisedLine = None
    detail: Optional[FailureDetail] = Field(default=None, description="What explains it.")


class RollbackFailureStatus(Model):
    """One thing that was not taken back: somebody has to look at it."""

    step: StepPath = Field(description="The step.")
    kind: FailureKind = Field(description="The kind of failure.")
    message: Message = Field(description="What happened.")
    exception: Raised = None
    file: RaisedFile = None
    line: RaisedLine = None
    detail: Optional[FailureDetail] = Field(
        default=None, description="What explains it, of as many as there is room for."
    )


class RollbackStatus(Model):
    """What was taken back."""

    state: Word = Field(description="NotNeeded, InProgress, Complete or Incomplete.")
    undone: Optional[Annotated[tuple[StepPath, ...], Field(max_length=10_000)]] = Field(
        default=None, description="Steps that were compensated or undone, in that order."
    )
    failures: Optional[Annotated[tuple[RollbackFailureStatus, ...], Field(max_length=10_000)]] = Field(
        default=None, description="What was not taken back."
    )


class TakenFrom(Model):
    """The run whose outcome this is: it had the same idempotencyKey and inputs, and only it acted."""

    name: Word = Field(description="Name of the run.")
    uid: Word = Field(description="Its uid.")
    finished_at: Moment = Field(description="When it ended.")


class StatusRequest(Model):
    """A request to the run, written by a person: `kubectl patch --subresource=status`. It goes once it is answered."""

    id: Word = Field(description="Identity of the request: repeating it changes nothing.")
    action: Word = Field(description="cancel, undo, retry, skip or suspend.")
    step: Optional[StepPath] = Field(default=None, description="The step it is about, of retry and skip.")
    payload: Json = Field(default=None, description="Of skip: the value that the step is given.")
    arguments: Object | None = Field(default=None, description="Of retry: other arguments for the step.")
    assume: Optional[Annotated[dict[StepPath, Word], Field(max_length=1_000)]] = Field(
        default=None, description="Of retry: standing or undone, for each step that could not be reversed."
    )
    delete: Optional[Boolean] = Field(default=None, description="Of undo: the run is deleted once it is undone.")
    suspend: Optional[Boolean] = Field(default=None, description="Of suspend: false lets the run go on. Unset: true.")
    reason: Optional[Message] = Field(default=None, description="Why, for people.")
    by: Optional[Word] = Field(default=None, description="Who asks.")


class DeadNotification(Model):
    """An event that was not delivered."""

    notification: Word = Field(description="Name of the notification.")
    event: Word = Field(description="What happened.")
    sequence: Count = Field(description="The number of the event in the run.")
    message: Message = Field(description="Why the last attempt failed.")
    at: Moment = Field(description="When it was given up.")


class NotificationsStatus(Model):
    """What became of the events that were to be told to endpoints."""

    pending: Count = Field(description="How many are still to be delivered.")
    delivered: Count = Field(description="How many were delivered.")
    dead: Count = Field(description="How many were given up.")
    last_failure: Optional[DeadNotification] = Field(default=None, description="The one that was given up last.")


class InterruptStatus(Model):
    """An interrupt that waits for a signal."""

    step: StepPath = Field(description="The step, also in an element of a map: rows[7]/approve.")
    correlation_id: Optional[Word] = Field(default=None, description="The id by which signals may name it.")
    opened_at: Optional[Moment] = Field(default=None, description="Since when it waits.")
    expires_at: Optional[Moment] = Field(default=None, description="Until when it waits.")
    attempts_left: Optional[Count] = Field(default=None, description="Invalid payloads until the step fails.")
    approvers: Optional[Boolean] = Field(default=None, description="true: it takes signals of approvers alone.")
    last_rejection: Optional[Message] = Field(default=None, description="Why the last payload was refused.")


class SignalAnswer(Model):
    """The answer to a request from outside."""

    id: Word = Field(description="Identity of the request.")
    action: Word = Field(description="What was asked for.")
    step: Optional[StepPath] = Field(default=None, description="The step it was about.")
    phase: Word = Field(description="Accepted or Rejected.")
    reason: Optional[Message] = Field(default=None, description="Why.")
    errors: Optional[Annotated[tuple[Message, ...], Field(max_length=100)]] = Field(
        default=None, description="Everything that was wrong with it."
    )
    at: Optional[Moment] = Field(default=None, description="When it was answered.")
    by: Optional[Word] = Field(default=None, description="Who asked.")


class RunStatus(Model):
    """How the run is going: a projection of what the operator's store knows."""

    phase: Optional[RunPhase] = Field(default=None, description="Where the run is.")
    message: Optional[Message] = Field(default=None, description="What there is to know about it.")
    progress: Optional[Word] = Field(default=None, description="Steps done, of all steps.")
    waiting: Optional[Message] = Field(
        default=None, description="Steps that wait for something; the reason of each says for what."
    )
    duration: Optional[Word] = Field(default=None, description="How long the run took so far.")
    observed_generation: Optional[Count] = Field(default=None, description="The generation this status speaks of.")
    reactor: Optional[PinnedReactor] = Field(default=None, description="The definition this run keeps to.")
    started_at: Optional[Moment] = Field(default=None, description="When the run started.")
    finished_at: Optional[Moment] = Field(default=None, description="When the run ended.")
    store: Optional[StoreStatus] = Field(default=None, description="Which state of which store this shows.")
    steps: Optional[
        Annotated[
            tuple[StepStatus, ...],
            Field(max_length=10_000, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
    ] = Field(default=None, description="The steps, as many as there is room for.")
    steps_omitted: Optional[Count] = Field(default=None, description="How many steps there was no room for.")
    interrupts: Optional[Annotated[tuple[InterruptStatus, ...], Field(max_length=100)]] = Field(
        default=None, description="What waits for a signal, the first 100."
    )
    requests: Optional[Annotated[tuple[StatusRequest, ...], Field(max_length=100)]] = Field(
        default=None, description="Requests, written by people; each goes once signals has its answer."
    )
    signals: Optional[Annotated[tuple[SignalAnswer, ...], Field(max_length=100)]] = Field(
        default=None, description="Answers to requests, newest 20."
    )
    notifications: Optional[NotificationsStatus] = Field(
        default=None, description="Events told to endpoints, of a reactor with notifications."
    )
    result: Json = Field(default=None, description="The result of the run, where it is small.")
    result_ref: Optional[ValueReference] = Field(default=None, description="The result, where it is large.")
    failure: Optional[RunFailureStatus] = Field(default=None, description="Why the run failed.")
    taken_from: Optional[TakenFrom] = Field(
        default=None, description="The run whose outcome this one took instead of acting, by idempotencyKey."
    )
    rollback: Optional[RollbackStatus] = Field(default=None, description="What was taken back.")
    conditions: Optional[Conditions] = Field(
        default=None,
        description="Finished (wait for this one), Complete, Failed, Paused, RolledBack, Reconciling, Stalled.",
    )


class PoolStatus(Model):
    """How a pool is doing."""

    observed_generation: Optional[Count] = Field(default=None, description="The generation this status speaks of.")
    replicas: Optional[Count] = Field(default=None, description="How many workers there are.")
    ready_replicas: Optional[Count] = Field(default=None, description="How many of them are ready.")
    selector: Optional[Text] = Field(default=None, description="Selects the pods of the workers, for autoscalers.")
    queued: Optional[Count] = Field(default=None, description="How many tasks wait for a worker.")
    leased: Optional[Count] = Field(default=None, description="How many tasks workers have taken and not ended.")
    oldest_seconds: Optional[Count] = Field(default=None, description="For how long the oldest one has waited.")
    conditions: Optional[Conditions] = Field(
        default=None,
        description="Ready (a worker is, or none is wanted), Progressing (workers come or go), Stalled (they cannot).",
    )


class FoundInterrupt(Model):
    """Where a correlation id was found open."""

    run: Word = Field(description="The run, by its name.")
    uid: Word = Field(description="Its uid.")
    step: Text = Field(description="The interrupt, by its path.")
    round: Count = Field(description="The round of it that waited.")


class SignalStatus(Model):
    """The answer to a signal."""

    phase: Optional[SignalPhase] = Field(
        default=None, description="Pending until it is Accepted, Rejected or, not answered in time, Expired."
    )
    reason: Optional[Message] = Field(default=None, description="Why, or what it waits for.")
    errors: Optional[Annotated[tuple[Message, ...], Field(max_length=100)]] = Field(
        default=None, description="Everything that was wrong with it."
    )
    answered_at: Optional[Moment] = Field(default=None, description="When it was answered.")
    found: Optional[FoundInterrupt] = Field(
        default=None,
        description="Of a signal by correlationId: the interrupt that was open under it. It is for no other one, ever.",
    )
