"""Waiting for work: one look at the queues for all who wait, a wake-up for those of the pool that has something."""

import asyncio
from collections.abc import Mapping
from typing import Any

from reactor_operator.gateway.waiting import LONGEST_PAUSE_SECONDS, Wakeups
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Depth, StoreUnavailable


class Queues(MemoryStore):
    """Says what it is told of queues, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: dict[str, int] = {}
        self.asked = 0
        self.away = False

    async def depths(self) -> Mapping[str, Depth]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return {pool: Depth(queued=queued, leased=3, oldest_ms=0) for pool, queued in self.queued.items()}


async def waits(wakeups: Wakeups, pool: str, seconds: float = 10.0) -> Any:
    return asyncio.create_task(wakeups.wait(pool, seconds))


async def test_who_waits_for_a_pool_is_woken_when_something_is_queued_there() -> None:
    store = Queues()
    wakeups = Wakeups(store)
    mine, others = await waits(wakeups, "a/x"), await waits(wakeups, "a/y")
    await asyncio.sleep(0.05)
    store.queued = {"a/x": 1, "a/y": 0}
    async with asyncio.timeout(2):
        await mine
    assert not others.done()
    others.cancel()


async def test_a_wait_has_an_end() -> None:
    async with asyncio.timeout(2):
        await Wakeups(Queues()).wait("a/x", 0.05)


async def test_many_who_wait_ask_the_store_once_and_nobody_asks_when_nobody_waits() -> None:
    store = Queues()
    wakeups = Wakeups(store)
    waiting = [await waits(wakeups, f"a/{n % 5}", 0.4) for n in range(200)]
    await asyncio.gather(*waiting)
    assert 1 <= store.asked <= 40
    await asyncio.sleep(2 * LONGEST_PAUSE_SECONDS)
    asked = store.asked
    await asyncio.sleep(2 * LONGEST_PAUSE_SECONDS)
    assert store.asked == asked


async def test_a_store_that_is_away_wakes_nobody_and_is_asked_again() -> None:
    store = Queues()
    store.away = True
    wakeups = Wakeups(store)
    mine = await waits(wakeups, "a/x")
    await asyncio.sleep(0.1)
    assert not mine.done()
    store.away, store.queued = False, {"a/x": 1}
    async with asyncio.timeout(5):
        await mine
