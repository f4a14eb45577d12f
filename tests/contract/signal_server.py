"""A gateway that takes signals, and a run in the store behind it whose operator answers when it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
from prometheus_client import CollectorRegistry

from reactor_operator.api.sources import Source
from reactor_operator.encryption import Key, Keyring
from reactor_operator.engine.failures import Failure
from reactor_operator.engine.state import Header
from reactor_operator.evaluation.environment import Environment
from reactor_operator.gateway.signals import SignalAccess
from reactor_operator.ports import ReactorObject
from reactor_operator.reconciling.records import read_header
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import KEY, ServedStore, running_gateway
from tests.contract.people import APPROVE, SIGNAL, People
from tests.unit.reconciling.conftest import REF, RUN, World

CORRELATION_ID = "order/7"
SCHEMA = {
    "type": "object",
    "required": ["approved"],
    "properties": {"approved": {"type": "boolean"}, "by": {"type": "string", "minLength": 1}},
}
STEPS: list[dict[str, object]] = [
    {"name": "approve", "interrupt": {"payloadSchema": SCHEMA, "correlationId": f"'{CORRELATION_ID}'"}},
    {"name": "sign", "interrupt": {"approvers": True}},
    {"name": "secret", "interrupt": {}, "sensitive": True},
    {"name": "later", "waitFor": ["approve"], "interrupt": {}},
    {"name": "ship", "run": RUN, "waitFor": ["approve", "sign", "secret", "later"]},
]
_LOOK_SECONDS = 0.02
KEYS = Keyring((Key(b"1" * 32),))
RESUME = {"namespace": "shop", "run": "r", "action": "resume", "step": "approve", "payload": {"approved": True}}


class WaitingRun(World):
    """A run with interrupts that are open."""

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec={"steps": STEPS})

    async def evaluate_sources(
        self, sources: Mapping[str, Source], environment: Environment, subject: str
    ) -> Mapping[str, object] | Failure:
        return dict.fromkeys(sources, CORRELATION_ID)

    async def follow(self, stop: asyncio.Event) -> None:
        """Reconcile every few milliseconds. Not by the bell: to end that while redis-py connects may take for ever."""
        while not stop.is_set():
            await self.reconcile()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """The operator answers, until the block ends."""
        stop = asyncio.Event()
        following = asyncio.create_task(self.follow(stop))
        try:
            yield
        finally:
            stop.set()
            await following


@dataclass(frozen=True, slots=True)
class Signals:
    """What a test needs to send signals, and to look behind them."""

    client: httpx.AsyncClient
    store: ServedStore
    people: People
    run: WaitingRun
    registry: CollectorRegistry

    async def post(self, body: object, token: str | None = "token-of-ann", **changed: object) -> httpx.Response:
        """Send a signal: `body`, or bytes as they are, with these fields changed; None takes one away."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if isinstance(body, bytes):
            return await self.client.post("/v1/signals", content=body, headers=headers)
        said = {**cast("Mapping[str, Any]", body), **changed}
        said = {name: value for name, value in said.items() if value is not None}
        return await self.client.post("/v1/signals", json=said, headers=headers)

    async def look(self, path: str, token: str = "token-of-ann") -> httpx.Response:
        return await self.client.get(f"/v1/signals/{path}", headers={"Authorization": f"Bearer {token}"})

    async def inbox(self) -> list[bytes]:
        found = await self.store.load(REF.uid)
        return [body for _, body in found.inbox] if found else []

    async def header(self) -> Header:
        header = read_header(await self.store.load(REF.uid))
        assert header is not None
        return header


@contextlib.asynccontextmanager
async def signalling(store: ServedStore, *, wait_seconds: float = 5.0) -> AsyncIterator[Signals]:
    """Serve signals to a run that waits. Ann may send some in shop, Bob may approve too, Cy may do so in bank alone."""
    people = People(runs={("shop", "r"): REF.uid, ("shop", "new"): "nothing-stored"})
    people.let("ann", SIGNAL.format("shop"))
    people.let("bob", SIGNAL.format("shop"), APPROVE.format("shop"))
    people.let("cy", SIGNAL.format("bank"), APPROVE.format("bank"))
    run = WaitingRun(cast("MemoryStore", store), keyring=replace(KEYS, sealing=KEY))
    await run.reconcile()
    access = SignalAccess(reviews=people, runs=people, wait_seconds=wait_seconds)
    async with running_gateway(store, KEYS, signals=access) as gateway:
        yield Signals(gateway.client, store, people, run, gateway.registry)
