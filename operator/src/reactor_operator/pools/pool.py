"""A ReactorPool as the API server has it, its spec judged; and the one word that names its queue.

In: the JSON of a ReactorPool, or the name of a pod that has a queue of its own. Out: a frozen `Pool`, names of queues.
Never here: a request. Total: any JSON is a pool.
"""

from dataclasses import dataclass

from reactor_operator.api.pool import PoolSpec, check_pool_spec
from reactor_operator.api.problems import Problem
from reactor_operator.kube.fields import JsonObject, int_at, map_at, text_at
from reactor_operator.store.port import worker_binding

_OWN = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One pool: `spec` is None where it has `problems`; `status` is what is written on it."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: PoolSpec | None
    problems: tuple[Problem, ...]
    status: JsonObject
    deleting: bool = False

    @property
    def key(self) -> str:
        """The name of its queue in the store."""
        return pool_key(self.namespace, self.name)


def pool_key(namespace: str, name: str) -> str:
    """Return the name of a pool's queue: `NAMESPACE/NAME`, neither of which has a slash."""
    return f"{namespace}/{name}"


def pool_of(key: str) -> tuple[str, str]:
    """Return namespace and name of the pool whose queue is called so."""
    namespace, _, name = key.partition("/")
    return namespace, name


def chunk_queue(namespace: str, pod: str) -> str:
    """Return the name of the queue from which a pod takes its one chunk. No pool is called so."""
    return f"{namespace}/{_OWN}{pod}"


def pod_of(key: str) -> tuple[str, str] | None:
    """Return namespace and name of the pod (or Job) whose own queue is called so; None where it is a pool's."""
    namespace, _, name = key.partition("/")
    return (namespace, name.removeprefix(_OWN)) if name.startswith(_OWN) else None


def unleased_binding(key: str) -> str:
    """Return who speaks for tasks in a queue that no worker has leased: once one has, nothing of it is taken."""
    return worker_binding(key, "nobody")


def parse_pool(found: JsonObject) -> Pool:
    """Return the pool and what is wrong with its spec."""
    checked = check_pool_spec(map_at(found, "spec"))
    return Pool(
        namespace=text_at(found, "metadata", "namespace"),
        name=text_at(found, "metadata", "name"),
        uid=text_at(found, "metadata", "uid"),
        generation=int_at(found, "metadata", "generation") or 0,
        spec=checked.spec,
        problems=checked.problems,
        status=map_at(found, "status"),
        deleting=bool(text_at(found, "metadata", "deletionTimestamp")),
    )
