"""The webhooks of reactors, as the API server tells them, each kept for half a minute.

In: a namespace, a reactor, a name. Out: the webhook, None where there is none. Never here: who delivers to it.
"""

import time
from collections.abc import Callable
from typing import Protocol

from reactor_operator.api.envelope import check_model
from reactor_operator.api.webhooks import MAX_WEBHOOKS, Webhook
from reactor_operator.gateway.bodies import Refusal
from reactor_operator.gateway.kept import Kept
from reactor_operator.gateway.rates import TokenBuckets
from reactor_operator.ports import ReactorObject

KEPT_SECONDS = 30.0
LOOKS_PER_SECOND = 20.0
LOOKS_AT_ONCE = 100
"""Nobody is asked for a signature before the webhook is known: names that are made up must not wear the API server."""
Listed = tuple[Webhook, ...]


class Reactors(Protocol):
    """Reactors by name."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        """Return a reactor, None where there is none that is watched. Raises Unavailable."""


class KnownWebhooks:
    """Finds webhooks. One that was changed or taken away counts as it was for `KEPT_SECONDS` at most."""

    def __init__(self, reactors: Reactors, now: Callable[[], float] = time.monotonic) -> None:
        self._reactors = reactors
        self._kept = Kept[Listed](KEPT_SECONDS, now)
        self._without = Kept[Listed](KEPT_SECONDS, now)  # apart: names that are made up must not push out the others
        self._looks = TokenBuckets(LOOKS_PER_SECOND, LOOKS_AT_ONCE, now)

    async def find(self, namespace: str, reactor: str, name: str) -> Webhook | None:
        """Return the webhook of this name. Raises Refusal (429), Unavailable."""
        where = (namespace, reactor)
        listed = self._kept.get(where)
        if listed is None:
            listed = self._without.get(where)
        if listed is None:
            if where not in self._kept and self._looks.take(""):
                raise Refusal(429, "very many addresses are asked for; repeat the request", {"Retry-After": "1"})
            listed = _listed_in(await self._reactors.get_reactor(namespace, reactor))
            (self._kept if listed else self._without).keep(where, listed)
        return next((webhook for webhook in listed if webhook.name == name), None)


def _listed_in(reactor: ReactorObject | None) -> Listed:
    """Return the webhooks of a reactor that are sound; what is wrong with the others is told in its status."""
    listed = reactor.spec.get("webhooks") if reactor is not None else None
    written = listed[:MAX_WEBHOOKS] if isinstance(listed, list) else []
    judged = (check_model(Webhook, one, base="")[0] for one in written)
    return tuple(webhook for webhook in judged if webhook is not None)
