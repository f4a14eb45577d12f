"""Who leads: one at a time, with an epoch above all before."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from reactor_operator.changes.lease import EPOCH, Leadership, LeaseLost, LeaseTerms
from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.paths import LEASE
from reactor_operator.store.memory import MemoryStore
from reactor_operator.store.port import StoreUnavailable
from tests.unit.kube.api_server import ApiServer
from tests.unit.outcomes.stores import FixedClock

PATH = LEASE.object("system", "reactor")


@pytest_asyncio.fixture
async def client(server: ApiServer) -> AsyncIterator[KubeClient]:
    async with server.client(timeout_seconds=1.0) as opened:
        yield opened


def leadership(client: KubeClient, holder: str, *, seconds: float = 1.0, renew_every: float = 0.02) -> Leadership:
    terms = LeaseTerms(
        namespace="system", name="reactor", holder=holder, seconds=seconds, renew_every=renew_every, look_every=0.02
    )
    return Leadership(client, terms, FixedClock(0))


async def test_the_first_takes_the_lease_and_the_first_epoch(server: ApiServer, client: KubeClient) -> None:
    one = leadership(client, "one")
    assert await one.acquire(MemoryStore().claim_epoch) == 1
    assert one.remaining_seconds() > 0.5
    assert server.objects[PATH]["spec"]["holderIdentity"] == "one"
    assert server.objects[PATH]["metadata"]["annotations"][EPOCH] == "1"


async def test_a_second_waits_until_the_first_is_silent(client: KubeClient) -> None:
    store = MemoryStore()
    await leadership(client, "one").acquire(store.claim_epoch)
    second = asyncio.create_task(leadership(client, "two").acquire(store.claim_epoch))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(second), 0.5)
    assert await asyncio.wait_for(second, 5) == 2


async def test_a_lease_that_is_given_back_is_taken_at_once(client: KubeClient) -> None:
    store = MemoryStore()
    one = leadership(client, "one", seconds=60)
    await one.acquire(store.claim_epoch)
    await one.release()
    assert one.remaining_seconds() <= 0
    assert await asyncio.wait_for(leadership(client, "two").acquire(store.claim_epoch), 2) == 2


async def test_an_emptied_store_brings_no_old_epoch_back(client: KubeClient) -> None:
    for expected in (1, 2, 3):
        one = leadership(client, "one")
        assert await one.acquire(MemoryStore().claim_epoch) == expected


async def test_a_store_that_is_away_is_waited_for(server: ApiServer, client: KubeClient) -> None:
    store, refusals = MemoryStore(), 3

    async def claim(above: int) -> int:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise StoreUnavailable("it is being restarted")
        return await store.claim_epoch(above)

    one = leadership(client, "one")
    assert await asyncio.wait_for(one.acquire(claim), 5) == 1
    assert one.remaining_seconds() > 0


async def test_who_waits_for_the_store_keeps_the_lease_from_nobody(client: KubeClient) -> None:
    """Each try takes the Lease by compare-and-swap, so of two that wait one leads once the store is back."""
    store, away = MemoryStore(), True

    async def claim(above: int) -> int:
        if away:
            raise StoreUnavailable("away")
        return await store.claim_epoch(above)

    tasks = [asyncio.create_task(leadership(client, name, seconds=0.2).acquire(claim)) for name in ("one", "two")]
    await asyncio.sleep(0.3)
    away = False
    assert sorted(await asyncio.wait_for(asyncio.gather(*tasks), 5)) == [1, 2]


async def test_a_renewed_lease_stays(client: KubeClient) -> None:
    one = leadership(client, "one", seconds=1.0)
    await one.acquire(MemoryStore().claim_epoch)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.keep(), 1.5)
    assert one.remaining_seconds() > 0.5


async def test_a_lease_that_another_took_is_lost(server: ApiServer, client: KubeClient) -> None:
    one = leadership(client, "one")
    await one.acquire(MemoryStore().claim_epoch)
    server.objects[PATH]["spec"]["holderIdentity"] = "two"
    await server.put(PATH, server.objects[PATH])
    with pytest.raises(LeaseLost, match="two"):
        await asyncio.wait_for(one.keep(), 2)


async def test_a_renewal_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    server: ApiServer, client: KubeClient
) -> None:
    one = leadership(client, "one", seconds=5)
    await one.acquire(MemoryStore().claim_epoch)
    server.lose_answers = 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.keep(), 0.3)


async def test_a_server_that_stays_away_costs_the_lease(server: ApiServer, client: KubeClient) -> None:
    one = leadership(client, "one", seconds=0.2)
    await one.acquire(MemoryStore().claim_epoch)
    server.script = [(503, {}, {})] * 1000
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(one.keep(), 3)


async def test_two_that_try_at_once_get_different_epochs_and_one_lease(client: KubeClient) -> None:
    store = MemoryStore()
    tasks = [
        asyncio.create_task(leadership(client, name, seconds=0.3).acquire(store.claim_epoch)) for name in ("one", "two")
    ]
    assert sorted(await asyncio.wait_for(asyncio.gather(*tasks), 5)) == [1, 2]
