"""Runs compared with what is really there: what no watch told is found by a list, every minute.

In: the store's runs, the roster of known ones, and a live list of objects (their metadata). Out: runs told as gone, and
runs told anew that a watch has missed; which runs there were at the start. Never here: a sweep (the sweeper looks twice
by itself), or a run told as gone because its namespace could not be listed.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.runs import RunChanges
from reactor_operator.changes.turns import Turns
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.definitions import ref_of
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.reconciling.definition import RECORD, decode_definition
from reactor_operator.store.port import Store, StoreUnavailable

PAUSE_SECONDS = 60.0
_SHARE = 100
"""These looks take at most one part in so many of the time: one at ten thousand runs takes a second."""
_AGAIN_SECONDS = 5.0
_log = structlog.get_logger("reactor_operator.changes")


@dataclass(slots=True)
class Listed:
    """The runs that have an object, each with its resourceVersion, and the namespaces that refused to be listed."""

    versions: dict[RunRef, str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


async def follow_leftovers(
    client: KubeClient,
    namespaces: Sequence[str | None],
    store: Store,
    runs: RunChanges,
    turns: Turns,
    metrics: ChangeMetrics,
) -> None:
    """Look at once for what is gone, and every minute also for what the watch has missed, until cancelled.

    Where a look takes long, for there are very many runs, the next one is later.
    """
    first = True
    while True:
        began = time.monotonic()
        try:
            stored, roster = await store.stored_runs(), runs.roster()
            listed = await list_runs(client, namespaces)
            turns.expect(listed.versions)
            for ref in await find_leftovers(stored, listed, store, roster):
                _log.debug("a run has no object any more", run=f"{ref.namespace}/{ref.name}", uid=ref.uid)
                runs.gone(ref)
            if not first:
                await tell_missed(client, listed, runs, metrics)
        except (Unavailable, StoreUnavailable, ApiError) as problem:
            _log.warning("stored runs could not be compared with objects", problem=str(problem))
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            first = False
            await asyncio.sleep(pause_after(time.monotonic() - began))


def pause_after(look_seconds: float) -> float:
    """Return for how long to wait after a look that took so long."""
    return max(PAUSE_SECONDS, _SHARE * look_seconds)


async def list_runs(client: KubeClient, namespaces: Sequence[str | None]) -> Listed:
    """Return what is there now; one namespace that refuses stops no other. Raises Unavailable, ApiError."""
    listed = Listed()
    for namespace in namespaces:
        try:
            found: dict[RunRef, str] = {}
            async for page in client.pages(REACTOR_RUN.collection(namespace), metadata_only=True):
                found |= {ref_of(one): text_at(one, "metadata", "resourceVersion") for one in page.items}
        except ApiError as problem:
            if namespace is None:
                raise
            _log.warning("runs could not be listed", namespace=namespace, problem=str(problem))
            listed.refused.add(namespace)
        else:
            listed.versions |= found
    return listed


async def find_leftovers(
    stored: frozenset[str], listed: Listed, store: Store, roster: dict[str, RunRef]
) -> list[RunRef]:
    """Return the runs, of those that are stored or in `roster`, that have no object. Raises StoreUnavailable.

    Both must have been read before `listed`: a run that is known by then has an object, or had one.
    """
    there = {ref.uid for ref in listed.versions}
    missing = []
    for uid in sorted((stored | roster.keys()) - there):
        ref = roster.get(uid) or await _stored_ref(store, uid)
        if ref is not None and ref.namespace not in listed.refused:
            missing.append(ref)
    return missing


async def tell_missed(client: KubeClient, listed: Listed, runs: RunChanges, metrics: ChangeMetrics) -> None:
    """Tell of each run that the watch has not told in this version: read live, for the list may be old by now."""
    for ref, version in listed.versions.items():
        if runs.version_of(ref.uid) == version:
            continue
        found = await client.get(REACTOR_RUN.object(ref.namespace, ref.name))
        if found is None or ref_of(found) != ref:
            continue
        if runs.version_of(ref.uid) != text_at(found, "metadata", "resourceVersion"):
            metrics.missed_runs.inc()
            try:
                await runs.changed("MODIFIED", found)
            except Exception:
                _log.exception("a run cannot be told of: this is a bug", run=f"{ref.namespace}/{ref.name}")


async def _stored_ref(store: Store, uid: str) -> RunRef | None:
    snapshot = await store.load(uid)
    record = snapshot.records.get(RECORD) if snapshot is not None and snapshot.records is not None else None
    if record is None:
        return None
    try:
        return decode_definition(record).run
    except (ValueError, TypeError, KeyError):
        _log.exception("the definition of a stored run cannot be read", uid=uid)
        return None
