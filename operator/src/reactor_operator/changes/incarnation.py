"""Whether the store is still the one we knew: asked every few seconds.

In: the store. Out: a word where it is another by now (emptied, restarted or failed over), upon which nothing that is
remembered of it is trusted. Never here: what is done about it; a store that is merely away is the same store.
"""

import asyncio
from collections.abc import Callable

import structlog

from reactor_operator.store.port import Authority, StoreUnavailable

_SECONDS = 5.0
_log = structlog.get_logger("reactor_operator.changes")


async def follow_incarnation(
    store: Authority, known: str, distrust: Callable[[], None], *, seconds: float = _SECONDS
) -> None:
    """Compare until cancelled; `known` is what the store was when the first thing was read from it."""
    while True:
        try:
            found = await store.incarnation()
        except StoreUnavailable as problem:
            _log.warning("the store cannot be asked whether it is the same", problem=str(problem))
        else:
            if found != known:
                _log.warning("the store may have lost state; every run is compared with it", before=known, now=found)
                known = found
                distrust()
        await asyncio.sleep(seconds)
