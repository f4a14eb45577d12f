"""What people ask of a run, from its object to the inbox, and away from the object once it is answered.

In: a run as a watch or a read tells it. Out: entries in the inbox, removals of what is answered. Each call may be
repeated, also by another operator, and a crash between any two effects loses and repeats nothing.
Never here: an answer, but the refusal of what is asked of an ended run of which nothing is stored any more.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from reactor_operator.engine.actions import Announce
from reactor_operator.engine.events import Signal
from reactor_operator.engine.identity import digest_of
from reactor_operator.engine.state import ENDED
from reactor_operator.kube.client import KubeClient, PatchType
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import maps_at, text_at
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunObject, RunRef
from reactor_operator.reconciling.signals import Request, parse_requests
from reactor_operator.reconciling.standing import Standing
from reactor_operator.reconciling.unstarted import is_kept
from reactor_operator.store.port import Appended, Entry

_ORDINALS = 1_000_000_000
_log = structlog.get_logger("reactor_operator.changes")

Prepare = Callable[[Entry, Signal], Awaitable[Entry | None]]


async def as_it_is(entry: Entry, event: Signal) -> Entry:
    """Return the entry."""
    return entry


class Entrance(Protocol):
    """Where requests are handed in: the part of the inbox that is needed here."""

    async def append(self, entry: Entry) -> Appended:
        """Append the entry, unless it is there. Raises StoreUnavailable."""


class Announcing(Protocol):
    """Where a refusal is told that no status can tell."""

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        """Publish it. Repeating it changes nothing. Raises Unavailable."""


Stand = Callable[[RunRef], Awaitable[Standing | None]]
"""Tells how a run stands in the store, None where nothing is stored of it. Raises StoreUnavailable."""


async def unknown(_: RunRef) -> Standing | None:
    """Tell that nothing is known of any run."""
    return None


Remove = Callable[[RunRef, Request], Awaitable[None]]
"""Takes a request away from the object of its run, if it is still what was read. Raises Unavailable."""


class Requests:
    """Takes up what people ask of runs.

    mark:     has a run reconciled.
    outlived: tells whether a run has ended of which the store only has an older state, so that nobody decides on it.
    prepared: as in `RunChanges`.
    standing: tells which answers a run keeps, and what it has still to read.
    """

    def __init__(
        self,
        *,
        inbox: Entrance,
        board: Announcing,
        remove: Remove,
        mark: Callable[[RunRef], None],
        outlived: Callable[[RunRef], bool],
        prepared: Prepare = as_it_is,
        standing: Stand = unknown,
    ) -> None:
        self._inbox = inbox
        self._board = board
        self._remove = remove
        self._mark = mark
        self._outlived = outlived
        self._prepared = prepared
        self._standing = standing

    async def take_up(self, run: RunObject) -> bool:
        """Take up all that is asked of a run now. False: look again later. Raises Unavailable, StoreUnavailable."""
        settled, requests = True, parse_requests(run)
        for asked in requests:
            settled = await self._hand_in(run, asked, keep=is_kept(asked, requests, run.status)) and settled
        return settled

    async def _hand_in(self, run: RunObject, asked: Request, *, keep: bool) -> bool:
        """Hand a request in, and take it away from the object once it is answered, unless it is to be kept for now.
        False: look again later.
        """
        answers = maps_at(run.status, "signals")
        if any((text_at(one, "id"), text_at(one, "action")) == (asked.id, asked.action) for one in answers):
            if not keep:
                await self._remove(run.ref, asked)
            return True
        entry = await self._prepared(asked.entry_for(run.ref), asked.event)
        answer = Appended.UNKNOWN if entry is None else await self._inbox.append(entry)
        ended = text_at(run.status, "phase") in ENDED
        if ended and (answer is Appended.UNKNOWN or self._outlived(run.ref)):
            # Its state is gone with a store: nothing is left to stop, to undo or to go on with.
            await self._board.announce(run.ref, _refusal(run, asked))
            await self._remove(run.ref, asked)
            return True
        if answer is Appended.REPEATED and not keep and await self._is_forgotten(run.ref, asked, entry):
            await self._remove(run.ref, asked)
            return True
        if answer in {Appended.REPEATED, Appended.UNKNOWN}:
            # Recorded before this process began, and perhaps not read yet; or nothing is stored yet of a run that waits
            # for its Reactor or its turn, and is answered as it is opened.
            self._mark(run.ref)
        return answer is not Appended.UNKNOWN and not ended  # of one that ended it may turn out that it is outlived

    async def _is_forgotten(self, ref: RunRef, asked: Request, entry: Entry | None) -> bool:
        """Tell whether a recorded request was answered, and the answers to others have taken the place of that one."""
        standing = await self._standing(ref)
        named = (asked.id, asked.action)
        if standing is None or entry is None or named in standing.unread or standing.shows(named):
            return False
        return await is_recorded_still(self._inbox, entry)


async def is_recorded_still(inbox: Entrance, entry: Entry) -> bool:
    """Tell whether an entry that was recorded before its run was read is so still: else the store went back to a state
    from before it, and what was read of the run says nothing of the entry. Raises StoreUnavailable."""
    return await inbox.append(entry) is Appended.REPEATED


def removal_through(client: KubeClient) -> Remove:
    """Return what takes requests away on the API server."""

    async def remove(ref: RunRef, asked: Request) -> None:
        try:
            path = REACTOR_RUN.object(ref.namespace, ref.name, "status" if asked.in_status else "")
            await client.patch(path, asked.removal, PatchType.JSON)
        except ApiError as error:
            # The test failed: somebody changed or removed it. Another event tells what it says now.
            _log.debug("a request was not removed", run=f"{ref.namespace}/{ref.name}", problem=str(error))

    return remove


def _refusal(run: RunObject, asked: Request) -> Announce:
    phase = text_at(run.status, "phase") or "over"
    return Announce(
        ordinal=_ORDINALS + int(digest_of("refused", asked.action, asked.id)[:7], 16),
        reason=f"{asked.action.capitalize()}Refused",
        message=f"{asked.action} is refused: the run is {phase}, and its state is not stored any more",
        warning=True,
    )
