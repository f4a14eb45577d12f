"""Who asks, and what they may do: words of the API server, as the gateway's addresses for people ask for them.

In: a bearer token, a right. Out: a `Caller`, or whether they have it; each word is kept for a few seconds, no longer.
Never here: a judgement of our own. Where the API server says nothing, nobody is let in.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

KEPT_SECONDS = 5.0
_KEPT_AT_MOST = 1_024
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody whom the API server knows."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """To do something with a resource of the group reactor.run in a namespace."""

    verb: str
    resource: str
    subresource: str = ""
    namespace: str

    def __str__(self) -> str:
        """Return the right as people say it: `create reactorsignals in namespace shop`."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource} in namespace {self.namespace}"


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
        self._callers = _Kept[Caller](now)
        self._rights = _Kept[bool](now)

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


class _Kept(Generic[V]):
    """The newest answers, each for `KEPT_SECONDS`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._answers: OrderedDict[object, tuple[float, V]] = OrderedDict()

    def get(self, key: object) -> V | None:
        found = self._answers.get(key)
        return found[1] if found is not None and self._now() < found[0] else None

    def keep(self, key: object, answer: V) -> None:
        self._answers.pop(key, None)
        self._answers[key] = (self._now() + KEPT_SECONDS, answer)
        if len(self._answers) > _KEPT_AT_MOST:
            self._answers.popitem(last=False)
