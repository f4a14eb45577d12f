"""What the end of a container means: its exit code and its last words as an outcome, on the cluster and on the laptop.

In: an exit code, the termination message, what the reactor says of exit codes and of the result, the action.
Out: an `ExitOutcome`, which becomes an event and the values it refers to. Pure and total.
Never here: containers that were ended from outside, or never ran.

The rules: `exitCodes` first (`continue` in a compensate only), then 0 is success and all else a failure of kind
ExitCode. A result is the JSON in the message, else the message as one string, and null where it is empty. A message
that reaches the limit was cut, so it is no result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import orjson

from reactor_operator.api.actions import ExitCodes
from reactor_operator.engine.events import Outcome, TaskContinued, TaskFailed, TaskHalted, TaskSkipped, TaskSucceeded
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.outcomes.detail import last_words
from reactor_operator.outcomes.exit_words import exit_words
from reactor_operator.outcomes.names import keep

MESSAGE_LIMIT = 4096
OUTPUT_LIMIT = 32 * 1024 * 1024


class ExitMeaning(StrEnum):
    """What an exit code says."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    HALTED = "halted"
    CONTINUED = "continued"
    FATAL = "fatal"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRule:
    """Where the result is and what it must be.

    uploaded:  a helper brings it (`output.path`), so the message is none.
    json_only: text is no result (`output.format: json`).
    limit:     bytes from which on the message counts as cut.
    """

    uploaded: bool = False
    json_only: bool = False
    limit: int = MESSAGE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitOutcome:
    """What a container did. `result` is a JSON document, None for null.

    `failure` is set for failures alone; `detail` is the document that it refers to.
    """

    meaning: ExitMeaning
    result: bytes | None = None
    reason: str = ""
    uploaded: bool = False
    json_only: bool = False
    failure: Failure | None = None
    detail: bytes | None = None

    def event_of(self, task: Task) -> tuple[Outcome, Mapping[str, bytes]]:
        """Return the event that this outcome is for `task`, and the values it refers to."""
        if self.failure is not None:
            values: dict[str, bytes] = {}
            detail = keep(self.detail, task, "detail", values) if self.detail is not None else self.failure.detail
            return TaskFailed(task=task, failure=replace(self.failure, detail=detail)), values
        values = {}
        result = keep(self.result, task, "result", values) if self.result is not None else None
        match self.meaning:
            case ExitMeaning.SKIPPED:
                return TaskSkipped(task=task, result=result), values
            case ExitMeaning.HALTED:
                return TaskHalted(task=task, reason=self.reason), {}
            case ExitMeaning.CONTINUED:
                return TaskContinued(task=task, result=result), values
            case _:
                return TaskSucceeded(task=task, result=result, uploaded=self.uploaded, json_only=self.json_only), values


def outcome_of_exit(
    exit_code: int,
    message: str,
    exit_codes: ExitCodes | None,
    action: Action,
    rule: ResultRule = ResultRule(),
) -> ExitOutcome:
    """Return what a container that ended by itself did. `message` is its termination message, or its last log lines."""
    meaning = meaning_of_exit(exit_code, exit_codes, action)
    if meaning in (ExitMeaning.FATAL, ExitMeaning.FAILED):
        kind = FailureKind.FATAL if meaning is ExitMeaning.FATAL else FailureKind.EXIT_CODE
        return failed_exit(kind, exit_words(exit_code), message, meaning=meaning)
    if meaning is ExitMeaning.HALTED:
        return ExitOutcome(meaning=meaning, reason=render_message(message.strip()))
    if meaning is ExitMeaning.SUCCEEDED and rule.uploaded:
        return ExitOutcome(meaning=meaning, uploaded=True, json_only=rule.json_only)
    try:
        # Text is promised to be JSON by a success alone: the message of a skip may be its last log lines.
        json_only = rule.json_only and meaning is ExitMeaning.SUCCEEDED
        return ExitOutcome(meaning=meaning, result=_result_in(message, rule.limit, json_only=json_only))
    except _NoResult as problem:
        failure = Failure(kind=FailureKind.INVALID_RESULT, message=render_message(str(problem)))
        return ExitOutcome(meaning=ExitMeaning.FAILED, failure=failure)


def failed_exit(
    kind: FailureKind, words: str, message: str, *, meaning: ExitMeaning = ExitMeaning.FAILED
) -> ExitOutcome:
    """Return the failure of a container that ended as `words` say, with `message` as its last words."""
    said, detail = last_words(words, message)
    ref = reference_to(detail) if detail is not None else None
    return ExitOutcome(
        meaning=meaning, failure=Failure(kind=kind, message=render_message(said), detail=ref), detail=detail
    )


def memory_words(exit_code: int) -> str:
    """Return how a container ended that the kernel killed for memory."""
    return f"killed for using more memory than its limit (exit code {exit_code})"


def meaning_of_exit(exit_code: int, exit_codes: ExitCodes | None, action: Action) -> ExitMeaning:
    """Return what `exit_code` says, by `exitCodes` first."""
    if exit_codes is not None:
        if exit_code in exit_codes.fatal:
            return ExitMeaning.FATAL
        if exit_code in exit_codes.skip:
            return ExitMeaning.SKIPPED
        if exit_code in exit_codes.halt:
            return ExitMeaning.HALTED
        if exit_code in exit_codes.continue_ and action is Action.COMPENSATE:
            return ExitMeaning.CONTINUED
    return ExitMeaning.SUCCEEDED if exit_code == 0 else ExitMeaning.FAILED


def kept_message(message: str, meaning: ExitMeaning, *, sensitive: bool, hides_result: bool) -> str:
    """Return what may be kept of a container's message where its task has sensitive values.

    A result may that is not sensitive itself (`hides_result`). Words for people may hold anything, and nobody here
    knows the values.
    """
    is_result = meaning in (ExitMeaning.SUCCEEDED, ExitMeaning.SKIPPED, ExitMeaning.CONTINUED)
    return message if not sensitive or (is_result and not hides_result) else ""


class _NoResult(Exception):
    """The message is not a result."""


def _result_in(message: str, limit: int, *, json_only: bool) -> bytes | None:
    size = len(message.encode("utf-8", "replace"))
    if size >= limit:
        raise _NoResult(
            f"the result in the termination message has {size} bytes or more and was cut at {limit}; "
            "write it to a file and name that in output.path, which takes up to 32 MiB"
        )
    return result_of_text(message, json_only=json_only)


def result_of_text(text: str, *, json_only: bool = False) -> bytes | None:
    """Return `text` as a JSON document, None for null: itself where it is JSON, else one string. Empty is null."""
    stripped = text.strip()
    if not stripped and not json_only:
        return None
    try:
        orjson.loads(stripped)
    except orjson.JSONDecodeError as problem:
        if json_only:
            found = f"{stripped[:60]!r} ({problem})" if stripped else "nothing"
            raise _NoResult(f"output.format is json: found {found}, expected one JSON document") from problem
        return orjson.dumps(text.encode("utf-8", "replace").decode())
    document = stripped.encode()
    return None if document == b"null" else document


def outcome_of_upload(content: bytes | None, path: str, *, json_only: bool = False) -> ExitOutcome:
    """Return what a container did that succeeded and was to leave its result in the file `path`; None: it did not."""
    try:
        if content is None:
            raise _NoResult(f"exited with success but left no file {path}, where output.path expects its result")
        if len(content) > OUTPUT_LIMIT:
            raise _NoResult(
                f"the file {path} is above {OUTPUT_LIMIT} bytes (32 MiB); store it elsewhere and refer to it"
            )
        result = result_of_text(content.decode("utf-8", "replace"), json_only=json_only)
    except _NoResult as problem:
        failure = Failure(kind=FailureKind.INVALID_RESULT, message=render_message(str(problem)))
        return ExitOutcome(meaning=ExitMeaning.FAILED, failure=failure)
    return ExitOutcome(meaning=ExitMeaning.SUCCEEDED, result=result)
