"""What the API answers about single steps, their values and what became of them, as models (see `answers`).

In: nothing. Out: models. Never here: how an answer is made.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from reactor_operator.api.model import Boolean, Json, Model, Optional
from reactor_operator.api.status import Count, Message, Moment, StepFailure, StepPath, Word
from reactor_operator.engine.state import StepPhase
from reactor_operator.gateway.api.answers import InboxItem, Next
from reactor_operator.gateway.api.queries import MOST_SHOWN

MOST_TASKS = 100
Line = Annotated[str, Field(max_length=256)]


class CauseAnswer(Model):
    """Why something moved."""

    type: Word = Field(description="The event that was decided on: TaskSucceeded, CancelRequested, TimePassed …")
    by: Optional[Line] = Field(default=None, description="Who asked for it, where somebody did.")
    text: Line = Field(description="Why, in one line; may be empty. Never a value.")


class TransitionItem(Model):
    """The run or a step went from one phase to another, or to another task in the same phase."""

    number: Count = Field(description="1 for the first one of the run.")
    at: Moment = Field(description="When it was decided on.")
    path: Annotated[str, Field(max_length=1024)] = Field(description="The step; empty for the run itself.")
    from_: Word = Field(alias="from", description="The phase before.")
    to: Word = Field(description="The phase after.")
    round: Count = Field(description="The round of the step.")
    attempt: Count = Field(description="The attempt; 0 where it has no task.")
    action: Optional[Word] = Field(default=None, description="What the task does: run, compensate or undo.")
    launched: Optional[Word] = Field(default=None, description="The key of the task that was launched with it.")
    ended: Optional[Word] = Field(default=None, description="The key of the task that ended with it.")
    cause: CauseAnswer = Field(description="Why.")


class HistoryAnswer(Model):
    """What became of a run, oldest first."""

    items: Annotated[tuple[TransitionItem, ...], Field(max_length=MOST_SHOWN)] = Field(description="The transitions.")
    next: Next = None
    dropped: Count = Field(description="How many of the oldest are no longer kept.")


class JsonType(StrEnum):
    """What a JSON document is."""

    OBJECT = "object"
    ARRAY = "array"
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    UNKNOWN = "unknown"


class ValueInfo(Model):
    """A document: how large it is and, where it is small and not sensitive, itself."""

    bytes: Count = Field(description="Its size as it is stored.")
    type: JsonType = Field(description="What it is; unknown where it is sensitive, too large, or gone.")
    sensitive: Boolean = Field(description="true: nobody is shown it.")
    value: Json = Field(default=None, description="The document, where it is small.")


class TaskPhase(StrEnum):
    """Where a task is."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    LOST = "Lost"
    CANCELLED = "Cancelled"


class TaskItem(Model):
    """One launch that did one action for a step."""

    task: Annotated[str, Field(max_length=1200)] = Field(description="Its key, by which its log is asked for.")
    path: StepPath = Field(description="The step.")
    action: Word = Field(description="run, compensate or undo.")
    round: Count = Field(description="The round of the step.")
    attempt: Count = Field(description="The attempt.")
    launch: Count = Field(description="One more each time a lost pod was replaced.")
    phase: TaskPhase = Field(description="How it ended; Running until then.")
    started_at: Optional[Moment] = Field(default=None, description="When it was launched; unset where that is dropped.")
    finished_at: Optional[Moment] = Field(default=None, description="When its end was decided on.")
    pod: Optional[Word] = Field(default=None, description="Its pod, also one that is gone; unset for tasks of pools.")
    job: Optional[Word] = Field(default=None, description="Its Job in place of a pod, also one that is gone.")
    message: Optional[Line] = Field(default=None, description="Why it ended as it did.")
    logs: Boolean = Field(description="true: a log may be asked for.")


class MapDetail(Model):
    """How far a map has come, in elements."""

    total: Optional[Count] = Field(default=None, description="All of them; unset while pages are still to come.")
    opened: Count = Field(description="Begun.")
    in_flight: Count = Field(description="Begun and not ended, or being reversed.")
    succeeded: Count = Field(description="Ended well, whatever was undone since.")
    failed: Count = Field(description="Failed for good.")
    skipped: Count = Field(description="Had nothing to do.")
    kept: Count = Field(description="Of these something can be reversed.")
    undone: Count = Field(description="Reversed.")
    unreversed: Count = Field(description="Could not be reversed.")


class StepAnswer(Model):
    """A step of a run, also one in an element."""

    path: StepPath = Field(description="Its path.")
    phase: StepPhase = Field(description="Where it is.")
    round: Count = Field(description="From 1.")
    attempt: Count = Field(description="The attempt of the action in hand; 0 before the first one.")
    max_attempts: Optional[Count] = Field(default=None, description="How often it is attempted at most.")
    reason: Optional[Message] = Field(default=None, description="Why its task cannot start.")
    started_at: Optional[Moment] = Field(default=None, description="When it first started.")
    finished_at: Optional[Moment] = Field(default=None, description="When it ended.")
    due_at: Optional[Moment] = Field(default=None, description="When its timer is due.")
    timer: Optional[Word] = Field(default=None, description="What is due then: Timeout, Retry or Pending.")
    failure: Optional[StepFailure] = Field(default=None, description="Why it failed.")
    rollback_failure: Optional[StepFailure] = Field(default=None, description="Why it could not be reversed.")
    arguments: Optional[ValueInfo] = Field(default=None, description="What its tasks are given.")
    result: Optional[ValueInfo] = Field(default=None, description="What came of it.")
    fallback: Optional[ValueInfo] = Field(default=None, description="What stands for its result where it fails.")
    tasks: Annotated[tuple[TaskItem, ...], Field(max_length=MOST_TASKS)] = Field(
        description=f"Its tasks, oldest first; the newest {MOST_TASKS} that its history tells."
    )
    interrupt: Optional[InboxItem] = Field(default=None, description="Of an interrupt that waits: for what.")
    map: Optional[MapDetail] = Field(default=None, description="Of a map that has begun.")


class ValueMember(Model):
    """A member of a document."""

    key: str = Field(description="Its name, or its place from 0.")
    bytes: Count = Field(description="Its size.")
    type: JsonType = Field(description="What it is.")
    value: Json = Field(default=None, description="Itself, where it is small.")


class ValueAnswer(Model):
    """One level of a document, a page of it."""

    type: JsonType = Field(description="What it is.")
    bytes: Count = Field(description="Its size.")
    length: Optional[Count] = Field(default=None, description="How many members or characters it has.")
    items: Optional[Annotated[tuple[ValueMember, ...], Field(max_length=MOST_SHOWN)]] = Field(
        default=None, description="Members of an object or an array, in their order."
    )
    text: Optional[str] = Field(default=None, description="Of a string: a part of it.")
    value: Json = Field(default=None, description="A number, a boolean or null.")
    next: Next = None


class ElementItem(Model):
    """An element of a map."""

    index: Count = Field(description="Its place, from 0.")
    phase: Word = Field(
        description="Of one that has ended: Succeeded, Skipped, Failed, Stopped or Undone; else where "
        "its outermost step is."
    )
    attempt: Optional[Count] = Field(default=None, description="The attempt; unset of one that has ended.")
    started_at: Optional[Moment] = Field(default=None, description="When it started, as long as that is kept.")
    finished_at: Optional[Moment] = Field(default=None, description="When it ended, as long as that is kept.")
    message: Optional[Message] = Field(default=None, description="Why it failed, or waits.")
    waiting: Count = Field(description="How many interrupts wait in it.")


class ElementPage(Model):
    """Elements of a map that were begun, by their index."""

    items: Annotated[tuple[ElementItem, ...], Field(max_length=MOST_SHOWN)] = Field(
        description="The elements. A page may be empty and have a next one: so many elements were looked through."
    )
    total: Optional[Count] = Field(default=None, description="All of them; unset while pages are still to come.")
    counts: MapDetail = Field(description="How many are where.")
    next: Next = None
