"""A port of a pod as a local socket: each connection to it is one port-forward through the API server.

In: access to a cluster, and what tells the pod. Out: the path of a Unix socket that nobody else on this machine can
open. Never here: what is said over it, or a pod that is held on to; each connection asks which one there is.

The protocol is `v4.channel.k8s.io` over a WebSocket, the one that the API server passes on to the kubelet: of the first
port channel 0 carries data and channel 1 errors, and the first message on each is the port, 16 bits, low byte first.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from reactor_operator.kube.access import Access
from reactor_operator.kube.errors import ApiError, ApiUnavailable
from reactor_operator.kube.paths import POD

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERRORS = 0, 1
_CONNECT_SECONDS = 20.0
_HEARTBEAT_SECONDS = 30.0
_CHUNK = 32 * 1024


@dataclass(frozen=True, slots=True)
class PodPort:
    """A port of a pod."""

    namespace: str
    pod: str
    port: int


class ForwardFailed(Exception):
    """There is no way to the port; the message says why."""


class Forward:
    """A socket that leads to a port. `problem` is why the latest connection failed, empty where it did not."""

    def __init__(self, access: Access, find: Callable[[], Awaitable[PodPort]]) -> None:
        """`find` tells the pod for a connection. Raises ForwardFailed, ApiError, Unavailable."""
        self.problem = ""
        self._access = access
        self._find = find

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Path]:
        """Listen, until the block ends, and yield the path of the socket."""
        tls = self._access.tls if self._access.tls is not None else False
        connector = aiohttp.TCPConnector(limit=0, ssl=tls)
        with tempfile.TemporaryDirectory(prefix="reactor-") as folder:
            path = Path(folder) / "gateway"
            async with aiohttp.ClientSession(connector=connector, proxy=self._access.proxy) as session:

                async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                    await self._serve(session, reader, writer)

                server = await asyncio.start_unix_server(carry, path)
                try:
                    yield path
                finally:
                    server.close()

    async def _serve(
        self, session: aiohttp.ClientSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.problem = ""
        try:
            await self._carry(session, reader, writer)
        except (ForwardFailed, ApiError, ApiUnavailable) as problem:
            self.problem = str(problem)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            self.problem = str(problem) or type(problem).__name__
        finally:
            writer.close()

    async def _carry(
        self, session: aiohttp.ClientSession, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        target = await self._find()
        async with await self._connect(session, target) as socket:
            up = asyncio.create_task(_up(reader, socket))
            try:
                await self._down(socket, writer)
            finally:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)

    async def _connect(self, session: aiohttp.ClientSession, target: PodPort) -> aiohttp.ClientWebSocketResponse:
        path = POD.object(target.namespace, target.pod, "portforward")
        authorization = await self._access.authorization()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await session.ws_connect(
                    f"{self._access.server}{path}?ports={target.port}",
                    protocols=(_PROTOCOL,),
                    headers={"Authorization": authorization} if authorization is not None else {},
                    heartbeat=_HEARTBEAT_SECONDS,
                    max_msg_size=0,
                )
        except aiohttp.WSServerHandshakeError as problem:
            raise ForwardFailed(_refused(problem.status, target)) from None

    async def _down(self, socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
        """Pass on what the pod says, until it says no more."""
        begun: set[int] = set()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel not in begun:
                begun.add(channel)
                data = data[2:]
            if channel == _ERRORS and data:
                raise ForwardFailed(data.decode("utf-8", "replace"))
            if channel == _DATA and data:
                writer.write(data)
                await writer.drain()


async def _up(reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse) -> None:
    """Pass on what is said to the pod; once there is no more the connection ends."""
    while data := await reader.read(_CHUNK):
        await socket.send_bytes(bytes((_DATA,)) + data)
    await socket.close()


def _refused(status: int, target: PodPort) -> str:
    if status in (401, 403):
        what = "create and get pods/portforward"
        return f"you may not {what} in namespace {target.namespace}: a role must allow it, or come through an Ingress"
    return f"the API server answered {status} to a port-forward to pod {target.namespace}/{target.pod}"
