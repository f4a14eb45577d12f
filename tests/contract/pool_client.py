"""A worker of a pool as the gateway sees it: leases and reports over real HTTP, written by hand."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from reactor_operator.gateway.pool_requests import METHODS
from reactor_operator.gateway.tokens import pool_fence, task_token
from tests.contract.gateway_server import KEY, RUN, Gateway
from tests.contract.pool_worker import POOL, PooledRun

WORKER = "worker-1"


@dataclass(frozen=True)
class Leased:
    """An answer to a lease."""

    head: dict[str, Any]
    tasks: list[dict[str, Any]]

    def about(self, place: int = 0, **more: object) -> dict[str, Any]:
        """Return what a report says of a task."""
        (key, proof) = [one for lease in self.head["leases"] for one in lease["tasks"]][place]
        return {"run": RUN, "task": key, "proof": proof, **more}


@dataclass(frozen=True)
class Pool:
    """A worker's view of a gateway."""

    gateway: Gateway
    run: PooledRun
    pool: str = POOL
    worker: str = WORKER
    token: str = task_token(KEY, pool_fence(POOL))

    async def ask(self, verb: str, content: bytes | None = None, **told: object) -> httpx.Response:
        body = json.dumps({"worker": self.worker, **told}).encode() if content is None else content
        return await self.gateway.client.request(
            METHODS[verb],
            f"/v1/pools/{self.pool}/{verb}",
            content=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def lease(self, limit: int = 100, **told: Any) -> Leased:
        answer = await self.ask("lease", limit=limit, **told)
        assert answer.status_code == 200, answer.text
        first, *lines = answer.content.split(b"\n")
        return Leased(json.loads(first), [json.loads(line) for line in lines])

    async def report(self, *outcomes: tuple[dict[str, object], bytes]) -> Any:
        head = {"worker": self.worker, "outcomes": [about for about, _ in outcomes]}
        body = b"\n".join([json.dumps(head).encode(), *[document for _, document in outcomes]])
        answer = await self.ask("report", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["answers"]
