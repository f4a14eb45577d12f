"""The contract of pages, of values that are dropped, and of many entries at once."""

import asyncio
from collections.abc import Callable

import pytest

from reactor_operator.store.port import Appended, Entry, InboxAhead, StaleRevision, Store
from tests.contract.writes import NEXT_TASK, OTHER, RUN, TASK, check_in, first, loaded, next_ring, outcome, signal

PAGE = "outcome/rows/1/0"
NEXT_PAGE = "outcome/rows/1/1"
BOTH = frozenset({PAGE, NEXT_PAGE})


class TestPages:
    async def test_pages_are_kept_by_run_and_name(self, store: Store) -> None:
        await store.commit(first(pages={PAGE: b"[1]", NEXT_PAGE: b"\x00" * 100_000}))
        await store.commit(first(run=OTHER, pages={PAGE: b"[2]"}))
        assert await store.get_pages(RUN, BOTH | {"never there"}) == {PAGE: b"[1]", NEXT_PAGE: b"\x00" * 100_000}
        assert await store.get_pages(OTHER, BOTH) == {PAGE: b"[2]"}
        assert await store.get_pages(RUN, frozenset()) == {}
        assert await store.get_pages("never there", BOTH) == {}

    async def test_a_commit_changes_only_the_pages_it_names(self, store: Store) -> None:
        await store.commit(first(pages={PAGE: b"[1]", NEXT_PAGE: b"[2]", "third": b"[3]"}))
        await store.commit(first(revision=1, pages={PAGE: b"[4]", NEXT_PAGE: None, "never there": None}))
        assert await store.get_pages(RUN, BOTH | {"third"}) == {PAGE: b"[4]", "third": b"[3]"}

    async def test_pages_are_no_part_of_a_snapshot(self, store: Store) -> None:
        await store.commit(first(records={"a": b"1"}, pages={PAGE: b"[1]"}))
        assert (await loaded(store)).records == {"a": b"1"}

    async def test_a_refused_commit_writes_no_page_and_drops_nothing(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}, values={"d": b"1"}, pages={PAGE: b"[1]"}))
        await store.append(outcome())
        change = {"pages": {PAGE: None, NEXT_PAGE: b"[2]"}, "dropped": frozenset({"d"})}
        with pytest.raises(StaleRevision):
            await store.commit(first(**change))
        with pytest.raises(InboxAhead):
            await store.commit(first(revision=1, closes=frozenset({TASK}), **change))
        assert await store.get_pages(RUN, BOTH) == {PAGE: b"[1]"}
        assert await store.get_values(RUN, frozenset({"d"})) == {"d": b"1"}

    async def test_thousands_of_pages_are_written_and_read_at_once(self, store: Store) -> None:
        pages = {f"outcome/rows/1/{i}": str(i).encode() for i in range(10_000)}
        await store.commit(first(pages=dict(pages)))
        assert await store.get_pages(RUN, frozenset(pages)) == pages
        await store.commit(first(revision=1, pages=dict.fromkeys(pages)))
        assert await store.get_pages(RUN, frozenset(pages)) == {}

    async def test_pages_go_with_the_run(self, store: Store) -> None:
        for run in (RUN, OTHER):
            await store.commit(first(run=run, pages={PAGE: b"[1]"}))
        await store.forget(RUN)
        assert await store.get_pages(RUN, BOTH) == {}
        assert await store.get_pages(OTHER, BOTH) == {PAGE: b"[1]"}

    async def test_pages_are_there_when_the_store_is_opened_again(self, open_store: Callable[[], Store]) -> None:
        before = open_store()
        await before.commit(first(pages={PAGE: b"[1]"}))
        await before.close()
        after = open_store()
        assert await after.get_pages(RUN, BOTH) == {PAGE: b"[1]"}
        await after.close()


class TestDropped:
    async def test_a_dropped_value_is_gone(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}, values={"d1": b"1", "d2": b"2"}))
        await store.append(outcome(values={"@rows[1].run.1.1.1.result": b"3"}))
        dropped = frozenset({"d1", "@rows[1].run.1.1.1.result", "never there"})
        await store.commit(first(revision=1, inbox_position=1, dropped=dropped))
        assert await store.get_values(RUN, dropped | {"d2"}) == {"d2": b"2"}

    async def test_a_value_given_with_its_drop_is_new(self, store: Store) -> None:
        await store.commit(first(values={"@a": b"1"}))
        await store.commit(first(revision=1, values={"@a": b"2"}, dropped=frozenset({"@a"})))
        assert await store.get_values(RUN, frozenset({"@a"})) == {"@a": b"2"}

    async def test_thousands_of_values_are_dropped_at_once(self, store: Store) -> None:
        values = {f"d{i}": str(i).encode() for i in range(10_000)}
        await store.put_values(RUN, values)
        await store.commit(first(dropped=frozenset(values) - {"d7"}))
        assert await store.get_values(RUN, frozenset(values)) == {"d7": b"7"}


class TestAppendAll:
    async def test_entries_of_many_tasks_are_recorded_in_order(self, store: Store) -> None:
        tasks = [f"rows[{i}].run.1.1.1" for i in range(3_000)]
        await store.commit(first(opens=dict.fromkeys(tasks, b"r")))
        entries = [outcome(f"d{task}", task=task, values={f"@{task}": b"1", "same": b"2"}) for task in tasks]
        assert await store.append_all(entries) == [Appended.RECORDED] * 3_000
        assert (await loaded(store)).inbox == tuple((i, entry.body) for i, entry in enumerate(entries, 1))
        assert len(await store.get_values(RUN, frozenset({"same", *(f"@{task}" for task in tasks)}))) == 3_001
        found = await store.open_task(RUN, tasks[2_999])
        assert found is not None
        assert found.outcome == f"d{tasks[2_999]}"
        assert await store.append_all(entries[:2]) == [Appended.REPEATED] * 2

    async def test_no_entries_are_no_answers(self, store: Store) -> None:
        assert await store.append_all([]) == []

    async def test_each_entry_is_checked_after_those_before_it(self, open_store: Callable[[], Store]) -> None:
        store = open_store()
        await store.commit(first(opens={TASK: b"r"}))
        me, you = check_in("10.0.0.1/n1"), check_in("10.0.0.2/n2")
        done = outcome(binding="10.0.0.1/n1")
        entries = [me, signal(), me, you, done, done, outcome("d2"), signal(), outcome(task=NEXT_TASK), signal("s2")]
        assert await store.append_all(entries) == [
            Appended.RECORDED,
            Appended.RECORDED,
            Appended.REPEATED,
            Appended.CONFLICT,
            Appended.RECORDED,
            Appended.REPEATED,
            Appended.CONFLICT,
            Appended.REPEATED,
            Appended.CLOSED,
            Appended.RECORDED,
        ]
        bodies = [body for _, body in (await loaded(store)).inbox]
        assert bodies == [me.body, b"cancel s1", done.body, b"cancel s2"]
        await store.close()

    async def test_entries_of_several_runs_are_told_apart(self, store: Store) -> None:
        for run in (RUN, OTHER):
            await store.commit(first(run=run, opens={TASK: b"r"}))
        entries = [outcome(run=run, values={"v": run.encode()}) for run in (RUN, "never there", OTHER)]
        assert await store.append_all([*entries, signal()]) == [
            Appended.RECORDED,
            Appended.UNKNOWN,
            Appended.RECORDED,
            Appended.RECORDED,
        ]
        assert (await loaded(store)).inbox == ((1, b"done d1"), (2, b"cancel s1"))
        assert (await loaded(store, OTHER)).inbox == ((1, b"done d1"),)
        assert await store.get_values(RUN, frozenset({"v"})) == {"v": RUN.encode()}
        assert await store.get_values(OTHER, frozenset({"v"})) == {"v": OTHER.encode()}
        assert await store.get_values("never there", frozenset({"v"})) == {}

    async def test_the_bell_rings_once_for_each_run(self, open_store: Callable[[], Store]) -> None:
        store = open_store()
        for run in (RUN, OTHER):
            await store.commit(first(run=run, active=False))
        rings, rung = store.rings(), 0
        listening = asyncio.create_task(next_ring(rings))
        async with asyncio.timeout(10):
            while not listening.done():  # in Redis, one that listens only now hears nothing of what was before
                await store.append_all([Entry(run=OTHER, digest=f"before {rung}", body=b"cancel")])
                rung += 1
                await asyncio.wait({listening}, timeout=0.05)
            await store.append_all([*(signal(f"s{i}") for i in range(5)), Entry(run=OTHER, digest="last", body=b"")])
            told = [await anext(rings)]
            while told.count(RUN) < 1 or told[-1] != OTHER:
                told.append(await anext(rings))
        assert told.count(RUN) == 1
        await store.close()
