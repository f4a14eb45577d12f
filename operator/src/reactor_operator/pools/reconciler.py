"""One pool made so: its Deployment as its spec says, its status as things are.

In: a pool, the rule for how many workers, a status. Out: server-side applies, each only where the Deployment is not
what it should be, and status patches. Never here: a decision from a cache (the Deployment is read first), a Deployment
of somebody else overwritten, a deletion (the Deployment goes by owner reference).
"""

from collections.abc import Callable

from reactor_operator.kube.client import KubeClient, PatchType
from reactor_operator.kube.errors import ApiUnavailable, Conflict, Forbidden, Invalid
from reactor_operator.kube.fields import JsonObject, int_at, map_at, maps_at, text_at, texts_at
from reactor_operator.kube.moments import parse_moment
from reactor_operator.kube.paths import DEPLOYMENT, POD, REACTOR_POOL
from reactor_operator.kube.warnings import newest_warning
from reactor_operator.pools.manifest import deployment_name, pod_selector, render_deployment
from reactor_operator.pools.pool import Pool
from reactor_operator.pools.status import Status
from reactor_operator.pools.workers import NO_WORKERS, Workers, is_of, not_ready, read_workers
from reactor_operator.ports import Clock
from reactor_operator.tasks.manifest_seal import MANIFEST, SEAL
from reactor_operator.tasks.manifest_spec import TaskSettings

MANAGER = "reactor-operator"
SLOW_MS = 20_000
Replicas = Callable[[Workers], int]
"""Tells how many workers a pool is to have, of those it has."""

_UNDECLARED = "field not declared in schema"
"""What a server-side apply says, with status 500, of a field that there is not."""


class PoolReconciler:
    """Makes Deployments what pools say."""

    def __init__(self, client: KubeClient, settings: TaskSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._applied: dict[str, int] = {}

    async def reconcile(self, pool: Pool, replicas: Replicas) -> Workers:
        """Apply the Deployment where it is not what it should be, and return how its workers are.

        Raises Unavailable, ApiError (Conflict too: somebody replaced the Deployment meanwhile).
        """
        path = DEPLOYMENT.object(pool.namespace, deployment_name(pool.name))
        found = await self._client.get(path)
        if found is not None and not is_of(found, pool):
            return _foreign(found, pool, replicas(NO_WORKERS) if pool.spec is not None else 0)
        if pool.spec is not None:
            before = read_workers(found or {})
            wanted = replicas(before)
            try:
                found = await self._applied_as(path, found, pool, wanted)
            except Invalid as error:
                return _refused(before, wanted, f"InvalidPod: the API server refuses its Deployment: {error.message}")
            except ApiUnavailable as error:
                if _UNDECLARED not in str(error):
                    raise
                return _refused(before, wanted, f"InvalidPod: the API server refuses its Deployment: {error}")
            except Forbidden as error:
                return _refused(before, wanted, f"{error.reason or 'Forbidden'}: {error.message}")
        return await self._read(pool, found) if found is not None else Workers()

    async def write_status(self, pool: Pool, status: Status) -> JsonObject | None:
        """Write the status and return the pool as it is then; None where this very pool is gone.

        Raises Unavailable, ApiError.
        """
        path = REACTOR_POOL.object(pool.namespace, pool.name, "status")
        try:
            return await self._client.patch(path, {"metadata": {"uid": pool.uid}, "status": status}, PatchType.MERGE)
        except Conflict:
            return None

    def forget(self, uid: str) -> None:
        """Drop what is remembered of a pool that is gone."""
        self._applied.pop(uid, None)

    async def _applied_as(self, path: str, found: JsonObject | None, pool: Pool, replicas: int) -> JsonObject:
        """Return the Deployment as it is after it was applied, or as found where it says all that it should.

        Nobody can seal one but we, and whoever changes its spec raises its generation above the one we know.
        """
        manifest = render_deployment(pool, replicas, self._settings)
        if (
            found is not None
            and _marks(found) == _marks(manifest)
            and self._applied.get(pool.uid) == _generation(found)
        ):
            return found
        if found is not None:
            manifest["metadata"] = {**map_at(manifest, "metadata"), "uid": text_at(found, "metadata", "uid")}
        applied = await self._client.apply(path, manifest, manager=MANAGER)
        self._applied[pool.uid] = _generation(applied)
        return applied

    async def _read(self, pool: Pool, found: JsonObject) -> Workers:
        """Return how the workers are; where not all is well, their pods are asked why."""
        workers = read_workers(found)
        if workers.settled:
            return workers
        query = {"labelSelector": pod_selector(pool)}
        pods = (await self._client.list(POD.collection(pool.namespace), query)).items
        workers = read_workers(found, pods)
        waiting = not_ready(pods)
        if workers.trouble or not waiting or self._age(waiting[0]) <= SLOW_MS:
            return workers
        # Its status names no reason, and it should have started by now.
        return read_workers(found, pods, await newest_warning(self._client, waiting[0]))

    def _age(self, pod: JsonObject) -> int:
        created = parse_moment(text_at(pod, "metadata", "creationTimestamp"))
        return self._clock.now() - created if created is not None else 0


def _marks(found: JsonObject) -> tuple[str | None, str | None]:
    annotations = texts_at(found, "metadata", "annotations")
    return annotations.get(MANIFEST), annotations.get(SEAL)


def _generation(found: JsonObject) -> int:
    return int_at(found, "metadata", "generation") or 0


def _refused(before: Workers, wanted: int, trouble: str) -> Workers:
    """Return the workers there are already, which go on; those that were asked for do not come."""
    return Workers(wanted=wanted, replicas=before.replicas, ready=before.ready, trouble=trouble)


def _foreign(found: JsonObject, pool: Pool, wanted: int) -> Workers:
    """A Deployment of a pool that had this name goes; any other one stands in the way."""
    owners = maps_at(found, "metadata", "ownerReferences")
    if any(text_at(owner, "kind") == REACTOR_POOL.name for owner in owners):
        return Workers(wanted=wanted)
    name = text_at(found, "metadata", "name")
    return Workers(
        wanted=wanted,
        trouble=f"ForeignDeployment: a Deployment {name} that this pool did not make stands in its place in namespace "
        f"{pool.namespace}; delete it, or call the pool otherwise",
    )
