"""What a task sent, before anything is done about it: for which task, with which right, from whom, which body.

In: a request from anyone. Out: a `TaskRequest` whose token is right, or a `Refusal`. Never here: the store, or a body
beyond its limit in memory.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.requests import Request

from reactor_operator.engine.identity import Task, parse_task_key
from reactor_operator.gateway.bodies import Refusal, announced_size, read_body
from reactor_operator.gateway.tokens import verify
from reactor_operator.gateway.turns import SMALL

METHODS = {
    "check-in": "POST",
    "outcome": "PUT",
    "output": "PUT",
    "arguments": "GET",
    "result": "GET",
    "failure": "GET",
    "results": "GET",
}
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_NONCE = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
_BEARER = re.compile(r"bearer ([!-~]{1,512})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A request that has the right to speak for its task."""

    run: str
    task: Task
    verb: str
    http: Request = field(repr=False)

    def binding(self) -> str:
        """Return who speaks: the peer's address and the nonce of its process. Raises Refusal without a nonce."""
        nonce = self.http.headers.get("reactor-nonce", "")
        if _NONCE.fullmatch(nonce) is None:
            raise Refusal(400, "header Reactor-Nonce: expected 32 hex digits, drawn once per process")
        return f"{self.peer}/{nonce.lower()}"

    @property
    def peer(self) -> str:
        """The address that the request came from."""
        return self.http.client.host if self.http.client else ""

    def is_sensitive(self) -> bool:
        """Say whether the task was told at its check-in that its result is sensitive; asking the store would cost."""
        return self.http.headers.get("reactor-sensitive", "") == "true"

    def may_be_large(self) -> bool:
        """Say whether the body is announced as large, or not announced at all."""
        announced = announced_size(self.http)
        return announced is None or announced > SMALL

    async def read_body(self, limit: int) -> bytes:
        """Return the body. Raises Refusal (413) as soon as it is known to be longer than `limit` bytes."""
        return await read_body(self.http, limit)


def parse_request(request: Request, token_key: bytes) -> TaskRequest:
    """Return what the request asks for. Raises Refusal: 404, 405, 401."""
    # The path must be cut before it is decoded: a task key may hold a slash.
    parts = request.scope["raw_path"].decode("ascii", "replace").split("/")
    if len(parts) != 6 or parts[5] not in METHODS:
        raise Refusal(404, f"no such address; expected /v1/tasks/RUN-UID/TASK-KEY/VERB, a verb of {', '.join(METHODS)}")
    run, key, verb = unquote(parts[3]), unquote(parts[4]), parts[5]
    if request.method != METHODS[verb]:
        raise Refusal(405, f"found {request.method}, expected {METHODS[verb]}", {"Allow": METHODS[verb]})
    task = parse_task_key(key)
    if task is None or not is_run(run) or not has_token(request, token_key, f"{run}/{key}"):
        raise Refusal(401, "expected the token of this task (REACTOR_TOKEN)", {"WWW-Authenticate": "Bearer"})
    return TaskRequest(run, task, verb, request)


def is_run(uid: str) -> bool:
    """Say whether a text from outside can be the uid of a run."""
    return _RUN.fullmatch(uid) is not None


def has_token(request: Request, token_key: bytes, fence: str) -> bool:
    """Say whether a request bears the token of `fence`."""
    bearer = _BEARER.fullmatch(request.headers.get("authorization", ""))
    return bearer is not None and verify(token_key, fence, bearer[1])
