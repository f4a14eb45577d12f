"""Deleting a run that has ended: the last look before it goes.

In: a run as it was just read. Out: its deletion. Never here: whether it is time for that, or the deletion of a run that
the store calls unfinished, whatever its status says. Endpoints that are still to be told of it do not hold it.
"""

from contextlib import suppress

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import Conflict
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunObject
from reactor_operator.reconciling.records import is_over_but_for_notices
from reactor_operator.reconciling.told import told_end
from reactor_operator.store.port import RunStore


async def remove_finished(client: KubeClient, store: RunStore, run: RunObject) -> bool:
    """Delete this very object; False where it has not ended. Raises ApiError, Unavailable, StoreUnavailable."""
    if not told_end(run):
        return False
    if run.ref.uid in await store.active_runs() and not is_over_but_for_notices(await store.load(run.ref.uid)):
        return False
    with suppress(Conflict):  # another object has the name by now: this one is gone
        await client.delete(REACTOR_RUN.object(run.ref.namespace, run.ref.name), uid=run.ref.uid)
    return True
