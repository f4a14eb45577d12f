"""What the gateway does for the workers of a pool: leases tasks to them, and records what they report.

In: a `PoolRequest`. Out: the answer's bytes, or a `Refusal`. Never here: an acknowledgement before the store has the
entries on disk, a lease for somebody who has gone, or a decision about a run.
"""

import asyncio
import contextlib
import time
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import orjson

from reactor_operator.encryption import Keyring
from reactor_operator.engine.identity import parse_task_key
from reactor_operator.gateway.answer import Answer
from reactor_operator.gateway.bodies import Refusal, announced_size
from reactor_operator.gateway.documents import TaskDocuments, size_of
from reactor_operator.gateway.leased import LeasedTasks
from reactor_operator.gateway.pool_requests import PoolRequest, limit_of, texts_of, worker_of
from reactor_operator.gateway.printed import PrintedLogs
from reactor_operator.gateway.record import OpenRecord, decode_record
from reactor_operator.gateway.reported import released_entry, reported_entries
from reactor_operator.gateway.results import ResultPages
from reactor_operator.gateway.turns import SMALL, Turns
from reactor_operator.gateway.waiting import Wakeups
from reactor_operator.ports import Clock
from reactor_operator.store.port import Inbox, Lease, Pages, Pools, Values

LEASE_SECONDS = 30.0
LONG_POLL_SECONDS = 8.0
"""Shorter than a gateway that is told to stop waits for its answers."""
_CLOSED = "the task is closed or superseded, or was given to another worker: do not begin it"


class PoolStore(Inbox, Values, Pages, Pools, Protocol):
    """What is needed of the store."""


class PoolService:
    """Answers workers from one store."""

    def __init__(
        self,
        store: PoolStore,
        clock: Clock,
        keys: Keyring,
        turns: Turns,
        large_bodies: AbstractAsyncContextManager[object],
        printed: PrintedLogs,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._seconds = lease_seconds
        self._keys = keys
        self._turns = turns
        self._large_bodies = large_bodies
        self._printed = printed
        self._leased = LeasedTasks(TaskDocuments(store, keys), printed)
        self._results = ResultPages(store, keys, turns)
        self._wakeups = Wakeups(store)

    async def answer(self, request: PoolRequest) -> Answer:
        """Do what `request` asks. Raises Refusal, StoreUnavailable, CannotDecrypt."""
        match request.verb:
            case "lease":
                return await self._lease(request)
            case "heartbeat":
                return await self._renew(request)
            case "report":
                return await self._record(request)
            case "task":
                return await self._send_task(request)
            case _:
                return await self._send_results(request)

    async def _lease(self, request: PoolRequest) -> Answer:
        arrived = time.monotonic()
        told = await request.read_json()
        worker, limit = worker_of(told.get("worker")), limit_of(told.get("limit"))
        known = texts_of(told.get("known", []), "known")
        gone = asyncio.create_task(_gone(request))
        try:
            leases, taken_at = await self._take(request, worker, limit, arrived + LONG_POLL_SECONDS, gone)
        finally:
            gone.cancel()
        waited = taken_at - arrived
        head: dict[str, object] = {"seconds": self._seconds, "waitedMs": int(waited * 1000)}
        body = await self._leased.render(request, request.binding(worker), leases, known, head)
        return Answer(body, "application/x-ndjson", waited_seconds=waited)

    async def _take(
        self, request: PoolRequest, worker: str, limit: int, until: float, gone: asyncio.Task[None]
    ) -> tuple[tuple[Lease, ...], float]:
        """Return what is leased, once there is something, and when that was, at the earliest. Raises Refusal."""
        while True:
            now = time.monotonic()
            leases = await self._store.lease(request.pool, worker, limit, int(self._seconds * 1000))
            if gone.done():
                await self._give_back(request.binding(worker), leases)
                raise Refusal(400, "the worker has gone")
            if leases:
                self._wakeups.found()
            if leases or now >= until:
                return leases, now
            waiting = asyncio.create_task(self._wakeups.wait(request.pool, until - now))
            await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    async def _give_back(self, binding: str, leases: tuple[Lease, ...]) -> None:
        """Nobody heard of these leases: tell the runs, who would else learn of it when they run out."""
        keys = [(lease.run, parse_task_key(leased.task)) for lease in leases for leased in lease.tasks]
        await self._store.append_all([released_entry(run, task, binding) for run, task in keys if task is not None])

    async def _renew(self, request: PoolRequest) -> Answer:
        told = await request.read_json()
        worker, ids = worker_of(told.get("worker")), texts_of(told.get("leases"), "leases")
        renewed = await self._store.extend(request.pool, worker, ids, int(self._seconds * 1000))
        await self._keep_printed(request, request.binding(worker), told.get("printed", []))
        leases = {id_: {"seconds": self._seconds, "closed": sorted(closed)} for id_, closed in renewed.items()}
        return Answer(orjson.dumps({"leases": leases}))

    async def _keep_printed(self, request: PoolRequest, binding: str, printed: object) -> None:
        """Keep what tasks have printed that are being done. Raises Refusal."""
        if not isinstance(printed, list) or not all(isinstance(one, dict) for one in printed):
            raise Refusal(400, "printed: expected a list of objects")
        for one in printed:
            if request.has_proof(binding, one.get("run"), one.get("task"), one.get("proof")):
                await self._printed.keep(one)

    async def _record(self, request: PoolRequest) -> Answer:
        async with self._room_for(request):
            head, documents = await request.read_lines()
            binding = request.binding(head.get("worker"))
            outcomes = head.get("outcomes")
            told = reported_entries(request, binding, outcomes, documents, self._keys, self._clock.now())
            entries = [entry for one in told if not isinstance(one, str) for entry in one]
            taken = iter(await self._store.append_all(entries))
            answers = [one if isinstance(one, str) else [next(taken).value for _ in one][-1] for one in told]
            await self._printed.keep_reported(outcomes or (), answers)
        return Answer(orjson.dumps({"answers": answers}))

    async def _send_task(self, request: PoolRequest) -> Answer:
        told = await request.read_json()
        run, task, binding, record = await self._given(
            request, told.get("worker"), told.get("run"), told.get("task"), told.get("proof")
        )
        async with self._turns.turn(_size_of(record)) as turn:
            line = await self._leased.render_one(request, binding, run, task, record)
            return Answer(line, held=turn.pop_all())

    async def _send_results(self, request: PoolRequest) -> Answer:
        query = request.http.query_params
        run, _, _, record = await self._given(
            request, query.get("worker"), query.get("run"), query.get("task"), query.get("proof")
        )
        return await self._results.answer(run, record, query)

    async def _given(
        self, request: PoolRequest, worker: object, run: object, task: object, proof: object
    ) -> tuple[str, str, str, OpenRecord]:
        """Return a task that the worker was given and may still do: run, key, binding, record. Raises Refusal."""
        binding = request.binding(worker)
        if not request.has_proof(binding, run, task, proof):
            raise Refusal(403, "expected the proof that came with the lease of this task")
        found = await self._store.open_task(str(run), str(task))
        if found is None or found.outcome or found.binding != binding:
            raise Refusal(410, _CLOSED)
        return str(run), str(task), binding, decode_record(found.record)

    def _room_for(self, request: PoolRequest) -> AbstractAsyncContextManager[object]:
        """Large bodies take turns, as those of tasks do."""
        size = announced_size(request.http)
        return self._large_bodies if size is None or size > 4 * SMALL else contextlib.nullcontext()


async def _gone(request: PoolRequest) -> None:
    """Return when the worker closes its connection."""
    while (await request.http.receive())["type"] != "http.disconnect":
        pass


def _size_of(record: OpenRecord) -> int:
    return size_of(record.arguments, record.result, record.request, record.detail)
