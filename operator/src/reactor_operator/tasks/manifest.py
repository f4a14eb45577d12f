"""A task as a pod or a Job: the manifest, by rule and to the byte.

In: a `TaskOrder` and `TaskSettings`. Out: a manifest as a JSON object, the same for the same order.
Never here: a request, a clock, a random name, the text of a Secret.

Labels and annotations of the author stay, except those under reactor.run/, which are ours alone.
"""

import re
from collections.abc import Mapping

import orjson

from reactor_operator.api.effective import Effective, effective
from reactor_operator.api.reactor import Placement
from reactor_operator.engine.failures import FailureKind
from reactor_operator.engine.identity import digest_of, pod_name
from reactor_operator.kube.paths import JOB, POD, REACTOR_RUN
from reactor_operator.ports import TaskOrder
from reactor_operator.tasks.manifest_env import Unlaunchable
from reactor_operator.tasks.manifest_layers import Manifest
from reactor_operator.tasks.manifest_reads import render_reads
from reactor_operator.tasks.manifest_seal import Sealed, seal_annotations
from reactor_operator.tasks.manifest_spec import TaskSettings, render_pod_spec

MANAGED_BY = "reactor-operator"
SELECTOR = f"app.kubernetes.io/managed-by={MANAGED_BY}"
MANIFEST_LIMIT = 1_000_000

RUN_UID, STEP_PATH = "reactor.run/run-uid", "reactor.run/step"
_LABEL_LIMIT = 63


def render_manifest(order: TaskOrder, settings: TaskSettings) -> Manifest:
    """Return the pod or Job of a task. Raises Unlaunchable where the task cannot be put into one."""
    action = order.step.action(order.task.action)
    if action is None:
        raise AssertionError(f"step {order.step.name!r} has no {order.task.action}")
    chosen = effective(order.spec, order.step, action)
    name = pod_name(order.run.name, order.run.uid, order.task)
    sealed = Sealed(order.run, order.task, name, render_reads(action, order.sensitive, chunk=order.chunk))
    spec = render_pod_spec(order, settings, action, chosen)
    metadata = _metadata(order, chosen)
    if chosen.placement is Placement.JOB:
        manifest = _job(order, name, metadata, spec)
    else:
        manifest = _pod(order, name, metadata, spec)
    annotations = seal_annotations(settings.key, sealed, manifest)
    _annotate(manifest, annotations)
    size = len(orjson.dumps(manifest))
    if size > MANIFEST_LIMIT:
        raise Unlaunchable(
            FailureKind.INVALID_ARGUMENTS,
            f"step {order.task.path!r}: its pod would have {size} bytes, at most {MANIFEST_LIMIT} fit; pass fewer or "
            "smaller arguments in env, or make defaults.pod and inline sources smaller",
        )
    return manifest


def label_value(text: str) -> str:
    """Return `text` as a label's value; what is too long or has other characters ends in a hash of all of it."""
    if len(text) <= _LABEL_LIMIT and re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", text):
        return text
    readable = re.sub(r"[^-A-Za-z0-9_.]+", "-", text)[:50].strip("-_.")
    return f"{readable}-{digest_of('label', text)[:12]}" if readable else digest_of("label", text)[:12]


def _metadata(order: TaskOrder, chosen: Effective) -> Manifest:
    task = order.task
    theirs = chosen.pod.metadata if chosen.pod is not None else None
    ours = {
        "reactor.run/run": label_value(order.run.name),
        RUN_UID: order.run.uid,
        "reactor.run/reactor": label_value(order.reactor),
        STEP_PATH: label_value(task.path),
        "reactor.run/action": task.action.value,
        "reactor.run/attempt": str(task.attempt),
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }
    return {
        "labels": {**foreign(theirs.labels if theirs else {}), **ours},
        "annotations": foreign(theirs.annotations if theirs else {}),
    }


def foreign(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the labels or annotations of an author that are not under reactor.run/, which are ours alone."""
    return {key: value for key, value in entries.items() if key.partition("/")[0] != "reactor.run"}


def _pod(order: TaskOrder, name: str, metadata: Manifest, spec: Manifest) -> Manifest:
    return {
        "apiVersion": POD.api_version,
        "kind": POD.name,
        "metadata": {"name": name, "namespace": order.run.namespace, **metadata, "ownerReferences": [_owner(order)]},
        "spec": spec,
    }


def _job(order: TaskOrder, name: str, metadata: Manifest, spec: Manifest) -> Manifest:
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.name,
        "metadata": {"name": name, "namespace": order.run.namespace, **metadata, "ownerReferences": [_owner(order)]},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "template": {"metadata": dict(metadata), "spec": spec},
        },
    }


def _annotate(manifest: Manifest, annotations: Mapping[str, str]) -> None:
    """Add the seal to the object and, in a Job, to its pods."""
    spec = manifest["spec"]
    template = spec.get("template") if isinstance(spec, dict) else None
    for place in (manifest, template):
        metadata = place.get("metadata") if isinstance(place, dict) else None
        if isinstance(metadata, dict):
            metadata["annotations"] = {**metadata["annotations"], **annotations}


def _owner(order: TaskOrder) -> Manifest:
    return {
        "apiVersion": REACTOR_RUN.api_version,
        "kind": REACTOR_RUN.name,
        "name": order.run.name,
        "uid": order.run.uid,
        "controller": True,
    }
