"""The contract of `store/port.py`: what holds for every store, and where each answer to a write was lost."""

import asyncio
from collections.abc import Callable

import pytest

from reactor_operator.store.port import Appended, OldEpoch, OpenTask, Snapshot, StaleRevision, Store
from tests.contract.writes import OTHER, RUN, TASK, first, loaded, outcome, signal


class TestCommit:
    async def test_a_run_that_was_never_committed_is_not_there(self, store: Store) -> None:
        assert await store.load(RUN) is None
        assert await store.open_task(RUN, TASK) is None
        assert await store.active_runs() == frozenset()

    async def test_what_was_committed_is_loaded(self, store: Store) -> None:
        revision = await store.commit(
            first(
                records={"header": b"h", "step ship": b"\x00\xff"}, actions={"b": b"1", "a": b"2"}, opens={TASK: b"r"}
            )
        )
        assert revision == 1
        assert await store.load(RUN) == Snapshot(
            revision=1, inbox=(), records={"header": b"h", "step ship": b"\x00\xff"}, actions={"b": b"1", "a": b"2"}
        )
        assert await store.open_task(RUN, TASK) == OpenTask(record=b"r")

    async def test_a_commit_changes_only_the_records_it_names(self, store: Store) -> None:
        await store.commit(first(records={"a": b"1", "b": b"1", "c": b"1"}))
        await store.commit(first(revision=1, records={"b": b"2", "c": None, "never there": None}))
        assert (await loaded(store)).records == {"a": b"1", "b": b"2"}

    async def test_records_are_left_out_where_the_revision_is_known(self, store: Store) -> None:
        await store.commit(first(records={"a": b"1"}, actions={"x": b"1"}))
        await store.append(signal())
        assert await store.load(RUN, 1) == Snapshot(revision=1, inbox=((1, b"cancel s1"),), records=None, actions=None)
        assert (await loaded(store, known_revision=2)).records == {"a": b"1"}

    async def test_a_commit_on_another_revision_is_refused_and_changes_nothing(self, store: Store) -> None:
        await store.commit(first(records={"a": b"1"}))
        before = await store.load(RUN)
        for revision in (0, 2):
            with pytest.raises(StaleRevision, match=f"run {RUN}: decided on revision {revision}, stored is 1"):
                await store.commit(
                    first(revision=revision, records={"a": b"2"}, opens={TASK: b"r"}, values={"d": b"1"})
                )
        assert await store.load(RUN) == before
        assert await store.open_task(RUN, TASK) is None
        assert await store.get_values(RUN, frozenset({"d"})) == {}

    async def test_a_commit_on_a_revision_of_a_run_that_is_gone_is_refused(self, store: Store) -> None:
        with pytest.raises(StaleRevision):
            await store.commit(first(revision=7))
        assert await store.load(RUN) is None

    async def test_a_repeated_commit_is_told_that_it_is_stale(self, store: Store) -> None:
        await store.commit(first())
        with pytest.raises(StaleRevision):
            await store.commit(first())

    async def test_a_commit_of_an_old_epoch_is_refused_before_its_revision_is_looked_at(self, store: Store) -> None:
        epoch = await store.claim_epoch(5)
        for revision in (0, 3):
            with pytest.raises(OldEpoch, match=f"epoch {epoch - 1} was replaced by {epoch}"):
                await store.commit(first(revision=revision, epoch=epoch - 1))
        assert await store.load(RUN) is None
        assert await store.commit(first(epoch=epoch)) == 1

    async def test_a_commit_of_a_newer_epoch_ends_the_older_one(self, store: Store) -> None:
        await store.commit(first(epoch=9))
        with pytest.raises(OldEpoch):
            await store.commit(first(revision=1, epoch=8))
        assert await store.claim_epoch(0) > 9

    async def test_of_two_commits_on_one_revision_exactly_one_wins(self, open_store: Callable[[], Store]) -> None:
        stores = [open_store(), open_store()]
        commits = [first(records={"who": str(i).encode()}) for i in range(10)]
        answers = await asyncio.gather(
            *(stores[i % 2].commit(commit) for i, commit in enumerate(commits)), return_exceptions=True
        )
        winners = [i for i, answer in enumerate(answers) if answer == 1]
        assert len(winners) == 1
        assert all(isinstance(answer, StaleRevision) for i, answer in enumerate(answers) if i not in winners)
        assert (await loaded(stores[0])).records == {"who": str(winners[0]).encode()}
        for store in stores:
            await store.close()

    async def test_a_commit_may_change_thousands_of_records(self, store: Store) -> None:
        records = {f"step {i}": b"x" for i in range(10_000)}
        actions = {f"action {i}": b"x" for i in range(10_000)}
        await store.commit(first(records=dict(records), actions=actions))
        found = await loaded(store)
        assert found.records == records
        assert list(found.actions or ()) == list(actions)
        await store.commit(first(revision=1, records=dict.fromkeys(records), acknowledged=frozenset(actions)))
        assert await store.load(RUN) == Snapshot(revision=2, inbox=(), records={}, actions={})


class TestOutbox:
    async def test_actions_stay_in_order_until_they_are_acknowledged(self, store: Store) -> None:
        await store.commit(first(actions={f"z{i}": b"" for i in range(12, 0, -1)}))
        await store.commit(first(revision=1, actions={"a": b"later"}, acknowledged=frozenset({"z12", "never there"})))
        assert list((await loaded(store)).actions or ()) == [*(f"z{i}" for i in range(11, 0, -1)), "a"]

    async def test_an_action_given_again_keeps_its_place(self, store: Store) -> None:
        await store.commit(first(actions={"a": b"1", "b": b"1"}))
        await store.commit(first(revision=1, actions={"a": b"2"}))
        assert list(((await loaded(store)).actions or {}).items()) == [("a", b"2"), ("b", b"1")]

    async def test_an_action_given_with_the_acknowledgement_of_its_id_is_new(self, store: Store) -> None:
        await store.commit(first(actions={"a": b"1", "b": b"1"}))
        await store.commit(first(revision=1, actions={"a": b"2"}, acknowledged=frozenset({"a"})))
        assert list(((await loaded(store)).actions or {}).items()) == [("b", b"1"), ("a", b"2")]


class TestActiveRuns:
    async def test_a_run_is_active_until_it_ended_and_its_outbox_is_empty(self, store: Store) -> None:
        await store.commit(first())
        await store.commit(first(run=OTHER))
        assert await store.active_runs() == {RUN, OTHER}
        await store.commit(first(revision=1, active=False, actions={"a": b""}))
        assert await store.active_runs() == {RUN, OTHER}
        await store.commit(first(revision=2, active=False, acknowledged=frozenset({"a"})))
        assert await store.active_runs() == {OTHER}
        await store.commit(first(revision=3))
        assert await store.active_runs() == {RUN, OTHER}


class TestValues:
    async def test_values_are_kept_by_run_and_digest(self, store: Store) -> None:
        await store.put_values(RUN, {"d1": b"1", "d2": b"\x00" * 100_000})
        await store.commit(first(values={"d3": b"3"}))
        await store.put_values(RUN, {"d1": b"1"})
        await store.put_values(RUN, {})
        found = await store.get_values(RUN, frozenset({"d1", "d2", "d3", "d4"}))
        assert found == {"d1": b"1", "d2": b"\x00" * 100_000, "d3": b"3"}
        assert await store.get_values(OTHER, frozenset({"d1"})) == {}
        assert await store.get_values(RUN, frozenset()) == {}

    async def test_many_values_are_read_at_once(self, store: Store) -> None:
        values = {f"d{i}": str(i).encode() for i in range(3_000)}
        await store.put_values(RUN, values)
        assert await store.get_values(RUN, frozenset(values)) == values


class TestForget:
    async def test_nothing_of_a_forgotten_run_is_left(self, store: Store) -> None:
        for run in (RUN, OTHER):
            await store.commit(
                first(run=run, records={"a": b"1"}, values={"d": b"1"}, opens={TASK: b"r"}, actions={"x": b"1"})
            )
            await store.append(outcome(run=run, values={"e": b"1"}))
        await store.forget(RUN)
        await store.forget(RUN)
        assert await store.load(RUN) is None
        assert await store.active_runs() == {OTHER}
        assert await store.get_values(RUN, frozenset({"d", "e"})) == {}
        assert await store.append(outcome()) is Appended.UNKNOWN
        assert (await loaded(store, OTHER)).inbox == ((1, b"done d1"),)
        assert await store.get_values(OTHER, frozenset({"d", "e"})) == {"d": b"1", "e": b"1"}

    async def test_a_forgotten_run_can_be_begun_anew(self, store: Store) -> None:
        await store.commit(first(records={"a": b"1"}, opens={TASK: b"r"}))
        await store.append(signal())
        await store.forget(RUN)
        assert await store.commit(first(records={"b": b"1"})) == 1
        assert await store.load(RUN) == Snapshot(revision=1, inbox=(), records={"b": b"1"}, actions={})
        assert await store.open_task(RUN, TASK) is None
        assert await store.append(signal()) is Appended.RECORDED


class TestAuthority:
    async def test_each_claim_is_above_all_before_it(self, store: Store) -> None:
        epochs = [await store.claim_epoch(above) for above in (0, 0, 41, 7)]
        assert epochs[2] > 41
        assert epochs == sorted(set(epochs))

    async def test_claims_at_once_give_different_epochs(self, open_store: Callable[[], Store]) -> None:
        stores = [open_store(), open_store()]
        epochs = await asyncio.gather(*(stores[i % 2].claim_epoch(0) for i in range(10)))
        assert sorted(epochs) == list(range(1, 11))
        for store in stores:
            await store.close()

    async def test_the_incarnation_is_the_same_when_the_store_is_opened_again(
        self, open_store: Callable[[], Store]
    ) -> None:
        before = open_store()
        known = await before.incarnation()
        await before.close()
        after = open_store()
        assert await after.incarnation() == known
        assert len(known) >= 32
        await after.close()

    async def test_what_was_acknowledged_is_there_when_the_store_is_opened_again(
        self, open_store: Callable[[], Store]
    ) -> None:
        before = open_store()
        await before.commit(first(records={"a": b"1"}, opens={TASK: b"r"}))
        await before.append(outcome())
        await before.close()
        await before.close()
        after = open_store()
        assert (await loaded(after)).inbox == ((1, b"done d1"),)
        assert (await loaded(after)).records == {"a": b"1"}
        await after.close()
