"""What tasks of a laptop print: followed while they run, kept once they have ended."""

import asyncio
from pathlib import Path

import pytest_asyncio

from reactor_operator.api.sensitivity import Sensitive
from reactor_operator.store.kept_logs import LOG_BYTES, KeptLog, decode_log
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit
from reactor_operator.tasks.laptop.log_book import LogBook
from tests.unit.tasks_local.laptop import RUN, laptop, order_for, python_spec, task_of

SPEC = python_spec("def main(): return 1")


@pytest_asyncio.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    await made.commit(Commit(run=RUN.uid, revision=0, epoch=1))
    return made


async def kept(store: MemoryStore) -> KeptLog | None:
    body = await store.get_log(RUN.uid, task_of().key)
    return decode_log(body) if body is not None else None


async def test_lines_are_kept_once_the_task_has_ended(store: MemoryStore) -> None:
    book, order = LogBook(store), order_for(SPEC)
    take = book.begin(order)
    take("one")
    take("zwö")
    assert await kept(store) is None
    await book.end(order)
    assert await kept(store) == KeptLog("one\nzwö\n".encode())


async def test_of_many_lines_the_last_are_kept(store: MemoryStore) -> None:
    book, order = LogBook(store), order_for(SPEC)
    take = book.begin(order)
    for number in range(LOG_BYTES // 8):
        take(f"line {number:06}")
    await book.end(order)
    found = await kept(store)
    assert found is not None
    assert found.cut
    assert len(found.text) <= LOG_BYTES
    assert found.text.endswith(b"line 032767\n")


async def test_a_task_that_printed_nothing_or_has_sensitive_values_leaves_nothing(store: MemoryStore) -> None:
    book = LogBook(store)
    book.begin(order_for(SPEC))
    await book.end(order_for(SPEC))
    secret = order_for(SPEC, sensitive=Sensitive(result=True))
    book.begin(secret)("secret")
    await book.end(secret)
    assert await store.logged_tasks(RUN.uid) == frozenset()


async def test_who_follows_hears_what_was_printed_and_what_follows_until_the_end(store: MemoryStore) -> None:
    book, order = LogBook(store), order_for(SPEC)
    take = book.begin(order)
    take("one")
    heard: list[bytes] = []
    first = asyncio.Event()

    async def listen() -> None:
        lines = book.follow(RUN, order.task.key, on=True)
        assert lines is not None
        async for part in lines:
            heard.append(part)
            first.set()

    listening = asyncio.create_task(listen())
    await first.wait()
    take("two")
    await book.end(order)
    await asyncio.wait_for(listening, 5)
    assert b"".join(heard) == b"one\ntwo\n"
    assert book.follow(RUN, order.task.key, on=False) is None


async def test_a_real_task_leaves_what_it_printed(tmp_path: Path) -> None:
    async with laptop(tmp_path) as found:
        book = LogBook(found.store)
        found.launcher._logs = book
        await found.run(order_for(python_spec("def main():\n    print('hello')\n    print('world')")))
        await found.wait_until(lambda: found.launcher.is_idle, "its end")
        assert await kept(found.store) == KeptLog(b"hello\nworld\n")
