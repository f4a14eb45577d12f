"""What a pod's JSON says about its containers, its end and why it cannot start, without a word about tasks.

In: a pod as the API server gives it. Out: plain answers. Never here: an opinion on what it means for a step, a request.

Documented by Kubernetes: pod phases, container states and reasons, the condition DisruptionTarget. Learnt from kubelet:
`StartError` and `ContainerCannotRun` are containers that never ran; `ContainerStatusUnknown` is one of which kubelet
lost track; a termination message is cut to 4,096 bytes, and to its share of 12 KiB where a pod has more than three
containers.
"""

from dataclasses import dataclass

from reactor_operator.kube.fields import EMPTY, JsonObject, int_at, map_at, maps_at, text_at
from reactor_operator.kube.moments import parse_moment

MESSAGE_LIMIT = 4096
_POD_MESSAGE_LIMIT = 12 * 1024
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
_NEVER_RAN = frozenset({"StartError", "ContainerCannotRun", "ContainerCannotStart"})
_REJECTED = frozenset(
    {"UnexpectedAdmissionError", "NodeAffinity", "NodePorts", "PodOSNotSupported", "PodFeatureUnsupported"}
)
_DISRUPTED = frozenset({"Evicted", "Preempting", "Terminated", "NodeShutdown", "Shutdown", "NodeLost"})
_UNANSWERED_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A container that ended: how, with which last words, and when (int ms)."""

    exit_code: int
    reason: str
    message: str
    at: int

    @property
    def never_ran(self) -> bool:
        """Whether the container could not be started at all."""
        return self.reason in _NEVER_RAN

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed it, or a process in it, for memory."""
        return self.reason == "OOMKilled"

    @property
    def unknown(self) -> bool:
        """Whether kubelet lost track of it: the exit code says nothing."""
        return self.reason == "ContainerStatusUnknown"


def container_status(pod: JsonObject, name: str) -> JsonObject:
    """Return the status of a container or init container, an empty one where there is none yet."""
    for statuses in ("containerStatuses", "initContainerStatuses"):
        for status in maps_at(pod, "status", statuses):
            if text_at(status, "name") == name:
                return status
    return EMPTY


def ended_container(status: JsonObject) -> Ended | None:
    """Return how the container ended, None while it has not."""
    ended = map_at(status, "state", "terminated")
    if not ended:
        return None
    code = int_at(ended, "exitCode")
    return Ended(
        exit_code=137 if code is None else code,
        reason=text_at(ended, "reason"),
        message=text_at(ended, "message"),
        at=parse_moment(text_at(ended, "finishedAt")) or 0,
    )


def started_at(status: JsonObject) -> int | None:
    """Return when the container started, None where it did not. Kubelet tells whole seconds, rounded down."""
    for state in ("running", "terminated"):
        at = parse_moment(text_at(status, "state", state, "startedAt"))
        if at is not None:
            return at
    return None


def is_over(pod: JsonObject) -> bool:
    """Return whether the pod has reached a final phase."""
    return text_at(pod, "status", "phase") in ("Succeeded", "Failed")


def has_ended(pod: JsonObject, name: str) -> bool:
    """Return whether a container of the pod runs no longer and never will again."""
    return is_over(pod) or ended_container(container_status(pod, name)) is not None


def was_rejected(pod: JsonObject) -> bool:
    """Return whether the node refused the pod, so that nothing in it ever ran."""
    reason = text_at(pod, "status", "reason")
    return text_at(pod, "status", "phase") == "Failed" and (reason in _REJECTED or reason.startswith("OutOf"))


def disruption(pod: JsonObject) -> tuple[int, str] | None:
    """Return since when (int ms, 0: not known) and why something else than the task is ending this pod."""
    found: list[tuple[int, str]] = []
    deleted = deletion_requested_at(pod)
    if deleted is not None:
        found.append((deleted, "it was deleted"))
    for condition in maps_at(pod, "status", "conditions"):
        if text_at(condition, "type") == "DisruptionTarget" and text_at(condition, "status") == "True":
            since = parse_moment(text_at(condition, "lastTransitionTime")) or 0
            found.append((since, f"{text_at(condition, 'reason')}: {text_at(condition, 'message')}".rstrip(": ")))
    reason = text_at(pod, "status", "reason")
    if not found and reason in _DISRUPTED:
        found.append((0, f"{reason}: {text_at(pod, 'status', 'message')}".rstrip(": ")))
    return min(found) if found else None


def deletion_requested_at(pod: JsonObject) -> int | None:
    """Return when the deletion was asked for: the server writes when the grace period will be over."""
    deadline = parse_moment(text_at(pod, "metadata", "deletionTimestamp"))
    if deadline is None:
        return None
    return deadline - 1000 * (int_at(pod, "metadata", "deletionGracePeriodSeconds") or 0)


def is_unreachable(pod: JsonObject, now: int, lost_ms: int) -> bool:
    """Return whether the pod's node has not answered for so long that the pod counts as gone.

    A deleted pod ends within its grace period on every node that answers. One that outlives it was either evicted
    because its node was unreachable for `lostTimeout` (the toleration we set), or has not been heard of for that long.
    """
    deadline = parse_moment(text_at(pod, "metadata", "deletionTimestamp"))
    if deadline is None or is_over(pod):
        return False
    conditions = maps_at(pod, "status", "conditions")
    evicted = any(text_at(condition, "reason") == "DeletionByTaintManager" for condition in conditions)
    return now > deadline + (_UNANSWERED_MS if evicted else lost_ms)


def waiting_reason(pod: JsonObject) -> str:
    """Return why the pod cannot start, as `Reason: message`; empty where nothing is wrong (yet)."""
    for condition in maps_at(pod, "status", "conditions"):
        if text_at(condition, "type") == "PodScheduled" and text_at(condition, "status") == "False":
            return _reason(condition)
    for statuses in ("initContainerStatuses", "containerStatuses"):
        for status in maps_at(pod, "status", statuses):
            waiting = map_at(status, "state", "waiting")
            if waiting and text_at(waiting, "reason") not in _STARTING:
                return _reason(waiting)
    return ""


def _reason(said: JsonObject) -> str:
    return f"{text_at(said, 'reason')}: {text_at(said, 'message')}".rstrip(": ")


def failed_helper(pod: JsonObject) -> tuple[str, Ended] | None:
    """Return the init container whose failure keeps the pod from ever starting, None where there is none."""
    sidecars = {
        text_at(container, "name")
        for container in maps_at(pod, "spec", "initContainers")
        if text_at(container, "restartPolicy") == "Always"
    }
    for status in maps_at(pod, "status", "initContainerStatuses"):
        ended = ended_container(status)
        if ended is not None and ended.exit_code != 0 and text_at(status, "name") not in sidecars:
            return text_at(status, "name"), ended
    return None


def message_limit(pod: JsonObject) -> int:
    """Return how long a termination message may be in this pod before kubelet cuts it."""
    containers = len(maps_at(pod, "spec", "containers")) + len(maps_at(pod, "spec", "initContainers"))
    return min(MESSAGE_LIMIT, _POD_MESSAGE_LIMIT // max(containers, 1))
