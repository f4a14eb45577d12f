"""Since when a run waits, and when it was told of, is known of each that waits or is being reconciled."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from reactor_operator.changes.metrics import ChangeMetrics
from reactor_operator.changes.queue import ReconcileQueue
from reactor_operator.ports import RunRef
from reactor_operator.running.clock import WallClock

A, B = RunRef("shop", "a", "uid-a"), RunRef("shop", "b", "uid-b")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - one turn of the loop
            await asyncio.sleep(0)


class Held:
    """A queue with room for one run at once, whose reconciles wait until they may go on."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.queue = ReconcileQueue(self.reconcile, WallClock(), ChangeMetrics(self.registry), at_once=1)
        self.told: list[float | None] = []
        self.go = asyncio.Semaphore(0)
        self.work = asyncio.create_task(self.queue.run())

    async def reconcile(self, ref: RunRef) -> None:
        self.told.append(self.queue.told_at(ref))
        await self.go.acquire()

    async def end(self) -> None:
        self.work.cancel()
        await asyncio.gather(self.work, return_exceptions=True)

    @property
    def oldest(self) -> float:
        found = self.registry.get_sample_value("reactor_queue_oldest_seconds")
        assert found is not None
        return found


async def test_the_oldest_that_waits_is_shown_and_nothing_where_none_waits() -> None:
    held = Held()
    assert held.oldest == 0
    held.queue.mark(A)
    await until(lambda: len(held.told) == 1)
    assert held.oldest == 0  # it is being reconciled
    before = time.perf_counter()
    held.queue.mark(B)
    held.queue.mark(B)
    await until(lambda: held.oldest > 0.001)
    assert held.oldest <= time.perf_counter() - before
    held.go.release()
    await until(lambda: len(held.told) == 2)
    assert held.oldest == 0
    await held.end()


async def test_a_run_that_is_reconciled_was_told_when_it_was_marked_first_since_it_was_taken_up() -> None:
    held = Held()
    times = [time.perf_counter()]
    held.queue.mark(A)
    await until(lambda: len(held.told) == 1)
    times.append(time.perf_counter())
    held.queue.mark(A)
    times.append(time.perf_counter())
    await until(lambda: time.perf_counter() > times[-1])
    held.queue.mark(A)
    held.go.release()
    await until(lambda: len(held.told) == 2)
    first, again = held.told
    assert first is not None
    assert again is not None
    assert times[0] <= first <= times[1] <= again <= times[2]
    held.go.release()
    await until(lambda: held.queue.told_at(A) is None)
    await held.end()
