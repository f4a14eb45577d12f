"""Runs of the store whose objects were deleted while no operator looked.

In: the store's active runs and a live list of objects, once after the start. Out: suspects for the sweeper.
Never here: a sweep.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import ApiError
from reactor_operator.kube.fields import text_at
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef, Unavailable
from reactor_operator.reconciling.definition import RECORD, decode_definition
from reactor_operator.store.port import RunStore, StoreUnavailable

_AGAIN_SECONDS = 5.0
_log = structlog.get_logger("reactor_operator.changes")


async def find_leftovers(
    client: KubeClient, namespaces: Sequence[str | None], store: RunStore, suspect: Callable[[RunRef], None]
) -> None:
    """Name each stored run that has no object, then end."""
    while True:
        try:
            await _look(client, namespaces, store, suspect)
        except (Unavailable, StoreUnavailable, ApiError) as problem:
            _log.warning("stored runs could not be compared with objects", problem=str(problem))
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


async def _look(
    client: KubeClient, namespaces: Sequence[str | None], store: RunStore, suspect: Callable[[RunRef], None]
) -> None:
    stored = await store.active_runs()
    there: set[str] = set()
    for namespace in namespaces:
        for found in (await client.list(REACTOR_RUN.collection(namespace))).items:
            there.add(text_at(found, "metadata", "uid"))
    for uid in sorted(stored - there):
        snapshot = await store.load(uid)
        record = snapshot.records.get(RECORD) if snapshot is not None and snapshot.records is not None else None
        if record is not None:
            suspect(decode_definition(record).run)
