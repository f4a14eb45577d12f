"""Business keys where state was lost: nothing acts that may have acted before."""

import copy
from dataclasses import replace

import pytest

from reactor_operator.api.digest import digest_spec
from reactor_operator.encryption import Key, Keyring
from reactor_operator.engine.events import CancelRequested, RetryRequested
from reactor_operator.store.memory import MemoryStore
from tests.unit.reconciling.transactions import KEY, Transactions


def lose(shop: Transactions) -> Transactions:
    """Return the same world over a store that was emptied."""
    later = Transactions(MemoryStore(), epoch=2)
    later.runs, later.acted, later.clock = shop.runs, shop.acted, shop.clock
    return later


async def test_a_run_whose_state_is_lost_has_its_key_again_until_it_is_cancelled_and_then_hides_nothing() -> None:
    shop = Transactions()
    await shop.submit("r1")
    later = lose(shop)
    await later.look("r1")
    assert later.phase("r1") == "Recovering"
    await later.submit("r2")
    assert later.phase("r2") == "Pending"
    await later.ask("r1", CancelRequested(id="1", reason="", by="Ada"))
    await later.look("r2")
    failure = later.status_of("r2")["failure"]
    assert failure["kind"] == "KeyConflict"
    assert f"spec.idempotencyKey {KEY!r}: run r1 (uid-r1-1) had this key, and the store lost" in failure["message"]
    assert later.who_acted() == [("r1", "a.run")]


async def test_where_another_run_has_the_key_by_then_it_keeps_it() -> None:
    shop = Transactions()
    await shop.submit("r1")
    later = lose(shop)
    await later.submit("r2")  # before anyone looked at r1: what was lost cannot be known
    await later.look("r1")
    assert (later.phase("r1"), later.phase("r2")) == ("Recovering", "Running")
    await later.ask("r1", CancelRequested(id="1", reason="", by="Ada"))
    await later.submit("r3")
    assert "run r2 " in later.message("r3")


async def test_a_run_that_holds_its_key_and_is_not_stored_was_lost_though_nothing_was_told_of_it() -> None:
    shop = Transactions()
    await shop.submit("r1")
    shop.store._runs.clear()
    shop.reconciler.forget(shop.runs["r1"].ref)
    await shop.submit("r1", uid=shop.runs["r1"].ref.uid)
    assert shop.phase("r1") == "Recovering"
    assert shop.who_acted() == [("r1", "a.run")]
    await shop.submit("r2", total=2)
    assert "with other inputs" in shop.message("r2")  # those of r1 are known from its claim


async def test_sensitive_inputs_and_results_stay_hidden_in_the_claim_and_in_who_takes_the_outcome() -> None:
    key = Key(bytes(32))
    shop = Transactions(keyring=Keyring((key,)))
    schema = {"type": "object", "properties": {"card": {"type": "string", "sensitive": True}}}
    last = {**shop.spec["steps"][1], "sensitive": True}
    shop.spec = {**shop.spec, "inputsSchema": schema, "steps": [shop.spec["steps"][0], last]}
    await shop.submit("r1", card="CANARY")
    await shop.report_success("r1", "a")
    await shop.report_success("r1", "b", key.encrypt(shop.runs["r1"].ref.uid, "b result", b'"CANARY"'))
    await shop.submit("r2", card="CANARY")
    assert (shop.phase("r2"), shop.status_of("r2")["result"]) == ("Succeeded", "***")
    await shop.submit("r3", card="another")
    assert "with other inputs" in shop.message("r3")
    kept = repr(vars(shop.store))
    assert "CANARY" not in kept
    assert digest_spec({"inputs": {"card": "CANARY"}}) not in kept  # it could be guessed


CARD = {"type": "object", "properties": {"card": {"type": "string", "sensitive": True}}}
PLAIN = {"type": "object", "properties": {"card": {"type": "string"}}}
ONE, OTHER = Key(b"1" * 32), Key(b"2" * 32)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((CARD, [ONE, OTHER]), (CARD, [OTHER, ONE])),
        ((PLAIN, [ONE]), (CARD, [ONE])),
        ((CARD, [ONE]), (PLAIN, [ONE])),
    ],
    ids=["the keys are rotated", "the input is sensitive by now", "the input is sensitive no longer"],
)
async def test_the_same_inputs_are_the_same_transaction_however_their_digest_was_made(
    first: tuple[dict[str, object], list[Key]], then: tuple[dict[str, object], list[Key]]
) -> None:
    """A false KeyConflict advises another key, and with that the transaction would be done twice."""
    (schema, keys), (later_schema, later_keys) = first, then
    shop = Transactions(keyring=Keyring(tuple(keys)))
    shop.spec = {**shop.spec, "inputsSchema": schema}
    shop.apply("r1", card="CANARY")
    await shop.succeed_wholly("r1")
    later = Transactions(shop.store, epoch=2, keyring=Keyring(tuple(later_keys)))
    later.spec, later.runs = {**shop.spec, "inputsSchema": later_schema}, shop.runs
    later.apply("r2", card="CANARY")
    later.apply("r3", card="another")
    await later.look("r2")
    await later.look("r3")
    assert (later.phase("r2"), later.who_acted()) == ("Succeeded", [])
    assert "with other inputs" in later.message("r3")


async def test_where_a_restored_store_does_not_know_the_end_that_was_told_nobody_waits_for_it() -> None:
    shop = Transactions()
    await shop.submit("r1")
    kept = copy.deepcopy((shop.store._runs, shop.store._claims))
    await shop.report_success("r1", "a")
    await shop.report_success("r1", "b")
    shop.store._runs, shop.store._claims = kept
    later = shop.restart()
    await later.look("r1")
    assert later.phase("r1") == "Succeeded"
    await later.submit("r2")
    assert later.phase("r2") == "Failed"
    assert "run r1 (uid-r1-1) had this key and has ended, and the store lost its outcome" in later.message("r2")
    assert later.who_acted() == [("r1", "a.run"), ("r1", "b.run")]


async def test_a_run_that_was_taken_up_again_is_waited_for_though_its_status_still_tells_its_end() -> None:
    shop = Transactions()
    await shop.submit("r1")
    await shop.report_failure("r1", "a")
    told = shop.status_of("r1")
    await shop.ask("r1", RetryRequested(id="1"))
    shop.runs["r1"] = replace(shop.runs["r1"], status=told)  # it is written within a second, not at once
    await shop.submit("r2")
    assert (shop.phase("r1"), shop.phase("r2")) == ("Failed", "Pending")
