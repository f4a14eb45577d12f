"""The contract of correlation ids: one interrupt is open under each, and for a while it is known that it closed."""

import asyncio
import time
from collections.abc import Callable, Mapping

import pytest

from reactor_operator.store.port import (
    CLOSED_KEPT_MS,
    Claim,
    Closed,
    Commit,
    CorrelationTaken,
    Entry,
    Held,
    InboxAhead,
    KeyTaken,
    OldEpoch,
    StaleRevision,
    Store,
    StoreUnavailable,
)
from tests.contract.lost_answers import LostAnswers

A, B = "2f1e5a2c-0000-4000-8000-00000000000a", "2f1e5a2c-0000-4000-8000-00000000000b"
NAME, OTHER_NAME = "shop/orders/order-1", "shop/orders/order-2"
APPROVE, CONFIRM = "approve.1", "rows[7]/confirm.1"
HOSTILE = (
    " ",
    "\x00",
    "a\x00b",
    "a",
    "A",
    "line\nbreak\r\n",
    f"{{{A}}}:header",
    "*?[a-z]\\",
    "?",
    "??",
    "\ufffd",
    "'; DROP TABLE correlations; --",
    "\u00e9",
    "e\u0301",
    "😀",
    "\ud83d\ude00",
    "\ud800",
    "\u202eabc",
    "x" * 1_024,
    "😀" * 1_024,
    "\ud800" * 1_024,
)


def commit(
    run: str = A, revision: int = 0, correlations: Mapping[str, str | None] | None = None, **changes: object
) -> Commit:
    fields: dict[str, object] = {"run": run, "revision": revision, "epoch": 1, "correlations": correlations or {}}
    return Commit(**{**fields, **changes})  # type: ignore[arg-type]


async def let_go(store: Store, run: str = A, name: str = NAME, kept_ms: int = CLOSED_KEPT_MS) -> None:
    """Open and end an interrupt of a new run."""
    await store.commit(commit(run, correlations={name: APPROVE}))
    await store.commit(commit(run, 1, {name: None}, closed_kept_ms=kept_ms))


async def wait_forgotten(store: Store, name: str) -> None:
    until = time.monotonic() + 10
    while await store.find_correlation(name) is not None:
        assert time.monotonic() < until


async def refused(store: Store, refused: Commit) -> tuple[str, ...]:
    """Return the names for which a commit is refused."""
    with pytest.raises(CorrelationTaken) as problem:
        await store.commit(refused)
    return problem.value.names


class TestHolding:
    async def test_nobody_holds_a_name_that_was_never_taken(self, store: Store) -> None:
        await store.commit(commit())
        assert await store.find_correlation(NAME) is None

    async def test_a_name_is_held_from_the_commit_on_that_takes_it(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE, OTHER_NAME: CONFIRM}))
        await store.commit(commit(revision=1))
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)
        assert await store.find_correlation(OTHER_NAME) == Held(run=A, path=CONFIRM)

    async def test_what_the_same_run_and_path_holds_may_be_taken_again(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        assert await store.commit(commit(revision=1, correlations={NAME: APPROVE})) == 2
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)
        await store.forget(A)
        assert await store.find_correlation(NAME) is None

    async def test_one_path_may_hold_several(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE, OTHER_NAME: APPROVE}))
        await store.commit(commit(revision=1, correlations={NAME: None}))
        assert await store.find_correlation(OTHER_NAME) == Held(run=A, path=APPROVE)

    async def test_names_are_any_text_and_told_apart_as_they_are_written(self, store: Store) -> None:
        paths = {name: f"step-{number}.1" for number, name in enumerate(HOSTILE)}
        await store.commit(commit(correlations=paths))
        for name, path in paths.items():
            assert await store.find_correlation(name) == Held(run=A, path=path)
        assert await refused(store, commit(B, correlations=paths)) == HOSTILE
        assert await store.stored_runs() == {A}
        await store.commit(commit(revision=1, correlations=dict.fromkeys(HOSTILE[::2])))
        for number, name in enumerate(HOSTILE):
            assert isinstance(await store.find_correlation(name), Held) is bool(number % 2)
        await store.forget(A)
        for name in HOSTILE[1::2]:
            assert await store.find_correlation(name) is None

    async def test_another_store_over_the_same_data_finds_it(self, open_store: Callable[[], Store]) -> None:
        store = open_store()
        await store.commit(commit(correlations={NAME: APPROVE, OTHER_NAME: CONFIRM}))
        await store.commit(commit(revision=1, correlations={OTHER_NAME: None}))
        closed = await store.find_correlation(OTHER_NAME)
        await store.close()
        store = open_store()
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)
        assert isinstance(closed, Closed)
        assert await store.find_correlation(OTHER_NAME) == closed
        assert await refused(store, commit(B, correlations={NAME: APPROVE, OTHER_NAME: APPROVE})) == (NAME,)
        await store.close()


class TestRefusing:
    async def test_what_another_run_holds_is_refused_and_all_such_names_are_told(self, store: Store) -> None:
        names = [f"order-{number}" for number in range(5)]
        await store.commit(commit(correlations=dict.fromkeys(names[1:], APPROVE)))
        wanted = dict.fromkeys(reversed(names), APPROVE)
        with pytest.raises(CorrelationTaken) as problem:
            await store.commit(commit(B, correlations=wanted))
        assert problem.value.names == ("order-4", "order-3", "order-2", "order-1")
        assert str(problem.value) == (
            f"run {B}: another run, or another step of this one, has correlation id "
            "'order-4', 'order-3', 'order-2' and 1 more"
        )

    def test_it_is_told_in_few_words_that_can_be_printed(self) -> None:
        assert len(str(CorrelationTaken(A, ["x" * 1_024] * 1_000))) < 1_000
        told = str(CorrelationTaken(A, ["a\x1b[31m\n\ud800", "b"]))
        assert told.endswith(r"has correlation id 'a\x1b[31m\n\ud800', 'b'")

    async def test_what_another_path_of_the_run_holds_is_refused(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        assert await refused(store, commit(revision=1, correlations={NAME: CONFIRM})) == (NAME,)
        assert await refused(store, commit(revision=1, correlations={NAME: "approve.2"})) == (NAME,)
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)

    async def test_of_a_refused_commit_nothing_is_stored(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        await store.commit(commit(B, correlations={"mine": APPROVE}, records={"header": b"h"}, opens={"t": b"r"}))
        before = await store.load(B)
        changed = commit(
            B,
            1,
            {"mine": None, "free": APPROVE, NAME: APPROVE},
            records={"header": b"changed"},
            values={"d": b"1"},
            pages={"p": b"1"},
            closes=frozenset({"t"}),
            actions={"a": b"1"},
            claim=Claim(name="key/1", keep_ms=60_000),
            epoch=7,
            active=False,
        )
        assert await refused(store, changed) == (NAME,)
        assert await store.load(B) == before
        assert await store.open_task(B, "t") is not None
        assert await store.get_values(B, frozenset({"d"})) == {}
        assert await store.get_pages(B, frozenset({"p"})) == {}
        assert await store.claimed("key/1") is None
        assert await store.find_correlation("mine") == Held(run=B, path=APPROVE)
        assert await store.find_correlation("free") is None
        assert await store.commit(commit(B, 1, {"free": APPROVE})) == 2

    async def test_a_commit_that_is_refused_for_another_reason_takes_none_and_lets_none_go(self, store: Store) -> None:
        claim = Claim(name="key/1", keep_ms=60_000)
        await store.commit(commit(correlations={NAME: APPROVE}, opens={"t": b"r"}, claim=claim, epoch=2))
        await store.append(Entry(run=A, task="t", final=True, digest="d", body=b"done"))
        wanted: dict[str, str | None] = {NAME: None, OTHER_NAME: APPROVE}
        with pytest.raises(OldEpoch):
            await store.commit(commit(A, 1, wanted, epoch=1))
        with pytest.raises(StaleRevision):
            await store.commit(commit(A, 7, wanted, epoch=2))
        with pytest.raises(InboxAhead):
            await store.commit(commit(A, 1, wanted, epoch=2, closes=frozenset({"t"})))
        with pytest.raises(KeyTaken):
            await store.commit(commit(B, 0, {NAME: APPROVE}, epoch=2, claim=claim))
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)
        assert await store.find_correlation(OTHER_NAME) is None

    async def test_of_two_runs_at_once_exactly_one_gets_it(self, open_store: Callable[[], Store]) -> None:
        stores = [open_store(), open_store()]
        for number in range(50):
            name, runs = f"order-{number}", [f"run-{number}-{i}" for i in range(2)]
            answers = await asyncio.gather(
                *(
                    store.commit(commit(run, correlations={name: APPROVE}))
                    for store, run in zip(stores, runs, strict=True)
                ),
                return_exceptions=True,
            )
            (winner,) = [run for run, answer in zip(runs, answers, strict=True) if answer == 1]
            (loser,) = [answer for answer in answers if isinstance(answer, BaseException)]
            assert isinstance(loser, CorrelationTaken)
            assert loser.names == (name,)
            assert await stores[number % 2].find_correlation(name) == Held(run=winner, path=APPROVE)
            assert await stores[1].load(next(run for run in runs if run != winner)) is None
        for store in stores:
            await store.close()


class TestLettingGo:
    async def test_that_it_closed_is_known_and_when(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        before = time.time_ns() // 1_000_000
        await store.commit(commit(revision=1, correlations={NAME: None}))
        after = time.time_ns() // 1_000_000
        found = await store.find_correlation(NAME)
        assert isinstance(found, Closed)
        assert (found.run, found.path) == (A, APPROVE)
        assert before <= found.at <= after

    async def test_it_is_let_go_once(self, store: Store) -> None:
        await let_go(store)
        found = await store.find_correlation(NAME)
        await store.commit(commit(revision=2, correlations={NAME: None}, closed_kept_ms=0))
        assert await store.find_correlation(NAME) == found

    async def test_a_run_lets_go_what_it_holds_alone(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        await store.commit(commit(B, correlations={NAME: None, OTHER_NAME: None}))
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)
        assert await store.find_correlation(OTHER_NAME) is None

    async def test_another_may_take_it_then_and_it_counts_as_closed_no_more(self, store: Store) -> None:
        await let_go(store, kept_ms=60_000)
        await store.commit(commit(B, correlations={NAME: CONFIRM}))
        assert await store.find_correlation(NAME) == Held(run=B, path=CONFIRM)
        await store.commit(commit(revision=2, correlations={NAME: None}))
        assert await store.find_correlation(NAME) == Held(run=B, path=CONFIRM)
        assert await refused(store, commit(revision=3, correlations={NAME: APPROVE})) == (NAME,)
        await store.commit(commit(B, 1, {NAME: None}))
        found = await store.find_correlation(NAME)
        assert isinstance(found, Closed)
        assert (found.run, found.path) == (B, CONFIRM)

    async def test_the_same_step_may_take_it_anew_in_its_next_round(self, store: Store) -> None:
        await let_go(store)
        await store.commit(commit(revision=2, correlations={NAME: "approve.2"}))
        assert await store.find_correlation(NAME) == Held(run=A, path="approve.2")

    async def test_one_step_of_a_run_passes_it_on_to_another_in_one_commit(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        await store.commit(commit(revision=1, correlations={NAME: CONFIRM}, passed_on=frozenset({NAME})))
        assert await store.find_correlation(NAME) == Held(run=A, path=CONFIRM)
        await store.commit(commit(revision=2, correlations={NAME: None}))
        found = await store.find_correlation(NAME)
        assert isinstance(found, Closed)
        assert found.path == CONFIRM

    async def test_what_is_passed_on_is_the_runs_own_alone(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        passed = commit(B, 0, {NAME: CONFIRM, OTHER_NAME: CONFIRM}, passed_on=frozenset({NAME, OTHER_NAME}))
        assert await refused(store, passed) == (NAME,)
        assert await store.commit(commit(B, 0, {OTHER_NAME: CONFIRM}, passed_on=frozenset({OTHER_NAME, "x"}))) == 1
        assert await store.find_correlation(OTHER_NAME) == Held(run=B, path=CONFIRM)
        assert await store.find_correlation("x") is None

    async def test_a_thousand_are_taken_and_let_go_at_once(self, store: Store) -> None:
        names = [f"rows/{number}" for number in range(1_000)]
        await store.commit(commit(correlations={name: f"{name}.1" for name in names}))
        assert await refused(store, commit(B, correlations=dict.fromkeys(names, APPROVE))) == tuple(names)
        await store.commit(commit(revision=1, correlations=dict.fromkeys(names[:900])))
        await store.commit(commit(B, correlations=dict.fromkeys(names[:900], APPROVE)))
        assert await store.find_correlation("rows/899") == Held(run=B, path=APPROVE)
        assert await store.find_correlation("rows/900") == Held(run=A, path="rows/900.1")


class TestForgetting:
    async def test_for_a_day_unless_it_is_said(self) -> None:
        assert commit().closed_kept_ms == CLOSED_KEPT_MS == 86_400_000

    async def test_that_it_closed_is_forgotten_in_its_time(self, store: Store) -> None:
        await let_go(store, kept_ms=0)
        assert await store.find_correlation(NAME) is None
        await store.commit(commit(revision=2, correlations={NAME: APPROVE}))
        await store.commit(commit(revision=3, correlations={NAME: None}, closed_kept_ms=1))
        await wait_forgotten(store, NAME)

    async def test_a_name_that_is_held_again_outlives_the_time_of_its_closing(self, store: Store) -> None:
        await let_go(store, kept_ms=1)
        await store.commit(commit(B, correlations={NAME: CONFIRM}))
        await let_go(store, "later", "later", kept_ms=1)
        await wait_forgotten(store, "later")
        await let_go(store, "sweeping", "sweeping", kept_ms=0)
        assert await store.find_correlation(NAME) == Held(run=B, path=CONFIRM)

    async def test_a_run_that_is_forgotten_holds_nothing_and_what_closed_stays_known(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE, OTHER_NAME: CONFIRM}))
        await store.commit(commit(B, correlations={"b": CONFIRM}))
        await store.commit(commit(revision=1, correlations={OTHER_NAME: None}, active=False))
        closed = await store.find_correlation(OTHER_NAME)
        await store.forget(A)
        await store.forget(A)
        assert await store.find_correlation(NAME) is None
        assert isinstance(closed, Closed)
        assert await store.find_correlation(OTHER_NAME) == closed
        assert await store.find_correlation("b") == Held(run=B, path=CONFIRM)
        assert await store.commit(commit(B, 1, {NAME: APPROVE})) == 2

    async def test_a_forgotten_run_takes_nothing_with_it_that_is_anothers_by_now(self, store: Store) -> None:
        await let_go(store)
        await store.commit(commit(B, correlations={NAME: CONFIRM}))
        await store.forget(A)
        assert await store.find_correlation(NAME) == Held(run=B, path=CONFIRM)

    async def test_the_end_of_a_run_lets_nothing_go_by_itself(self, store: Store) -> None:
        await store.commit(commit(correlations={NAME: APPROVE}))
        await store.commit(commit(revision=1, active=False))
        assert await store.find_correlation(NAME) == Held(run=A, path=APPROVE)

    async def test_many_run_out_by_themselves_and_none_is_left(self, open_store: Callable[[], Store]) -> None:
        store = open_store()
        names = [f"rows/{number}" for number in range(250)]
        await store.commit(commit(correlations=dict.fromkeys(names, APPROVE)))
        await store.commit(commit(revision=1, correlations=dict.fromkeys(names), closed_kept_ms=0))
        await store.commit(commit(B, correlations=dict.fromkeys(names[200:], CONFIRM)))
        assert [await store.find_correlation(name) for name in names] == [
            *[None] * 200,
            *[Held(run=B, path=CONFIRM)] * 50,
        ]
        await store.close()


class TestLostAnswers:
    async def test_whoever_repeats_a_commit_finds_it_applied(self, open_store: Callable[[], Store]) -> None:
        opened = open_store()
        store = LostAnswers(opened)
        for revision, path in enumerate((APPROVE, None)):
            repeated = commit(A, revision, {NAME: path, OTHER_NAME: APPROVE})
            with pytest.raises(StoreUnavailable, match="was lost"):
                await store.commit(repeated)
            found = await opened.find_correlation(NAME)
            with pytest.raises(StaleRevision):
                await store.commit(repeated)
            assert await opened.find_correlation(NAME) == found
            assert await opened.find_correlation(OTHER_NAME) == Held(run=A, path=APPROVE)
        assert isinstance(found, Closed)
        await opened.close()
