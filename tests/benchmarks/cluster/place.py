"""The place on the cluster where the arms run: a namespace that is emptied between them and goes at the end.

In: the API server of KUBECONFIG. Out: objects created, changes seen, emptiness. Never here: a clock that is reported.
One raw client with kept connections measures all arms, so that measuring costs each of them the same.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from reactor_operator.kube.access import NoAccess, load_access
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import JsonObject, maps_at, text_at
from reactor_operator.kube.paths import CONFIG_MAP, JOB, POD, REACTOR, REACTOR_RUN, Kind, cluster_object
from reactor_operator.ports import Unavailable
from tests.benchmarks.machine import ROOT
from tests.benchmarks.rows import BenchmarkFailed

NAMESPACE = Kind("", "v1", "Namespace", "namespaces")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
_PAUSE_SECONDS = 0.25
_EMPTY_SECONDS = 120
_NAME = "reactor-benchmarks"


class Place:
    """One namespace of one cluster, and the client that speaks to it."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    async def create(self, kind: Kind, body: JsonObject) -> JsonObject:
        """Create an object here."""
        return await self.client.create(kind.collection(self.namespace), body)

    async def version(self, kind: Kind) -> str:
        """Return the version of the collection: a watch from it sees all that comes after."""
        return (await self.client.list(kind.collection(self.namespace))).resource_version

    async def changes(self, kind: Kind, version: str) -> AsyncIterator[JsonObject]:
        """Yield the objects of a kind as they change after `version`."""
        async for event in self.client.watch(kind.collection(self.namespace), version):
            if event.type != "BOOKMARK":
                yield event.object

    async def wait(self, kind: Kind, name: str, version: str, ended: Callable[[JsonObject], bool]) -> JsonObject:
        """Return the object as soon as a watch from `version` shows it ended."""
        async for found in self.changes(kind, version):
            if text_at(found, "metadata", "name") == name and ended(found):
                return found
        raise BenchmarkFailed(f"the watch of {kind.plural} closed before {name} ended")

    async def empty(self) -> None:
        """Delete what the arms left, and wait until it is gone: nobody pays for the pods of the arm before."""
        now = {"propagationPolicy": "Background", "gracePeriodSeconds": 0}
        for kind in (REACTOR_RUN, JOB, POD, REACTOR, CONFIG_MAP):
            if kind is not POD:
                await self._delete_all(kind, {"propagationPolicy": "Background"})
            else:
                await self._delete_all(kind, now)
        await until(f"namespace {self.namespace} is empty", self._is_empty, _EMPTY_SECONDS)

    async def _delete_all(self, kind: Kind, options: Mapping[str, object]) -> None:
        for found in (await self._list(kind)).values():
            path = kind.object(self.namespace, text_at(found, "metadata", "name"))
            await self.client.delete(path, grace_seconds=0 if "gracePeriodSeconds" in options else None)

    async def _list(self, kind: Kind) -> dict[str, JsonObject]:
        try:
            listing = await self.client.list(kind.collection(self.namespace))
        except ApiError as error:
            if error.status == 404:
                return {}
            raise
        return {text_at(item, "metadata", "name"): item for item in listing.items}

    async def _is_empty(self) -> bool:
        return not any([await self._list(kind) for kind in (REACTOR_RUN, JOB, POD)])
