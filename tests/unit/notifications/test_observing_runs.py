"""An installed observer of real runs: told what is committed, nothing else, and also of runs without notifications."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reactor_operator.engine.facts import Fact
from reactor_operator.notifications.observers import Observers
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.notifications.teller import telling
from reactor_operator.ports import About
from reactor_operator.reconciling.silence import Mute
from reactor_operator.running.clock import WallClock
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, OldEpoch
from tests.unit.notifications.installed import install, observed
from tests.unit.reconciling.conftest import World
from tests.unit.reconciling.transactions import Transactions


class TakesNoCommit(MemoryStore):
    """Belongs to another operator by now."""

    async def commit(self, commit: Commit) -> int:
        raise OldEpoch("replaced")


def installed(written: Path) -> Observers:
    install(written.parent / "site", writer="shop_watch:Writer")
    return Observers.installed()


async def test_it_is_told_of_a_run_without_notifications_from_its_start_to_its_end(written: Path) -> None:
    store, observers = MemoryStore(), installed(written)
    async with telling(inbox=store, clock=WallClock(), keys=SigningKeys(), observers=observers) as teller:
        world = World(store, teller=teller)
        await world.reconcile()
        await world.fail("a")
        await world.reconcile()
        await world.reconcile()
    observers.close(10)
    assert observed(written) == [
        ["run.started", "r", "", 1, "uid.1"],
        ["step.failed", "r", "a", 2, "uid.2"],
        ["run.failed", "r", "a", 3, "uid.3"],
    ]
    assert "notifications" not in world.status
    assert not await store.active_runs()


async def test_it_is_not_told_what_was_not_committed(written: Path) -> None:
    store, observers = TakesNoCommit(), installed(written)
    async with telling(inbox=store, clock=WallClock(), keys=SigningKeys(), observers=observers) as teller:
        with pytest.raises(OldEpoch):
            await World(store, teller=teller).reconcile()
    observers.close(10)
    assert observed(written) == []


async def test_a_run_that_takes_an_outcome_is_told_to_nobody_for_the_one_that_acted_was() -> None:
    http = {"url": "http://127.0.0.1:9/events"}
    told: list[tuple[str, str]] = []

    class Watching(Mute):
        observed = True

        def tell(self, about: About, facts: Sequence[Fact]) -> None:
            told.extend((about.run.name, fact.kind.value) for fact in facts)

    shop = Transactions(teller=Watching())
    shop.spec = {**shop.spec, "notifications": [{"name": "audit", "events": ["*"], "http": http}]}
    shop.apply("r1")
    await shop.succeed_wholly("r1")
    shop.apply("r2")
    shop.apply("r3", total=2)
    await shop.look("r2")
    await shop.look("r3")
    assert [shop.phase(name) for name in ("r1", "r2", "r3")] == ["Succeeded", "Succeeded", "Failed"]
    assert told == [("r1", "run.started"), ("r1", "run.succeeded"), ("r3", "run.failed")]
    counts = [shop.status_of(name).get("notifications", {}).get("pending", 0) for name in ("r1", "r2", "r3")]
    assert counts == [2, 0, 1]
