"""What a laptop's tasks are told and what they tell: orders for workers, entries for the inbox.

In: a `TaskOrder`, an outcome document or an event. Out: bytes for `reactor.worker`, `Entry`s as the gateway makes them.
Never here: sending or recording them. The same outcome gives the same entry.
"""

import hashlib
from collections.abc import Mapping

import orjson

from reactor.masking import Masks, masks_of
from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine.events import Outcome, TaskFailed, TaskLost, TaskStarted
from reactor_operator.engine.failures import Failure, FailureKind, render_message
from reactor_operator.engine.identity import Task, digest_of
from reactor_operator.gateway.record import told_sensitive
from reactor_operator.outcomes.document import InvalidOutcome, parse_outcome
from reactor_operator.outcomes.encrypted import encrypt_result
from reactor_operator.outcomes.exit_words import exit_words, signal_words
from reactor_operator.ports import RunRef, TaskOrder
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry


def worker_order(order: TaskOrder, variables: Mapping[str, str], mark: str) -> bytes:
    """Return what the worker is told (`reactor.worker` says how it reads it)."""
    return orjson.dumps(
        {
            "environment": dict(variables),
            "arguments": orjson.Fragment(order.arguments),
            "result": orjson.Fragment(order.result or b"null"),
            "failure": orjson.Fragment(order.failure or b"null"),
            "request": orjson.Fragment(order.request or b"null"),
            "uncertain": order.uncertain,
            "mark": mark,
            **({"sensitive": told_sensitive(order.sensitive)} if order.sensitive else {}),
        }
    )


def started_entry(order: TaskOrder, now: int, binding: str) -> Entry:
    """Return the check-in of a task by `binding`."""
    return Entry(
        run=order.run.uid,
        task=order.task.key,
        binding=binding,
        digest=hashlib.sha256(f"check-in\0{binding}".encode()).hexdigest(),
        body=encode_event(TaskStarted(task=order.task, at=now)),
    )


def outcome_entry(order: TaskOrder, document: bytes, binding: str, keys: Keyring = NO_KEYS) -> Entry:
    """Return what an outcome document says; a sensitive result is encrypted."""
    try:
        return parse_outcome(order.run.uid, order.task, document, binding, keys if order.sensitive.result else None)
    except InvalidOutcome as problem:
        failure = Failure(kind=FailureKind.NO_OUTCOME, message=render_message(str(problem)))
        return event_entry(order.run, order.task, TaskFailed(task=order.task, failure=failure))


def container_entry(order: TaskOrder, event: Outcome, values: Mapping[str, bytes], keys: Keyring) -> Entry:
    """Return what a container did; a sensitive result is encrypted."""
    if order.sensitive.result:
        name = f"{order.task.key} result"
        event, values = encrypt_result(event, values, lambda result: keys.encrypt(order.run.uid, name, result))
    return event_entry(order.run, order.task, event, values)


def masks_of_order(order: TaskOrder) -> Masks:
    """Return the masks of a task: the texts of its values that must not be shown."""
    told = order.sensitive
    if not told:
        return Masks(())
    given = {
        "arguments": orjson.loads(order.arguments),
        "result": orjson.loads(order.result or b"null"),
        "request": orjson.loads(order.request or b"null"),
        "sensitive": told_sensitive(told),
    }
    return masks_of(given)


def no_outcome_entry(order: TaskOrder, exit_code: int) -> Entry:
    """Return what is known of a task whose worker ended (a negative code: by this signal) and told nothing."""
    how = signal_words(-exit_code) if exit_code < 0 else exit_words(exit_code)
    failure = Failure(kind=FailureKind.NO_OUTCOME, message=f"its worker process {how} and it reported no outcome")
    return event_entry(order.run, order.task, TaskFailed(task=order.task, failure=failure))


def lost_entry(run: RunRef, task: Task) -> Entry:
    """Return what is known of a task that was begun by a process that is no more."""
    return event_entry(run, task, TaskLost(task=task, message="the process that ran it on this laptop ended"))


def event_entry(run: RunRef, task: Task, event: Outcome, values: Mapping[str, bytes] | None = None) -> Entry:
    """Return the final entry of a task."""
    body = encode_event(event)
    digest = digest_of("laptop", body.hex())
    return Entry(run=run.uid, task=task.key, final=True, digest=digest, body=body, values=values or {})
