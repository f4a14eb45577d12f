"""What the gateway must know of an open task to answer its check-in: the value of `Commit.opens`.

In: an `OpenRecord` from `reconcile`, or the bytes it stored. Out: those bytes, or the record.
Never here: the documents of arguments and result (by reference only), or anything from a task.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from reactor_operator.api.sensitivity import HARMLESS, Sensitive
from reactor_operator.engine.values import ValueRef
from reactor_operator.outcomes.detail import explained


class UnreadableRecord(Exception):
    """A stored record is not what this version writes: it was damaged, or another version wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRecord:
    """An open task as the gateway answers for it.

    arguments, result: references into the values of the run; a `result` only for an undo.
    request:           reference to what an http action sends.
    failure:           the JSON document of the failure a compensate cleans up after, kept in the record itself.
    detail:            reference to what explains that failure.
    uncertain:         the action it reverses may have acted, and what it did is not known.
    pool:              of a task that a pool does: reference to what its step has in common (`tasks.pools`).
    sensitive:         what of the task is sensitive.
    """

    arguments: ValueRef | None = None
    result: ValueRef | None = None
    request: ValueRef | None = None
    failure: bytes | None = None
    detail: ValueRef | None = None
    uncertain: bool = False
    sensitive: Sensitive = HARMLESS
    pool: ValueRef | None = None


def encode_record(record: OpenRecord) -> bytes:
    """Render a record. The failure must be a JSON document."""
    document: dict[str, object] = {
        "arguments": record.arguments,
        "result": record.result,
        "failure": None if record.failure is None else orjson.Fragment(record.failure),
        "uncertain": record.uncertain,
    }
    if record.request is not None:
        document["request"] = record.request
    if record.detail is not None:
        document["detail"] = record.detail
    if record.pool is not None:
        document["pool"] = record.pool
    if record.sensitive:
        document["sensitive"] = told_sensitive(record.sensitive)
    return orjson.dumps(document)


def told_sensitive(sensitive: Sensitive) -> dict[str, object]:
    """Return what the agent is told of it (docs/protocol.md)."""
    return {"arguments": sorted(sensitive.arguments), "result": sensitive.result, "request": sensitive.request}


def told_failure(record: OpenRecord, values: Mapping[str, bytes]) -> bytes | None:
    """Return the failure that a compensate is told, with what explains it, which is among `values`."""
    if record.failure is None or record.detail is None:
        return record.failure
    return explained(record.failure, values[record.detail.digest])


def decode_record(body: bytes) -> OpenRecord:
    """Return the record that `encode_record` rendered. Raises UnreadableRecord."""
    try:
        document = orjson.loads(body)
        failure = document["failure"]
        return OpenRecord(
            arguments=_reference(document["arguments"]),
            result=_reference(document["result"]),
            request=_reference(document.get("request")),
            failure=None if failure is None else orjson.dumps(failure),
            detail=_reference(document.get("detail")),
            uncertain=bool(document["uncertain"]),
            sensitive=_sensitive(document.get("sensitive")),
            pool=_reference(document.get("pool")),
        )
    except (ValueError, TypeError, KeyError) as problem:
        raise UnreadableRecord(f"stored record of a task cannot be read ({problem!r}): {body[:200]!r}") from problem


def _sensitive(found: dict[str, Any] | None) -> Sensitive:
    if found is None:
        return HARMLESS
    return Sensitive(
        arguments=frozenset(map(str, found["arguments"])),
        result=bool(found["result"]),
        request=bool(found["request"]),
    )


def _reference(found: dict[str, Any] | None) -> ValueRef | None:
    return None if found is None else ValueRef(str(found["digest"]), int(found["size"]))
