"""The contract of logs of tasks: the newest are kept, as far as there is room, for as long as the run is stored."""

from collections.abc import Callable

from reactor_operator.store.port import Store
from tests.contract.writes import NEXT_TASK, OTHER, RUN, TASK, first, loaded

MOST = 100


async def test_a_run_that_is_not_stored_keeps_none(store: Store) -> None:
    assert not await store.put_log(RUN, TASK, b"words", MOST)
    assert await store.get_log(RUN, TASK) is None
    assert await store.logged_tasks(RUN) == frozenset()


async def test_a_log_is_kept_by_run_and_task(store: Store) -> None:
    for run in (RUN, OTHER):
        await store.commit(first(run=run))
    assert await store.put_log(RUN, TASK, b"\x00\xff", MOST)
    assert await store.put_log(RUN, NEXT_TASK, b"more", MOST)
    assert await store.get_log(RUN, TASK) == b"\x00\xff"
    assert await store.logged_tasks(RUN) == {TASK, NEXT_TASK}
    assert await store.get_log(OTHER, TASK) is None
    assert await store.get_log(RUN, "never there") is None


async def test_a_later_one_takes_the_place_of_an_earlier_one(store: Store) -> None:
    await store.commit(first())
    for body in (b"x" * 90, b"y" * 90):
        await store.put_log(RUN, TASK, body, MOST)
    await store.put_log(RUN, NEXT_TASK, b"z" * 10, MOST)
    assert await store.get_log(RUN, TASK) == b"y" * 90
    assert await store.get_log(RUN, NEXT_TASK) == b"z" * 10


async def test_the_oldest_go_where_all_of_them_are_too_large(store: Store) -> None:
    await store.commit(first())
    for number in range(5):
        await store.put_log(RUN, f"t{number}", b"x" * 30, MOST)
    assert await store.logged_tasks(RUN) == {"t2", "t3", "t4"}
    await store.put_log(RUN, "t2", b"x" * 30, MOST)
    await store.put_log(RUN, "t5", b"x" * 40, MOST)
    assert await store.logged_tasks(RUN) == {"t4", "t2", "t5"}, "the one that was kept anew is no longer the oldest"


async def test_one_that_is_larger_than_all_may_be_stays_alone(store: Store) -> None:
    await store.commit(first())
    await store.put_log(RUN, "small", b"x", MOST)
    await store.put_log(RUN, "large", b"x" * 1_000, MOST)
    assert await store.logged_tasks(RUN) == {"large"}


async def test_they_are_no_part_of_what_is_loaded_and_go_with_the_run(store: Store) -> None:
    await store.commit(first(records={"a": b"1"}, active=False))
    await store.put_log(RUN, TASK, b"words", MOST)
    assert (await loaded(store)).records == {"a": b"1"}
    await store.forget(RUN)
    assert await store.get_log(RUN, TASK) is None
    await store.commit(first())
    await store.put_log(RUN, NEXT_TASK, b"x" * MOST, MOST)
    assert await store.logged_tasks(RUN) == {NEXT_TASK}


async def test_they_are_there_when_the_store_is_opened_again(open_store: Callable[[], Store]) -> None:
    before = open_store()
    await before.commit(first())
    await before.put_log(RUN, TASK, b"words", MOST)
    after = open_store()
    assert await after.get_log(RUN, TASK) == b"words"
    await before.close()
    await after.close()
