"""An application on a port, until cancelled.

In: an ASGI application and where to listen. Out: nothing; requests in flight are answered before it ends.
Never here: signal handlers (the program has its own), access logs (metrics count requests), or a connection that
somebody holds who asks for nothing.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_CONNECTIONS_AT_ONCE = 4_096
_IDLE_SECONDS = 75
_DRAIN_SECONDS = 10
_HEAD_SECONDS = 20.0


class _Protocol(H11Protocol):
    """Closes a connection on which no whole head of a request arrives in time, which uvicorn would keep for ever."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head(_HEAD_SECONDS)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_head(_IDLE_SECONDS + _HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self, seconds: float) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(seconds, self._close_unless_asked, self.cycle)

    def _close_unless_asked(self, before: object) -> None:
        if self.cycle is before:
            self.transport.close()


class _Server(uvicorn.Server):
    """Leaves signals to the program that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, host: str, port: int, listener: socket.socket | None = None) -> None:
    """Serve `app` until this is cancelled; then finish what is in flight, within 10 s. Raises OSError: port is taken.

    `listener` is what `listen` gave before, for callers that must know the port.
    """
    bound = listener or listen(host, port)
    config = uvicorn.Config(
        app,
        loop="none",
        http=_Protocol,
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        limit_concurrency=_CONNECTIONS_AT_ONCE,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one, and no host is every address, IPv6 and IPv4. Raises OSError.

    The protocol is named because asyncio switches Nagle's algorithm off only for sockets that say they are TCP; with it
    an answer can wait 40 ms for the peer's delayed acknowledgement.
    """
    both = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if both:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
