"""Everything that follows runs, over an API server and a store in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from reactor_operator.changes.expiry import Expiry
from reactor_operator.changes.history import Trimmer
from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.changes.requests import Prepare, as_it_is
from reactor_operator.changes.runs import RunChanges
from reactor_operator.changes.siblings import ToldRuns
from reactor_operator.changes.sweep import Sweeper
from reactor_operator.changes.turns import Turns
from reactor_operator.engine.events import CancelRequested
from reactor_operator.kube.definitions import ClusterDefinitions
from reactor_operator.kube.paths import REACTOR_RUN
from reactor_operator.ports import RunRef
from reactor_operator.reconciling.definition import RECORD, Definition, encode_definition
from reactor_operator.reconciling.standing import Standing
from reactor_operator.status.board import ClusterBoard
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from tests.unit.kube.api_server import ApiServer, Json
from tests.unit.outcomes.stores import FixedClock

PATH = REACTOR_RUN.object("shop", "r")
REF = RunRef("shop", "r", "uid")
FINISHED_MS = 1_795_348_800_000
FINISHED = {"phase": "Succeeded", "finishedAt": "2026-11-22T12:00:00Z"}


class MarkingQueue(ReconcileQueue[RunRef]):
    """Keeps the marks, and reconciles nothing."""

    def __init__(self, clock: FixedClock) -> None:
        async def nothing(_: RunRef) -> None:
            return None

        super().__init__(nothing, clock, ChangeMetrics(CollectorRegistry()))

    def taken(self) -> list[RunRef]:
        marked, self._dirty = list(self._dirty), {}
        return marked


class Trial:
    """Everything that follows runs, over an API server and a store."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.store = MemoryStore()
        self.clock = FixedClock(FINISHED_MS)
        self.monotonic = 0.0
        self.queue = MarkingQueue(self.clock)
        self.active: frozenset[str] = frozenset()
        self.default_ttl_ms: int | None = None
        self.swept: list[RunRef] = []
        self.prepared: Prepare = as_it_is
        self.outlived: set[RunRef] = set()
        self.standing: Standing | None = None
        self.goes_back = False  # the store loses all while a run is read

    @asynccontextmanager
    async def following(self) -> AsyncIterator[RunChanges]:
        async with self.server.client(timeout_seconds=2.0) as client:
            definitions = ClusterDefinitions(client)
            board = ClusterBoard(client, self.clock, instance="operator")
            self.expiry = Expiry(client, definitions, self.store, self.clock, default_ttl_ms=self.default_ttl_ms)
            self.told = ToldRuns()
            self.trimmer = Trimmer(client, definitions, self.store, self.told)
            self.turns = Turns(self.queue, self.told, self.trimmer)
            runs = RunChanges(
                queue=self.queue,
                board=board,
                inbox=self.store,
                client=client,
                definitions=definitions,
                expiry=self.expiry,
                turns=self.turns,
                active=self.active,
                outlived=self.outlived.__contains__,
                prepared=self.prepared,
                standing=self._stand,
            )
            self.sweeper = Sweeper(
                definitions,
                self.store,
                grace_seconds=600.0,
                forgotten=self.swept.append,
                found=runs.back,
                monotonic=lambda: self.monotonic,
            )
            runs.sweeper = self.sweeper
            yield runs

    async def _stand(self, ref: RunRef) -> Standing | None:
        if self.goes_back:
            await self.store.forget(ref.uid)
        return self.standing

    async def put(self, **fields: Json) -> Json:
        """Put the run on the server as it is now, and return it."""
        metadata = {"uid": "uid", "generation": 1, **fields.pop("metadata", {})}
        return await self.server.put(PATH, {"metadata": metadata, "spec": {"reactorRef": {"name": "x"}}, **fields})

    async def store_run(self, *, active: bool = True, ttl: str | None = None) -> None:
        definition = Definition(run=REF, created_at=0, generation=1, reactor_name="x", ttl=ttl)
        records = {RECORD: encode_definition(definition)}
        await self.store.commit(Commit(run="uid", revision=0, epoch=1, records=records, active=active))

    async def cancels(self) -> list[CancelRequested]:
        snapshot = await self.store.load("uid")
        assert snapshot is not None
        events = [decode_event(body) for _, body in snapshot.inbox]
        return [event for event in events if isinstance(event, CancelRequested)]
