"""What is told outside is part of the commit that decided it: sent after it, also after a crash; no run waits for it"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from reactor_operator.engine import events as ev
from reactor_operator.engine.facts import FactKind
from reactor_operator.notifications.observers import Observers
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.notifications.teller import telling
from reactor_operator.ports import ReactorObject
from reactor_operator.reconciling.records import is_over_but_for_notices, read_run
from reactor_operator.running.clock import WallClock
from reactor_operator.store.codec import encode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Commit, Entry, OldEpoch, Store, StoreUnavailable
from reactor_operator.store.sqlite import SqliteStore
from tests.unit.notifications.receiver import sequences, until
from tests.unit.reconciling.conftest import REF, World
from tests.unit.runtime.service import Service, serving

Open = Callable[[], Store]


class Notifying(World):
    """Its reactor tells everything to `address`."""

    address = "http://127.0.0.1:9"

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        found = await super().get_reactor(namespace, name)
        assert found is not None
        http = {"url": f"{self.address}/events", "retries": {"maxAttempts": 3, "baseDelay": "1ms"}}
        told = [{"name": "audit", "events": ["*"], "http": http}]
        return replace(found, spec={**found.spec, "notifications": told})

    @property
    def told(self) -> Any:
        return self.status.get("notifications")

    async def pending(self) -> int:
        """Take in what was reported, and return how many are still to be delivered."""
        await self.reconcile()
        assert self.told is not None
        count: int = self.told["pending"]
        return count


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "run.db")
    memory = MemoryStore()
    return lambda: memory


@asynccontextmanager
async def operator(store: Store, address: str, epoch: int = 1) -> AsyncIterator[Notifying]:
    """Yield a world whose operator sends for real."""
    async with telling(inbox=store, clock=WallClock(), keys=SigningKeys(), observers=Observers([])) as teller:
        world = Notifying(cast("MemoryStore", store), epoch, teller=teller)
        world.address = address
        yield world


async def until_delivered(world: Notifying) -> None:
    for _ in range(5_000):
        if not await world.pending():
            return
        await asyncio.sleep(0.002)
    raise AssertionError(world.status)


async def succeed_and_tell(world: Notifying) -> None:
    """Drive the run to its success, and wait until all of it is told."""
    await world.reconcile()
    await world.succeed("a")
    await world.reconcile()
    await world.succeed("b")
    await until_delivered(world)


async def test_a_run_is_told_from_its_start_to_its_end(open_store: Open, service: Service) -> None:
    async with operator(open_store(), service.address) as world:
        await succeed_and_tell(world)
        assert world.told == {"pending": 0, "delivered": 2, "dead": 0}
        assert not await world.store.active_runs()
    assert sequences(service.asked) == [1, 2]


async def test_what_a_crash_left_unsent_is_sent_by_the_next_operator(open_store: Open, service: Service) -> None:
    store = open_store()
    dead = Notifying(cast("MemoryStore", store))  # it commits, and is gone before it sends anything
    dead.address = service.address
    await dead.reconcile()
    await dead.fail("a")
    await dead.reconcile()
    assert dead.told == {"pending": 3, "delivered": 0, "dead": 0}
    assert not service.asked
    async with operator(open_store(), service.address, epoch=2) as world:
        assert REF.uid in await world.store.active_runs()
        await until_delivered(world)
        assert world.told == {"pending": 0, "delivered": 3, "dead": 0}
    assert sequences(service.asked) == [1, 2, 3]


async def test_what_was_sent_and_not_reported_before_a_crash_is_sent_again_under_the_same_id(service: Service) -> None:
    class Away(MemoryStore):
        async def append(self, entry: Entry) -> Any:
            if not entry.task:
                raise StoreUnavailable("away")
            return await super().append(entry)

    store = Away()
    async with operator(store, service.address) as world:
        await world.reconcile()
        await until(lambda: bool(service.asked))
    store.__class__ = MemoryStore  # type: ignore[assignment]
    async with operator(store, service.address, epoch=2) as world:
        await until_delivered(world)
    first, second = service.asked
    assert first.body == second.body


async def test_nothing_is_sent_of_what_was_not_committed(service: Service) -> None:
    class TakesNoCommit(MemoryStore):
        async def commit(self, commit: Commit) -> int:
            raise OldEpoch("replaced")

    async with operator(TakesNoCommit(), service.address) as world:
        with pytest.raises(OldEpoch):
            await world.reconcile()
        await asyncio.sleep(0)
    assert not service.asked


async def test_a_run_ends_while_its_endpoint_hangs_and_may_be_deleted(service: Service) -> None:
    release = threading.Event()

    def hang(_: object) -> None:
        release.wait(20)

    service.misbehaves = hang
    async with operator(MemoryStore(), service.address) as world:
        await world.reconcile()
        await world.fail("a")
        await world.reconcile()
        assert world.status["phase"] == "Failed"
        assert world.told["pending"] == 3
        assert is_over_but_for_notices(await world.store.load(REF.uid))
        release.set()


async def test_a_run_that_is_asked_for_something_after_its_end_is_not_over(service: Service) -> None:
    dead = Notifying()
    dead.address = service.address
    await dead.reconcile()
    assert not is_over_but_for_notices(await dead.store.load(REF.uid))
    await dead.fail("a")
    await dead.reconcile()
    assert is_over_but_for_notices(await dead.store.load(REF.uid))
    await dead.store.append(Entry(run=REF.uid, digest="u", body=encode_event(ev.UndoRequested(id="u"))))
    assert not is_over_but_for_notices(await dead.store.load(REF.uid))


async def test_a_dead_letter_is_seen_in_the_status_and_told_to_people(service: Service) -> None:
    service.status = 500
    async with operator(MemoryStore(), service.address) as world:
        await succeed_and_tell(world)
        assert (world.told["delivered"], world.told["dead"]) == (0, 2)
        last = world.told["lastFailure"]
        assert (last["notification"], last["event"], last["sequence"]) == ("audit", "run.succeeded", 2)
        assert last["message"] == "the endpoint answered 500 (after 3 attempts)"
        assert world.status["phase"] == "Succeeded"


async def test_a_report_that_comes_twice_counts_once() -> None:
    world = Notifying()
    await world.reconcile()
    ended = ev.NotificationEnded(notification="audit", sequence=1, kind=FactKind.RUN_STARTED, delivered=True)
    for digest in ("1", "2"):
        await world.store.append(Entry(run=REF.uid, digest=digest, body=encode_event(ended)))
    await world.reconcile()
    await world.store.append(Entry(run=REF.uid, digest="3", body=encode_event(ended)))
    await world.reconcile()
    assert world.told == {"pending": 0, "delivered": 1, "dead": 0}


async def test_a_run_that_can_never_start_is_told(service: Service) -> None:
    async with operator(MemoryStore(), service.address) as world:
        sound = world.get_reactor

        async def strict(namespace: str, name: str) -> ReactorObject | None:
            found = await sound(namespace, name)
            assert found is not None
            return replace(found, spec={**found.spec, "inputsSchema": {"type": "object", "required": ["total"]}})

        world.get_reactor = strict  # type: ignore[method-assign]
        await world.reconcile()
        assert world.status["phase"] == "Failed"
        await until_delivered(world)
    assert b'"InvalidInputs"' in service.asked[0].body


async def test_a_run_without_notifications_stores_no_byte_more(world: World) -> None:
    await world.reconcile()
    await world.succeed("a")
    await world.reconcile()
    snapshot = await world.store.load(REF.uid)
    assert snapshot is not None
    assert snapshot.records is not None
    assert snapshot.actions is not None
    assert not any(word in body for body in snapshot.records.values() for word in (b"told", b"noti"))
    known = read_run(snapshot.records, snapshot.actions, snapshot.revision, pending_timeout_ms=1)
    assert (known.plan.notifications, known.plan.observed) == ((), False)
    assert "notifications" not in world.status
