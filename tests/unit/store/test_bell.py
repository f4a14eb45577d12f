"""The bell of one process: every listener hears, and rings that nobody has heard yet are one."""

import asyncio

from reactor_operator.store.bell import Bell
from reactor_operator.store.port import Entry


def entry(run: str, task: str = "", final: bool = False) -> Entry:
    return Entry(run=run, task=task, digest="d", body=b"", final=final)


async def test_every_listener_hears_what_was_rung_since_it_listens() -> None:
    bell = Bell()
    bell.ring(entry("before"))
    one, two = bell.listen(), bell.listen()
    bell.ring(entry("a"))
    bell.ring(entry("b"))
    assert [await anext(one), await anext(one), await anext(two)] == ["a", "b", "a"]


async def test_rings_for_one_run_are_one_until_they_are_heard() -> None:
    bell = Bell()
    listener = bell.listen()
    for _ in range(3):
        bell.ring(entry("a"))
    bell.ring(entry("b"))
    assert [await anext(listener), await anext(listener)] == ["a", "b"]
    bell.ring(entry("a"))
    assert await anext(listener) == "a"


async def test_a_listener_waits_until_the_bell_is_rung() -> None:
    bell = Bell()
    listener = bell.listen()

    async def hear() -> str:
        return await anext(listener)

    hearing = asyncio.create_task(hear())
    await asyncio.sleep(0)
    assert not hearing.done()
    bell.ring(entry("a"))
    assert await hearing == "a"


async def test_a_start_is_told_with_the_end_that_follows_it_or_by_itself_soon() -> None:
    bell = Bell()
    listener = bell.listen()
    bell.ring(entry("a", "first"))
    bell.ring(entry("b", "second"))
    bell.ring(entry("b", "second", final=True))
    async with asyncio.timeout(10):
        assert [await anext(listener), await anext(listener)] == ["b", "a"]
    bell.ring(entry("a", "third"))
    bell.ring(entry("c"))
    async with asyncio.timeout(10):
        assert [await anext(listener), await anext(listener)] == ["c", "a"]
