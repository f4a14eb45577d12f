"""What the gateway does for a task: hands it its arguments, and records what it says.

In: a `TaskRequest`. Out: the answer's bytes, or a `Refusal`. Never here: an acknowledgement before the store has the
entry on disk, or a decision about the run.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, assert_never

import orjson

from reactor_operator.encryption import Keyring
from reactor_operator.engine.events import TaskStarted, TaskUploaded
from reactor_operator.engine.values import ValueRef
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.bodies import BODY_LIMIT, OUTCOME_LIMIT, Refusal
from reactor_operator.gateway.documents import TaskDocuments, size_of
from reactor_operator.gateway.record import OpenRecord, decode_record, told_failure, told_sensitive
from reactor_operator.gateway.requests import TaskRequest
from reactor_operator.gateway.results import ResultPages
from reactor_operator.gateway.turns import Turns
from reactor_operator.outcomes.document import InvalidOutcome, parse_outcome
from reactor_operator.outcomes.members import MEMBERS_LIMIT, has_too_many_members
from reactor_operator.outcomes.names import keep
from reactor_operator.ports import Clock
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Appended, Entry, Inbox, OpenTask, Pages, Values

_NO_ARGUMENTS = b"{}"
_CLOSED = "the task is closed or superseded, or its run is over: exit without acting"
_BOUND = "another process has checked in for this task: exit without acting"


class TaskStore(Inbox, Values, Pages, Protocol):
    """What is needed of the store."""


class TaskService:
    """Answers tasks from one store."""

    def __init__(
        self,
        store: TaskStore,
        clock: Clock,
        keys: Keyring,
        turns: Turns,
        large_bodies: AbstractAsyncContextManager[object],
    ) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._large_bodies = large_bodies
        self._turns = turns
        self._documents = TaskDocuments(store, keys)
        self._results = ResultPages(store, keys, turns)

    async def answer(self, request: TaskRequest) -> Answer:
        """Do what `request` asks. Raises Refusal, StoreUnavailable."""
        match request.verb:
            case "check-in":
                return await self._check_in(request)
            case "outcome":
                return await self._record_outcome(request)
            case "output":
                return await self._record_output(request)
            case "results":
                record = decode_record((await self._open(request)).record)
                return await self._results.answer(request.run, record, request.http.query_params)
            case _:
                return await self._send_document(request)

    async def _check_in(self, request: TaskRequest) -> Answer:
        binding = request.binding()
        found = await self._known(request)
        if found.outcome and found.binding != binding:
            raise Refusal(410, _CLOSED)
        record = decode_record(found.record)
        refs = (record.arguments, record.result, record.request, record.detail)
        async with self._turns.turn(size_of(*refs)) as turn:
            values = await self._documents.get(request.run, *refs)
            entry = Entry(
                run=request.run,
                task=request.task.key,
                binding=binding,
                digest=_digest("check-in", binding.encode()),
                body=encode_event(TaskStarted(task=request.task, at=self._clock.now())),
            )
            _accept(await self._store.append(entry), conflict=Refusal(409, _BOUND))
            return Answer(_assignment(record, values), held=turn.pop_all())

    async def _record_outcome(self, request: TaskRequest) -> Answer:
        binding = request.binding()
        if request.may_be_large():  # whoever has nothing to say any more takes no turn from those who have
            await self._heard(request, binding)
        async with self._room_for(request):
            document = await request.read_body(OUTCOME_LIMIT)
            keys = self._keys if request.is_sensitive() else None
            try:
                entry = parse_outcome(request.run, request.task, document, binding, keys)
            except InvalidOutcome as problem:
                raise Refusal(400, str(problem)) from problem
            conflict = Refusal(409, "another outcome was recorded first, or another process has checked in")
            return _accept(await self._store.append(entry), conflict=conflict)

    async def _record_output(self, request: TaskRequest) -> Answer:
        record = decode_record((await self._open(request)).record)
        async with self._room_for(request):
            body = await request.read_body(BODY_LIMIT)
            if has_too_many_members(body):
                raise Refusal(413, f"the output has more than {MEMBERS_LIMIT} members")
            document, text = _output_document(body, request.http.headers.get("content-type", ""))
            if record.sensitive.result:
                document = self._keys.encrypt(request.run, f"{request.task.key} result", document)
            values: dict[str, bytes] = {}
            ref = keep(document, request.task, "output", values)
            entry = Entry(
                run=request.run,
                task=request.task.key,
                digest=_digest("output", ref.digest.encode()),
                body=encode_event(TaskUploaded(task=request.task, result=ref, text=text)),
                values=values,
            )
            return _accept(await self._store.append(entry), conflict=Refusal(410, _CLOSED))

    async def _send_document(self, request: TaskRequest) -> Answer:
        record = decode_record((await self._open(request)).record)
        if request.verb == "failure":
            return Answer(_found(told_failure(record, await self._documents.get(request.run, record.detail)), request))
        ref = record.arguments if request.verb == "arguments" else record.result
        async with self._turns.turn(size_of(ref)) as turn:
            document = await self._value(request.run, ref)
            if document is None and request.verb == "arguments":
                document = _NO_ARGUMENTS
            return Answer(_found(document, request), held=turn.pop_all())

    def _room_for(self, request: TaskRequest) -> AbstractAsyncContextManager[object]:
        """Large bodies take turns, for each costs several times its size while it is read; small ones never wait."""
        return self._large_bodies if request.may_be_large() else contextlib.nullcontext()

    async def _known(self, request: TaskRequest) -> OpenTask:
        found = await self._store.open_task(request.run, request.task.key)
        if found is None:
            raise Refusal(410, _CLOSED)
        return found

    async def _heard(self, request: TaskRequest, binding: str) -> None:
        """See that the task is open and that no other process speaks for it; `append` asks again."""
        found = await self._known(request)
        if binding and found.binding and found.binding != binding:
            raise Refusal(409, _BOUND)

    async def _open(self, request: TaskRequest) -> OpenTask:
        """Return the open task. Where a process has checked in, its address alone may speak for the task."""
        found = await self._known(request)
        if found.binding and found.binding.partition("/")[0] != request.peer:
            raise Refusal(409, _BOUND)
        return found

    async def _value(self, run: str, ref: ValueRef | None) -> bytes | None:
        return None if ref is None else (await self._documents.get(run, ref))[ref.digest]


def _found(document: bytes | None, request: TaskRequest) -> bytes:
    if document is None:
        raise Refusal(404, f"this task has no {request.verb}")
    return document


def _assignment(record: OpenRecord, values: Mapping[str, bytes]) -> bytes:
    """Return what a task is told at its check-in."""
    return b'{"arguments":%b,"result":%b,"failure":%b,"uncertain":%b%b%b}' % (
        _NO_ARGUMENTS if record.arguments is None else values[record.arguments.digest],
        b"null" if record.result is None else values[record.result.digest],
        told_failure(record, values) or b"null",
        b"true" if record.uncertain else b"false",
        b"" if record.request is None else b',"request":%b' % values[record.request.digest],
        b',"sensitive":%b' % orjson.dumps(told_sensitive(record.sensitive)) if record.sensitive else b"",
    )


def _accept(answer: Appended, *, conflict: Refusal) -> Answer:
    match answer:
        case Appended.RECORDED | Appended.REPEATED:
            return Answer(b'{"answer":"%b"}' % answer.value.encode())
        case Appended.CONFLICT:
            raise conflict
        case Appended.CLOSED | Appended.UNKNOWN:
            raise Refusal(410, _CLOSED)
        case _:
            assert_never(answer)


def _output_document(body: bytes, content_type: str) -> tuple[bytes, bool]:
    """Return the output file as JSON, itself where it says so and is, else one string; and whether it was text."""
    if content_type.partition(";")[0].strip().lower() == "application/json":
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
        else:
            return body, False
    return orjson.dumps(body.decode("utf-8", "replace")), True


def _digest(what: str, of: bytes) -> str:
    return hashlib.sha256(what.encode() + b"\0" + of).hexdigest()
