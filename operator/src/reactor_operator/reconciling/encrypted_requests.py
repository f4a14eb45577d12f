"""Requests that bring a value for something sensitive: what they bring is encrypted before it reaches the store.

In: a request as an inbox entry. Out: the entry to append. Costs a look at the store where a request brings a value at
all, which is rare. Never here: an append, or a value of which it is not known whether it is sensitive: the run may be
stored a moment later.
"""

from dataclasses import replace

from reactor_operator.api.blueprint import Blueprint
from reactor_operator.encryption import Keyring
from reactor_operator.engine.events import ResumeRequested, RetryRequested, Signal, SkipRequested
from reactor_operator.engine.values import ValueRef, reference_to
from reactor_operator.reconciling.definition import RECORD, compile_definition, decode_definition
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry, RunStore


async def encrypted_request(entry: Entry, event: Signal, store: RunStore, keys: Keyring) -> Entry | None:
    """Return the entry with what is sensitive in it encrypted, and without a value that can be for no step of the run,
    so that the request is refused. None where nothing is stored of the run. Raises StoreUnavailable, CannotDecrypt.
    """
    if not entry.values or not isinstance(event, ResumeRequested | RetryRequested | SkipRequested):
        return entry
    snapshot = await store.load(entry.run)
    if snapshot is None or snapshot.records is None:
        return None
    blueprint, _ = compile_definition(decode_definition(snapshot.records[RECORD]), pending_timeout_ms=0)
    path = _template(blueprint, event.step)
    if blueprint is None or path is None:
        return replace(entry, values={})
    sensitive = blueprint.sensitive
    told: Signal = event
    values: dict[str, bytes] = {}

    def encrypt(ref: ValueRef | None, name: str) -> ValueRef | None:
        if ref is None:
            return None
        document = keys.encrypt(entry.run, name, entry.values[ref.digest])
        encrypted = reference_to(document)
        values[encrypted.digest] = document
        return encrypted

    if isinstance(event, ResumeRequested) and path in sensitive.results:
        told = replace(event, payload=encrypt(event.payload, f"{event.step} result"))
    elif isinstance(event, SkipRequested) and path in sensitive.results:
        told = replace(event, value=encrypt(event.value, f"{event.step} result"))
    elif isinstance(event, RetryRequested) and path in sensitive.arguments:
        told = replace(event, arguments=encrypt(event.arguments, f"{event.step} arguments"))
    return entry if told is event else replace(entry, body=encode_event(told), values=values)


def _template(blueprint: Blueprint | None, path: str) -> str | None:
    """Return the path of a step as it is laid out, None where there is none."""
    try:
        return blueprint.at(path).node.path if blueprint is not None else None
    except (KeyError, ValueError):
        return None
