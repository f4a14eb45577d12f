"""Everybody outside who is told of runs: the endpoints of notifications, and observers.

In: facts that are committed, and orders of the outbox. Out: the same, handed on.
Never here: how either is told.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from reactor_operator.engine.actions import Notify
from reactor_operator.engine.facts import Fact
from reactor_operator.notifications.observers import Observers
from reactor_operator.notifications.posting import HttpPost
from reactor_operator.notifications.run_event import event_of
from reactor_operator.notifications.sender import Sender
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.ports import About, Clock
from reactor_operator.store.port import Inbox


class OutsideTeller:
    """Implements `ports.Teller`."""

    def __init__(self, *, inbox: Inbox, clock: Clock, keys: SigningKeys, observers: Observers) -> None:
        self._post = HttpPost()
        self._sender = Sender(inbox=inbox, clock=clock, keys=keys, post=self._post)
        self._observers = observers

    @property
    def observed(self) -> bool:
        """Whether an observer is installed."""
        return self._observers.any

    def tell(self, about: About, facts: Sequence[Fact]) -> None:
        """Tell observers."""
        if self._observers.any:
            self._observers.tell([event_of(about, fact) for fact in facts])

    def offer(self, about: About, notices: Sequence[Notify]) -> None:
        """Send what is not sent yet."""
        self._sender.offer(about, notices)

    def distrust(self) -> None:
        """Send again what is offered again."""
        self._sender.distrust()

    def forget(self, uid: str) -> None:
        """Send nothing more of a run."""
        self._sender.forget(uid)

    async def close(self) -> None:
        """Stop sending. Observers are the caller's to close: that blocks."""
        await self._sender.close()
        await self._post.close()


@asynccontextmanager
async def telling(
    *, inbox: Inbox, clock: Clock, keys: SigningKeys, observers: Observers
) -> AsyncIterator[OutsideTeller]:
    """Yield a teller; at the end nothing more is sent."""
    teller = OutsideTeller(inbox=inbox, clock=clock, keys=keys, observers=observers)
    try:
        yield teller
    finally:
        await teller.close()
