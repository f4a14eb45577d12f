"""Live reads of the two kinds and of ConfigMaps: `ports.Definitions` on the API server.

In: names. Out: objects with their users' part unparsed. Never here: a cache.
"""

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import refusals_as_unavailable
from reactor_operator.kube.fields import JsonObject, int_at, map_at, text_at, texts_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.kube.paths import CONFIG_MAP, REACTOR, REACTOR_RUN
from reactor_operator.ports import ReactorObject, RunObject, RunRef


class ClusterDefinitions:
    """Reads from one API server."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def get_run(self, ref: RunRef) -> RunObject | None:
        """Return the run with this uid."""
        with refusals_as_unavailable(f"get ReactorRun {ref.namespace}/{ref.name}"):
            found = await self._client.get(REACTOR_RUN.object(ref.namespace, ref.name))
        if found is None or text_at(found, "metadata", "uid") != ref.uid:
            return None
        return parse_run(found)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        """Return the reactor of this name."""
        with refusals_as_unavailable(f"get Reactor {namespace}/{name}"):
            found = await self._client.get(REACTOR.object(namespace, name))
        return None if found is None else parse_reactor(found)

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        """Return one key of a ConfigMap."""
        with refusals_as_unavailable(f"get ConfigMap {namespace}/{name}"):
            found = await self._client.get(CONFIG_MAP.object(namespace, name))
        text = map_at(found, "data").get(key)
        return text if isinstance(text, str) else None


def parse_run(found: JsonObject) -> RunObject:
    """Return a ReactorRun as the ports know it. Total: what is missing is empty."""
    return RunObject(
        ref=ref_of(found),
        generation=int_at(found, "metadata", "generation") or 0,
        created_at=parse_moment(text_at(found, "metadata", "creationTimestamp")) or 0,
        spec=map_at(found, "spec"),
        annotations=texts_at(found, "metadata", "annotations"),
        status=map_at(found, "status"),
        resource_version=text_at(found, "metadata", "resourceVersion"),
        deleting=bool(text_at(found, "metadata", "deletionTimestamp")),
    )


def parse_reactor(found: JsonObject) -> ReactorObject:
    """Return a Reactor as the ports know it."""
    return ReactorObject(
        namespace=text_at(found, "metadata", "namespace"),
        name=text_at(found, "metadata", "name"),
        uid=text_at(found, "metadata", "uid"),
        generation=int_at(found, "metadata", "generation") or 0,
        spec=map_at(found, "spec"),
    )


def ref_of(found: JsonObject) -> RunRef:
    """Return which object this is."""
    metadata = map_at(found, "metadata")
    return RunRef(text_at(metadata, "namespace"), text_at(metadata, "name"), text_at(metadata, "uid"))
