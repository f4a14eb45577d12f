"""Pools and their Deployments compared with what is really there: lists, and a thin watch of the Deployments.

In: the API server. Out: pools told to the roster, and marks. Never here: trust in a watch alone, or a namespace that
refuses and so stops the others.
"""

import asyncio
import random
import time
from collections.abc import Sequence

import structlog

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError, ApiUnavailable, Gone
from reactor_operator.kube.fields import JsonObject, maps_at, text_at
from reactor_operator.kube.paths import DEPLOYMENT, REACTOR_POOL
from reactor_operator.pools.manifest import SELECTOR
from reactor_operator.pools.pool import pool_key
from reactor_operator.pools.roster import PoolRoster
from reactor_operator.ports import Unavailable

PAUSE_SECONDS = 60.0
_AGAIN_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 15.0
_QUERY = {"labelSelector": SELECTOR}
_log = structlog.get_logger("reactor_operator.pools")


async def follow_pools(
    client: KubeClient, namespaces: Sequence[str | None], roster: PoolRoster, *, pause_seconds: float = PAUSE_SECONDS
) -> None:
    """List all pools now and every minute, until cancelled: what no watch told is found by a list."""
    while True:
        told = [await list_pools(client, namespace, roster) for namespace in namespaces]
        roster.is_complete = roster.is_complete or all(told)
        await asyncio.sleep(pause_seconds if all(told) else _AGAIN_SECONDS)


async def list_pools(client: KubeClient, namespace: str | None, roster: PoolRoster) -> bool:
    """Tell the roster all pools of a namespace; False where they could not be listed."""
    before = roster.keys(namespace)
    try:
        listing = await client.list(REACTOR_POOL.collection(namespace))
    except (Unavailable, ApiError) as problem:
        _log.warning("pools could not be listed", namespace=namespace or "all namespaces", problem=str(problem))
        return False
    for found in listing.items:
        roster.changed(None, found)
    metadata = [
        (text_at(found, "metadata", "namespace"), text_at(found, "metadata", "name")) for found in listing.items
    ]
    roster.forget_but((pool_key(*one) for one in metadata), before)
    return True


async def follow_deployments(client: KubeClient, namespace: str | None, roster: PoolRoster) -> None:
    """Mark each pool whose Deployment changes, in one namespace or (None) in all, until cancelled."""
    path = DEPLOYMENT.collection(namespace)
    version, pause = "", _FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        try:
            if not version:
                listing = await client.list(path, _QUERY, metadata_only=True)
                version = listing.resource_version
                for found in listing.items:
                    _mark_owner(found, roster)
            async for event in client.watch(path, version, _QUERY):
                version = text_at(event.object, "metadata", "resourceVersion") or version
                if event.type != "BOOKMARK":
                    _mark_owner(event.object, roster)
        except Gone:
            version = ""
        except (ApiUnavailable, ApiError) as problem:
            _log.warning("the watch of the Deployments of pools broke", path=path, problem=str(problem))
        if time.monotonic() - began >= _LONGEST_PAUSE_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        else:
            await asyncio.sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _mark_owner(found: JsonObject, roster: PoolRoster) -> None:
    for owner in maps_at(found, "metadata", "ownerReferences"):
        if text_at(owner, "kind") == REACTOR_POOL.name:
            roster.mark(text_at(found, "metadata", "namespace"), text_at(owner, "name"))
