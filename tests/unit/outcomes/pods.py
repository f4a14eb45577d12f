"""Pods as kubelet reports them, sealed as the launcher makes them."""

import json
from typing import Any

from reactor_operator.engine.events import Event
from reactor_operator.outcomes.pod import PodReading, read_pod
from reactor_operator.store.codec import decode_event
from reactor_operator.store.port import Entry
from reactor_operator.tasks.manifest import render_manifest
from reactor_operator.tasks.manifest_seal import Sealed, open_seal
from tests.unit.tasks.orders import KEY, SETTINGS, order

Json = dict[str, Any]
STARTED, ENDED = "2026-11-22T12:00:00Z", "2026-11-22T12:00:05Z"
ENDED_MS = 1_795_348_805_000


def made(step: Json | None = None, **changes: Any) -> Json:
    """Return a pod as it was created, on a node, with nothing told of it yet."""
    manifest: Json = json.loads(json.dumps(render_manifest(order(step, **changes), SETTINGS)))
    manifest["metadata"] |= {"uid": "pod-uid", "resourceVersion": "1", "creationTimestamp": STARTED}
    manifest["spec"]["nodeName"] = "node-1"
    manifest["status"] = {"phase": "Pending", "conditions": []}
    return manifest


def waiting(pod: Json, reason: str, message: str = "") -> Json:
    """Let the task's container wait."""
    return _state(pod, {"waiting": {"reason": reason, "message": message}}, "Pending")


def running(pod: Json) -> Json:
    """Let the task's container run."""
    return _state(pod, {"running": {"startedAt": STARTED}}, "Running")


def ended(pod: Json, code: int, message: str = "", reason: str = "", *, phase: str = "") -> Json:
    """Let the task's container end."""
    state = {"exitCode": code, "message": message, "startedAt": STARTED, "finishedAt": ENDED}
    state["reason"] = reason or ("Completed" if code == 0 else "Error")
    return _state(pod, {"terminated": state}, phase or ("Succeeded" if code == 0 else "Failed"))


def helper_ended(pod: Json, name: str, code: int, message: str = "") -> Json:
    """Let an init container end."""
    state = {"terminated": {"exitCode": code, "message": message, "finishedAt": ENDED}}
    pod["status"]["initContainerStatuses"] = [{"name": name, "state": state}]
    return pod


def deleted(pod: Json, at: str = ENDED, grace: int = 0) -> Json:
    """Let the pod be deleted: `at` is when its grace period will be over."""
    pod["metadata"] |= {"deletionTimestamp": at, "deletionGracePeriodSeconds": grace}
    return pod


def disrupted(pod: Json, reason: str, since: str = STARTED) -> Json:
    """Let the cluster end the pod."""
    pod["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "", "lastTransitionTime": since}
    )
    return pod


def sealed_of(pod: Json) -> Sealed:
    """Open the pod's seal."""
    sealed = open_seal(KEY, pod)
    assert sealed is not None
    return sealed


def read(pod: Json) -> PodReading:
    """Read a pod."""
    return read_pod(pod, sealed_of(pod))


def event_of(outcome: Entry | None) -> Event:
    """Decode an outcome."""
    assert outcome is not None
    assert outcome.final
    return decode_event(outcome.body)


def outcome(pod: Json) -> Event:
    """Read how the pod's task ended."""
    return event_of(read(pod).outcome)


def _state(pod: Json, state: Json, phase: str) -> Json:
    pod["status"]["phase"] = phase
    pod["status"]["containerStatuses"] = [{"name": "step", "restartCount": 0, "state": state}]
    return pod
