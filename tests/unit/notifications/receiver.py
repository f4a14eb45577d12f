"""What a test has of an endpoint: notices for it, and a check of signatures written from the documentation alone."""

import asyncio
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from reactor_operator.engine.actions import Notify
from reactor_operator.engine.facts import Fact, FactKind
from reactor_operator.engine.plan import Endpoint, RetryPolicy
from reactor_operator.engine.state import RunPhase
from reactor_operator.ports import About, RunRef
from tests.unit.runtime.service import Asked, Misbehaviour

KEY = b"0123456789abcdef0123456789abcdef"
ABOUT = About(run=RunRef("shop", "order-1", "uid-1"), reactor="checkout")
AT = 1_795_348_800_123
SOON = RetryPolicy(max_attempts=3, base_delay_ms=1, jitter_percent=0)


def fact(sequence: int = 1, kind: FactKind = FactKind.RUN_STARTED, **more: Any) -> Fact:
    return Fact(sequence=sequence, kind=kind, at=AT, phase=RunPhase.RUNNING, **more)


def notices(address: str, count: int = 1, name: str = "audit", **endpoint: Any) -> list[Notify]:
    to = Endpoint(**{"url": f"{address}/events", "retries": SOON, **endpoint})
    return [Notify(notification=name, fact=fact(number), endpoint=to) for number in range(1, count + 1)]


def is_signed(asked: Asked, key: bytes, *, now: float | None = None, tolerance: float = 300) -> bool:
    """Check a request as docs/notifications.md says: the time, then HMAC-SHA256 over `TIME.BODY`."""
    parts = dict(part.split("=", 1) for part in asked.headers.get("Reactor-Signature", "").split(",") if "=" in part)
    if not parts.get("t", "").isdigit() or abs((now or time.time()) - int(parts["t"])) > tolerance:
        return False
    wanted = hmac.new(key, parts["t"].encode() + b"." + asked.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts.get("v1", ""))


def sequences(asked: list[Asked]) -> list[int]:
    return [json.loads(one.body)["data"]["sequence"] for one in asked]


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let other tasks go on until it holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - a server in a thread tells nobody what it was asked
            await asyncio.sleep(0.002)


def hang(release: threading.Event) -> Misbehaviour:
    """Answer nothing before the test says so."""

    def misbehave(_: socket.socket) -> None:
        release.wait(60)

    return misbehave
