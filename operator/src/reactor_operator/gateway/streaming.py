"""Answers that last: sent part by part for as long as whoever asked is there.

In: what sends, a connection. Out: nothing. Never here: what is sent; a sender who goes on for nobody.
"""

import asyncio
import contextlib
from collections.abc import Coroutine

from starlette.types import Receive


async def while_there(sending: Coroutine[object, object, None], receive: Receive) -> None:
    """Do `sending` until it ends, or whoever asked is gone. Raises what it raises, but for a connection that broke."""
    sender, leaving = asyncio.create_task(sending), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((sender, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sender, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
