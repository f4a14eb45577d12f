"""The contract of histories: entries that commits append, the newest of which are kept under their numbers."""

from collections.abc import Callable

import pytest

from reactor_operator.store.port import HistoryPage, InboxAhead, OldEpoch, StaleRevision, Store
from tests.contract.writes import OTHER, RUN, TASK, first, loaded, outcome


def entries(first_number: int, last: int) -> tuple[bytes, ...]:
    return tuple(b"entry %d" % number for number in range(first_number, last + 1))


def page(first_number: int, last: int, *, of: tuple[int, int]) -> HistoryPage:
    """A page with these entries of a history in which those of `of` are kept."""
    numbered = tuple(enumerate(entries(first_number, last), first_number))
    return HistoryPage(entries=numbered, first=of[0], last=of[1])


async def test_a_run_that_is_not_stored_has_none(store: Store) -> None:
    assert await store.get_history(RUN, 0, 10) == HistoryPage()


async def test_a_run_that_was_stored_without_one_has_none_yet(store: Store) -> None:
    await store.commit(first(records={"header": b"h"}))
    assert await store.get_history(RUN, 0, 10) == HistoryPage()
    await store.commit(first(revision=1, history=entries(1, 2)))
    assert await store.get_history(RUN, 0, 10) == page(1, 2, of=(1, 2))


async def test_entries_are_numbered_from_commit_to_commit(store: Store) -> None:
    await store.commit(first(history=entries(1, 3)))
    await store.commit(first(revision=1))
    await store.commit(first(revision=2, history=entries(4, 5)))
    assert await store.get_history(RUN, 0, 10) == page(1, 5, of=(1, 5))


async def test_it_is_read_from_any_number_on_and_in_parts(store: Store) -> None:
    await store.commit(first(history=entries(1, 5)))
    assert await store.get_history(RUN, 0, 2) == page(1, 2, of=(1, 5))
    assert await store.get_history(RUN, 2, 2) == page(3, 4, of=(1, 5))
    assert await store.get_history(RUN, 4, 2) == page(5, 5, of=(1, 5))
    assert await store.get_history(RUN, 0, 0) == HistoryPage(first=1, last=5)
    assert await store.get_history(RUN, 5, 2) == HistoryPage(first=1, last=5)
    assert await store.get_history(RUN, 500, 2) == HistoryPage(first=1, last=5)


async def test_the_newest_are_kept_and_keep_their_numbers(store: Store) -> None:
    await store.commit(first(history=entries(1, 4), history_kept=3))
    assert await store.get_history(RUN, 0, 10) == page(2, 4, of=(2, 4))
    await store.commit(first(revision=1, history=entries(5, 6), history_kept=3))
    assert await store.get_history(RUN, 0, 2) == page(4, 5, of=(4, 6))
    assert await store.get_history(RUN, 5, 2) == page(6, 6, of=(4, 6))
    await store.commit(first(revision=2, history=entries(7, 20), history_kept=3))
    assert await store.get_history(RUN, 1, 10) == page(18, 20, of=(18, 20))


async def test_more_may_be_kept_from_some_commit_on(store: Store) -> None:
    await store.commit(first(history=entries(1, 4), history_kept=2))
    await store.commit(first(revision=1, history=entries(5, 6), history_kept=10))
    assert await store.get_history(RUN, 0, 10) == page(3, 6, of=(3, 6))


async def test_a_refused_commit_writes_nothing(store: Store) -> None:
    epoch = await store.claim_epoch(0)
    await store.commit(first(epoch=epoch, opens={TASK: b"r"}, history=entries(1, 1)))
    await store.append(outcome())
    more = entries(2, 2)
    with pytest.raises(StaleRevision):
        await store.commit(first(epoch=epoch, history=more))
    with pytest.raises(OldEpoch):
        await store.commit(first(epoch=epoch - 1, revision=1, history=more))
    with pytest.raises(InboxAhead):
        await store.commit(first(epoch=epoch, revision=1, closes=frozenset({TASK}), history=more))
    assert await store.get_history(RUN, 0, 10) == page(1, 1, of=(1, 1))


async def test_it_is_no_part_of_what_is_loaded(store: Store) -> None:
    await store.commit(first(records={"a": b"1"}, history=entries(1, 3)))
    assert (await loaded(store)).records == {"a": b"1"}


async def test_each_run_has_its_own_and_it_goes_with_the_run(store: Store) -> None:
    for run in (RUN, OTHER):
        await store.commit(first(run=run, history=entries(1, 2)))
    await store.forget(RUN)
    assert await store.get_history(RUN, 0, 10) == HistoryPage()
    assert await store.get_history(OTHER, 0, 10) == page(1, 2, of=(1, 2))
    await store.commit(first(history=entries(1, 1)))
    assert await store.get_history(RUN, 0, 10) == page(1, 1, of=(1, 1))


async def test_a_run_that_is_over_keeps_it(store: Store) -> None:
    await store.commit(first(history=entries(1, 2), active=False))
    assert await store.get_history(RUN, 0, 10) == page(1, 2, of=(1, 2))


async def test_thousands_are_written_and_read_at_once(store: Store) -> None:
    await store.commit(first(history=entries(1, 10_000), history_kept=9_000))
    assert await store.get_history(RUN, 0, 20_000) == page(1_001, 10_000, of=(1_001, 10_000))


async def test_it_is_there_when_the_store_is_opened_again(open_store: Callable[[], Store]) -> None:
    before = open_store()
    await before.commit(first(history=entries(1, 2)))
    after = open_store()
    assert await after.get_history(RUN, 0, 10) == page(1, 2, of=(1, 2))
    await before.close()
    await after.close()
