"""A pool as a Deployment: the manifest of its workers, by rule and to the byte.

In: a `Pool` whose spec is sound, how many workers, and `TaskSettings`. Out: a manifest as a JSON object, the same for
the same pool. Never here: a request, a clock, a random name, the text of a Secret.

The layers of a task's pod (`tasks/manifest_spec.py`): our defaults, what the author wrote in `pod.spec`, and what makes
a pod a worker (the container `worker` with its image, command, environment and mounts).

Pods of workers are told from pods of tasks by `app.kubernetes.io/managed-by`: the watch of tasks selects by it.
"""

import hashlib
import hmac

import orjson

from reactor_operator.api.pool import PoolSpec
from reactor_operator.engine.identity import digest_of
from reactor_operator.gateway.tokens import pool_fence, task_token
from reactor_operator.kube.paths import DEPLOYMENT, REACTOR_POOL
from reactor_operator.pools.pool import Pool, pool_key
from reactor_operator.pools.references import reference_entries
from reactor_operator.tasks.manifest import MANAGED_BY, foreign, label_value
from reactor_operator.tasks.manifest_env import EnvEntry, literal_entries
from reactor_operator.tasks.manifest_layers import (
    MODULES,
    WORKER_COMMAND,
    Manifest,
    mounted_modules,
    pod_defaults,
    restricted,
    writable_tmp,
)
from reactor_operator.tasks.manifest_merge import merge_objects
from reactor_operator.tasks.manifest_seal import MANIFEST, SEAL
from reactor_operator.tasks.manifest_spec import TaskSettings

WORKER = "worker"
DRAIN_SECONDS = 60
READY_AFTER_SECONDS = 3
"""A worker that ends this soon, because its image lacks what it needs, never was ready."""
POOL, POOL_UID = "reactor.run/pool", "reactor.run/pool-uid"
POOL_PODS = "reactor-pool"
SELECTOR = f"app.kubernetes.io/managed-by={MANAGED_BY},{POOL}"
"""Selects the Deployments of all pools."""
_KEPT_REVISIONS = 2
_LONGEST_NAME = 200


def render_deployment(pool: Pool, replicas: int, settings: TaskSettings) -> Manifest:
    """Return the Deployment of a pool with `replicas` workers."""
    spec = pool.spec
    if spec is None:
        raise AssertionError(f"the spec of pool {pool.key} is not sound")
    metadata: Manifest = {
        "name": deployment_name(pool.name),
        "namespace": pool.namespace,
        "labels": {**_labels(pool), "app.kubernetes.io/managed-by": MANAGED_BY},
        "ownerReferences": [_owner(pool)],
    }
    manifest: Manifest = {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": metadata,
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": _KEPT_REVISIONS,
            "minReadySeconds": READY_AFTER_SECONDS,
            "selector": {"matchLabels": _labels(pool)},
            "template": {"metadata": _pod_metadata(pool, spec), "spec": _pod_spec(pool, spec, settings)},
        },
    }
    digest = hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()
    metadata["annotations"] = {MANIFEST: digest, SEAL: _seal(settings.key, pool, digest)}
    return manifest


def deployment_name(pool: str) -> str:
    """Return what the Deployment of a pool is called. Names of its ReplicaSets and pods have to fit behind it."""
    name = f"reactor-pool-{pool}"
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}-{digest_of('pool', pool)[:12]}"


def pod_selector(pool: Pool) -> str:
    """Return the label selector of the pods of a pool's workers."""
    return ",".join(f"{name}={value}" for name, value in _labels(pool).items())


def pool_token(key: bytes, namespace: str, name: str) -> str:
    """Return the token with which the workers of a pool speak to the gateway."""
    return task_token(key, pool_fence(pool_key(namespace, name)))


def _labels(pool: Pool) -> dict[str, str]:
    """Return what selects the pods. With the uid, for pods of a pool that had this name may not be gone yet."""
    return {POOL: label_value(pool.name), POOL_UID: pool.uid}


def _owner(pool: Pool) -> Manifest:
    return {
        "apiVersion": REACTOR_POOL.api_version,
        "kind": REACTOR_POOL.name,
        "name": pool.name,
        "uid": pool.uid,
        "controller": True,
    }


def _pod_metadata(pool: Pool, spec: PoolSpec) -> Manifest:
    theirs = spec.pod.metadata if spec.pod is not None else None
    ours = {**_labels(pool), "app.kubernetes.io/managed-by": POOL_PODS}
    return {
        "labels": {**foreign(theirs.labels if theirs else {}), **ours},
        "annotations": foreign(theirs.annotations if theirs else {}),
    }


def _pod_spec(pool: Pool, spec: PoolSpec, settings: TaskSettings) -> Manifest:
    theirs = dict(spec.pod.spec) if spec.pod is not None and spec.pod.spec is not None else {}
    defaults = pod_defaults(DRAIN_SECONDS, settings.lost_seconds)
    container_layer = {"containers": [{"name": WORKER, **_container_defaults(spec)}]}
    main, volumes = _worker(pool, spec, settings)
    ours: Manifest = {"restartPolicy": "Always", "containers": [main], "volumes": volumes}
    return merge_objects(merge_objects(merge_objects(defaults, container_layer), theirs), ours)


def _container_defaults(spec: PoolSpec) -> Manifest:
    """Return what holds where nobody says otherwise; each process more has room for itself."""
    if spec.resources is not None:
        return {"securityContext": restricted()}
    memory = {"requests": 64 + 32 * spec.concurrency, "limits": 256 + 256 * spec.concurrency}
    resources = {
        "requests": {"cpu": "50m", "memory": f"{memory['requests']}Mi"},
        "limits": {"memory": f"{memory['limits']}Mi"},
    }
    return {"securityContext": restricted(), "resources": resources}


def _worker(pool: Pool, spec: PoolSpec, settings: TaskSettings) -> tuple[Manifest, list[Manifest]]:
    variables = {
        "REACTOR_GATEWAY": settings.gateway,
        "REACTOR_POOL": pool.key,
        "REACTOR_POOL_TOKEN": pool_token(settings.key, pool.namespace, pool.name),
        "REACTOR_POOL_CONCURRENCY": str(spec.concurrency),
    }
    volumes, mounts = writable_tmp()
    if spec.modules is not None:
        variables["REACTOR_MODULES"] = MODULES
        volume, mount = mounted_modules(spec.modules)
        volumes.append(volume)
        mounts.append(mount)
    ours = literal_entries(variables) + reference_entries(spec)
    container: Manifest = {
        "name": WORKER,
        "image": spec.image or settings.runtime_image,
        "command": list(WORKER_COMMAND),
        "env": ours + _theirs(spec, taken={entry["name"] for entry in ours}),
        "volumeMounts": mounts,
        # not the last lines of its log: kubelet would copy what tasks print into the status of the pod
        "terminationMessagePolicy": "File",
    }
    if spec.image is None:
        container["imagePullPolicy"] = settings.runtime_pull_policy
    if spec.env_from:
        container["envFrom"] = list(spec.env_from)
    if spec.resources is not None:
        container["resources"] = dict(spec.resources)
    return container, volumes


def _theirs(spec: PoolSpec, taken: set[object]) -> list[EnvEntry]:
    """Return the variables of the author, but for those that make a pod a worker; the last of a name counts."""
    last = {one.name: one for one in spec.env if one.name not in taken}
    return [
        {"name": name, "value": one.value or ""}
        if one.value_from is None
        else {"name": name, "valueFrom": one.value_from}
        for name, one in last.items()
    ]


def _seal(key: bytes, pool: Pool, digest: str) -> str:
    words = ("pool-seal", pool.namespace, pool.name, pool.uid, digest)
    return hmac.new(key, "\0".join(words).encode("utf-8", "replace"), hashlib.sha256).hexdigest()
