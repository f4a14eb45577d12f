"""Summaries and ReactorRuns as tests need them, and a wait for what the mirror is to know."""

import asyncio
from collections.abc import Callable
from typing import Any

from reactor_operator.mirror.summary import RunSummary, summary_of


def run_object(name: str, namespace: str = "shop", at: str = "2026-01-01T00:00:00Z", **status: Any) -> dict[str, Any]:
    """Return a ReactorRun of the reactor `x`."""
    return {
        "apiVersion": "reactor.run/v1alpha1",
        "kind": "ReactorRun",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "creationTimestamp": at},
        "spec": {"reactorRef": {"name": "x"}},
        "status": status,
    }


def a_run(name: str, namespace: str = "shop", at: str = "2026-01-01T00:00:00Z", **status: Any) -> RunSummary:
    """Return its summary."""
    return summary_of(run_object(name, namespace, at, **status))


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true. Raises TimeoutError."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - an index tells nobody what it knows
            await asyncio.sleep(0.01)
