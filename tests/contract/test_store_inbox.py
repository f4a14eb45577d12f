"""The contract of the inbox: which entries each store takes, how often, until when, and that its bell rings."""

import asyncio
from collections.abc import Callable

import pytest

from reactor_operator.store.port import Appended, Entry, InboxAhead, OpenTask, Store
from tests.contract.writes import NEXT_TASK, OTHER, RUN, TASK, check_in, first, loaded, next_ring, outcome, signal


class TestInbox:
    async def test_an_outcome_of_an_open_task_is_recorded(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        assert await store.append(outcome(values={"v1": b"{}"})) is Appended.RECORDED
        assert (await loaded(store)).inbox == ((1, b"done d1"),)
        assert await store.get_values(RUN, frozenset({"v1"})) == {"v1": b"{}"}
        assert await store.open_task(RUN, TASK) == OpenTask(record=b"r", outcome="d1")

    async def test_an_entry_for_a_run_that_is_not_stored_is_unknown(self, store: Store) -> None:
        assert await store.append(outcome(values={"v": b"1"})) is Appended.UNKNOWN
        assert await store.append(signal()) is Appended.UNKNOWN
        assert await store.get_values(RUN, frozenset({"v"})) == {}

    async def test_an_entry_for_a_task_that_is_not_open_is_refused(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        await store.commit(first(revision=1, opens={NEXT_TASK: b"r"}, closes=frozenset({TASK})))
        assert await store.append(outcome(values={"v": b"1"})) is Appended.CLOSED
        assert await store.append(outcome(task="never.run.1.1.1")) is Appended.CLOSED
        assert await store.append(check_in("10.0.0.1/n1")) is Appended.CLOSED
        assert (await loaded(store)).inbox == ()
        assert await store.get_values(RUN, frozenset({"v"})) == {}
        assert await store.open_task(RUN, TASK) is None

    async def test_the_first_outcome_is_final(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        await store.append(outcome("d1"))
        assert await store.append(outcome("d2", values={"v": b"1"})) is Appended.CONFLICT
        assert await store.append(outcome("d1")) is Appended.REPEATED
        assert await store.append(outcome("waiting", final=False)) is Appended.CONFLICT
        assert (await loaded(store)).inbox == ((1, b"done d1"),)
        assert await store.get_values(RUN, frozenset({"v"})) == {}

    async def test_before_the_outcome_a_task_takes_any_number_of_other_entries(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        for i in range(5):
            assert await store.append(outcome(f"w{i}", final=False)) is Appended.RECORDED
            assert await store.append(outcome(f"w{i}", final=False)) is Appended.REPEATED
        assert await store.append(outcome("d1")) is Appended.RECORDED
        assert [position for position, _ in (await loaded(store)).inbox] == [1, 2, 3, 4, 5, 6]

    async def test_an_entry_is_known_again_after_it_was_consumed(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        await store.append(check_in("10.0.0.1/n1"))
        await store.append(signal())
        await store.commit(first(revision=1, inbox_position=2))
        assert await store.append(check_in("10.0.0.1/n1")) is Appended.REPEATED
        assert await store.append(signal()) is Appended.REPEATED
        assert (await loaded(store)).inbox == ()

    async def test_a_digest_that_contains_another_is_another(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        assert await store.append(outcome("abc", final=False)) is Appended.RECORDED
        assert await store.append(outcome("b", final=False)) is Appended.RECORDED

    async def test_the_same_digest_for_two_tasks_is_two_entries(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r", NEXT_TASK: b"r"}))
        assert await store.append(outcome()) is Appended.RECORDED
        assert await store.append(outcome(task=NEXT_TASK)) is Appended.RECORDED

    async def test_the_first_check_in_binds_the_task(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        assert await store.append(check_in("10.0.0.1/n1")) is Appended.RECORDED
        assert await store.append(check_in("10.0.0.2/n2")) is Appended.CONFLICT
        assert await store.append(check_in("10.0.0.1/n1")) is Appended.REPEATED
        assert await store.append(outcome(binding="10.0.0.2/n2")) is Appended.CONFLICT
        assert await store.append(outcome(binding="10.0.0.1/n1")) is Appended.RECORDED
        assert await store.append(outcome(binding="10.0.0.2/n2")) is Appended.CONFLICT
        assert await store.open_task(RUN, TASK) == OpenTask(record=b"r", binding="10.0.0.1/n1", outcome="d1")

    async def test_an_entry_without_a_speaker_is_taken_from_whoever_watches(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        await store.append(check_in("10.0.0.1/n1"))
        assert await store.append(outcome()) is Appended.RECORDED

    async def test_an_open_task_opened_again_keeps_what_was_recorded(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r1"}))
        await store.append(check_in("10.0.0.1/n1"))
        await store.append(outcome())
        await store.commit(first(revision=1, inbox_position=2, opens={TASK: b"r2"}))
        assert await store.open_task(RUN, TASK) == OpenTask(record=b"r2", binding="10.0.0.1/n1", outcome="d1")

    async def test_consumed_entries_go_and_later_ones_keep_their_position(self, store: Store) -> None:
        await store.commit(first())
        for i in range(1, 6):
            await store.append(signal(f"s{i}"))
        await store.commit(first(revision=1, inbox_position=3))
        assert (await loaded(store)).inbox == ((4, b"cancel s4"), (5, b"cancel s5"))
        await store.commit(first(revision=2, inbox_position=2))
        await store.commit(first(revision=3, inbox_position=5))
        assert (await loaded(store)).inbox == ()
        await store.append(signal("s6"))
        assert (await loaded(store)).inbox == ((6, b"cancel s6"),)

    async def test_a_position_beyond_the_inbox_consumes_nothing_that_comes_later(self, store: Store) -> None:
        await store.commit(first())
        await store.append(signal("s1"))
        await store.commit(first(revision=1, inbox_position=9))
        await store.append(signal("s2"))
        assert (await loaded(store)).inbox == ((2, b"cancel s2"),)

    async def test_a_task_with_an_unread_entry_cannot_be_closed(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r", NEXT_TASK: b"r"}))
        await store.append(outcome())
        with pytest.raises(InboxAhead, match=TASK):
            await store.commit(first(revision=1, closes=frozenset({TASK, NEXT_TASK}), records={"a": b"1"}))
        assert (await loaded(store)).records == {}
        assert await store.open_task(RUN, NEXT_TASK) is not None
        assert await store.commit(first(revision=1, closes=frozenset({NEXT_TASK}))) == 2
        assert await store.commit(first(revision=2, closes=frozenset({TASK}), inbox_position=1)) == 3

    async def test_an_entry_that_was_read_before_does_not_keep_its_task_open(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        await store.append(check_in("10.0.0.9 nonce"))
        await store.commit(first(revision=1, inbox_position=1))
        assert await store.commit(first(revision=2, closes=frozenset({TASK}))) == 3

    async def test_a_run_that_is_over_takes_no_outcome(self, store: Store) -> None:
        await store.commit(first(opens={TASK: b"r"}))
        await store.commit(first(revision=1, active=False, actions={"a": b""}))
        assert await store.append(outcome()) is Appended.CLOSED
        assert await store.open_task(RUN, TASK) is None

    async def test_a_run_that_is_over_takes_requests_and_has_something_to_do_until_they_are_read(
        self, store: Store
    ) -> None:
        await store.commit(first())
        await store.commit(first(revision=1, active=False))
        assert await store.active_runs() == frozenset()
        assert await store.append(signal()) is Appended.RECORDED
        assert await store.append(signal()) is Appended.REPEATED
        assert await store.active_runs() == {RUN}
        assert (await loaded(store)).inbox == ((1, b"cancel s1"),)
        await store.commit(first(revision=2, active=False, inbox_position=1))
        assert await store.active_runs() == frozenset()

    async def test_entries_of_many_tasks_at_once_are_all_recorded(self, open_store: Callable[[], Store]) -> None:
        stores = [open_store(), open_store()]
        tasks = [f"step-{i}.run.1.1.1" for i in range(40)]
        await stores[0].commit(first(opens=dict.fromkeys(tasks, b"r")))
        answers = await asyncio.gather(*(stores[i % 2].append(outcome(task=task)) for i, task in enumerate(tasks)))
        assert set(answers) == {Appended.RECORDED}
        assert [position for position, _ in (await loaded(stores[0])).inbox] == list(range(1, 41))
        for store in stores:
            await store.close()

    async def test_of_two_outcomes_at_once_one_is_recorded(self, open_store: Callable[[], Store]) -> None:
        stores = [open_store(), open_store()]
        await stores[0].commit(first(opens={TASK: b"r"}))
        answers = await asyncio.gather(*(stores[i % 2].append(outcome(f"d{i}")) for i in range(10)))
        assert sorted(answers) == sorted([Appended.RECORDED, *[Appended.CONFLICT] * 9])
        for store in stores:
            await store.close()


class TestBell:
    async def test_the_bell_rings_for_recorded_entries(self, open_store: Callable[[], Store]) -> None:
        store = open_store()
        rings = store.rings()
        listening = asyncio.create_task(next_ring(rings))
        await store.commit(first(opens={TASK: b"r"}))
        await store.append(outcome())
        assert await asyncio.wait_for(listening, 10) == RUN
        await store.close()

    async def test_the_bell_names_each_run(self, open_store: Callable[[], Store]) -> None:
        store = open_store()
        await store.commit(first())
        await store.commit(first(run=OTHER))
        rings, heard = store.rings(), set()
        listening = asyncio.create_task(next_ring(rings))
        await store.append(signal())
        await store.append(Entry(run=OTHER, digest="s1", body=b"cancel"))
        async with asyncio.timeout(10):
            heard.add(await listening)
            while heard != {RUN, OTHER}:
                heard.add(await anext(rings))
        await store.close()
