"""What a worker reports, as entries for the inbox (docs/protocol.md).

In: the lines of a report. Out: entries for each outcome that the worker may tell, the answer to each of the others.
Never here: an outcome of a task that was not given to this worker.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from reactor_operator.encryption import Keyring
from reactor_operator.engine.events import TaskFailed, TaskLost, TaskStarted
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.history import is_told
from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.pool_requests import PoolRequest
from reactor_operator.gateway.printed import log_of
from reactor_operator.outcomes.document import NOTHING, WORKER_KINDS, InvalidOutcome, parse_outcome, plain_success
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry

REFUSED = "refused"
_RELEASED = "its worker was told to stop before it began"


def reported_entries(
    request: PoolRequest, binding: str, outcomes: object, documents: Sequence[bytes], keys: Keyring, now: int
) -> list[tuple[Entry, ...] | str]:
    """Return the entries of each outcome of a report, the outcome last; and the answer where there are none.

    Raises Refusal, CannotDecrypt. `now`: int ms since the epoch.
    """
    if not isinstance(outcomes, list) or len(outcomes) != len(documents):
        found = len(outcomes) if isinstance(outcomes, list) else 0
        raise Refusal(400, f"outcomes: found {found}, expected as many as lines after the first, {len(documents)}")
    return [
        _entries(request, binding, told, document, keys, now)
        for told, document in zip(outcomes, documents, strict=True)
    ]


def _entries(
    request: PoolRequest, binding: str, told: Any, document: bytes, keys: Keyring, now: int
) -> tuple[Entry, ...] | str:
    entry = _entry(request, binding, told, document, keys)
    if isinstance(entry, str):
        return entry
    took = told.get("tookMs", 0)
    if not isinstance(took, int) or not 0 <= took < now:
        raise Refusal(400, f"outcomes: tookMs: found {took!r}, expected how many milliseconds the task took")
    task = parse_task_key(entry.task)
    if took == 0 or task is None or not is_told(task.path):
        return (entry,)
    digest = hashlib.sha256(f"began\0{binding}".encode()).hexdigest()
    began = encode_event(TaskStarted(task=task, at=now - took))
    return Entry(run=entry.run, task=entry.task, binding=binding, digest=digest, body=began), entry


def _entry(request: PoolRequest, binding: str, told: Any, document: bytes, keys: Keyring) -> Entry | str:
    if not isinstance(told, dict):
        raise Refusal(400, "outcomes: expected a list of objects")
    log_of(told)  # before anything is recorded
    run, key = told.get("run"), told.get("task")
    if not (isinstance(run, str) and isinstance(key, str) and request.has_proof(binding, run, key, told.get("proof"))):
        return REFUSED
    if told.get("stopped") is True:
        return Appended.CLOSED
    if document == NOTHING:
        return plain_success(run, key, binding)
    task = parse_task_key(key)
    if task is None:
        return REFUSED
    if told.get("released") is True:
        return released_entry(run, task, binding)
    try:
        return parse_outcome(
            run, task, document, binding, keys if told.get("sensitive") is True else None, WORKER_KINDS
        )
    except InvalidOutcome as problem:
        failure = Failure(kind=FailureKind.NO_OUTCOME, message=render_message(str(problem)))
        event = TaskFailed(task=task, failure=failure)
        digest = hashlib.sha256(document).hexdigest()
        return Entry(run=run, task=key, final=True, binding=binding, digest=digest, body=encode_event(event))


def released_entry(run: str, task: Task, binding: str) -> Entry:
    """Return that a task was given back before it began."""
    event = TaskLost(task=task, message=_RELEASED, may_have_started=False, given_back=True)
    digest = hashlib.sha256(f"released\0{binding}".encode()).hexdigest()
    return Entry(run=run, task=task.key, final=True, binding=binding, digest=digest, body=encode_event(event))
