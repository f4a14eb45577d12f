"""The operator's loop over one run with a map on a pool: the queue of runs, the bell of the inbox, lost tasks.

In: `python -m tests.benchmarks.pool.operator_process REDIS ELEMENTS WINDOW CHUNK [undo]`. Out: one line of JSON on
stdout: seconds from the first look at the run until it has succeeded; with `undo` those until all is undone; CPU time.
Never here: a cluster. The board keeps phases alone.
"""

import asyncio
import json
import sys
from time import perf_counter, process_time

import uvloop
from prometheus_client import CollectorRegistry

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.engine.events import UndoRequested
from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.pools.lost import LostTasks
from reactor_operator.pools.metrics import PoolMetrics
from reactor_operator.ports import RunRef
from reactor_operator.running.clock import WallClock
from reactor_operator.store.codec import encode_event
from reactor_operator.store.port import Entry
from reactor_operator.store.redis import RedisStore
from tests.benchmarks.mapping import Bench, Driven
from tests.benchmarks.pool.settled import INSTALLATION, settle


async def _run(redis: str, bench: Bench) -> dict[str, float]:
    store, evaluator, registry = RedisStore(redis, INSTALLATION), ProcessEvaluator(workers=1), CollectorRegistry()
    driven = Driven(bench, store, evaluator)
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def reconcile(ref: RunRef) -> int | None:
        wake_at = await driven.reconcile()
        if wake_at is None:
            ended.put_nowait(driven.board.phase)
        return wake_at

    queue = ReconcileQueue(reconcile, WallClock(), ChangeMetrics(registry))

    async def follow_rings() -> None:
        async for uid in store.rings():
            if uid == driven.ref.uid:
                queue.mark(driven.ref)

    parts = [queue.run(), follow_rings(), LostTasks(store, PoolMetrics(registry)).run()]
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        used, began = process_time(), perf_counter()
        queue.mark(driven.ref)
        await _wait_for(ended, driven, "Succeeded")
        found = {"seconds": perf_counter() - began, "operatorSeconds": process_time() - used}
        if bench.undo:
            used, began = process_time(), perf_counter()
            body = encode_event(UndoRequested(id="undo"))
            await store.append(Entry(run=driven.ref.uid, digest="undo", body=body))
            await _wait_for(ended, driven, "Undone")
            found |= {"undoSeconds": perf_counter() - began, "undoOperatorSeconds": process_time() - used}
        await store.forget(driven.ref.uid)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await evaluator.close()
        await store.close()
    return found


async def _wait_for(ended: asyncio.Queue[str], driven: Driven, phase: str) -> None:
    while driven.board.phase not in ("Succeeded", "Failed", "Undone") or driven.board.phase != phase:
        await ended.get()
    driven.board.expect(phase)


def main() -> None:
    """Measure, and say what was found."""
    redis, elements, window, chunk = sys.argv[1], *map(int, sys.argv[2:5])
    undo = "undo" in sys.argv[5:]
    settle()
    bench = Bench(elements=elements, window=window, chunk=chunk, on_pool=True, paged=False, undo=undo)
    print(json.dumps(uvloop.run(_run(redis, bench))))


if __name__ == "__main__":
    main()
