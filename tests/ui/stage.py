"""A cluster for browsers: an API server in this process, a mirror of it, a gateway with the dashboard, runs by script.

In: a store. Out: a `Stage`, whose runs move when they are told to, or by themselves while `going`. Never here: an
answer of the gateway that is made up.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.api.changes import STREAM_SECONDS
from reactor_operator.gateway.api.live import LiveObjects
from reactor_operator.gateway.api.pod_logs import PodLogs
from reactor_operator.gateway.api.routes import ApiAccess
from reactor_operator.gateway.signals import SignalAccess
from reactor_operator.gateway.static_files import BUILT
from reactor_operator.kube.paths import REACTOR
from reactor_operator.mirror.runs import RunMirror
from reactor_operator.ports import RunRef
from tests.contract.gateway_server import Gateway, ServedStore, running_gateway
from tests.contract.looking import following, let
from tests.contract.people import APPROVE, SIGNAL, People
from tests.contract.signal_server import KEYS
from tests.ui.staged import Script, Spec, StagedRun
from tests.unit.kube.api_server import ApiServer
from tests.unit.mirror.made import until

_LOOK_SECONDS = 0.02


@dataclass(slots=True)
class Stage:
    """What a test needs to have something to look at."""

    gateway: Gateway
    server: ApiServer
    people: People
    mirror: RunMirror
    store: ServedStore
    evaluator: ProcessEvaluator
    reactors: dict[str, Spec] = field(default_factory=dict)
    runs: dict[str, StagedRun] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    async def put_reactor(self, name: str, spec: Spec, *, ready: Mapping[str, object] | None = None) -> None:
        """Store a reactor that was judged: sound unless `ready` says otherwise."""
        self.reactors[name] = spec
        judged = {
            "type": "Ready",
            "status": "True",
            "reason": "Sound",
            "message": "sound",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            **(ready or {}),
        }
        metadata = {"uid": f"{name}-uid", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
        one = {"metadata": metadata, "spec": dict(spec), "status": {"conditions": [judged]}}
        await self.server.put(REACTOR.object("shop", name), one)

    async def start(
        self, name: str, reactor: str, script: Script = lambda task: {}, inputs: object = None, **changed: Any
    ) -> StagedRun:
        """Start a run of a reactor that is stored, and let it go as far as its script lets it."""
        ref = RunRef("shop", name, f"uid-{name}")
        run = StagedRun(
            self.store,
            self.server,
            ref,
            self.reactors,
            reactor=reactor,
            script=script,
            inputs=inputs if inputs is not None else {},
            evaluator=self.evaluator,
        )
        run.spec |= changed
        self.runs[name] = run
        self.people.runs["shop", name] = ref.uid
        await run.play()
        await until(lambda: self.mirror.index.get("shop", name) is not None)
        return run

    @contextlib.asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """All runs go on by themselves, and answer what is asked of them, until the block ends."""
        stop = asyncio.Event()
        following = asyncio.create_task(self._go(stop))
        try:
            yield
        finally:
            stop.set()
            await following

    async def _go(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            for run in list(self.runs.values()):
                await run.play()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)


@contextlib.asynccontextmanager
async def staged(
    store: ServedStore, *, dashboard: Path = BUILT, port: int = 0, stream_seconds: float = STREAM_SECONDS
) -> AsyncIterator[Stage]:
    """Let Ann look and act in shop, Bob approve too, Vic look alone, and Ed nothing."""
    people = People()
    for name, rights in {"ann": (SIGNAL,), "bob": (SIGNAL, APPROVE), "vic": ()}.items():
        let(people, name, "shop")
        people.let(name, *(right.format("shop") for right in rights))
    people.let("ed")
    evaluator = ProcessEvaluator()
    async with ApiServer().serve() as server, server.client() as client, server.client() as lists:
        mirror = RunMirror(lists, ("shop",))
        api = ApiAccess(
            reviews=people,
            mirror=mirror,
            live=LiveObjects(client),
            logs=PodLogs(client),
            stream_seconds=stream_seconds,
        )
        signals = SignalAccess(reviews=people, runs=people, wait_seconds=5.0)
        async with (
            running_gateway(store, KEYS, port=port, signals=signals, api=api, dashboard=dashboard) as gateway,
            following(mirror, ready=True),
        ):
            await until(lambda: mirror.ready)
            yield Stage(gateway, server, people, mirror, store, evaluator)
            mirror.feed.close()
    await evaluator.close()
