"""The place on the cluster where the arms run: a namespace that is emptied between them and goes at the end.

In: the API server of KUBECONFIG. Out: objects created, changes seen, emptiness. Never here: a clock that is reported.
One raw client with kept connections measures all arms, so that measuring costs each of them the same.
"""

import asyncio
import fcntl
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

from reactor_operator.kube.access import NoAccess, load_access
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import JOB, POD, REACTOR, REACTOR_POOL, REACTOR_RUN, Kind, cluster_object
from tests.benchmarks.machine import ROOT
from tests.benchmarks.rows import BenchmarkFailed

NAMESPACE = Kind("", "v1", "Namespace", "namespaces")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
_OURS = "reactor.run/benchmarks"
_LOCK = ROOT / "build" / "benchmarks.lock"
_AT_ONCE = 8
_PAUSE_SECONDS = 0.25
_START_SECONDS = 60
_EMPTY_SECONDS = 180


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

    async def changes(self, kind: Kind, version: str) -> AsyncGenerator[JsonObject]:
        """Yield the objects of a kind as they change after `version`, until the server ends the watch (5 minutes)."""
        async for event in self.client.watch(kind.collection(self.namespace), version):
            if event.type != "BOOKMARK":
                yield event.object

    async def wait(self, kind: Kind, name: str, version: str, ended: Callable[[JsonObject], bool]) -> JsonObject:
        """Return the object as soon as a watch from `version` shows it ended."""
        async with aclosing(self.changes(kind, version)) as changes:
            async for found in changes:
                if text_at(found, "metadata", "name") == name and ended(found):
                    return found
        raise BenchmarkFailed(f"the watch of {kind.plural} closed before {name} ended")

    async def empty(self) -> None:
        """Delete what the arms left and wait until it is gone: no arm pays for the pods of the one before.

        Workers go with the Deployment of their pool, which may make one more before it goes: pods are deleted again.
        """
        for kind in (REACTOR_RUN, JOB, REACTOR, REACTOR_POOL):
            left = iter([text_at(found, "metadata", "name") for found in await self._all(kind)])
            await asyncio.gather(*(self._delete(kind, left) for _ in range(_AT_ONCE)))
        await until(f"namespace {self.namespace} is empty", self._clear, _EMPTY_SECONDS)

    async def _delete(self, kind: Kind, names: Iterator[str]) -> None:
        for name in names:
            await self.client.delete(kind.object(self.namespace, name))

    async def _clear(self) -> bool:
        """Delete the pods that there are; return whether nothing is left."""
        for pod in await self._all(POD):
            await self.client.delete(POD.object(self.namespace, text_at(pod, "metadata", "name")), grace_seconds=0)
        return not any([await self._all(kind) for kind in (REACTOR_RUN, REACTOR_POOL, JOB, POD)])

    async def _all(self, kind: Kind) -> list[JsonObject]:
        """Return the objects of a kind; none where the kind itself is not there (no chart)."""
        try:
            return list((await self.client.list(kind.collection(self.namespace))).items)
        except ApiError as error:
            if error.status == 404:
                return []
            raise


@asynccontextmanager
async def a_place() -> AsyncIterator[Place]:
    """Make a namespace and delete it at the end; leftovers of an interrupted run go too. Raises BenchmarkFailed."""
    with _alone():
        try:
            access = await load_access()
        except NoAccess as problem:
            raise BenchmarkFailed(str(problem)) from problem
        async with KubeClient(access) as client:
            await _delete_leftovers(client)
            name = f"reactor-benchmarks-{secrets.token_hex(3)}"
            labels = {_OURS: "true", "pod-security.kubernetes.io/enforce": "restricted"}
            await client.create(NAMESPACE.collection(None), {"metadata": {"name": name, "labels": labels}})

            async def is_usable() -> bool:
                return await client.get(SERVICE_ACCOUNT.object(name, "default")) is not None

            try:
                await until(f"namespace {name} has its service account", is_usable, _START_SECONDS)
                yield Place(client, name)
            finally:
                await client.delete(cluster_object(NAMESPACE, name))


async def _delete_leftovers(client: KubeClient) -> None:
    for namespace in (await client.list(NAMESPACE.collection(None), {"labelSelector": f"{_OURS}=true"})).items:
        await client.delete(cluster_object(NAMESPACE, text_at(namespace, "metadata", "name")))


@contextmanager
def _alone() -> Iterator[None]:
    """Refuse to measure while another process of this checkout does: each would slow the other down."""
    _LOCK.parent.mkdir(exist_ok=True)
    with _LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise BenchmarkFailed("another process measures on the cluster: wait until it has ended") from problem
        yield


async def until(what: str, look: Callable[[], Awaitable[bool]], limit_seconds: float) -> None:
    """Look until it is so. Raises BenchmarkFailed after the limit."""
    try:
        async with asyncio.timeout(limit_seconds):
            while not await look():  # noqa: ASYNC110 - what changes is on the other side of the API
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError as problem:
        raise BenchmarkFailed(f"{what}: not within {limit_seconds:g} s") from problem
