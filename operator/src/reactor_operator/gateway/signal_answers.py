"""What became of a request to a run, read from what is committed: its answer, or that it waits still.

In: the uid of a run, the id of a request. Out: the answer that a commit holds. Never here: an answer before the commit
that consumed the request is read back; a wait without an end.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import orjson

from reactor_operator.engine.state import Header, SignalAnswer
from reactor_operator.reconciling.records import read_header
from reactor_operator.reconciling.standing import answer_in
from reactor_operator.store.port import Durable, RunStore, Snapshot, StoreUnavailable

WAITING_AT_ONCE = 256
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5
_GROWTH = 1.5


class Unanswered(Enum):
    """Why there is no answer. FORGOTTEN: it was given, and others took its place; or the request was never made."""

    WAITS = "waits"
    FORGOTTEN = "forgotten"
    GONE = "gone"


Found = SignalAnswer | Unanswered


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was made: `action` is empty where it is not known, and then any answer to the id will do."""

    run: str
    id: str
    action: str = ""


class AnswerStore(RunStore, Durable, Protocol):
    """What is needed of the store."""


class SignalAnswers:
    """Reads answers, and waits for them."""

    def __init__(self, store: AnswerStore, wait_seconds: float) -> None:
        self._store = store
        self._wait_seconds = wait_seconds
        self._waiting = 0

    async def find(self, asked: Asked) -> Found:
        """Return what is known of a request now. Raises StoreUnavailable."""
        snapshot = await self._store.load(asked.run)
        return await self._settled(_found(snapshot, read_header(snapshot), asked))

    async def wait(self, asked: Asked, before: Snapshot) -> Found:
        """Return the answer to a request that is recorded, as soon as there is one; after the longest wait that it
        waits. Where very many wait, nobody else does.

        `before` is the run as it was read before. A store that is away meanwhile is no end: the request stands.
        """
        header = read_header(before)
        if header is not None and (answer := answer_in(header, asked.id, asked.action)) is not None:
            return await self._settled(answer)
        found = Unanswered.WAITS
        if self._waiting >= WAITING_AT_ONCE:
            return found
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await self._look(asked, header, before.revision)
        except TimeoutError:
            return found
        finally:
            self._waiting -= 1

    async def _look(self, asked: Asked, header: Header | None, revision: int) -> Found:
        """Look until there is more to say than that the request waits: the whole run only where it has changed."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                snapshot = await self._store.load(asked.run, revision)
                if snapshot is None or snapshot.records is not None:
                    header = read_header(snapshot)
                revision = snapshot.revision if snapshot is not None else 0
                if (found := _found(snapshot, header, asked)) is not Unanswered.WAITS:
                    return await self._settled(found)
            except StoreUnavailable:
                pause = _LONGEST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)

    async def _settled(self, found: Found) -> Found:
        """Return what was found as soon as it stays so: who commits it may still wait for the disk."""
        if isinstance(found, SignalAnswer):
            await self._store.settle()
        return found


def _found(snapshot: Snapshot | None, header: Header | None, asked: Asked) -> Found:
    if snapshot is None or header is None:
        return Unanswered.GONE
    if (answer := answer_in(header, asked.id, asked.action)) is not None:
        return answer
    named = orjson.dumps(asked.id)
    waits = any(named in body for _, body in snapshot.inbox)
    return Unanswered.WAITS if waits else Unanswered.FORGOTTEN
