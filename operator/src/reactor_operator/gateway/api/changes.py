"""What becomes of runs, as server-sent events, for as long as somebody listens and may.

In: a request. Out: a stream of events, each with an id to go on from. Never here: a listener who is waited for, one who
listens on without being asked anew who they are, or more memory for one who is slow.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reactor_operator.gateway.api.ports import Mirror
from reactor_operator.gateway.api.queries import ChangesQuery, parse_query
from reactor_operator.gateway.api.rendering import bytes_of, removed_run, run_item
from reactor_operator.gateway.api.services import RUN, mirrored
from reactor_operator.gateway.api.viewers import Viewers, Visible
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.streaming import while_there
from reactor_operator.mirror.feed import Change, Feed, Listener

HEARTBEAT_SECONDS = 15.0
STREAM_SECONDS = 300.0
"""After so long whoever listens has to come back, and is asked anew who they are and what they may see."""
MOST_LISTENERS = 200
_WRITE_SECONDS = 60.0


class ChangeService:
    """Tells changes."""

    def __init__(
        self,
        viewers: Viewers,
        mirror: Mirror,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        stream_seconds: float = STREAM_SECONDS,
    ) -> None:
        self._viewers = viewers
        self._mirror = mirror
        self._heartbeat_seconds = heartbeat_seconds
        self._stream_seconds = stream_seconds
        self._origin = secrets.token_hex(4)
        self._listeners = 0

    async def listen(self, http: Request) -> Response:
        """Return the stream of changes. Raises Refusal, Unavailable."""
        caller = await self._viewers.of(http)
        asked = parse_query(http, ChangesQuery)
        visible = await self._viewers.visible(caller, "watch", RUN, asked.namespace)
        feed = mirrored(self._mirror).feed
        if self._listeners >= MOST_LISTENERS:
            raise Refusal(503, f"{MOST_LISTENERS} listen already; repeat the request", {"Retry-After": "10"})
        return EventStream(self._events(feed, visible, http.headers.get("last-event-id")))

    async def _events(self, feed: Feed, visible: Visible, last_id: str | None) -> AsyncIterator[bytes]:
        """Yield what goes to the listener, a heartbeat where nothing else does."""
        since = self._number_of(last_id, feed.number)
        self._listeners += 1
        try:
            with feed.listening(visible, since) as listener:
                yield b"retry: 1000\n\n"
                if not listener.lost:
                    yield self._event("ready", feed.number if since is None else since, {})
                async for told in self._told(listener):
                    if told is None:
                        yield self._event("reset", feed.number, {})
                    else:
                        yield b"".join(map(self._rendered, told)) or b": nothing new\n\n"
        finally:
            self._listeners -= 1

    async def _told(self, listener: Listener) -> AsyncIterator[list[Change] | None]:
        """Yield what a listener is told, until it has to come back."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._stream_seconds
        while not listener.closed and (left := ends_at - loop.time()) > 0:
            yield await listener.next(min(self._heartbeat_seconds, left))

    def _rendered(self, change: Change) -> bytes:
        if change.removed:
            return self._event("removed", change.number, removed_run(change.run))
        return self._event("put", change.number, run_item(change.run))

    def _event(self, name: str, number: int, document: Mapping[str, object]) -> bytes:
        return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (
            self._origin.encode(),
            number,
            name.encode(),
            bytes_of(document),
        )

    def _number_of(self, last_id: str | None, newest: int) -> int | None:
        """Return after which change to go on, None for a new listener. One that is not ours is of long ago."""
        if not last_id:
            return None
        origin, _, number = last_id.rpartition("-")
        known = origin == self._origin and number.isascii() and number.isdecimal() and len(number) < 20
        return int(number) if known and int(number) <= newest else -1


class EventStream(Response):
    """Sends events until they end, or whoever listens is gone, or has read nothing for a minute."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__()
        self._events = events
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send."""
        await while_there(self._send(send), receive)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with contextlib.aclosing(self._events) as events:  # type: ignore[type-var]
            async for event in events:
                try:
                    async with asyncio.timeout(_WRITE_SECONDS):
                        await send({"type": "http.response.body", "body": event, "more_body": True})
                except TimeoutError:
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
