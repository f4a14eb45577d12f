"""The world of a run on a laptop: manifests for definitions, the last status for a board, the clock of the wall.

In: sound runs and the manifests they came from. Out: the ports that `reconcile` asks for.
Never here: the loop that drives a run (`drive.py`), or output (`progress.py`).
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reactor_operator.api.digest import digest_spec
from reactor_operator.api.sensitivity import hidden, sensitive_inputs
from reactor_operator.cli.check import SoundRun
from reactor_operator.cli.manifests import API_VERSION, Manifests
from reactor_operator.cli.moments import render_moment
from reactor_operator.cli.run_view import RunView
from reactor_operator.engine.actions import Announce
from reactor_operator.ports import ReactorObject, Rendering, RunObject, RunRef

NAMESPACE = "default"


class WallClock:
    """Implements `ports.Clock`."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


def run_uid(incarnation: str | None, namespace: str, name: str) -> str:
    """Return the uid of a run: in a state file (by its incarnation) a function of the name, so that it is found again.

    Elsewhere it is new each time: idempotency keys are made of it, and a new run is a new transaction.
    """
    if incarnation is None:
        return str(uuid.uuid4())
    return str(uuid.UUID(bytes=hashlib.sha256("\0".join((incarnation, namespace, name)).encode()).digest()[:16]))


def reactor_object(namespace: str, name: str, spec: Mapping[str, object]) -> ReactorObject:
    """Return a Reactor as the API server would have it. One that was changed is another one: nobody counts here how
    often it was."""
    try:
        digest = digest_spec(spec)
    except TypeError:  # nested so deeply that it has none, and is not sound
        digest = ""
    uid = run_uid(f"reactor {digest}", namespace, name)
    return ReactorObject(namespace=namespace, name=name, uid=uid, generation=1, spec=spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaptopRun:
    """One run to drive: as written, with the inputs that came of the command line, under the uid it has here."""

    sound: SoundRun
    inputs: Mapping[str, object]
    ref: RunRef
    created_at: int

    @property
    def written_namespace(self) -> str:
        """The namespace that the run or its Reactor names, empty where neither does."""
        return self.sound.manifest.namespace or self.sound.reactor.manifest.namespace

    def spec(self) -> dict[str, object]:
        """Return the run's spec with its inputs."""
        return {**self.sound.manifest.spec, "inputs": dict(self.inputs)}

    def view(self, status: Mapping[str, object]) -> RunView:
        """Return the ReactorRun as the API server would have it, sensitive inputs masked."""
        written = self.sound.manifest.value.get("metadata")
        kept = {key: written[key] for key in ("labels", "annotations") if isinstance(written, dict) and key in written}
        metadata = {
            "name": self.ref.name,
            "namespace": self.ref.namespace,
            "uid": self.ref.uid,
            "creationTimestamp": render_moment(self.created_at),
            **kept,
        }
        shown = hidden(dict(self.inputs), sensitive_inputs(self.sound.reactor.schema))
        return RunView(
            {
                "apiVersion": API_VERSION,
                "kind": "ReactorRun",
                "metadata": metadata,
                "spec": {**self.spec(), "inputs": shown},
                "status": dict(status),
            }
        )


class Manifested:
    """Implements `ports.Definitions` for one run: what was read from files is what is live."""

    def __init__(self, run: LaptopRun, manifests: Manifests) -> None:
        self._run = run
        self._manifests = manifests

    async def get_run(self, ref: RunRef) -> RunObject | None:
        """Return the run as it was made; of another one only that it is there: a state file keeps all it ever had."""
        if ref != self._run.ref:
            return RunObject(ref=ref, generation=1, created_at=0, spec={}, annotations={}, status={})
        return RunObject(
            ref=ref,
            generation=1,
            created_at=self._run.created_at,
            spec=self._run.spec(),
            annotations={},
            status={},
        )

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        """Return the Reactor that the run names, or one that this composes."""
        own = self._run.sound.reactor.manifest
        reactor = own if name == own.name else self._manifests.reactor(name, own.namespace)
        if namespace != self._run.ref.namespace or reactor is None:
            return None
        return reactor_object(namespace, name, reactor.spec)

    async def get_config(self, namespace: str, name: str, key: str) -> str | None:
        """Return one key of a ConfigMap among the manifests."""
        return (self._manifests.config("ConfigMap", name, self._run.written_namespace) or {}).get(key)


@dataclass(slots=True)
class LaptopBoard:
    """Implements `ports.Board`: keeps the last status and hands each new one to whoever looks."""

    run: LaptopRun
    look: Callable[[RunView], None]
    last: RunView = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.run.view({})

    async def report(self, ref: RunRef, phase: str, render: Rendering) -> None:
        """Take a status."""
        status = await render()
        if status != self.last.status:
            self.last = self.run.view(status)
            self.look(self.last)

    async def announce(self, ref: RunRef, announcement: Announce) -> None:
        """Take no notice: all of it shows in the status, from which progress is told."""
