"""Business keys over each store: of all runs that name one transaction one acts, whatever happens to their objects."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from reactor_operator.engine.events import CancelRequested, RetryRequested, UndoRequested
from reactor_operator.store.port import OldEpoch, Store, StoreUnavailable
from tests.contract.lost_answers import LostAnswers
from tests.unit.reconciling.transactions import KEY, Transactions

WAITS = (
    f"waiting: run r1 (uid-r1-1) has the same spec.idempotencyKey {KEY!r} and goes on; "
    "its outcome is taken when it ends"
)


@pytest.fixture
async def shop(open_store: Callable[[], Store]) -> AsyncIterator[Transactions]:
    store = open_store()
    yield Transactions(store)
    await store.close()


async def test_a_second_run_takes_the_outcome_and_starts_nothing(shop: Transactions) -> None:
    shop.apply("r1", total=42)
    await shop.succeed_wholly("r1")
    acted = list(shop.acted)
    shop.apply("r2", total=42)
    assert await shop.look("r2") is None
    status = shop.status_of("r2")
    assert (status["phase"], status["result"]) == ("Succeeded", {"paid": 42})
    assert status["takenFrom"] == {"name": "r1", "uid": "uid-r1-1", "finishedAt": "2027-01-15T08:00:00Z"}
    assert status["message"] == "taken from run r1 (uid-r1-1) that ended at 2027-01-15T08:00:00Z"
    assert (status["progress"], status["steps"], status["reactor"]["name"]) == ("", [], "x")
    assert shop.acted == acted
    assert "took the outcome of run r1 (uid-r1-1), which is Succeeded: nothing was started" in shop.announced


async def test_deleted_and_applied_again_it_does_not_act_twice(shop: Transactions) -> None:
    shop.apply("r1")
    await shop.succeed_wholly("r1")
    for _ in range(3):
        await shop.sweep(shop.delete("r1"))
        await shop.submit("r1")
        assert shop.status_of("r1")["takenFrom"]["uid"] == "uid-r1-1"
        assert (shop.phase("r1"), shop.status_of("r1")["result"]) == ("Succeeded", {"paid": 42})
    assert shop.who_acted() == [("r1", "a.run"), ("r1", "b.run")]


async def test_a_key_is_kept_as_long_as_any_run_has_it_and_the_set_time_from_then_on(
    open_store: Callable[[], Store],
) -> None:
    store = open_store()
    shop = Transactions(store, key_retention_ms=0)
    shop.apply("r1", total=1)
    await shop.succeed_wholly("r1")
    await shop.submit("r2", total=1)
    await shop.sweep(shop.delete("r1"))
    await shop.submit("r3", total=2)
    await shop.sweep(shop.delete("r2"))
    await shop.submit("r4", total=1)  # r3 was refused, and keeps it all the same
    assert shop.status_of("r4")["takenFrom"]["uid"] == "uid-r1-1"
    for name in ("r3", "r4"):
        await shop.sweep(shop.delete(name))
    await shop.submit("r5", total=2)
    assert shop.phase("r5") == "Running"
    await store.close()


async def test_a_large_result_is_taken_too_and_lives_as_long_as_the_key(shop: Transactions) -> None:
    large = b'"' + b"x" * 100_000 + b'"'
    shop.apply("r1")
    await shop.succeed_wholly("r1", large)
    await shop.sweep(shop.delete("r1"))
    later = shop.restart()
    await later.submit("r2")
    reference = later.status_of("r2")["resultRef"]
    assert reference["size"] == len(large)
    found = await later.store.get_values(later.runs["r2"].ref.uid, frozenset({reference["digest"]}))
    assert found == {reference["digest"]: large}


async def test_a_failure_is_taken_with_what_was_reversed(shop: Transactions) -> None:
    await shop.submit("r1")
    await shop.report_success("r1", "a")
    await shop.report_failure("r1", "b")
    await shop.report_undone("r1", "a")
    assert shop.phase("r1") == "Failed"
    await shop.submit("r2")
    first, second = shop.status_of("r1"), shop.status_of("r2")
    assert second["failure"] == first["failure"]
    assert second["rollback"] == first["rollback"] == {"state": "Complete", "undone": ["a"], "failures": []}
    assert second["message"].startswith("taken from run r1 (uid-r1-1) that ended at ")
    assert second["message"].endswith(": b: Fatal: declined (rolled back: a)")
    assert [run for run, _ in shop.who_acted()] == ["r1"] * 3


async def test_the_second_waits_for_the_first_and_says_so_then_takes_its_outcome(shop: Transactions) -> None:
    shop.apply("r1")
    shop.apply("r2")
    await shop.look("r1")
    again = await shop.look("r2")
    assert again == shop.clock.time + 5_000
    assert (shop.phase("r2"), shop.message("r2")) == ("Pending", WAITS)
    conditions = {one["type"]: one for one in shop.status_of("r2")["conditions"]}
    assert (conditions["Reconciling"]["status"], conditions["Reconciling"]["reason"]) == ("True", "Queued")
    await shop.report_success("r1", "a")
    await shop.report_success("r1", "b", b"7")
    await shop.look("r2")
    assert (shop.phase("r2"), shop.status_of("r2")["result"]) == ("Succeeded", 7)
    assert shop.who_acted() == [("r1", "a.run"), ("r1", "b.run")]


async def test_one_that_waits_long_looks_less_often_but_every_minute(shop: Transactions) -> None:
    shop.apply("r1")
    shop.apply("r2")
    await shop.look("r1")
    shop.clock.time += 100_000
    assert await shop.look("r2") == shop.clock.time + 10_000
    shop.clock.time += 86_400_000
    assert await shop.look("r2") == shop.clock.time + 60_000


async def test_of_runs_that_come_at_the_same_moment_exactly_one_acts(shop: Transactions) -> None:
    names = [f"r{number}" for number in range(8)]
    for name in names:
        shop.apply(name)
    await asyncio.gather(*(shop.look(name) for name in names))
    assert len(shop.acted) == 1
    ((winner, _, _),) = shop.acted
    assert [name for name in names if shop.phase(name) == "Running"] == [winner]
    assert {shop.phase(name) for name in names if name != winner} == {"Pending"}


async def test_other_inputs_are_a_conflict_that_names_the_first_run_and_no_pod(shop: Transactions) -> None:
    await shop.submit("r1", total=42)
    await shop.submit("r2", total=43)  # at once: there is nothing to wait for
    failure = shop.status_of("r2")["failure"]
    assert failure["kind"] == "KeyConflict"
    assert failure["message"].startswith(
        f"spec.idempotencyKey {KEY!r}: run r1 (uid-r1-1) had this key with other inputs"
    )
    assert "43" not in failure["message"]
    await shop.report_success("r1", "a")
    await shop.report_success("r1", "b")
    await shop.submit("r3", total=43)
    assert shop.status_of("r3")["failure"]["kind"] == "KeyConflict"
    assert {run for run, _ in shop.who_acted()} == {"r1"}


async def test_inputs_are_compared_after_defaults_and_whatever_their_order(shop: Transactions) -> None:
    shop.spec["inputsSchema"] = {"type": "object", "properties": {"cur": {"type": "string", "default": "EUR"}}}
    shop.apply("r1", total=42, cur="EUR")
    await shop.succeed_wholly("r1")
    shop.apply("r2", total=42)
    shop.apply("r3", cur="EUR", total=42)
    for name in ("r2", "r3"):
        await shop.look(name)
        assert shop.status_of(name)["takenFrom"]["name"] == "r1"


async def test_a_key_belongs_to_its_reactor_and_runs_without_one_share_nothing(shop: Transactions) -> None:
    shop.apply("r1")
    shop.apply("r2", reactor="another")
    shop.apply("r3", "order-o-2")
    shop.apply("r4", None)
    shop.apply("r5", None)
    for name in shop.runs:
        await shop.look(name)
    assert {shop.phase(name) for name in shop.runs} == {"Running"}
    assert len({key for _, _, key in shop.acted}) == 5


async def test_the_keys_of_tasks_follow_from_the_business_key_and_not_from_the_run(shop: Transactions) -> None:
    other = Transactions()
    for world, uid in ((shop, "uid-1"), (other, "uid-2")):
        await world.submit("r1", uid=uid)
    assert shop.acted == other.acted
    await other.submit("r1", None, uid="uid-3")
    assert other.acted[-1][2] != other.acted[0][2]


async def test_deleted_before_its_end_it_is_not_known_whole_so_nothing_acts_again(shop: Transactions) -> None:
    await shop.submit("r1")
    ref = shop.delete("r1")
    await shop.submit("r1")
    failure = shop.status_of("r1")["failure"]
    assert failure["kind"] == "KeyConflict"
    assert "run r1 (uid-r1-1) had this key and was deleted before its end" in failure["message"]
    assert "start a run with another key" in failure["message"]
    await shop.sweep(ref)
    await shop.submit("r2")
    assert shop.status_of("r2")["failure"]["kind"] == "KeyConflict"
    assert shop.who_acted() == [("r1", "a.run")]


async def test_one_that_ends_and_is_deleted_while_another_looks_is_not_taken_for_unfinished(
    open_store: Callable[[], Store],
) -> None:
    class EndsMeanwhile(Transactions):
        """r1 ends, and its object goes, just before anyone asks for it."""

        async def get_run(self, ref):  # type: ignore[no-untyped-def]
            if ref.name == "r1" and self.ending:
                self.ending = False
                await self.report_success("r1", "b", b"7")
                self.delete("r1")
            return await super().get_run(ref)

        ending = False

    store = open_store()
    shop = EndsMeanwhile(store)
    await shop.submit("r1")
    await shop.report_success("r1", "a")
    shop.apply("r2")
    shop.ending = True
    await shop.look("r2")
    assert (shop.phase("r2"), shop.status_of("r2")["result"]) == ("Succeeded", 7)
    await store.close()


async def test_an_operator_that_dies_between_claim_and_end_loses_neither(shop: Transactions) -> None:
    shop.apply("r1")
    shop.apply("r2")
    await shop.look("r1")
    later = shop.restart()
    await later.look("r2")
    assert later.message("r2") == WAITS
    await later.report_success("r1", "a")
    even_later = later.restart()
    even_later.reconciler._commits.epoch = 3
    await even_later.report_success("r1", "b", b"7")
    await even_later.look("r2")
    assert (even_later.phase("r2"), even_later.status_of("r2")["result"]) == ("Succeeded", 7)
    assert shop.who_acted() == [("r1", "a.run"), ("r1", "b.run")]
    shop.apply("r3")
    with pytest.raises(OldEpoch):  # the first operator is still there, and knows nothing of all this
        await shop.look("r3")


async def test_where_the_answer_to_the_claim_is_lost_it_is_found_to_be_our_own(open_store: Callable[[], Store]) -> None:
    store = open_store()
    shop = Transactions(LostAnswers(store))
    shop.apply("r1")
    shop.apply("r2")
    with pytest.raises(StoreUnavailable):
        await shop.look("r1")
    await shop.look("r2")
    assert shop.message("r2") == WAITS
    await shop.look("r1")
    assert shop.who_acted() == [("r1", "a.run")]
    await store.close()


async def test_a_run_that_could_not_start_holds_no_key(shop: Transactions) -> None:
    sound = dict(shop.spec)
    shop.spec["steps"] = []
    await shop.submit("invalid")
    shop.spec = sound | {"maxActiveRuns": 1, "onLimit": "Reject"}
    await shop.submit("active", "another-key")
    await shop.submit("rejected", total=6)
    kinds = [shop.status_of(name)["failure"]["kind"] for name in ("invalid", "rejected")]
    assert kinds == ["InvalidReactor", "TooManyRuns"]
    shop.spec = sound
    await shop.submit("r", total=7)
    assert shop.phase("r") == "Running"


async def test_a_conflict_holds_no_key_and_hides_none(shop: Transactions) -> None:
    shop.apply("r1", total=1)
    await shop.succeed_wholly("r1")
    await shop.submit("r2", total=2)
    await shop.submit("r3", total=1)
    assert shop.status_of("r3")["takenFrom"]["name"] == "r1"


async def test_an_outcome_that_was_taken_is_not_taken_up_again(shop: Transactions) -> None:
    await shop.submit("r1")
    await shop.report_failure("r1", "a")
    await shop.submit("r2")
    await shop.ask("r2", RetryRequested(id="1", reason="", by="Ada"))
    await shop.ask("r2", UndoRequested(id="2", reason="", by="Ada"))
    await shop.ask("r2", CancelRequested(id="3", reason="", by="Ada"))
    assert shop.phase("r2") == "Failed"
    said = "this run did nothing itself: it took the outcome of run r1, so ask that one"
    assert [(one["phase"], one["reason"]) for one in shop.status_of("r2")["signals"]] == [("Rejected", said)] * 3
    assert shop.who_acted() == [("r1", "a.run")]
    await shop.submit("r3")
    assert shop.status_of("r3")["takenFrom"]["name"] == "r1"


async def test_the_key_follows_the_latest_end_of_the_run_that_holds_it(shop: Transactions) -> None:
    await shop.submit("r1")
    await shop.report_failure("r1", "a")
    await shop.submit("r2")
    await shop.ask("r1", RetryRequested(id="1", reason="", by="Ada"))
    await shop.submit("r3")
    assert (shop.phase("r2"), shop.message("r3")) == ("Failed", WAITS)
    await shop.report_success("r1", "a", round_=2)
    await shop.report_success("r1", "b", b"7")
    await shop.look("r3")
    assert (shop.phase("r3"), shop.status_of("r3")["result"]) == ("Succeeded", 7)
    await shop.ask("r1", UndoRequested(id="2", reason="a mistake", by="Ada"))
    await shop.submit("r4")
    assert shop.phase("r4") == "Pending"
    task = [step for run, step, _ in shop.acted if run == "r1"][-1]
    assert task == "a.undo"


async def test_a_run_that_waits_for_a_key_takes_no_place_and_stops_none_behind_it(shop: Transactions) -> None:
    shop.spec["maxActiveRuns"] = 2
    shop.apply("r1")
    shop.apply("r2")
    shop.apply("r3", "another-key")
    for name in shop.runs:
        await shop.look(name)
    assert [shop.phase(name) for name in shop.runs] == ["Running", "Pending", "Running"]


async def test_a_place_that_was_given_to_the_loser_of_a_race_is_given_to_another(shop: Transactions) -> None:
    shop.spec["maxActiveRuns"] = 2
    shop.apply("r1")
    shop.apply("r2")
    await asyncio.gather(shop.look("r1"), shop.look("r2"))
    await shop.submit("r3", "another-key")
    assert sorted(shop.phase(name) for name in shop.runs) == ["Pending", "Running", "Running"]
    assert shop.phase("r3") == "Running"


async def test_a_run_that_takes_an_outcome_needs_no_place(shop: Transactions) -> None:
    shop.apply("r1")
    await shop.succeed_wholly("r1")
    shop.spec |= {"maxActiveRuns": 1, "onLimit": "Reject"}
    await shop.submit("r2", "another-key")
    await shop.submit("r3")
    assert shop.status_of("r3")["takenFrom"]["name"] == "r1"


async def test_a_suspended_run_takes_an_outcome_for_nothing_starts(shop: Transactions) -> None:
    shop.apply("r1")
    await shop.succeed_wholly("r1")
    shop.apply("r2")
    shop.runs["r2"].spec["suspend"] = True  # type: ignore[index]
    await shop.look("r2")
    assert shop.phase("r2") == "Succeeded"
