"""The seal: proof that a pod or Job is ours, for this task and no other, and was not given other words since.

In: a key, the identity of a task and what its manifest says. Out: an HMAC, and whether one holds.
Never here: a comparison of specs (API servers fill in defaults, so specs never match).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.kube.fields import JsonObject, maps_at, text_at, texts_at
from reactor_operator.ports import RunRef

RUN = "reactor.run/run"
TASK = "reactor.run/task"
READS = "reactor.run/reads"
MANIFEST = "reactor.run/manifest"
SEAL = "reactor.run/seal"


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a seal vouches for: this object was made by us for `task` of `run`, and its outcome is read as `reads` says.

    `name` is that of the pod or Job; the pods of a Job carry the Job's.
    """

    run: RunRef
    task: Task
    name: str
    reads: str


def seal_annotations(key: bytes, sealed: Sealed, manifest: Mapping[str, object]) -> dict[str, str]:
    """Return the annotations that seal `manifest` (as it is without them)."""
    digest = hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {
        RUN: sealed.run.name,
        TASK: f"{sealed.run.uid}/{sealed.task.key}",
        READS: sealed.reads,
        MANIFEST: digest,
        SEAL: _hmac(key, sealed, digest),
    }


def open_seal(key: bytes, object_: JsonObject) -> Sealed | None:
    """Return what the seal of a pod or Job vouches for, None where it is not ours or was tampered with."""
    annotations = texts_at(object_, "metadata", "annotations")
    uid, slash, task_key = annotations.get(TASK, "").partition("/")
    task = parse_task_key(task_key) if slash else None
    if task is None:
        return None
    namespace = text_at(object_, "metadata", "namespace")
    run = RunRef(namespace, annotations.get(RUN, ""), uid)
    sealed = Sealed(run, task, _name_of(object_), annotations.get(READS, ""))
    expected = _hmac(key, sealed, annotations.get(MANIFEST, ""))
    return sealed if hmac.compare_digest(expected.encode(), annotations.get(SEAL, "").encode()) else None


def is_owned_by(object_: JsonObject, run: RunRef) -> bool:
    """Return whether the run, by uid, is what the object is owned and controlled by."""
    return any(
        text_at(owner, "uid") == run.uid and owner.get("controller") is True and text_at(owner, "kind") == "ReactorRun"
        for owner in maps_at(object_, "metadata", "ownerReferences")
    )


def _name_of(object_: JsonObject) -> str:
    owners = maps_at(object_, "metadata", "ownerReferences")
    job = next((text_at(owner, "name") for owner in owners if text_at(owner, "kind") == "Job"), "")
    return job or text_at(object_, "metadata", "name")


def _hmac(key: bytes, sealed: Sealed, digest: str) -> str:
    run = sealed.run
    words = ("seal", run.namespace, run.name, run.uid, sealed.task.key, sealed.name, sealed.reads, digest)
    return hmac.new(key, "\0".join(words).encode("utf-8", "replace"), hashlib.sha256).hexdigest()
