"""A gateway on loopback as pods see it: real HTTP, a store behind it, and a task that is open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx
from prometheus_client import CollectorRegistry

from reactor_operator.encryption import NO_KEYS, Keyring
from reactor_operator.engine.identity import Action, Task
from reactor_operator.engine.values import reference_to
from reactor_operator.gateway.api.routes import ApiAccess
from reactor_operator.gateway.app import create_app
from reactor_operator.gateway.record import OpenRecord, encode_record
from reactor_operator.gateway.serve import listen, serve
from reactor_operator.gateway.signals import SignalAccess
from reactor_operator.gateway.static_files import StaticFiles
from reactor_operator.gateway.tokens import task_token
from reactor_operator.gateway.webhooks import WebhookAccess
from reactor_operator.store.kept_logs import LogSettings
from reactor_operator.store.port import Commit, Pools, Store

KEY = b"0123456789abcdef0123456789abcdef"
RUN = "2f1e5a2c-0000-4000-8000-000000000001"
TASK = Task("ship/book-courier", Action.RUN, 1, 1, 1)
NOW = 1_700_000_000_000
NONCE = "a" * 32
OTHER_NONCE = "b" * 32
ARGUMENTS = b'{"order": "o-1",  "total": 12345678901234567890123}'
SUCCEEDED = b'{"type":"succeeded","result":{"id":1}}'


class ServedStore(Store, Pools, Protocol):
    """A store that a gateway can serve."""


class StoppedClock:
    """Stands still."""

    def now(self) -> int:
        return NOW


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a test needs to speak to a running gateway as a task, and to look behind it."""

    port: int
    client: httpx.AsyncClient
    store: ServedStore
    registry: CollectorRegistry

    async def ask(
        self,
        method: str,
        verb: str,
        *,
        task: Task = TASK,
        nonce: str | None = NONCE,
        token: str | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        bearer = token if token is not None else task_token(KEY, f"{RUN}/{task.key}")
        sent = {"Authorization": f"Bearer {bearer}", **(headers or {})}
        if nonce is not None:
            sent["Reactor-Nonce"] = nonce
        return await self.client.request(method, address(task, verb), content=content, headers=sent)

    async def inbox(self) -> list[bytes]:
        found = await self.store.load(RUN)
        return [body for _, body in found.inbox] if found else []


def address(task: Task, verb: str) -> str:
    return f"/v1/tasks/{RUN}/{quote(task.key, safe='')}/{verb}"


@contextlib.asynccontextmanager
async def running_gateway(
    store: ServedStore,
    keys: Keyring = NO_KEYS,
    lease_seconds: float = 30.0,
    port: int = 0,
    signals: SignalAccess | None = None,
    webhooks: WebhookAccess | None = None,
    api: ApiAccess | None = None,
    dashboard: Path | None = None,
    task_logs: LogSettings | None = None,
) -> AsyncIterator[Gateway]:
    """Serve until the block ends. What is sealed is sealed with KEY. dashboard: the folder that has one."""
    with listen("127.0.0.1", port) as listener:
        port = listener.getsockname()[1]
        registry = CollectorRegistry()
        sealing = replace(keys, sealing=KEY)
        app = create_app(
            store, KEY, StoppedClock(), registry, sealing, lease_seconds, signals=signals, webhooks=webhooks, api=api,
            dashboard=StaticFiles(dashboard) if dashboard is not None else None, task_logs=task_logs,
        )  # fmt: skip
        serving = asyncio.create_task(serve(app, "127.0.0.1", port, listener))
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=20, verify=False, trust_env=False
        ) as client:
            yield Gateway(port, client, store, registry)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def open_task(store: Store, task: Task = TASK, record: OpenRecord | None = None) -> None:
    """Open `task` in the run, as reconcile would."""
    found = await store.load(RUN)
    kept = record or OpenRecord(arguments=reference_to(ARGUMENTS))
    await store.commit(
        Commit(
            run=RUN,
            revision=found.revision if found else 0,
            epoch=1,
            values={reference_to(ARGUMENTS).digest: ARGUMENTS},
            opens={task.key: encode_record(kept)},
        )
    )


async def close_task(store: Store, task: Task = TASK) -> None:
    """Close `task`, with everything read that waits in the inbox."""
    found = await store.load(RUN)
    assert found is not None
    position = found.inbox[-1][0] if found.inbox else 0
    await store.commit(
        Commit(run=RUN, revision=found.revision, epoch=1, inbox_position=position, closes=frozenset({task.key}))
    )
