"""The gateway of a cluster, passed on to a page on this machine: every request as it came, but for who asks.

In: requests that a guard let in. Out: what the gateway answers, as it comes: streams of changes and logs too. Never
here: an address that is not of the dashboard; the page's own cookie or token on its way to the gateway.
"""

from collections.abc import AsyncIterator, Callable

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from reactor_operator.cli.dashboard.answers import told
from reactor_operator.cli.dashboard.bearers import Bearer
from reactor_operator.cli.errors import ClusterError
from reactor_operator.gateway.streaming import while_there
from reactor_operator.kube.errors import ApiError
from reactor_operator.ports import Unavailable

_OF_ONE_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_KEPT_HERE = _OF_ONE_HOP | {"authorization", "cookie"}
_OURS = _OF_ONE_HOP | {"date", "server"}
_DATA = "/api/v1"
_PAGES = ("/dashboard", _DATA)
_UNKNOWN = 401


class Proxy:
    """Passes on. `why` tells what is wrong with the way to the gateway, where there is anything to tell."""

    def __init__(self, gateway: httpx.AsyncClient, bearer: Bearer, why: Callable[[], str]) -> None:
        self._gateway = gateway
        self._bearer = bearer
        self._why = why

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        http = Request(scope, receive)
        path = http.scope["path"]
        if path != "/" and not any(path == page or path.startswith(f"{page}/") for page in _PAGES):
            await told(404, "no such address")(scope, receive, send)
            return
        try:
            answer = await self._ask(http)
        except (ClusterError, ApiError, Unavailable, OSError) as problem:
            await told(502, str(problem))(scope, receive, send)
        except httpx.TransportError as problem:
            words = self._why() or str(problem) or type(problem).__name__
            await told(502, f"the gateway was not reached: {words}")(scope, receive, send)
        else:
            await _pass_on(answer, receive, send)

    async def _ask(self, http: Request) -> httpx.Response:
        """Send a request on; once more with a new token where that was refused and nothing was sent with it."""
        answer = await self._send(http)
        if answer.status_code == _UNKNOWN and http.method == "GET" and http.scope["path"].startswith(_DATA):
            await answer.aclose()
            await self._bearer.renew()
            answer = await self._send(http)
        return answer

    async def _send(self, http: Request) -> httpx.Response:
        headers = [(name, value) for name, value in http.headers.raw if name.decode("latin-1") not in _KEPT_HERE]
        if http.scope["path"].startswith(_DATA):
            headers.append((b"authorization", (await self._bearer.header()).encode("latin-1")))
        has_body = "content-length" in http.headers or "transfer-encoding" in http.headers
        raw_path = http.scope["raw_path"] + (b"?" + http.scope["query_string"] if http.scope["query_string"] else b"")
        request = self._gateway.build_request(
            http.method,
            self._gateway.base_url.copy_with(raw_path=raw_path),
            headers=headers,
            content=_body_of(http) if has_body else None,
        )
        return await self._gateway.send(request, stream=True)


async def _body_of(http: Request) -> AsyncIterator[bytes]:
    try:
        async for part in http.stream():
            yield part
    except ClientDisconnect as problem:
        raise httpx.WriteError("the page is gone") from problem


async def _pass_on(answer: httpx.Response, receive: Receive, send: Send) -> None:
    """Send an answer part by part, until it ends or whoever asked is gone."""
    try:
        await while_there(_send_parts(answer, send), receive)
    except httpx.TransportError:
        return  # the gateway, or the way to it, ended in the middle: so does the answer
    finally:
        await answer.aclose()


async def _send_parts(answer: httpx.Response, send: Send) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.raw]
    kept = [(name, value) for name, value in headers if name.decode("latin-1") not in _OURS]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
    async for part in answer.aiter_raw():
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
