"""Whether the store answers: what makes a gateway ready.

In: the store. Out: a reason, or nothing. Never here: a wait that outlasts kubelet's.
"""

import asyncio

from reactor_operator.gateway.operations import ReadyCheck
from reactor_operator.store.port import Authority, StoreUnavailable

_PATIENCE_SECONDS = 2.0


def store_answers(store: Authority) -> ReadyCheck:
    """Return a check that asks the store who it is."""

    async def check() -> str:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await store.incarnation()
        except TimeoutError:
            return f"the store did not answer within {_PATIENCE_SECONDS:g} s"
        except StoreUnavailable as problem:
            return str(problem)
        return ""

    return check
