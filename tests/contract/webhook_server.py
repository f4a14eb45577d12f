"""A gateway that takes deliveries for a reactor whose run waits, and whose operator answers when it is told to."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import httpx
import orjson

from reactor_operator.evaluation.evaluator import ProcessEvaluator
from reactor_operator.gateway.webhooks import WebhookAccess
from reactor_operator.ports import ReactorObject, Unavailable
from reactor_operator.store.memory import MemoryStore
from tests.contract.gateway_server import KEY, NOW, Gateway, ServedStore, running_gateway
from tests.contract.signal_server import KEYS, STEPS, WaitingRun
from tests.contract.signed import signed

KEY_OF_REPORTS = b"0123456789abcdef0123456789abcdef"
WEBHOOK: dict[str, object] = {
    "name": "reports",
    "secret": "reports",
    "match": "body.event == 'finished'",
    "correlationId": "body.id",
    "payload": "{'approved': body.ok}",
}
FINISHED = {"event": "finished", "id": "order/7", "ok": True}


@dataclass(slots=True)
class Reactors:
    """The reactors of a cluster. `asked`: which were looked for."""

    webhooks: list[dict[str, object]]
    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def get_reactor(self, namespace: str, name: str) -> ReactorObject | None:
        self.asked.append(f"{namespace}/{name}")
        if self.away:
            raise Unavailable("away")
        if (namespace, name) != ("shop", "x"):
            return None
        spec = {"steps": STEPS, "webhooks": self.webhooks}
        return ReactorObject(namespace=namespace, name=name, uid="reactor-uid", generation=1, spec=spec)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What a test needs to deliver something, and to look behind it."""

    gateway: Gateway
    reactors: Reactors
    run: WaitingRun
    folder: Path

    async def deliver(
        self,
        said: object = FINISHED,
        *,
        to: str = "shop/x/reports",
        headers: dict[str, str] | None = None,
        key: bytes = KEY_OF_REPORTS,
        second: int = NOW // 1_000,
        id_: str = "msg_1",
    ) -> httpx.Response:
        """Deliver a document, or bytes as they are."""
        body = said if isinstance(said, bytes) else orjson.dumps(said)
        sent = {**signed(body, key, second, id_=id_), **(headers or {})}
        return await self.gateway.client.post(f"/v1/webhooks/{to}", content=body, headers=sent)


@contextlib.asynccontextmanager
async def delivering(
    store: ServedStore, folder: Path, *webhooks: dict[str, object], per_second: float = 100.0, opening: float = 0.2
) -> AsyncIterator[Deliveries]:
    """Serve deliveries to the run r of reactor shop/x, which is not there yet."""
    (folder / "reports").write_bytes(KEY_OF_REPORTS + b"\n")
    reactors = Reactors(list(webhooks) or [WEBHOOK])
    expressions = ProcessEvaluator(workers=1)
    run = WaitingRun(cast("MemoryStore", store), keyring=replace(KEYS, sealing=KEY))
    access = WebhookAccess(
        reactors=reactors,
        folder=folder,
        expressions=expressions,
        per_second=per_second,
        opening_seconds=opening,
        wait_seconds=5.0,
    )
    try:
        async with running_gateway(store, KEYS, webhooks=access) as gateway:
            yield Deliveries(gateway, reactors, run, folder)
    finally:
        await expressions.close()
