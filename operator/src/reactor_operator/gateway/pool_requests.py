"""What a worker of a pool sent, before anything is done about it: of which pool, with which right, which body.

In: a request from anyone. Out: a `PoolRequest` whose token is right, what its body says, or a `Refusal`. Never here:
the store.
"""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request

from reactor_operator.gateway.bodies import OUTCOME_LIMIT, Refusal, read_body
from reactor_operator.gateway.requests import has_token, is_run
from reactor_operator.gateway.tokens import is_same, lease_proof, pool_fence
from reactor_operator.store.port import worker_binding

METHODS = {"lease": "POST", "heartbeat": "POST", "report": "POST", "task": "POST", "results": "GET"}
MOST_TASKS = 1_000
_BODY_LIMIT = 8 * 1024 * 1024
"""A heartbeat names each lease: some 4,000, with the path of a task in each."""
_REPORT_LIMIT = OUTCOME_LIMIT + 1024 * 1024
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_POOL = re.compile(rf"~?{_NAMESPACE.pattern}", re.ASCII)
"""A pool; after a tilde a pod that has a queue of its own."""
_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """A request that has the right to speak for workers of a pool (`NAMESPACE/NAME`)."""

    pool: str
    verb: str
    http: Request = field(repr=False)
    token_key: bytes = field(repr=False)

    async def read_json(self) -> dict[str, Any]:
        """Return the body, a JSON object. Raises Refusal."""
        return _object(await read_body(self.http, _BODY_LIMIT))

    async def read_lines(self) -> tuple[dict[str, Any], list[bytes]]:
        """Return the first line of the body, a JSON object, and the others as they are. Raises Refusal."""
        head, *lines = (await read_body(self.http, _REPORT_LIMIT)).split(b"\n")
        return _object(head), lines

    def binding(self, worker: object) -> str:
        """Return who speaks. Raises Refusal."""
        return worker_binding(self.pool, worker_of(worker))

    def proof(self, binding: str, run: str, task: str) -> str:
        """Return what a worker has to show for a task."""
        return lease_proof(self.token_key, binding, run, task)

    def has_proof(self, binding: str, run: object, task: object, proof: object) -> bool:
        """Say whether a worker was given this task."""
        if not (isinstance(run, str) and isinstance(task, str) and isinstance(proof, str)):
            return False
        return is_run(run) and is_same(self.proof(binding, run, task), proof)


def parse_pool_request(request: Request, token_key: bytes) -> PoolRequest:
    """Return what the request asks for. Raises Refusal: 404, 405, 401."""
    parts = request.scope["raw_path"].decode("ascii", "replace").split("/")
    if len(parts) != 6 or parts[5] not in METHODS:
        words = f"expected /v1/pools/NAMESPACE/NAME/VERB, a verb of {', '.join(METHODS)}"
        raise Refusal(404, f"no such address; {words}")
    namespace, name, verb = unquote(parts[3]), unquote(parts[4]), parts[5]
    if request.method != METHODS[verb]:
        raise Refusal(405, f"found {request.method}, expected {METHODS[verb]}", {"Allow": METHODS[verb]})
    pool = f"{namespace}/{name}"
    named = _NAMESPACE.fullmatch(namespace) and _POOL.fullmatch(name)
    if not named or not has_token(request, token_key, pool_fence(pool)):
        raise Refusal(401, "expected the token of this pool (REACTOR_POOL_TOKEN)", {"WWW-Authenticate": "Bearer"})
    return PoolRequest(pool, verb, request, token_key)


def worker_of(found: object) -> str:
    """Return the name of a worker. Raises Refusal."""
    if not isinstance(found, str) or _WORKER.fullmatch(found) is None:
        raise Refusal(
            400, "worker: expected a name of at most 128 letters, digits, dots, dashes; drawn once per process"
        )
    return found


def limit_of(found: object) -> int:
    """Return how many tasks are asked for. Raises Refusal."""
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise Refusal(400, "limit: expected how many tasks, at least 1")
    return min(found, MOST_TASKS)


def texts_of(found: object, name: str) -> frozenset[str]:
    """Return a list of texts. Raises Refusal."""
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Refusal(400, f"{name}: expected a list of strings")
    return frozenset(found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Refusal(400, f"the body: {problem}; expected a JSON object") from None
    if not isinstance(found, dict):
        raise Refusal(400, "the body: expected a JSON object")
    return found
