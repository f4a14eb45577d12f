"""What tasks of a laptop tell is recorded together where it comes together, however long the store is away."""

import asyncio
from collections.abc import Sequence

import pytest

from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Entry, StoreUnavailable
from reactor_operator.tasks.laptop.telling import Telling


class SlowStore(MemoryStore):
    """Records when it is let, and is away for the first so many times."""

    def __init__(self, *, away: int = 0, broken: bool = False) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.told: list[list[str]] = []
        self.away, self.broken = away, broken

    async def append_all(self, entries: Sequence[Entry]) -> list[Appended]:
        self.told.append([entry.digest for entry in entries])
        await self.let.wait()
        if self.broken:
            raise ValueError("no store")
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return await super().append_all(entries)


def signal(name: str) -> Entry:
    return Entry(run="r", digest=name, body=b"")


async def tell(store: SlowStore, *names: str) -> tuple[Telling, list[asyncio.Task[Appended]]]:
    """Tell the first, and the others while it is being recorded."""
    await store.commit(Commit(run="r", revision=0, epoch=1))
    telling = Telling(store)
    answers = []
    for name in names:
        answers.append(asyncio.create_task(telling.append(signal(name))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return telling, answers


async def test_what_comes_while_others_are_recorded_goes_together() -> None:
    store = SlowStore()
    _, answers = await tell(store, "a", "b", "c", "b")
    store.let.set()
    assert await asyncio.gather(*answers) == [Appended.RECORDED] * 3 + [Appended.REPEATED]
    assert store.told == [["a"], ["b", "c", "b"]]


async def test_a_store_that_is_away_is_asked_again_and_nothing_overtakes() -> None:
    store = SlowStore(away=1)
    _, answers = await tell(store, "a", "b")
    store.let.set()
    assert await asyncio.gather(*answers) == [Appended.RECORDED] * 2
    assert store.told == [["a"], ["a"], ["b"]]


async def test_who_tells_is_told_of_a_store_that_is_none() -> None:
    store = SlowStore(broken=True)
    _, (first, second) = await tell(store, "a", "b")
    store.let.set()
    for answer in (first, second):
        with pytest.raises(ValueError, match="no store"):
            await answer


async def test_one_who_waits_no_longer_keeps_the_others_from_their_answers() -> None:
    store = SlowStore()
    _, (first, second) = await tell(store, "a", "b")
    first.cancel()
    store.let.set()
    assert await second is Appended.RECORDED


async def test_nothing_is_recorded_after_the_close() -> None:
    store = SlowStore()
    telling, (first, second) = await tell(store, "a", "b")
    first.cancel()
    second.cancel()
    await telling.close()
    assert store.told == [["a"]]
    assert (await store.load("r")).inbox == ()  # type: ignore[union-attr]
