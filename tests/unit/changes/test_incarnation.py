"""A store that is another by now is noticed, and one that is away is not taken for another."""

import asyncio

from reactor_operator.changes.incarnation import follow_incarnation
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import StoreUnavailable


class Changing(MemoryStore):
    """Says who it is from a script, and then waits for ever."""

    def __init__(self, *script: str) -> None:
        super().__init__()
        self.script = list(script)
        self.asked_all = asyncio.Event()

    async def incarnation(self) -> str:
        if not self.script:
            self.asked_all.set()
            await asyncio.Event().wait()
        said = self.script.pop(0)
        if not said:
            raise StoreUnavailable("away")
        return said


async def changes(store: Changing) -> int:
    told: list[None] = []
    following = asyncio.create_task(follow_incarnation(store, "a", lambda: told.append(None), seconds=0))
    async with asyncio.timeout(5):
        await store.asked_all.wait()
    following.cancel()
    return len(told)


async def test_each_change_is_told_once() -> None:
    assert await changes(Changing("a", "b", "b", "c")) == 2


async def test_a_store_that_comes_back_as_it_was_is_no_change() -> None:
    assert await changes(Changing("a", "", "", "a")) == 0


async def test_what_changed_while_it_was_away_or_before_the_first_look_is_told() -> None:
    assert await changes(Changing("", "b")) == 1
