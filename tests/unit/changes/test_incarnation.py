"""A store that is not the one it was is noticed once, and one that is away is not taken for another."""

import asyncio

from reactor_operator.changes.incarnation import follow_incarnation
from reactor_operator.store.port import StoreUnavailable


class Answers:
    """An authority that gives these answers, then the last one for ever; an empty one: it is away."""

    def __init__(self, *answers: str) -> None:
        self.left = list(answers)
        self.asked_all = asyncio.Event()

    async def incarnation(self) -> str:
        if len(self.left) == 1:
            self.asked_all.set()
            return self.left[0]
        found = self.left.pop(0)
        if not found:
            raise StoreUnavailable("away")
        return found

    async def claim_epoch(self, above: int) -> int:
        raise AssertionError("asked for nothing but its incarnation")


async def changes(*answers: str) -> int:
    store, seen = Answers(*answers), 0

    def changed() -> None:
        nonlocal seen
        seen += 1

    task = asyncio.create_task(follow_incarnation(store, changed, seconds=0.0))
    async with asyncio.timeout(5):
        await store.asked_all.wait()
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return seen


async def test_another_incarnation_is_told_once() -> None:
    assert await changes("a", "a", "b", "b", "b") == 1


async def test_the_first_one_is_no_change_and_an_absence_is_none() -> None:
    assert await changes("", "a", "", "", "a") == 0


async def test_a_change_during_an_absence_is_told() -> None:
    assert await changes("a", "", "b", "b") == 1
