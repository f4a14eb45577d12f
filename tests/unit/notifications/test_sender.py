"""Sending, against a real HTTP server: signed, in order, again after a failure, and dead after the last attempt."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reactor_operator.engine.events import NotificationEnded
from reactor_operator.engine.plan import Backoff, RetryPolicy
from reactor_operator.notifications.posting import HttpPost
from reactor_operator.notifications.sender import Sender
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.ports import About, RunRef
from reactor_operator.running.clock import WallClock
from reactor_operator.store.codec import decode_event
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import Appended, Commit, Entry, StoreUnavailable
from tests.unit.notifications.receiver import ABOUT, KEY, SOON, hang, is_signed, notices, sequences, until
from tests.unit.runtime.service import Asked, Service, free_port, serving

UID = ABOUT.run.uid


@dataclass
class Store(MemoryStore):
    """Is away for the first `away` calls."""

    away: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def append(self, entry: Entry) -> Appended:
        if self.refused < self.away:
            self.refused += 1
            raise StoreUnavailable("away")
        return await super().append(entry)


@dataclass
class Trial:
    """A sender and the store it reports to. Pauses are noted and take no time."""

    sender: Sender
    store: Store
    pauses: list[float] = field(default_factory=list)

    async def ended(self, uid: str = UID) -> list[NotificationEnded]:
        snapshot = await self.store.load(uid)
        assert snapshot is not None
        found = [decode_event(body) for _, body in snapshot.inbox]
        return [one for one in found if isinstance(one, NotificationEnded)]

    async def until_ended(self, count: int, uid: str = UID) -> list[NotificationEnded]:
        async with asyncio.timeout(10):
            while len(found := await self.ended(uid)) < count:  # noqa: ASYNC110 - it is asked of the store
                await asyncio.sleep(0.002)
        return found


@asynccontextmanager
async def trial(keys: SigningKeys | None = None, away: int = 0) -> AsyncIterator[Trial]:
    store = Store(away=away)
    for uid in (UID, "uid-2"):
        await store.commit(Commit(run=uid, revision=0, epoch=1, records={"header": b"{}"}))
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    post = HttpPost()
    sender = Sender(inbox=store, clock=WallClock(), keys=keys or SigningKeys(), post=post, sleep=pause)
    try:
        yield Trial(sender, store, pauses)
    finally:
        await sender.close()
        await post.close()


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service(status=204, body=b"")) as found:
        yield found


async def test_an_event_is_posted_signed_and_reported(service: Service, tmp_path: Path) -> None:
    (tmp_path / "shop").write_bytes(KEY)
    async with trial(SigningKeys(folder=tmp_path)) as one:
        one.sender.offer(ABOUT, notices(service.address, key="shop"))
        (ended,) = await one.until_ended(1)
    (asked,) = service.asked
    assert (asked.method, asked.target) == ("POST", "/events")
    assert asked.headers["Content-Type"] == "application/cloudevents+json"
    assert json.loads(asked.body)["id"] == "uid-1.1"
    assert is_signed(asked, KEY)
    assert not is_signed(asked, KEY[::-1])
    assert not is_signed(asked, KEY, now=time.time() + 3_600)
    assert not is_signed(Asked(asked.method, asked.target, asked.headers, asked.body + b" "), KEY)
    assert ended.delivered


async def test_without_a_key_nothing_is_signed(service: Service) -> None:
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address))
        await one.until_ended(1)
    assert "Reactor-Signature" not in service.asked[0].headers


async def test_events_come_in_order_also_where_the_first_is_refused_at_first(service: Service) -> None:
    service.decides = lambda _: (503, b"") if len(service.asked) < 3 else (200, b"{}")
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address, 4))
        ended = await one.until_ended(4)
    assert sequences(service.asked) == [1, 1, 1, 2, 3, 4]
    assert [(each.sequence, each.delivered) for each in ended] == [(n, True) for n in (1, 2, 3, 4)]
    assert service.asked[0].body == service.asked[2].body


async def test_after_the_last_attempt_it_is_dead_and_the_next_is_sent(service: Service) -> None:
    service.decides = lambda asked: (500 if json.loads(asked.body)["data"]["sequence"] == 1 else 200, b"")
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address, 2))
        dead, delivered = await one.until_ended(2)
    assert sequences(service.asked) == [1, 1, 1, 2]
    assert (dead.delivered, dead.message) == (False, "the endpoint answered 500 (after 3 attempts)")
    assert delivered.delivered


async def test_pauses_grow_as_the_policy_says_and_differ_from_run_to_run(service: Service) -> None:
    service.status = 500
    exact = notices(service.address, retries=_exponential(jitter=0))
    varied = notices(service.address, retries=_exponential(jitter=50))
    async with trial() as one:
        one.sender.offer(ABOUT, exact)
        await one.until_ended(1)
        assert one.pauses == [1.0, 2.0, 4.0]
    taken = []
    for uid in (UID, "uid-2"):
        async with trial() as one:
            one.sender.offer(About(run=RunRef("shop", "order", uid), reactor="checkout"), varied)
            await one.until_ended(1, uid)
            taken.append(tuple(one.pauses))
    assert taken[0] != taken[1]
    assert all(0.5 <= pauses[0] <= 1.0 for pauses in taken)


def _exponential(*, jitter: int) -> RetryPolicy:
    return RetryPolicy(max_attempts=4, backoff=Backoff.EXPONENTIAL, base_delay_ms=1_000, jitter_percent=jitter)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(service: Service, status: int) -> None:
    with serving(Service()) as elsewhere:
        service.status, service.headers = status, {"Location": f"{elsewhere.address}/stolen"}
        async with trial() as one:
            one.sender.offer(ABOUT, notices(service.address))
            (ended,) = await one.until_ended(1)
    assert not elsewhere.asked
    assert ended.message.startswith(f"the endpoint answered {status}: a redirect, which is not followed")


async def test_an_endpoint_is_not_remembered(service: Service) -> None:
    service.headers = {"Set-Cookie": "who=order-1; Path=/"}
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address, 2))
        await one.until_ended(2)
    assert not any("Cookie" in asked.headers for asked in service.asked)


async def test_nothing_is_kept_of_a_run_that_has_told_all(service: Service) -> None:
    async with trial() as one:
        offered = notices(service.address, 2)
        one.sender.offer(ABOUT, offered)
        await one.until_ended(1)
        one.sender.offer(ABOUT, offered[1:])
        await one.until_ended(2)
        one.sender.offer(ABOUT, [])
        await until(lambda: not one.sender._lanes)


async def test_nobody_at_the_address_is_told_without_the_address() -> None:
    address = f"http://127.0.0.1:{free_port()}/secret-path"
    async with trial() as one:
        one.sender.offer(ABOUT, notices(address))
        (ended,) = await one.until_ended(1)
    assert ended.message == "no answer: ConnectError (after 3 attempts)"


async def test_an_endpoint_that_hangs_or_drips_is_left_after_its_time(service: Service) -> None:
    release = threading.Event()

    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200")  # and never the rest
        release.wait(20)

    service.misbehaves = drip
    async with trial() as one:
        once = RetryPolicy(max_attempts=1)
        one.sender.offer(ABOUT, notices(service.address, timeout_ms=50, retries=once))
        (ended,) = await one.until_ended(1)
        release.set()
    assert ended.message == "no answer within 0.05s"


async def test_an_answer_without_end_is_not_read(service: Service) -> None:
    def flood(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    service.misbehaves = flood
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address))
        (ended,) = await one.until_ended(1)
    assert ended.delivered


async def test_a_key_that_is_not_there_is_dead_at_once_and_nothing_is_sent(service: Service, tmp_path: Path) -> None:
    async with trial(SigningKeys(folder=tmp_path)) as one:
        one.sender.offer(ABOUT, [*notices(service.address, key="gone"), *notices(service.address, name="plain")])
        ended = await one.until_ended(2)
    (dead,) = (each for each in ended if each.notification == "audit")
    assert "there is no signing key 'gone'" in dead.message
    assert len(service.asked) == 1


async def test_one_endpoint_that_hangs_holds_up_no_other(service: Service) -> None:
    release = threading.Event()
    with serving(Service(misbehaves=hang(release))) as hanging:
        async with trial() as one:
            one.sender.offer(ABOUT, [*notices(hanging.address, 2, "slow"), *notices(service.address, 2)])
            ended = await one.until_ended(2)
            release.set()
    assert [each.notification for each in ended] == ["audit", "audit"]


async def test_at_most_ten_requests_to_one_host_are_under_way(service: Service) -> None:
    release = threading.Event()
    service.misbehaves = hang(release)
    with serving(Service()) as other:
        async with trial() as one:
            for number in range(30):
                about = About(run=RunRef("shop", "order", f"uid-{number + 10}"), reactor="checkout")
                one.sender.offer(about, notices(service.address))
            one.sender.offer(ABOUT, notices(other.address))
            await one.until_ended(1)
            await until(lambda: len(service.asked) == 10)
            assert len(service.asked) == 10
            release.set()


async def test_offering_again_what_is_under_way_or_reported_sends_nothing_twice(service: Service) -> None:
    async with trial() as one:
        offered = notices(service.address, 2)
        for _ in range(3):
            one.sender.offer(ABOUT, offered)
        await one.until_ended(2)
        more = notices(service.address, 3)
        one.sender.offer(ABOUT, more)  # nothing is committed yet
        await one.until_ended(3)
        one.sender.offer(ABOUT, more[1:])
        one.sender.offer(ABOUT, [])
        await until(lambda: not one.sender._lanes)
    assert sequences(service.asked) == [1, 2, 3]


async def test_after_the_loss_of_a_store_what_is_offered_again_is_sent_again(service: Service) -> None:
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address))
        await one.until_ended(1)
        one.sender.distrust()
        one.sender.offer(ABOUT, notices(service.address))
        await until(lambda: len(service.asked) == 2)


async def test_while_the_store_is_away_the_next_event_waits(service: Service) -> None:
    async with trial(away=3) as one:
        one.sender.offer(ABOUT, notices(service.address, 2))
        await one.until_ended(2)
        assert one.pauses == [1.0, 2.0, 4.0]
    assert sequences(service.asked) == [1, 2]


async def test_what_is_left_of_a_run_that_is_gone_is_not_sent(service: Service) -> None:
    service.status = 500
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address, retries=_forever()))
        await until(lambda: len(service.asked) > 3)
        one.sender.forget(UID)
        one.sender.offer(ABOUT, [])
        assert await one.ended() == []


def _forever() -> RetryPolicy:
    return RetryPolicy(max_attempts=1_000_000, base_delay_ms=SOON.base_delay_ms, jitter_percent=0)


async def test_a_name_that_is_through_takes_no_event_from_the_next_one(service: Service) -> None:
    async with trial() as one:
        one.sender.offer(ABOUT, notices(service.address))
        await one.until_ended(1)
        later = notices(service.address, 3, name="other")
        one.sender.offer(ABOUT, later[1:2])  # the first name has nothing left, and this one is new
        one.sender.offer(ABOUT, later[1:])
        await one.until_ended(3)
        await until(lambda: len(service.asked) >= 3)
    assert sequences(service.asked) == [1, 2, 3]
