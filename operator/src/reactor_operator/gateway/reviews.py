"""Who asks, and what they may do: words of the API server, as the gateway's addresses for people ask for them.

In: a bearer token, a right. Out: a `Caller`, or whether they have it; each word is kept for a few seconds, no longer.
Never here: a judgement of our own. Where the API server says nothing, nobody is let in.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reactor_operator.gateway.kept import Kept

KEPT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody whom the API server knows."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """To do something with a resource, of the group reactor.run where no other is said (that of pods is empty), in a
    namespace; `namespace` is empty for all of them."""

    verb: str
    resource: str
    subresource: str = ""
    group: str = "reactor.run"
    namespace: str

    def __str__(self) -> str:
        """Return the right as people say it: `create reactorsignals in namespace shop`, `… in all namespaces`."""
        where = f"namespace {self.namespace}" if self.namespace else "all namespaces"
        return f"{self.what} in {where}"

    @property
    def what(self) -> str:
        """What may be done, wherever: `update reactorruns/approval`."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource}"


class Reviews(Protocol):
    """Whoever knows callers and their rights. Both raise Unavailable where no answer is to be had."""

    async def identify(self, token: str) -> Caller | None:
        """Return whose token it is, None where it is nobody's."""

    async def allows(self, caller: Caller, right: Right) -> bool:
        """Tell whether somebody has a right."""


class KeptReviews:
    """Asks once in a few seconds for the same. What was refused is asked again each time: it may be granted by now."""

    def __init__(self, reviews: Reviews, now: Callable[[], float] = time.monotonic) -> None:
        self._reviews = reviews
        self._callers = Kept[Caller](KEPT_SECONDS, now)
        self._rights = Kept[bool](KEPT_SECONDS, now)

    async def identify(self, token: str) -> Caller | None:
        """Return whose token it is."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._callers.get(digest)
        if found is None and (found := await self._reviews.identify(token)) is not None:
            self._callers.keep(digest, found)
        return found

    async def allows(self, caller: Caller, right: Right) -> bool:
        """Tell whether somebody has a right."""
        known = self._rights.get((caller, right)) is not None
        if not known and (known := await self._reviews.allows(caller, right)):
            self._rights.keep((caller, right), known)
        return known
