"""One level of a document of a run, page by page, for whoever looks into a large one.

In: which document, a JSON Pointer into it. Out: a JSON object in the shape of `details`.
Never here: a sensitive document: it is refused unread, whoever asks, and no key of the gateway opens it for a person.
"""

import asyncio
import json
from itertools import islice

import orjson
from starlette.requests import Request

from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.cursors import VALUE, number_in, render_cursor
from reactor_operator.gateway.api.queries import ValueOf, ValueQuery, parse_names, parse_query
from reactor_operator.gateway.api.rendering import Rendered, answer_of
from reactor_operator.gateway.api.services import RUN
from reactor_operator.gateway.api.stored import StoredRuns
from reactor_operator.gateway.api.viewers import Viewers
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.reconciling.records import KnownRun
from reactor_operator.status.steps import is_deep

LOOKED_INTO = 16 * 1024 * 1024
"""Bytes of a document that is parsed for somebody to look into."""
_SMALL = 1024
_TEXT = 64 * 1024
_AT_ONCE = 1
_NULL = b"null"


class DocumentService:
    """Answers about documents, one at a time: parsing a large one keeps tasks waiting."""

    def __init__(self, viewers: Viewers, runs: StoredRuns) -> None:
        self._viewers = viewers
        self._runs = runs
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def get(self, http: Request) -> Answer:
        """Return one level of a document."""
        caller = await self._viewers.of(http)
        asked = parse_query(http, ValueQuery)
        from_ = number_in(VALUE, asked.cursor)
        namespace, name = parse_names(http)
        await self._viewers.require(caller, "get", RUN, namespace)
        known = await self._runs.run(namespace, name)
        what, ref = await self._reference(known, asked)
        async with self._turns:
            body = await self._read(known, what, ref)
            level = await asyncio.to_thread(_level, body, asked.pointer, from_, asked.limit)
        if level is None:
            raise Refusal(404, f"{what} has nothing at {asked.pointer!r}")
        return answer_of(level)

    async def _reference(self, known: KnownRun, asked: ValueQuery) -> tuple[str, ValueRef | None]:
        of, name = asked.of.value, known.definition.run.name
        if asked.of in (ValueOf.INPUTS, ValueOf.OUTPUT):
            if asked.path is not None:
                raise Refusal(400, _SENSELESS, errors=(f"path: found one, expected none: the {of} are the run's",))
            what = f"the {of} of run {name!r}"
            ref = known.definition.inputs if asked.of is ValueOf.INPUTS else known.state.header.result
            if ref is None and known.state.header.finished_at is None and asked.of is ValueOf.OUTPUT:
                raise Refusal(404, f"run {name!r} has no output yet")
            return what, ref
        if asked.path is None:
            raise Refusal(400, _SENSELESS, errors=(f"path: found none, expected the step whose {of} are asked for",))
        step = (await self._runs.step(known, asked.path)).step
        ref = step.arguments if asked.of is ValueOf.ARGUMENTS else step.result
        if ref is None and (asked.of is ValueOf.ARGUMENTS or step.finished_at is None):
            raise Refusal(404, f"step {asked.path!r} has no {of}: it is {step.phase}")
        return f"the {of} of step {asked.path!r}", ref

    async def _read(self, known: KnownRun, what: str, ref: ValueRef | None) -> bytes:
        if ref is None:
            return _NULL
        if ref.encrypted:
            raise Refusal(403, f"{what} is sensitive: it is encrypted in the store, and shown to nobody")
        if ref.size > LOOKED_INTO:
            raise Refusal(404, f"{what} is too large to be looked into: {ref.size} bytes, of {LOOKED_INTO} at most")
        body = (await self._runs.documents(known.definition.run.uid, [ref])).get(ref.digest)
        if body is None:
            raise Refusal(404, f"{what} is gone from the store")
        return body


_SENSELESS = "the query is not one that is known here"


def _level(body: bytes, pointer: str, from_: int, limit: int) -> Rendered | None:
    """Return a page of what a document has at a pointer, None where it has nothing there."""
    try:
        found = _at(orjson.loads(body), pointer)
    except LookupError:
        return None
    level: Rendered = {"type": _type_of(found), "bytes": len(_dumped(found))}
    if isinstance(found, str):
        level |= {"length": len(found), "text": found[from_ : from_ + _TEXT]}
        return _followed(level, from_ + _TEXT, len(found))
    if not isinstance(found, dict | list):
        return level | {"value": found}
    members = found.items() if isinstance(found, dict) else ((str(at), one) for at, one in enumerate(found))
    items = [_member(key, one) for key, one in islice(members, from_, from_ + limit)]
    return _followed(level | {"length": len(found), "items": items}, from_ + limit, len(found))


def _followed(level: Rendered, next_: int, length: int) -> Rendered:
    return level | ({"next": render_cursor(VALUE, (next_,))} if next_ < length else {})


def _member(key: str, value: object) -> Rendered:
    body = _dumped(value)
    member: Rendered = {"key": key, "bytes": len(body), "type": _type_of(value)}
    return member | ({"value": value} if len(body) <= _SMALL and not is_deep(body) else {})


def _at(document: object, pointer: str) -> object:
    """Follow a JSON Pointer (RFC 6901). Raises LookupError."""
    for word in pointer.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document[key]
        elif isinstance(document, list) and key.isascii() and key.isdecimal() and key == str(int(key)):
            document = document[int(key)]
        else:
            raise LookupError(key)
    return document


def _type_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case dict():
            return "object"
        case list():
            return "array"
        case _:
            return "number"


def _dumped(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # deeper than orjson writes
        return json.dumps(value, separators=(",", ":")).encode()
