"""What the Deployment of a pool and its pods tell of the workers: how many, how many are ready, why not all.

In: a Deployment and pods as the API server gives them. Out: frozen `Workers`. Never here: a request, the queue.
Total: any JSON is an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reactor_operator.kube.fields import JsonObject, flag_at, int_at, maps_at, text_at
from reactor_operator.outcomes import pod_facts as facts
from reactor_operator.outcomes.exit_words import exit_words
from reactor_operator.pools.manifest import WORKER
from reactor_operator.pools.pool import Pool

_LOOP = "CrashLoopBackOff"
_PULL = ("ErrImagePull", "ImagePullBackOff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The workers of a pool.

    wanted:  how many its Deployment is told to have.       replicas: how many there are, of any template.
    ready:   how many are ready, and have been for a moment.
    settled: all that are there are wanted, ready, and as the pool says now.
    trouble: why they do not start, `Reason: message`; empty where nothing is known to be wrong.
    """

    wanted: int = 0
    replicas: int = 0
    ready: int = 0
    settled: bool = False
    trouble: str = ""


NO_WORKERS = Workers()


def is_of(deployment: JsonObject, pool: Pool) -> bool:
    """Return whether the pool, by uid, is what the Deployment is owned and controlled by."""
    return any(
        text_at(owner, "uid") == pool.uid and flag_at(owner, "controller")
        for owner in maps_at(deployment, "metadata", "ownerReferences")
    )


def read_workers(deployment: JsonObject, pods: Sequence[JsonObject] = (), warning: str = "") -> Workers:
    """Return what a Deployment tells, and of `pods` (its own, where not all is well) why some do not start.

    `warning` is what is said of one whose status names no reason.
    """
    wanted = int_at(deployment, "spec", "replicas") or 0
    replicas = int_at(deployment, "status", "replicas") or 0
    ready = int_at(deployment, "status", "availableReplicas") or 0
    updated = int_at(deployment, "status", "updatedReplicas") or 0
    current = (int_at(deployment, "status", "observedGeneration") or 0) >= (
        int_at(deployment, "metadata", "generation") or 0
    )
    settled = current and wanted == replicas == ready == updated
    trouble = "" if settled else _refused(deployment) or _stuck(pods) or warning or _late(deployment)
    return Workers(wanted=wanted, replicas=replicas, ready=ready, settled=settled, trouble=trouble)


def _refused(deployment: JsonObject) -> str:
    """Return why no pod may be made: a quota, the level of Pod Security, a webhook."""
    return _condition(deployment, "ReplicaFailure", "True")


def _late(deployment: JsonObject) -> str:
    """Return that the Deployment itself has given up to wait, where no pod tells why."""
    return _condition(deployment, "Progressing", "False")


def _condition(deployment: JsonObject, name: str, status: str) -> str:
    for condition in maps_at(deployment, "status", "conditions"):
        if text_at(condition, "type") == name and text_at(condition, "status") == status:
            return f"{text_at(condition, 'reason')}: {text_at(condition, 'message')}".rstrip(": ")
    return ""


def not_ready(pods: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the pods that are to come and are not ready, the oldest first."""
    coming = [pod for pod in pods if not facts.is_over(pod) and not text_at(pod, "metadata", "deletionTimestamp")]
    waiting = [pod for pod in coming if facts.started_at(facts.container_status(pod, WORKER)) is None]
    return sorted(waiting, key=lambda pod: text_at(pod, "metadata", "creationTimestamp"))


def _stuck(pods: Sequence[JsonObject]) -> str:
    """Return what the newest pod says that cannot start."""
    newest_first = sorted(pods, key=lambda pod: text_at(pod, "metadata", "creationTimestamp"), reverse=True)
    for pod in newest_first:
        if text_at(pod, "metadata", "deletionTimestamp") or facts.is_over(pod):
            continue
        reason = facts.waiting_reason(pod)
        if reason:
            return _explained(pod, reason)
    return ""


def _explained(pod: JsonObject, reason: str) -> str:
    """Return a reason in the words that tell most."""
    name, _, rest = reason.partition(":")
    if name in _PULL:
        # the two take turns; one name does not look like news
        return f"ImagePullBackOff: an image cannot be pulled, see spec.image of the pool:{rest}"
    if name != _LOOP:
        return reason
    status = facts.container_status(pod, WORKER)
    code = int_at(status, "lastState", "terminated", "exitCode")
    if code is None:
        return reason
    if text_at(status, "lastState", "terminated", "reason") == "OOMKilled":
        return f"{_LOOP}: a worker ran out of memory, again and again; see resources.limits.memory of the pool"
    logs = f"kubectl logs {text_at(pod, 'metadata', 'name')} --previous may say more"
    asked = "does its image carry python3 and reactor-runtime?"
    return f"{_LOOP}: a worker {exit_words(code)}, again and again; {asked} {logs}"
