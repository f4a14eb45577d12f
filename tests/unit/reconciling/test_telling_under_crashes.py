"""Telling under crashes, by seed: operators come and go at any moment, an endpoint fails and answers get lost.

What must hold: every fact arrives, first arrivals in order, and what arrives again is the same bytes.
"""

import asyncio
import json
import random
from collections.abc import Mapping

import pytest

from reactor_operator.notifications.sender import Sender
from reactor_operator.notifications.signing import SigningKeys
from reactor_operator.ports import Teller
from reactor_operator.running.clock import WallClock
from reactor_operator.store.memory import MemoryStore
from tests.unit.reconciling.conftest import REF
from tests.unit.reconciling.test_telling import Notifying

SEEDS = range(60)


class Wire:
    """An endpoint at the end of a bad wire: it may refuse, or take an event and have its answer lost."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.bodies: list[bytes] = []

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str], timeout_ms: int) -> str | None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        if self.chance.random() < 0.3:
            return "refused"
        self.bodies.append(body)
        return "the answer was lost" if self.chance.random() < 0.3 else None


class Sending(Sender):
    """A sender with nobody who observes."""

    observed = False

    def tell(self, *_: object) -> None:
        """Tell nobody."""


async def breathe(_: float) -> None:
    await asyncio.sleep(0)


class Patient(Notifying):
    """Its notifications are never given up."""

    async def get_reactor(self, namespace: str, name: str) -> object:  # type: ignore[override]
        found = await super().get_reactor(namespace, name)
        assert found is not None
        found.spec["notifications"][0]["http"]["retries"]["maxAttempts"] = 100  # type: ignore[index]
        return found


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_fact_arrives_in_order_whoever_crashes_when(seed: int) -> None:
    chance = random.Random(seed)
    store, wire = MemoryStore(), Wire(chance)
    happens = [("succeed", "a"), (chance.choice(("succeed", "fail")), "b")]
    epoch = 0
    while True:
        epoch += 1
        sender = Sending(inbox=store, clock=WallClock(), keys=SigningKeys(), post=wire, sleep=breathe)
        teller: Teller = sender
        world = Patient(store, epoch, teller=teller)
        await store.claim_epoch(epoch - 1)
        for _ in range(chance.randrange(1, 12)):
            await world.reconcile()
            if happens and chance.random() < 0.3:
                verb, step = happens.pop(0)
                await getattr(world, verb)(step)
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
        done = not happens and REF.uid not in await store.active_runs()
        await sender.close()  # whatever is under way is cut off
        if done:
            break
        assert epoch < 500, "it never ends"
    await world.reconcile()
    failed = b"run.reactor.step.failed" in b"".join(wire.bodies)
    arrived = [json.loads(body)["data"]["sequence"] for body in wire.bodies]
    assert list(dict.fromkeys(arrived)) == ([1, 2, 3] if failed else [1, 2])
    assert len(set(wire.bodies)) == len(set(arrived))
    assert arrived == sorted(arrived)
    assert world.told == {"pending": 0, "delivered": len(set(arrived)), "dead": 0}
