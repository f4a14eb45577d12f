"""Who looks, and into which namespaces they may look: asked of the API server as it would judge themselves.

In: a request, the namespaces it names. Out: the caller, and the namespaces that they may see. Never here: a right of
the gateway's own taken for one of theirs, or a word of what there is in a namespace that is not theirs.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from starlette.requests import Request

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.callers import Callers
from reactor_operator.gateway.kept import Kept
from reactor_operator.gateway.reviews import KEPT_SECONDS, Caller, KeptReviews, Reviews, Right

MOST_REVIEWED = 200
"""Namespaces that are asked about because no one was named."""
_REVIEWED_AT_ONCE = 8
Visible = frozenset[str] | None
"""Namespaces; None: all there are."""


class TooManyNamespaces(Refusal):
    """Nobody named one, there are more than are asked about, and whoever asks may not look into all."""

    def __init__(self, right: Right, found: int) -> None:
        line = f"namespace: found none, expected some: you may not {right}, and there are {found} to ask for"
        super().__init__(400, "the query is not one that is known here", errors=(line,))


class Viewers:
    """Lets in who may look. What somebody may see is asked again after a few seconds."""

    def __init__(self, reviews: Reviews, watched: Sequence[str], namespaces: Callable[[], frozenset[str]]) -> None:
        """`watched`: none named: all. `namespaces` tells which there are to look into."""
        self._callers = Callers(reviews)
        self._reviews = KeptReviews(reviews)
        self._watched = frozenset(watched)
        self._namespaces = namespaces
        self._seen = Kept[tuple[Visible]](KEPT_SECONDS)

    async def of(self, http: Request) -> Caller:
        """Return who asks. Raises Refusal (401), Unavailable."""
        return await self._callers.of(http)

    async def require(self, caller: Caller, verb: str, resource: str, namespace: str) -> None:
        """Return where the caller has a right in a namespace. Raises Refusal (403), Unavailable."""
        await self._callers.require(caller, Right(verb=verb, resource=resource, namespace=namespace))

    async def require_right(self, caller: Caller, right: Right) -> None:
        """Return where the caller has a right. Raises Refusal (403), Unavailable."""
        await self._callers.require(caller, right)

    async def visible(
        self, caller: Caller, verb: str, resource: str, named: Sequence[str], subresource: str = ""
    ) -> Visible:
        """Return those of the named namespaces, or of all, in which the caller has a right.

        Raises Refusal (403) where it is none of them, (404) where one of these is not watched, and (400) where so many
        would have to be asked about that some have to be named. Raises Unavailable.
        """
        right = Right(verb=verb, resource=resource, subresource=subresource, namespace="")
        asked = (caller, right, tuple(sorted(set(named))))
        if (kept := self._seen.get(asked)) is not None:
            return kept[0]
        found = await self._look(caller, right, named)
        self._seen.keep(asked, (found,))
        return found

    async def _look(self, caller: Caller, right: Right, named: Sequence[str]) -> Visible:
        if not named and await self._reviews.allows(caller, right):
            return None
        candidates = sorted(set(named) or self._namespaces())
        if len(candidates) > MOST_REVIEWED:
            raise TooManyNamespaces(right, len(candidates))
        found = await self._where(caller, right, candidates)
        if not found:
            some = f"namespaces {', '.join(sorted(set(named)))}"
            where = some if named else f"any namespace that {'is watched' if self._watched else 'has runs'}"
            raise Refusal(403, f"{caller.name} may not {right.what} in {where}: a role must allow it")
        if self._watched and (others := sorted(found - self._watched)):
            raise Refusal(404, f"not among the namespaces that this installation watches: {', '.join(others)}")
        return found

    async def where(self, caller: Caller, verb: str, resource: str, namespaces: Collection[str]) -> frozenset[str]:
        """Return in which of the namespaces the caller has a right. Raises Unavailable."""
        return await self._where(caller, Right(verb=verb, resource=resource, namespace=""), namespaces)

    async def _where(self, caller: Caller, right: Right, namespaces: Collection[str]) -> frozenset[str]:
        free = asyncio.Semaphore(_REVIEWED_AT_ONCE)

        async def allowed(namespace: str) -> bool:
            async with free:
                return await self._reviews.allows(caller, replace(right, namespace=namespace))

        told = await asyncio.gather(*(allowed(namespace) for namespace in namespaces))
        return frozenset(namespace for namespace, may in zip(namespaces, told, strict=True) if may)
