"""The objects that the arms create: the bare pod, the Indexed Job, and reactors of the same steps.

In: names and counts. Out: manifests as JSON. Never here: a request. All containers run the same image and do nothing.
"""

import os
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import ROOT
from tests.benchmarks.rows import BenchmarkFailed

Manifest = dict[str, Any]
_IMAGES = ROOT / "build" / "images.env"
_COMMAND = ["true"]
_KEPT = {"history": {"succeeded": 100_000, "failed": 100_000}}
_SOURCE = "def main(before=None):\n    return 1\n"


def busybox() -> str:
    """Return the image of containers that do nothing: BUSYBOX_IMAGE, or what `make images` wrote down."""
    named = dict(_pairs(_IMAGES)) | {name: value for name, value in os.environ.items() if name == "BUSYBOX_IMAGE"}
    if not named.get("BUSYBOX_IMAGE"):
        raise BenchmarkFailed(
            f"no image to measure with: set BUSYBOX_IMAGE, or run make images, which writes {_IMAGES}"
        )
    return named["BUSYBOX_IMAGE"]


def _pairs(file: Path) -> list[tuple[str, str]]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [(name, value) for name, found, value in (line.partition("=") for line in lines) if found]


def bare_pod(name: str) -> Manifest:
    """Return the cheapest pod that meets Pod Security `restricted`."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": _pod_spec()}


def indexed_job(name: str, completions: int, parallelism: int) -> Manifest:
    """Return an Indexed Job of such pods."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "completionMode": "Indexed",
            "completions": completions,
            "parallelism": parallelism,
            "backoffLimit": 0,
            "template": {"spec": _pod_spec()},
        },
    }


def _pod_spec() -> Manifest:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "step",
                "image": busybox(),
                "imagePullPolicy": "IfNotPresent",
                "command": _COMMAND,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    }


def python_step(name: str, before: str | None = None) -> Manifest:
    """Return a step whose pod calls a function that does nothing; chained by data where `before` is named."""
    step: Manifest = {"name": name, "run": {"python": {"source": _SOURCE}}}
    return step if before is None else step | {"arguments": {"before": {"result": before}}}


def container_step(name: str, before: str | None = None) -> Manifest:
    """Return a step whose pod runs the container of the bare pod."""
    step: Manifest = {"name": name, "run": {"container": {"image": busybox(), "command": _COMMAND}}}
    return step if before is None else step | {"waitFor": [before]}


def mapped_step(elements: int, window: int, **body: object) -> Manifest:
    """Return a step that maps over so many numbers and does with each what `body` says."""
    mapped = {"source": {"value": list(range(elements))}, "batchSize": window, **body}
    return {"name": "rows", "arguments": {"before": {"element": "rows"}}, "map": mapped}


def container_elements(elements: int, window: int) -> Manifest:
    """Return a map whose elements are containers as the steps of `container_step` are."""
    return mapped_step(elements, window, run=container_step("rows")["run"])


def python_elements(elements: int, window: int, pool: str = "") -> Manifest:
    """Return a map whose elements call a function that does nothing, in pods of their own or on a pool."""
    placed = {"placement": "pool", "poolRef": {"name": pool}} if pool else {}
    return mapped_step(elements, window, run=python_step("rows")["run"]) | placed


def worker_pool(name: str, concurrency: int) -> Manifest:
    """Return a pool with one worker."""
    spec = {"replicas": 1, "concurrency": concurrency}
    return {**_OURS, "kind": "ReactorPool", "metadata": {"name": name}, "spec": spec}


def skipped_step(name: str) -> Manifest:
    """Return a step that is skipped, so that a run of it needs no pod."""
    return container_step(name) | {"when": "false"}


def asking_steps() -> list[Manifest]:
    """Return an interrupt, and a Python step after it."""
    return [{"name": "ask", "interrupt": {}}, python_step("after") | {"waitFor": ["ask"]}]


def chain(make: Any, length: int) -> list[Manifest]:
    """Return steps that each wait for the one before."""
    return [make(f"step-{index}", f"step-{index - 1}" if index else None) for index in range(length)]


def reactor(name: str, steps: list[Manifest], **spec: object) -> Manifest:
    """Return a Reactor."""
    return {**_OURS, "kind": "Reactor", "metadata": {"name": name}, "spec": {"steps": steps, **_KEPT, **spec}}


def run_of(reactor_name: str, name: str, inputs: Manifest | None = None) -> Manifest:
    """Return a run of it."""
    spec = {"reactorRef": {"name": reactor_name}, "inputs": inputs or {}}
    return {**_OURS, "kind": "ReactorRun", "metadata": {"name": name}, "spec": spec}


_OURS: Manifest = {"apiVersion": "reactor.run/v1alpha1"}
