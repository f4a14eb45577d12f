"""Rows `redis-round-trips` and `redis-bytes`: what a run costs its Redis.

In: nothing but a `redis-server` to start. Out: how often a commit waits for Redis, counted on the wire; and how many
bytes Redis writes to its log for each event of a long chain, compared with a short one. What opens a run is not
counted: its definition is stored once, and is as long as the chain.
"""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.store.port import Commit
from reactor_operator.store.redis import RedisStore
from tests.benchmarks.driving import drive, read_run
from tests.benchmarks.rows import BenchmarkFailed, Measured
from tests.benchmarks.samples import Samples
from tests.benchmarks.wire import Wire
from tests.contract.redis_server import RedisServer

LONG, SHORT = 1_000, 100
_NO_REWRITE = ("--auto-aof-rewrite-percentage", "0")
_HEAD = "apiVersion: reactor.run/v1alpha1\nkind: {kind}\nmetadata: {{name: bench}}\nspec:\n"
_STEP = """  - name: step-{number:04}
    arguments: {{who: {{{source}}}}}
    run: {{python: {{handler: "shop:greet"}}}}
    undo: {{python: {{handler: "shop:part"}}}}
"""


def measure_redis() -> Mapping[str, Measured]:
    """Drive chains of both lengths over a store of its own. Both figures are counts: once is enough."""
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder), *_NO_REWRITE) as server:
        return asyncio.run(_measure(server))


async def _measure(server: RedisServer) -> Mapping[str, Measured]:
    evaluator = ProcessEvaluator(workers=1)
    async with Wire("127.0.0.1", server.port) as wire:
        store = _Counted(wire.url, server, wire)
        try:
            await drive(read_run(_chain(1)), store, evaluator, "first")  # Redis is asked how durable it is, once
            first = store.take()
            found = {length: await _drive_chain(store, evaluator, length) for length in (LONG, SHORT)}
        finally:
            await store.close()
            await evaluator.close()
    trips = Samples(tuple(float(trips) for chain in found.values() for trips in chain.trips))
    long, short = (Samples((found[length].bytes_per_event,)) for length in (LONG, SHORT))
    arms = {f"{LONG} steps": long, f"{SHORT} steps": short}
    return {
        "redis-round-trips": Measured(
            value=sum(trips.values) / len(trips.values),
            spread=trips.spread,
            details={"commits": len(trips.values), "ofTheFirstCommit": first.trips[0]},
        ),
        "redis-bytes": Measured(value=long.median / short.median, arms=arms, details={"armsUnit": "bytes per event"}),
    }


class _Chain:
    """What was counted of one run: round trips of each commit, and bytes after the commit that opened it."""

    def __init__(self, trips: list[int], written: list[int], events: int) -> None:
        self.trips = trips
        self.bytes_per_event = (written[-1] - written[0]) / events


class _Counted(RedisStore):
    """Counts round trips of commits, and reads how long Redis's log is after each first and last one."""

    def __init__(self, url: str, server: RedisServer, wire: Wire) -> None:
        super().__init__(url, "bench")
        self._server = server
        self._wire = wire
        self._trips: list[int] = []
        self._written: list[int] = []

    async def commit(self, commit: Commit) -> int:
        """Apply a commit."""
        before = self._wire.round_trips
        revision = await super().commit(commit)
        self._trips.append(self._wire.round_trips - before)
        if commit.revision == 0:
            self._written.append(_log_bytes(self._server))
        return revision

    def take(self) -> _Chain:
        """Return what was counted, and count anew."""
        written = [*self._written, _log_bytes(self._server)]
        chain = _Chain(self._trips, written, len(self._trips) - 1)
        self._trips, self._written = [], []
        return chain


async def _drive_chain(store: _Counted, evaluator: ProcessEvaluator, length: int) -> _Chain:
    await drive(read_run(_chain(length)), store, evaluator, "chain", most=2 * length + 10)
    return store.take()


def _chain(length: int) -> str:
    sources = ["input: who", *(f"result: step-{number:04}" for number in range(length - 1))]
    steps = [_STEP.format(number=number, source=source) for number, source in enumerate(sources)]
    run = _HEAD.format(kind="ReactorRun") + "  reactorRef: {name: bench}\n  inputs: {who: world}\n"
    return _HEAD.format(kind="Reactor") + "  steps:\n" + "".join(steps) + "---\n" + run


def _log_bytes(server: RedisServer) -> int:
    for line in server.command("INFO", "persistence").decode().splitlines():
        name, _, value = line.partition(":")
        if name == "aof_current_size":
            return int(value)
    raise BenchmarkFailed("Redis does not tell how long its append-only file is")
