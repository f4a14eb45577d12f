"""Entries on their way to the inbox: what comes while others are being recorded goes with the next ones, together.

In: entries, one at a time. Out: what the inbox answered to each. Never here: an entry that is given up because the
store was away, or one that overtakes another.
"""

import asyncio
from contextlib import suppress

from reactor_operator.store.port import Appended, Entry, Inbox, StoreUnavailable

_AT_ONCE = 100
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0


class Telling:
    """Records entries in an inbox. A transaction on a disk takes a while, in which several tasks of a map may end."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: list[tuple[Entry, asyncio.Future[Appended]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def append(self, entry: Entry) -> Appended:
        """Record an entry, however long the store is away."""
        answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        return await answer

    async def close(self) -> None:
        """Record nothing more."""
        if self._sender is not None:
            self._sender.cancel()
            with suppress(asyncio.CancelledError):
                await self._sender

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                try:
                    answers = await self._record([entry for entry, _ in some])
                except Exception as problem:
                    for _, answer in some:
                        if not answer.done():
                            answer.set_exception(problem)
                    continue
                for (_, answer), told in zip(some, answers, strict=True):
                    if not answer.done():  # else whoever waited for it was cancelled
                        answer.set_result(told)
        finally:
            self._sender = None

    async def _record(self, entries: list[Entry]) -> list[Appended]:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._inbox.append_all(entries)
            except StoreUnavailable:  # some of them may be recorded: then they are repeated
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
