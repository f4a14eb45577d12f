"""The contract of claims: of all runs that want a name one holds it, and longer than anything else of it is stored."""

import asyncio
from collections.abc import Callable

import pytest

from reactor_operator.store.port import Claim, Claimed, Commit, KeyTaken, StaleRevision, Store

A, B = "2f1e5a2c-0000-4000-8000-00000000000a", "2f1e5a2c-0000-4000-8000-00000000000b"
LONG_MS = 3_600_000


def claim(body: bytes = b"goes on", **changes: object) -> Claim:
    fields: dict[str, object] = {"name": "key/1", "body": body, "keep_ms": LONG_MS, **changes}
    return Claim(**fields)  # type: ignore[arg-type]


def commit(run: str = A, revision: int = 0, **changes: object) -> Commit:
    fields: dict[str, object] = {"run": run, "revision": revision, "epoch": 1, "claim": claim(), **changes}
    return Commit(**fields)  # type: ignore[arg-type]


async def test_nobody_holds_a_name_that_was_never_claimed(store: Store) -> None:
    await store.commit(commit(claim=None))
    assert await store.claimed("key/1") is None


async def test_a_claim_is_held_from_the_commit_on_that_makes_the_run(store: Store) -> None:
    await store.commit(commit())
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")
    assert await store.claimed("key/2") is None


async def test_another_run_cannot_be_made_with_it_and_nothing_of_it_is_stored(store: Store) -> None:
    await store.commit(commit())
    with pytest.raises(KeyTaken, match=f"run {B}: run {A} holds the claim key/1"):
        await store.commit(commit(B, records={"header": b"h"}, values={"d": b"1"}, actions={"a": b"1"}))
    assert await store.load(B) is None
    assert await store.get_values(B, frozenset({"d"})) == {}
    assert A in await store.active_runs()
    assert B not in await store.active_runs()
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")
    assert await store.commit(commit(B, claim=claim(name="key/2"))) == 1


async def test_of_many_runs_at_once_exactly_one_gets_it(open_store: Callable[[], Store]) -> None:
    stores = [open_store(), open_store()]
    runs = [f"run-{i}" for i in range(10)]
    answers = await asyncio.gather(
        *(stores[i % 2].commit(commit(run)) for i, run in enumerate(runs)), return_exceptions=True
    )
    (winner,) = [run for run, answer in zip(runs, answers, strict=True) if answer == 1]
    assert [type(answer) for answer in answers if answer != 1] == [KeyTaken] * 9
    assert await stores[1].claimed("key/1") == Claimed(run=winner, body=b"goes on")
    assert await stores[0].stored_runs() == {winner}
    for store in stores:
        await store.close()


def share(run: str, **changes: object) -> Commit:
    return commit(run, claim=claim(b"", shared=True, **changes), active=False)


async def test_the_end_of_the_run_is_told_with_a_document_and_by_no_commit_that_is_refused(store: Store) -> None:
    await store.commit(commit())
    ended = claim(b"succeeded", document=b"\x00[1]")
    with pytest.raises(StaleRevision):
        await store.commit(commit(revision=7, claim=ended))
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")
    await store.commit(commit(revision=1, claim=ended, active=False))
    assert await store.claimed("key/1") == Claimed(run=A, body=b"succeeded", document=b"\x00[1]")
    with pytest.raises(KeyTaken):
        await store.commit(commit(B))
    await store.commit(commit(revision=2, claim=claim(b"goes on again")))
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on again")


async def test_a_commit_that_says_nothing_of_it_leaves_it(store: Store) -> None:
    await store.commit(commit())
    await store.commit(commit(revision=1, claim=None, records={"a": b"1"}))
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")


@pytest.mark.parametrize(("keep_ms", "held"), [(LONG_MS, True), (0, False)])
async def test_it_is_kept_as_long_as_the_run_is_stored_and_its_time_from_then_on(
    store: Store, keep_ms: int, *, held: bool
) -> None:
    await store.commit(commit(claim=claim(keep_ms=keep_ms)))
    await store.commit(commit(revision=1, claim=claim(b"succeeded", document=b"1", keep_ms=keep_ms), active=False))
    found = Claimed(run=A, body=b"succeeded", document=b"1")
    assert await store.claimed("key/1") == found
    await store.forget(A)
    await store.forget(A)
    assert await store.claimed("key/1") == (found if held else None)


async def test_once_its_time_is_over_another_run_may_take_it_and_keeps_it(store: Store) -> None:
    await store.commit(commit(claim=claim(keep_ms=0)))
    await store.forget(A)
    assert await store.commit(commit(B)) == 1
    assert await store.claimed("key/1") == Claimed(run=B, body=b"goes on")
    await store.forget(A)
    await store.commit(commit(A, claim=None))
    await store.commit(commit(A, revision=1, claim=claim(b"mine again")))
    await store.forget(A)
    assert await store.claimed("key/1") == Claimed(run=B, body=b"goes on")


async def test_a_run_that_shares_it_says_nothing_and_keeps_it_for_as_long_as_it_is_stored(store: Store) -> None:
    await store.commit(commit(claim=claim(keep_ms=0)))
    await store.commit(share(B, keep_ms=0))
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")
    await store.forget(A)
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")
    await store.forget(B)
    assert await store.claimed("key/1") is None


async def test_shared_again_and_again_it_never_runs_out(store: Store) -> None:
    await store.commit(commit())
    for number in range(3):
        before, after = (A if number == 0 else f"again-{number - 1}"), f"again-{number}"
        await store.forget(before)
        await store.commit(share(after))
        await store.commit(commit(after, revision=1, claim=None))
        assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")
    with pytest.raises(KeyTaken):
        await store.commit(commit(B))


async def test_what_nobody_holds_cannot_be_shared(store: Store) -> None:
    assert await store.commit(share(B)) == 1
    assert await store.claimed("key/1") is None
    assert await store.commit(commit(A)) == 1
    await store.forget(B)
    assert await store.claimed("key/1") == Claimed(run=A, body=b"goes on")


async def test_many_claims_run_out_by_themselves_and_none_is_left(open_store: Callable[[], Store]) -> None:
    store = open_store()
    for i in range(250):
        await store.commit(commit(f"run-{i}", claim=claim(name=f"key/{i}", keep_ms=0)))
        await store.forget(f"run-{i}")
    await store.commit(commit(B, claim=claim(name="key/new")))
    assert [await store.claimed(f"key/{i}") for i in range(250)] == [None] * 250
    assert await store.claimed("key/new") is not None
    await store.close()
