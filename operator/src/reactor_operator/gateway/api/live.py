"""Runs and reactors as the API server has them now, read with the gateway's own right to read them.

In: namespaces and names. Out: objects as JSON. Never here: whether whoever asks may see them (`viewers`), a write.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from reactor_operator.gateway.bodies import Refusal
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import Forbidden, refusals_as_unavailable
from reactor_operator.kube.fields import JsonObject
from reactor_operator.kube.paths import REACTOR, REACTOR_RUN, Kind

PAGE_SIZE = 100
_FORBIDDEN = 403


class LiveObjects:
    """Reads single objects, and reactors in pages."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def run(self, namespace: str, name: str) -> JsonObject:
        """Return a ReactorRun. Raises Refusal (404), Unavailable."""
        return await self._read(REACTOR_RUN, "run", namespace, name)

    async def reactor(self, namespace: str, name: str) -> JsonObject:
        """Return a Reactor. Raises Refusal (404), Unavailable."""
        return await self._read(REACTOR, "reactor", namespace, name)

    async def find_reactor(self, namespace: str, name: str) -> JsonObject | None:
        """Return a Reactor, None where there is none. Raises Refusal (404) of a namespace, Unavailable."""
        with _told(f"get Reactor {namespace}/{name}", namespace):
            return await self._client.get(REACTOR.object(namespace, name))

    async def reactors(self, namespace: str | None) -> AsyncIterator[JsonObject]:
        """Yield the Reactors of a namespace, or of all. Raises Refusal (404) of a namespace, Unavailable."""
        with _told("list Reactors", namespace or "*"):
            async for page in self._client.pages(REACTOR.collection(namespace), limit=PAGE_SIZE):
                for reactor in page.items:
                    yield reactor

    async def _read(self, kind: Kind, word: str, namespace: str, name: str) -> JsonObject:
        with _told(f"get {kind.name} {namespace}/{name}", namespace):
            found = await self._client.get(kind.object(namespace, name))
        if found is None:
            raise Refusal(404, f"there is no {word} {name!r} in namespace {namespace}")
        return found


@contextmanager
def _told(doing: str, namespace: str) -> Iterator[None]:
    """Turn what the API server refuses the gateway into what is answered."""
    with refusals_as_unavailable(doing):
        try:
            yield
        except Forbidden as problem:
            if problem.status != _FORBIDDEN:
                raise
            raise Refusal(404, f"namespace {namespace} is not one that this installation watches") from None
