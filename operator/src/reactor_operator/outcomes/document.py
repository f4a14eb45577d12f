"""Outcome documents (docs/protocol.md) as inbox entries.

In: the bytes that a task sent, or left as its termination message: anything at all. Out: an `Entry` with the encoded
event and the values it refers to, or `InvalidOutcome` with one clear sentence. Never here: trust in what the bytes say,
an exception of another kind, or I/O.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import orjson

from reactor_operator.encryption import Keyring
from reactor_operator.engine.events import Outcome, TaskContinued, TaskFailed, TaskHalted, TaskSkipped, TaskSucceeded
from reactor_operator.engine.failures import (
    RETRY_AFTER_LIMIT_MS,
    TELLS_CERTAINTY,
    Certainty,
    Failure,
    FailureKind,
    render_message,
)
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import ValueRef
from reactor_operator.kube.fields import int_at, parse_object, text_at
from reactor_operator.outcomes.detail import render_detail
from reactor_operator.outcomes.encrypted import encrypt_result
from reactor_operator.outcomes.members import MEMBERS_LIMIT, has_too_many_members
from reactor_operator.outcomes.names import keep
from reactor_operator.store.codec import encode_event, encode_plain_success
from reactor_operator.store.port import Entry

_REPORTED_KINDS = (
    FailureKind.ERROR,
    FailureKind.INVALID_ARGUMENTS,
    FailureKind.INVALID_RESULT,
    FailureKind.CANNOT_START,
    FailureKind.HTTP,
)
WORKER_KINDS = (*_REPORTED_KINDS, FailureKind.OUT_OF_MEMORY, FailureKind.NO_OUTCOME, FailureKind.TIMEOUT)
"""What a worker may report: it knows too how a process ended that told nothing itself."""
_WITH_RESULT: Mapping[str, Callable[[Task, ValueRef | None], Outcome]] = {
    "succeeded": lambda task, result: TaskSucceeded(task=task, result=result),
    "skipped": lambda task, result: TaskSkipped(task=task, result=result),
    "continued": lambda task, result: TaskContinued(task=task, result=result),
}
_TYPES = (*_WITH_RESULT, "halted", "failed")
_COMPACT_PREFIXES = {type_: f'{{"type":"{type_}","result":'.encode() for type_ in _WITH_RESULT}
_EXCEPTION_LIMIT = 256
_FOUND_LIMIT = 80

Values = dict[str, bytes]
Kinds = tuple[FailureKind, ...]
NOTHING = b'{"type":"succeeded","result":null}'
_NOTHING_DIGEST = hashlib.sha256(NOTHING).hexdigest()


class InvalidOutcome(ValueError):
    """The bytes are not an outcome document. The message says which field, what was found and what was expected."""


def parse_outcome(
    run: str,
    task: Task,
    document: bytes,
    binding: str = "",
    keys: Keyring | None = None,
    kinds: Kinds = _REPORTED_KINDS,
) -> Entry:
    """Return the final entry that `document` makes for `task`. Raises InvalidOutcome.

    The result is kept byte for byte where the document is in compact form, which is how the agent writes it. A result
    that is promised and is not JSON that can be kept is itself an outcome: the failure InvalidResult.
    `keys` are given where the result is sensitive: it is encrypted, and the entry's digest tells nothing of it. Raises
    CannotDecrypt where there is none. `kinds` are those of failures that may be told.
    """
    if document == NOTHING:
        return plain_success(run, task.key, binding)
    values: Values = {}
    event = _parse_event(task, document, values, kinds)
    if keys is not None:
        encrypted, kept = encrypt_result(event, values, lambda result: keys.encrypt(run, f"{task.key} result", result))
        return Entry(
            run=run,
            task=task.key,
            final=True,
            binding=binding,
            digest=keys.mac(document),
            body=encode_event(encrypted),
            values=kept,
        )
    return Entry(
        run=run,
        task=task.key,
        final=True,
        binding=binding,
        digest=hashlib.sha256(document).hexdigest(),
        body=encode_event(event),
        values=values,
    )


def plain_success(run: str, task_key: str, binding: str) -> Entry:
    """Return the final entry that the document `NOTHING` makes for a task."""
    body = encode_plain_success(task_key)
    return Entry(run=run, task=task_key, final=True, binding=binding, digest=_NOTHING_DIGEST, body=body)


def _parse_event(task: Task, document: bytes, values: Values, kinds: Kinds) -> Outcome:
    promised = next((type_ for type_, prefix in _COMPACT_PREFIXES.items() if document.startswith(prefix)), None)
    problem = ""
    if has_too_many_members(document):
        words = f"found more than {MEMBERS_LIMIT} members"
        if promised is None:
            raise InvalidOutcome(f"outcome document: {words}")
        return _invalid_result(task, words)
    if promised is not None and document.endswith(b"}"):
        result = document[len(_COMPACT_PREFIXES[promised]) : -1]
        try:
            orjson.loads(result)
        except orjson.JSONDecodeError as found:
            problem = str(found)
        else:
            _check_type(promised, task)
            return _WITH_RESULT[promised](task, _keep(result, task, values))
    try:
        fields = _parse_fields(document)
    except InvalidOutcome:
        if not problem:
            raise
        return _invalid_result(task, problem)
    return _event_from(fields, task, values, kinds)


def _parse_fields(document: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(document.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidOutcome("outcome document: found JSON nested too deeply, expected at most 900 levels") from None
    except ValueError as problem:
        raise InvalidOutcome(f"outcome document: {problem}; expected one JSON object in UTF-8") from None
    if not isinstance(fields, dict):
        _refuse("", fields, "one JSON object")
    return fields


def _event_from(fields: dict[str, Any], task: Task, values: Values, kinds: Kinds) -> Outcome:
    type_ = fields.get("type")
    if not isinstance(type_, str) or type_ not in _TYPES:
        _refuse("type", type_, f"one of {', '.join(_TYPES)}")
    _check_type(type_, task)
    if type_ == "halted":
        reason = fields.get("reason", "")
        return TaskHalted(task=task, reason=render_message(_text("reason", reason)))
    if type_ == "failed":
        return TaskFailed(task=task, failure=_failure_from(fields.get("failure"), task, values, kinds))
    if "result" not in fields:
        raise InvalidOutcome(f"outcome document: field result is missing; expected any JSON beside type {type_}")
    try:
        result = json.dumps(fields["result"], ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8"
        )
    except (ValueError, RecursionError) as problem:  # half of a surrogate pair; 1e999, which is no number here
        return _invalid_result(task, str(problem))
    return _WITH_RESULT[type_](task, _keep(result, task, values))


def _failure_from(found: Any, task: Task, values: Values, kinds: Kinds) -> Failure:
    if not isinstance(found, dict):
        _refuse("failure", found, "an object")
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        _refuse("failure.kind", kind, f"one of {', '.join(kinds)}")
    retryable = found.get("retryable", True)
    if not isinstance(retryable, bool):
        _refuse("failure.retryable", retryable, "true or false")
    exception = found.get("exception")
    detail = found.get("detail")
    if detail is not None and not isinstance(detail, dict):
        _refuse("failure.detail", detail, "an object or null")
    document = render_detail(detail) if detail else None
    place = parse_object(document or b"")
    return Failure(
        kind=FailureKind(kind),
        message=render_message(_text("failure.message", found.get("message"))),
        retryable=retryable,
        exception=None
        if exception is None
        else render_message(_text("failure.exception", exception))[:_EXCEPTION_LIMIT],
        file=text_at(place, "file") or None,
        line=int_at(place, "line"),
        detail=keep(document, task, "detail", values) if document is not None else None,
        told=_told_certainty(found.get("certainty"), FailureKind(kind)),
        retry_after_ms=_retry_after_ms(found.get("retryAfterMs", 0)),
    )


def _told_certainty(found: Any, kind: FailureKind) -> Certainty | None:
    if found is None:
        return None
    if kind not in TELLS_CERTAINTY:
        _refuse("failure.certainty", found, f"none beside kind {kind}, which says it")
    if found not in (Certainty.CERTAIN, Certainty.UNCERTAIN):
        _refuse("failure.certainty", found, "certain or uncertain")
    return Certainty(found)


def _retry_after_ms(found: Any) -> int:
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        _refuse("failure.retryAfterMs", found, "a number of milliseconds")
    return min(found, RETRY_AFTER_LIMIT_MS)


def _check_type(type_: str, task: Task) -> None:
    if type_ == "continued" and task.action is not Action.COMPENSATE:
        raise InvalidOutcome(
            f"outcome document: field type: found 'continued' from a task that is to {task.action}; "
            "only a compensate may continue"
        )


def _keep(document: bytes, task: Task, values: Values) -> ValueRef | None:
    return None if document.strip() == b"null" else keep(document, task, "result", values)


def _invalid_result(task: Task, problem: str) -> TaskFailed:
    message = (
        f"the result is not JSON that can be kept ({problem}); return plain values, nested at most 900 levels deep, "
        f"with at most {MEMBERS_LIMIT} members"
    )
    return TaskFailed(task=task, failure=Failure(kind=FailureKind.INVALID_RESULT, message=render_message(message)))


def _text(field: str, found: Any) -> str:
    if not isinstance(found, str):
        _refuse(field, found, "a string")
    return found


def _refuse(field: str, found: Any, expected: str) -> NoReturn:
    shown = render_message(repr(found)[:_FOUND_LIMIT])
    place = f"field {field}: " if field else ""
    raise InvalidOutcome(f"outcome document: {place}found {shown}, expected {expected}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"found {name}, which is not JSON")
