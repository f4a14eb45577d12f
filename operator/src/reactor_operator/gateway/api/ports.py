"""What the API needs of the world: on a cluster the API server and its mirror, on a laptop a state file.

In: nothing. Out: Protocols. Never here: an implementation (`live` and `mirror.runs` on a cluster), or who may see what.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from reactor_operator.kube.fields import JsonObject
from reactor_operator.mirror.feed import Feed
from reactor_operator.mirror.index import RunIndex


class Objects(Protocol):
    """Runs and reactors as they are now, as JSON objects of the API server. All raise Unavailable."""

    async def run(self, namespace: str, name: str) -> JsonObject:
        """Return a ReactorRun. Raises Refusal (404)."""

    async def reactor(self, namespace: str, name: str) -> JsonObject:
        """Return a Reactor. Raises Refusal (404)."""

    async def find_reactor(self, namespace: str, name: str) -> JsonObject | None:
        """Return a Reactor, None where there is none. Raises Refusal (404) of a namespace."""

    def reactors(self, namespace: str | None) -> AsyncIterator[JsonObject]:
        """Yield the Reactors of a namespace, or of all. Raises Refusal (404) of a namespace."""


class Mirror(Protocol):
    """Summaries of all runs, a moment old, and the changes of them."""

    @property
    def index(self) -> RunIndex:
        """The summaries."""

    @property
    def feed(self) -> Feed:
        """The changes."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces that are watched; none: all of them."""

    @property
    def ready(self) -> bool:
        """Whether all runs were listed once."""
