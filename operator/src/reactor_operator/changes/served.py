"""Which of the watched namespaces serve our kinds to us: kopf is started for those alone.

In: the namespaces of the settings. Out: those whose objects of our kinds can be listed, an exception once one more can.
Never here: a watch. A namespace that was deleted, or whose Role is missing, would end kopf for all of them, start after
start; and where the CRDs are not there yet, kopf would watch nothing, for ever.
"""

import asyncio
from collections.abc import Sequence

import structlog

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.paths import REACTOR, REACTOR_POOL, REACTOR_RUN, REACTOR_SIGNAL
from reactor_operator.ports import Unavailable

_AGAIN_SECONDS = 5.0
_LOOK_SECONDS = 30.0
_log = structlog.get_logger("reactor_operator.changes")


class MoreServed(Exception):
    """A namespace that refused is served by now: the process is to start anew and watch it too."""


class Served:
    """Knows which namespaces can be watched. `namespaces` is empty for the whole cluster."""

    def __init__(
        self,
        client: KubeClient,
        namespaces: tuple[str, ...],
        *,
        again_seconds: float = _AGAIN_SECONDS,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._client = client
        self._asked: tuple[str | None, ...] = namespaces or (None,)
        self._again_seconds = again_seconds
        self._look_seconds = look_seconds
        self._refused: list[str | None] = []

    async def wait(self) -> Sequence[str]:
        """Wait until any is served, and return those that are: none of them by name where all is one cluster."""
        while True:
            try:
                self._refused = [namespace for namespace in self._asked if not await self._is_served(namespace)]
            except Unavailable as problem:
                _log.warning("it is not known which namespaces are served; trying again", problem=str(problem))
            else:
                served = [namespace for namespace in self._asked if namespace not in self._refused]
                if served:
                    return [namespace for namespace in served if namespace is not None]
            await asyncio.sleep(self._again_seconds)

    async def follow(self) -> None:
        """Look until cancelled whether one that refused is served. Raises MoreServed."""
        while True:
            await asyncio.sleep(self._look_seconds)
            for namespace in self._refused:
                try:
                    if await self._is_served(namespace):
                        raise MoreServed(f"namespace {namespace} is served by now")
                except Unavailable as problem:
                    _log.warning("a namespace could not be asked", namespace=namespace, problem=str(problem))

    async def _is_served(self, namespace: str | None) -> bool:
        for kind in (REACTOR, REACTOR_RUN, REACTOR_POOL, REACTOR_SIGNAL):
            try:
                found = await self._client.get(kind.collection(namespace) + "?limit=1")
            except ApiError as problem:
                why = str(problem)
            else:
                why = "" if found is not None else "not found"
            if why:
                where = namespace or "the whole cluster"
                _log.warning(f"{kind.plural} cannot be watched", namespace=where, problem=why)
                return False
        return True
