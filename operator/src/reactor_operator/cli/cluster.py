"""The API server as the commands see it: a client, a namespace, and errors in few words.

In: `ClusterOptions`. Out: a `Cluster` for the time of one command. Raises ClusterError.
Never here: what a command does with it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from reactor_operator.cli.errors import ClusterError
from reactor_operator.cli.options import ClusterOptions
from reactor_operator.kube.access import Access, NoAccess, load_access
from reactor_operator.kube.client import KubeClient, PatchType
from reactor_operator.kube.errors import ApiError, ApiUnavailable
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import Kind

T = TypeVar("T")
FIELD_MANAGER = "reactor"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A client, the namespace that is meant where none is said, and what the client was made of."""

    client: KubeClient
    namespace: str
    access: Access

    async def get(self, kind: Kind, name: str) -> JsonObject:
        """Return an object. Raises ClusterError where there is none, naming those that come near."""
        found = await self.client.get(kind.object(self.namespace, name))
        if found is None:
            raise ClusterError(await self._not_found(kind, name))
        return found

    async def apply(self, path: str, body: JsonObject) -> JsonObject | None:
        """Apply an object on the server, so that what others own in it stays; None where there is no such path."""
        query = f"?fieldManager={FIELD_MANAGER}&force=true&fieldValidation=Strict"
        return await self.client.patch(path + query, body, PatchType.APPLY)

    async def _not_found(self, kind: Kind, name: str) -> str:
        from reactor_operator.api.problems import nearest

        try:
            listed = await self.client.list(kind.collection(self.namespace))
        except ApiError as error:
            if error.status == 404:
                return (
                    f"this cluster has no {kind.plural}.{kind.group}: install the chart reactor-operator, or its CRDs"
                )
            raise
        meant = nearest(name, [text_at(one, "metadata", "name") for one in listed.items])
        hint = f"; did you mean '{meant}'?" if meant is not None else ""
        return f"{kind.name} '{name}' not found in namespace '{self.namespace}'{hint}"


def on_cluster(options: ClusterOptions, work: Callable[[Cluster], Coroutine[None, None, T]]) -> T:
    """Do `work` with a cluster, and put what the API server says against it in few words."""

    async def do() -> T:
        async with connected(options) as cluster:
            return await work(cluster)

    return asyncio.run(do())


@asynccontextmanager
async def connected(options: ClusterOptions) -> AsyncIterator[Cluster]:
    """Give a cluster, until the block ends. Raises ClusterError, also in place of what its API server says."""
    _refuse_missing(options.kubeconfig)
    try:
        access = await load_access(options.kubeconfig, options.context)
        async with KubeClient(access) as client:
            yield Cluster(client, options.namespace or access.namespace, access)
    except NoAccess as error:
        raise ClusterError(f"{error}; choose with --kubeconfig and --context") from None
    except ApiUnavailable as error:
        raise ClusterError(f"the cluster did not answer: {error}") from None
    except ApiError as error:
        raise ClusterError(words_of(error)) from None


def _refuse_missing(kubeconfig: str | None) -> None:
    """Raise ClusterError where no kubeconfig is there to be read."""
    if kubeconfig is None and "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
        return
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    files = [Path(name) for name in named.split(os.pathsep) if name] or [Path.home() / ".kube" / "config"]
    if not any(file.is_file() for file in files):
        said = f"no kubeconfig at {', '.join(map(str, files))}"
        raise ClusterError(f"{said}; name one with --kubeconfig or KUBECONFIG")


def words_of(error: ApiError) -> str:
    """Return what the API server said, one line for each cause."""
    return f"the cluster refused it: {error.reason or error.status}: {error.message}"
