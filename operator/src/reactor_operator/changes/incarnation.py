"""The store as another one than it was: emptied, restored from a copy, or only restarted.

In: the store's incarnation, asked again and again. Out: one call for each change. Never here: a guess at what was lost.

What was told to the store before may be in none of its records now. So whoever remembers having told it something
forgets that, and every run is looked at: a run compares what is stored of it with what its status tells.
"""

import asyncio
from collections.abc import Callable

import structlog

from reactor_operator.store.port import Authority, StoreUnavailable

_SECONDS = 2.0
_log = structlog.get_logger("reactor_operator.changes")


async def follow_incarnation(store: Authority, changed: Callable[[], None], *, seconds: float = _SECONDS) -> None:
    """Call `changed` after each change, until cancelled."""
    known = ""
    while True:
        try:
            found = await store.incarnation()
        except StoreUnavailable:
            found = known  # whoever needs it now says so
        if known and found != known:
            _log.warning("the store is not the one it was; every run is compared with it", was=known, now=found)
            changed()
        known = found
        await asyncio.sleep(seconds)
