"""The cluster as a user has it: kubectl, manifests, and waiting for what is to become true.

In: manifests and names. Out: objects as JSON. Never here: a client library, or a sleep without a condition.
"""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Object = dict[str, Any]
PAUSE_SECONDS = 0.2


class KubectlFailed(Exception):
    """kubectl ended with another code than 0; the message is what it said."""


def kubectl(*arguments: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
    """Run kubectl and return what it printed. Raises KubectlFailed."""
    done = subprocess.run(
        ["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=timeout_seconds, check=False
    )
    if done.returncode:
        raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def wait_until(what: str, look: Callable[[], T | None], timeout_seconds: float = 60) -> T:
    """Look again and again until there is something to see, and return it. Raises AssertionError after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {timeout_seconds:g} s"
        time.sleep(PAUSE_SECONDS)


@dataclass(frozen=True)
class Namespace:
    """One namespace that a test has for itself."""

    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
        """Run kubectl in this namespace."""
        return kubectl("-n", self.name, *arguments, stdin=stdin, timeout_seconds=timeout_seconds)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def apply_folder(self, folder: Path) -> None:
        """Apply a kustomization, as the README of an example says."""
        self.kubectl("apply", "-k", str(folder))

    def get(self, kind: str, name: str) -> Object:
        """Return an object. Raises KubectlFailed where there is none."""
        found: Object = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def find(self, kind: str, *selector: str) -> list[Object]:
        """Return the objects of a kind."""
        found: list[Object] = json.loads(self.kubectl("get", kind, "-o", "json", *selector))["items"]
        return found

    def status(self, run: str) -> Object:
        """Return the status of a run."""
        status: Object = self.get("rctrun", run).get("status", {})
        return status

    def wait_finished(self, run: str, timeout_seconds: int = 120) -> Object:
        """Wait as users do, and return the status of the ended run."""
        try:
            waiting = ("wait", f"rctrun/{run}", "--for=condition=Finished", f"--timeout={timeout_seconds}s")
            self.kubectl(*waiting, timeout_seconds=timeout_seconds + 30)
        except KubectlFailed as problem:
            raise AssertionError(f"{problem}\n{json.dumps(self.status(run), indent=1)}\n{self.tell_pods()}") from None
        return self.status(run)

    def wait_status(self, run: str, what: str, holds: Callable[[Object], bool], timeout_seconds: float = 60) -> Object:
        """Wait until something holds of a run's status, and return it."""

        def look() -> Object | None:
            status = self.status(run)
            return status if status and holds(status) else None

        return wait_until(f"run {run}: {what}", look, timeout_seconds)

    def wait_step(self, run: str, step: str, *phases: str, timeout_seconds: float = 60) -> Object:
        """Wait until a step is in one of `phases`, and return it."""

        def look(status: Object) -> bool:
            return steps_of(status).get(step, {}).get("phase") in phases

        return steps_of(self.wait_status(run, f"{step} is {phases}", look, timeout_seconds))[step]

    def pods(self, run: str) -> list[Object]:
        """Return the pods of a run."""
        return [pod for pod in self.find("pods") if pod["metadata"].get("labels", {}).get("reactor.run/run") == run]

    def tell_pods(self) -> str:
        """Return what a person would look at next."""
        return self.kubectl("get", "pods,events", "--sort-by=.metadata.creationTimestamp")


def steps_of(status: Object) -> dict[str, Object]:
    """Return the steps of a status by name."""
    return {step["name"]: step for step in status.get("steps", [])}


def phases_of(status: Object) -> dict[str, str]:
    """Return the phase of each step by name."""
    return {step["name"]: step["phase"] for step in status.get("steps", [])}


def python_step(name: str, source: str = "def main():\n    return 1\n", **fields: Any) -> Object:
    """Return a step with an inline script."""
    return {"name": name, "run": {"python": {"source": source}}, **fields}


def container_step(name: str, script: str, image: str, **fields: Any) -> Object:
    """Return a step that runs a shell script in a container."""
    return {"name": name, "run": {"container": {"image": image, "command": ["sh", "-c", script]}}, **fields}


def reactor(name: str, steps: Sequence[Object], **spec: Any) -> Object:
    """Return a Reactor."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "Reactor",
        "metadata": {"name": name},
        "spec": {"steps": list(steps), **spec},
    }


def run_of(reactor_name: str, name: str | None = None, inputs: Object | None = None, **spec: Any) -> Object:
    """Return a ReactorRun."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorRun",
        "metadata": {"name": name or f"{reactor_name}-1"},
        "spec": {"reactorRef": {"name": reactor_name}, "inputs": inputs or {}, **spec},
    }
