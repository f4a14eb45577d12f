"""A request from outside on its way into a run, and the run's answer on its way out.

In: what somebody asks of a run, whose right to ask was reviewed. Out: one inbox entry, made as of all ways in, and
`accepted`, `rejected` with every error, or `pending`. Never here: a decision; a word of who may ask.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, assert_never

import orjson

from reactor_operator.encryption import Keyring
from reactor_operator.engine.events import RequestUnreadable
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.state import Header, SignalAnswer
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.signal_answers import AnswerStore, Asked, Found, SignalAnswers, Unanswered
from reactor_operator.gateway.targets import Target
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import RECORD, decode_definition
from reactor_operator.reconciling.encrypted_requests import encrypted_request
from reactor_operator.reconciling.records import read_header
from reactor_operator.reconciling.signals import request_of, said_at
from reactor_operator.store.port import Appended, Inbox, Snapshot

ACCEPTED, PENDING, REFUSED, UNUSABLE = 200, 202, 409, 422
_NOT_STORED = "nothing is stored of the run: it has not started yet, or is gone"
_DELETED = "the run is deleted"
_FORGOTTEN = "a request of this id was answered before, and its answer is not kept: nothing was changed"


class HandoverStore(AnswerStore, Inbox, Protocol):
    """What is needed of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody asks. `id` is empty where they gave none: then `words` are what tells the request from others.

    round: as in `request_of`.
    """

    id: str
    words: bytes = field(repr=False)
    action: str
    said: Mapping[str, object] = field(repr=False)
    by: str
    approved: bool = False
    round: int = 0


class Handover:
    """Hands requests in."""

    def __init__(self, store: HandoverStore, keys: Keyring, wait_seconds: float) -> None:
        self._store = store
        self._keys = keys
        self._answers = SignalAnswers(store, wait_seconds)

    async def hand_in(self, ask: Ask, target: Target) -> Answer:
        """Hand a request in and wait for its answer. Raises StoreUnavailable, CannotDecrypt."""
        snapshot = await self._store.load(target.run)
        header = read_header(snapshot)
        if snapshot is None or snapshot.records is None or header is None:
            return _rejected(REFUSED, ask.id, "", _NOT_STORED)
        ref = decode_definition(snapshot.records[RECORD]).run
        name = ask.id or _drawn_id(ask, header)
        said, wrong = said_at(target.step, ask.said, ask.action) if target.step else (ask.said, "")
        if target.closed:
            known = await self._answers.find(Asked(ref.uid, name, ask.action))
            if known is Unanswered.FORGOTTEN:
                return _rejected(REFUSED, name, ref.name, f"interrupt {target.step} is closed")
            return _rendered(known, name, ref.name)
        if wrong:
            return _rejected(REFUSED, name, ref.name, wrong)
        return await self._append(name, replace(ask, said=said, round=target.round), ref, snapshot)

    async def look(self, name: str, ref: RunRef) -> Answer | None:
        """Return what became of a request, None where the run knows of none of the name. Raises StoreUnavailable."""
        found = await self._answers.find(Asked(ref.uid, name))
        known = isinstance(found, SignalAnswer) or found is Unanswered.WAITS
        return _rendered(found, name, ref.name) if known else None

    async def _append(self, name: str, ask: Ask, ref: RunRef, before: Snapshot) -> Answer:
        request = request_of(name, ask.action, ask.said, ask.by, approved=ask.approved, round_=ask.round)
        if isinstance(request.event, RequestUnreadable):
            return _rejected(UNUSABLE, name, ref.name, request.event.reason, (request.event.reason,))
        entry = await encrypted_request(request.entry_for(ref), request.event, self._store, self._keys)
        if entry is None or await self._store.append(entry) is Appended.UNKNOWN:
            return _rejected(REFUSED, name, ref.name, _NOT_STORED)
        since = time.perf_counter()
        found = await self._answers.wait(Asked(ref.uid, name, ask.action), before)
        if found is Unanswered.GONE and ask.said.get("delete") is True:
            found = SignalAnswer(id=name, action=ask.action, accepted=True, reason=_DELETED)
        return replace(_rendered(found, name, ref.name), waited_seconds=time.perf_counter() - since)


def _drawn_id(ask: Ask, header: Header) -> str:
    """Return the id of a request that brings none: the same words of the same caller are one request as long as the
    run answers nothing. Said again after an answer, they are another one."""
    newest = header.signals[-1:]
    after = [text for answer in newest for text in (answer.action, answer.id, str(answer.at))]
    return f"http-{digest_of(ask.words, ask.by, *after)[:16]}"


def _rendered(found: Found, name: str, run: str) -> Answer:
    match found:
        case SignalAnswer(accepted=True):
            document = {"id": name, "run": run, "answer": "accepted"}
            return Answer(orjson.dumps(document | ({"reason": found.reason} if found.reason else {})))
        case SignalAnswer():
            return _rejected(UNUSABLE if found.errors else REFUSED, name, run, found.reason, found.errors)
        case Unanswered.WAITS:
            return Answer(orjson.dumps({"id": name, "run": run, "answer": "pending"}), code=PENDING)
        case Unanswered.FORGOTTEN:
            return _rejected(REFUSED, name, run, _FORGOTTEN)
        case Unanswered.GONE:
            return _rejected(REFUSED, name, run, _NOT_STORED)
        case _:
            assert_never(found)


def _rejected(code: int, name: str, run: str, reason: str, errors: tuple[str, ...] = ()) -> Answer:
    document = {"id": name, "run": run, "answer": "rejected", "reason": reason, "errors": errors}
    return Answer(orjson.dumps({key: value for key, value in document.items() if value != ""}), code=code)
