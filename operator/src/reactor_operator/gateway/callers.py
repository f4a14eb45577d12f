"""The way in for people and programs: who has no token that the API server knows, or not the right, gets no further.

In: requests from anyone. Out: a `Caller` who has what is asked for, or a `Refusal`. Never here: an open way; where the
API server is away nobody is let in.
"""

import re

from starlette.requests import Request

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.reviews import Caller, KeptReviews, Reviews, Right

_BEARER = re.compile(r"bearer ([!-~]{1,16384})", re.ASCII | re.IGNORECASE)


class Callers:
    """Lets in whom reviews let in."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = KeptReviews(reviews)

    async def of(self, request: Request) -> Caller:
        """Return who asks. Raises Refusal (401), Unavailable."""
        bearer = _BEARER.fullmatch(request.headers.get("authorization", ""))
        caller = await self._reviews.identify(bearer[1]) if bearer is not None else None
        if caller is None:
            words = "expected Authorization: Bearer TOKEN, a token that the API server of the cluster knows"
            raise Refusal(401, words, {"WWW-Authenticate": "Bearer"})
        return caller

    async def require(self, caller: Caller, right: Right) -> None:
        """Return where the caller has a right. Raises Refusal (403), Unavailable."""
        if not await self._reviews.allows(caller, right):
            raise Refusal(403, f"{caller.name} may not {right}: a role of the namespace must allow it")
