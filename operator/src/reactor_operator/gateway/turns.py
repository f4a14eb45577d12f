"""Turns for what is large: so many large answers at once are read from the store and sent, no more.

In: the size of an answer, known before it is read. Out: a turn, which lasts until the answer is sent. Never here: a
wait of what is small, or a turn of somebody who does not read on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SMALL = 256 * 1024
_AT_ONCE = 3
_SECONDS = 60.0


class Turns:
    """An answer may be three documents of 32 MiB, each held twice while it is put together: three fit into 768 MiB."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[AsyncExitStack]:
        """Wait for a turn for `size` bytes. It ends with the block, unless the stack is taken on (`pop_all`)."""
        async with AsyncExitStack() as held:
            if size > SMALL:
                await held.enter_async_context(self._free)
            yield held


class HeldResponse(Response):
    """Keeps its turn until it is sent. Who has not read it after a minute is cut off, and asks again."""

    def __init__(self, body: bytes, media_type: str, held: AsyncExitStack, code: int = 200) -> None:
        super().__init__(body, code, media_type=media_type)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, and let the next one begin."""
        async with self._held:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await super().__call__(scope, receive, send)
