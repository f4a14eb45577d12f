"""An answer to a request whose body is not wanted, sent so that the sender hears it.

In: an error and a connection on which a body is still arriving. Out: the answer, then the rest of the body is thrown
away for a while. Never here: a close while bytes are unread; TCP then resets the connection, the sender never sees the
answer, and repeats a request that can only be refused.
"""

import asyncio

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_SECONDS = 5.0
_BYTES = 64 * 1024 * 1024


class LingeringResponse(Response):
    """Sends its body at once and ends when the request's body has ended, or after 5 s or 64 MiB more of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then listen to the end."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await _discard_body(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard_body(receive: Receive) -> None:
    discarded = 0
    try:
        async with asyncio.timeout(_SECONDS):
            while discarded <= _BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
