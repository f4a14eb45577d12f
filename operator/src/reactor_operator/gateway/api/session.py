"""Who looks, and what they may do: what a page asks first, to show what is there for this person and no more.

In: a request. Out: a name, the namespaces that its bearer may look into, whether they may act there. Never here: a
right that is given; every address asks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.api.queries import SessionQuery, parse_query
from reactor_operator.gateway.api.rendering import Rendered, answer_of
from reactor_operator.gateway.api.viewers import TooManyNamespaces, Viewers, Visible
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.reviews import Caller

_NONE: frozenset[str] = frozenset()
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class _Where:
    """The namespaces in which somebody has a right (None: all). `omitted`: there are too many to ask about each."""

    namespaces: Visible
    omitted: bool = False

    def __bool__(self) -> bool:
        return self.namespaces != _NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionService:
    """Tells. `acts`: requests to runs are taken here at all. `laptop`: there is no cluster."""

    viewers: Viewers
    version: str
    acts: bool
    laptop: bool

    async def tell(self, http: Request) -> Answer:
        """Return what somebody may do in the namespaces that are named, or (none named) in any of them."""
        caller = await self.viewers.of(http)
        named = parse_query(http, SessionQuery).namespace
        seen = await self._where(caller, named, "list", "reactorruns")
        acts = self.acts and bool(await self._where(caller, named, "create", "reactorsignals"))
        approves = acts and bool(await self._where(caller, named, "update", "reactorruns", "approval"))
        answer: Rendered = {
            "user": caller.name,
            "laptop": self.laptop,
            "version": self.version,
            "namespaces": sorted(seen.namespaces) if seen.namespaces is not None else None,
            "namespacesOmitted": seen.omitted,
            "may": {"act": acts, "approve": approves},
        }
        return answer_of(answer)

    async def _where(
        self, caller: Caller, named: Sequence[str], verb: str, resource: str, subresource: str = ""
    ) -> _Where:
        try:
            return _Where(await self.viewers.visible(caller, verb, resource, named, subresource))
        except TooManyNamespaces:
            return _Where(_NONE, omitted=True)
        except Refusal as problem:
            if problem.code != _FORBIDDEN:
                raise
            return _Where(_NONE)
