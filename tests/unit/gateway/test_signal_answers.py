"""Waiting for the answer to a request: it ends with the answer, or in time, and not with a store that is away."""

import asyncio

import pytest

from reactor_operator.engine.state import Header, SignalAnswer
from reactor_operator.gateway.signal_answers import WAITING_AT_ONCE, Asked, Found, SignalAnswers, Unanswered
from reactor_operator.reconciling.signals import request_of
from reactor_operator.store.codec import encode_header
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, Snapshot, StoreUnavailable
from tests.unit.reconciling.conftest import REF

ASKED = Asked(REF.uid, "m-1", "cancel")
ACCEPTED = SignalAnswer(id="m-1", action="cancel", accepted=True)


class Looked(MemoryStore):
    """Counts how often somebody looked, and whether at the whole run. `away`: so many looks find nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.whole: list[bool] = []
        self.away = 0
        self.seen = asyncio.Condition()

    async def load(self, run: str, known_revision: int = 0) -> Snapshot | None:
        found = await super().load(run, known_revision)
        self.whole.append(found is not None and found.records is not None)
        async with self.seen:
            self.seen.notify_all()
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return found

    async def wait_looks(self, count: int) -> None:
        """Return once so many looks were taken."""
        async with asyncio.timeout(5), self.seen:
            await self.seen.wait_for(lambda: len(self.whole) >= count)

    async def keep(self, *answers: SignalAnswer, position: int = 0, consumed: tuple[str, ...] = ()) -> None:
        """Commit a header with these answers, everything up to a position of the inbox read."""
        found = await super().load(REF.uid)
        header = encode_header(Header(uid=REF.uid, signals=answers, consumed=consumed))
        revision = found.revision if found else 0
        await self.commit(
            Commit(run=REF.uid, revision=revision, epoch=1, inbox_position=position, records={"header": header})
        )

    async def asked(self) -> Snapshot:
        """Record the request, and return the run as it was before."""
        before = await super().load(REF.uid)
        assert before is not None
        await self.append(request_of("m-1", "cancel", {}, "ann").entry_for(REF))
        return before


@pytest.fixture
async def store() -> Looked:
    store = Looked()
    await store.keep()
    return store


async def test_the_whole_run_is_read_only_where_it_has_changed(store: Looked) -> None:
    before = await store.asked()
    waiting = asyncio.create_task(SignalAnswers(store, 5).wait(ASKED, before))
    await store.wait_looks(2)
    await store.keep(ACCEPTED, position=1)
    assert await waiting == ACCEPTED
    assert store.whole == [False] * (len(store.whole) - 1) + [True]


async def test_a_store_that_is_away_for_a_moment_is_looked_at_again(store: Looked) -> None:
    before = await store.asked()
    await store.keep(ACCEPTED, position=1)
    store.away = 2
    assert await SignalAnswers(store, 5).wait(ASKED, before) == ACCEPTED
    assert len(store.whole) == 3


@pytest.mark.parametrize("away", [0, 1_000])
async def test_after_the_longest_wait_the_request_waits_still(store: Looked, away: int) -> None:
    before = await store.asked()
    store.away = away
    assert await SignalAnswers(store, 0.1).wait(ASKED, before) is Unanswered.WAITS


async def test_an_answer_that_was_there_before_is_no_wait(store: Looked) -> None:
    await store.keep(ACCEPTED)
    assert await SignalAnswers(store, 5).wait(ASKED, await store.asked()) == ACCEPTED
    assert store.whole == []


async def test_a_run_that_goes_meanwhile_ends_the_wait(store: Looked) -> None:
    before = await store.asked()
    waiting = asyncio.create_task(SignalAnswers(store, 5).wait(ASKED, before))
    await store.wait_looks(1)
    await store.forget(REF.uid)
    assert await waiting is Unanswered.GONE


async def test_where_very_many_wait_the_next_one_does_not(store: Looked) -> None:
    before = await store.asked()
    answers = SignalAnswers(store, 5)
    waiting = [asyncio.create_task(answers.wait(ASKED, before)) for _ in range(WAITING_AT_ONCE)]
    await store.wait_looks(WAITING_AT_ONCE)
    looks = len(store.whole)
    assert await answers.wait(ASKED, before) is Unanswered.WAITS
    assert len(store.whole) == looks
    await store.keep(ACCEPTED, position=1)
    assert set(await asyncio.gather(*waiting)) == {ACCEPTED}
    assert await answers.wait(ASKED, before) == ACCEPTED


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Asked(REF.uid, "m-1", "cancel"), ACCEPTED),
        (Asked(REF.uid, "m-1"), ACCEPTED),
        (Asked(REF.uid, "m-1", "undo"), Unanswered.FORGOTTEN),
        (Asked(REF.uid, "m-2"), Unanswered.FORGOTTEN),
        (Asked(REF.uid, "old", "resume"), SignalAnswer(id="old", action="resume", accepted=True)),
        (Asked(REF.uid, "old", "cancel"), Unanswered.FORGOTTEN),
        (Asked("another", "m-1"), Unanswered.GONE),
    ],
)
async def test_an_answer_is_that_of_an_id_and_an_action(store: Looked, asked: Asked, found: Found) -> None:
    await store.keep(ACCEPTED, consumed=("old",))
    assert await SignalAnswers(store, 5).find(asked) == found
