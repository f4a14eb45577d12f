"""An installed observer of real runs: told what is committed, nothing else, and also of runs without notifications."""

from pathlib import Path

import pytest

from reactor_operator.notifications.observers import Observers
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.notifications.teller import telling
from reactor_operator.running.clock import WallClock
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, OldEpoch
from tests.unit.notifications.installed import install, observed
from tests.unit.reconciling.conftest import World


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
