"""Runs whose objects were deleted while nobody looked: before the start, or in a gap of the watch.

In: the store's runs, the roster of known ones, and a live list of objects. Out: runs told as gone.
Never here: a sweep; the sweeper looks twice by itself.
"""

import asyncio
from collections.abc import Sequence

import structlog

from reactor_operator.changes.runs import RunChanges
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.reconciling.definition import RECORD, decode_definition
from reactor_operator.store.port import Store, StoreUnavailable

PAUSE_SECONDS = 300.0
_AGAIN_SECONDS = 5.0
_log = structlog.get_logger("reactor_operator.changes")


async def follow_leftovers(
    client: KubeClient, namespaces: Sequence[str | None], store: Store, runs: RunChanges
) -> None:
    """Look at once and then every few minutes, until cancelled."""
    while True:
        try:
            for ref in await find_leftovers(client, namespaces, store, runs.roster()):
                _log.debug("a run has no object any more", run=f"{ref.namespace}/{ref.name}", uid=ref.uid)
                runs.gone(ref)
        except (Unavailable, StoreUnavailable, ApiError) as problem:
            _log.warning("stored runs could not be compared with objects", problem=str(problem))
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            await asyncio.sleep(PAUSE_SECONDS)


async def find_leftovers(
    client: KubeClient, namespaces: Sequence[str | None], store: Store, roster: dict[str, RunRef]
) -> list[RunRef]:
    """Return the runs, of those that are stored or in `roster`, that have no object. Raises Unavailable."""
    stored = await store.stored_runs()
    there: set[str] = set()
    for namespace in namespaces:
        for found in (await client.list(REACTOR_RUN.collection(namespace))).items:
            there.add(text_at(found, "metadata", "uid"))
    missing = []
    for uid in sorted((stored | roster.keys()) - there):
        ref = roster.get(uid) or await _stored_ref(store, uid)
        if ref is not None:
            missing.append(ref)
    return missing


async def _stored_ref(store: Store, uid: str) -> RunRef | None:
    snapshot = await store.load(uid)
    record = snapshot.records.get(RECORD) if snapshot is not None and snapshot.records is not None else None
    return decode_definition(record).run if record is not None else None
