"""What the operator does for pools, as parts that run beside its others.

In: a client, a store, settings. Out: coroutines by name. Never here: a rule.
"""

from collections.abc import Callable, Coroutine, Sequence

from reactor_operator.engine.identity import Task
from reactor_operator.kube.client import KubeClient
from reactor_operator.pools.following import follow_deployments, follow_pools
from reactor_operator.pools.loop import PoolLoop
from reactor_operator.pools.lost import GRACE_SECONDS, LostTasks
from reactor_operator.pools.metrics import PoolMetrics
from reactor_operator.pools.ports import WaitingStore
from reactor_operator.pools.reconciler import PoolReconciler
from reactor_operator.pools.roster import PoolRoster
from reactor_operator.pools.unserved import UnservedTasks
from reactor_operator.pools.untaken import UntakenChunks
from reactor_operator.ports import Clock
from reactor_operator.tasks.manifest_spec import TaskSettings


def pool_parts(
    *,
    client: KubeClient,
    namespaces: Sequence[str | None],
    store: WaitingStore,
    roster: PoolRoster,
    settings: TaskSettings,
    clock: Clock,
    metrics: PoolMetrics,
    launched: Callable[[str, Task], bool],
    alive: Callable[[], set[tuple[str, str]]],
    grace_seconds: float = GRACE_SECONDS,
) -> dict[str, Coroutine[None, None, None]]:
    """Return the parts. The roster is also told by the watch of our kinds, and asked by who queues tasks.

    `launched` and `alive` are for chunks that have a pod of their own (see `untaken`), `grace_seconds` for workers that
    could not renew their leases (see `lost`).
    """
    reconciler = PoolReconciler(client, settings, clock)
    untaken = UntakenChunks(store, client, clock, launched=launched, alive=alive, lost_seconds=settings.lost_seconds)
    watches = {
        f"deployments of {name or 'all namespaces'}": follow_deployments(client, name, roster) for name in namespaces
    }
    return watches | {
        "pools": PoolLoop(roster, reconciler, store, clock, metrics).run(),
        "list of pools": follow_pools(client, namespaces, roster),
        "lost tasks": LostTasks(store, metrics, grace_seconds=grace_seconds).run(),
        "unserved tasks": UnservedTasks(store, roster, client, clock).run(),
        "untaken chunks": untaken.run(),
    }
